import assert from "node:assert/strict";
import type { ConfigMap, Pod, Secret } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { CONFIG_MAPS, NODES, PODS, type ResourceType, SECRETS } from "../../common/kubeclient/mod.ts";
import { CONFIG, connected, contentOf, EDGE_LABELS, node, pod, SECRET, seed } from "./_testing.ts";
import { Rig } from "./fake_hub.ts";

Deno.test("edgeController() gives a node that connects its Node, its pods and what they refer to, whole", async () => {
  await using rig = new Rig();
  await connected(rig);
  assert.deepEqual(rig.pushes(), [
    "update null/node/edge-1",
    "update default/secret/secret",
    "insert default/configmap/config",
    "insert default/pod/web",
  ]);
  for (const { header, route, content } of rig.sent) {
    const { apiVersion, kind, metadata } = content as Pod;
    assert.equal(apiVersion, "v1");
    assert.ok(kind);
    assert.equal(header.resourceVersion, metadata?.resourceVersion);
    assert.match(header.resourceVersion ?? "", /^\d+$/);
    assert.deepEqual([route.source, route.group], ["edgecontroller", "resource"]);
  }
  assert.deepEqual(contentOf<Secret>(rig.sent[1]!).data, { a: "MQ==" });
});

Deno.test("edgeController() reads no ConfigMap and no Secret that no edge pod refers to", async () => {
  await using rig = new Rig();
  rig.kube.seed(SECRETS, { metadata: { namespace: "default", name: "foreign" } });
  rig.kube.seed(
    PODS,
    pod("cloud", "node-1", { volumes: [{ name: "s", secret: { secretName: "foreign" } }] }),
  );
  await connected(rig);
  const reads = rig.kube.calls.filter(({ resource }) => resource === "secrets" || resource === "configmaps");
  assert.deepEqual(reads.map(({ verb, resource }) => `${verb} ${resource}`).sort(), [
    "list configmaps",
    "list secrets",
    "watch configmaps",
    "watch secrets",
  ]);
});

Deno.test("edgeController() sends changes of ConfigMaps and Secrets to the nodes that need them", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  await rig.connect("edge-2");
  await rig.kube.update(CONFIG_MAPS, { ...CONFIG, data: { a: "2" } });
  const push = await rig.pushed("update", "node/edge-1/default/configmap/config", from);
  assert.deepEqual(contentOf<ConfigMap>(push).data, { a: "2" });
  await rig.kube.delete(SECRETS, { namespace: "default", name: "secret" });
  const gone = contentOf<Secret>(await rig.pushed("delete", "node/edge-1/default/secret/secret", from));
  assert.equal(gone.metadata?.name, "secret");
  assert.ok(gone.metadata?.uid);
  await rig.settle();
  assert.ok(!rig.sent.some(({ route }) => route.resource.startsWith("node/edge-2/default/")));
});

const watchedObjects = ({ metrics }: Rig) =>
  metrics.collect().find(({ name }) => name === "edgecontroller_watched_objects")?.samples[0]?.value;

Deno.test("edgeController() ends the watch of what no pod refers to any more, after a while", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  await rig.kube.delete(PODS, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await rig.pushed("delete", "node/edge-1/default/pod/web", from);
  assert.equal(watchedObjects(rig), 2);
  await rig.kube.delete(SECRETS, { namespace: "default", name: "secret" });
  await rig.pushed("delete", "node/edge-1/default/secret/secret", from);
  await rig.clock.advance(300_000);
  assert.equal(watchedObjects(rig), 0);
  await rig.kube.update(CONFIG_MAPS, { ...CONFIG, data: { a: "2" } });
  await rig.settle();
  assert.deepEqual(rig.pushes(from), ["delete default/pod/web", "delete default/secret/secret"]);
});

Deno.test("edgeController() finds out that what no pod needs was deleted, by and by and at the next connection", async () => {
  for (const event of ["time", "connection"] as const) {
    await using rig = new Rig();
    const from = await connected(rig);
    await rig.kube.delete(PODS, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
    await rig.pushed("delete", "node/edge-1/default/pod/web", from);
    await rig.clock.advance(300_000);
    await rig.kube.delete(CONFIG_MAPS, { namespace: "default", name: "config" });
    await rig.settle();
    assert.ok(!rig.pushes(from).includes("delete default/configmap/config"));
    if (event === "time") await rig.clock.advance(1_800_000);
    else await rig.connect("edge-1");
    await rig.pushed("delete", "node/edge-1/default/configmap/config", from);
    assert.ok(!rig.pushes(from).includes("delete default/secret/secret"));
  }
});

Deno.test("edgeController() keeps the watch when a pod is made anew", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  await rig.kube.delete(PODS, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await rig.pushed("delete", "node/edge-1/default/pod/web", from);
  await rig.kube.create(PODS, pod("web-2", "edge-1"));
  await rig.pushed("insert", "node/edge-1/default/pod/web-2", from);
  await rig.clock.advance(300_000);
  assert.equal(watchedObjects(rig), 2);
  const lists = rig.kube.calls.filter(({ verb, resource }) => verb === "list" && resource === "secrets");
  assert.equal(lists.length, 1);
});

Deno.test("edgeController() does not tell an edge what the edge itself wrote", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const patch = JSON.stringify({ metadata: { uid: "uid-web" }, status: { phase: "Running" } });
  const reply = await rig.ask("patch", "node/edge-1/default/podpatch/web", patch);
  const { Object: answered, Err } = contentOf<{ Object: Pod; Err: null }>(reply);
  assert.equal(Err, null);
  assert.equal(answered.status?.phase, "Running");
  assert.equal(reply.header.resourceVersion, answered.metadata?.resourceVersion);
  await rig.ask("patch", "node/edge-1/null/nodepatch/edge-1", '{"status":{"phase":"Running"}}');
  await rig.settle();
  assert.deepEqual(rig.pushes(from), []);
});

Deno.test("edgeController() waits with what it hears of a pod while the edge's own write is under way", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  const patch = rig.kube.patch.bind(rig.kube);
  // The watch tells of the change before the answer is back.
  rig.kube.patch = async (...asked) => {
    const answer = await patch(...asked);
    await gate;
    return answer as never;
  };
  const request = await rig.give(
    "patch",
    "node/edge-1/default/podpatch/web",
    '{"status":{"phase":"Running"}}',
  );
  await rig.settle();
  assert.equal(rig.kube.peek(PODS, "default/web")?.status?.phase, "Running");
  assert.deepEqual(rig.pushes(from), []);
  resolve();
  await rig.until(({ header }) => header.parentMsgId === request.header.msgId);
  await rig.settle();
  assert.deepEqual(rig.pushes(from), []);
});

Deno.test("edgeController() tells what another wrote after an edge's own write once the edge has stored its answer", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const patch = rig.kube.patch.bind(rig.kube);
  const other = () =>
    patch(PODS, { namespace: "default", name: "web" }, {
      type: "merge",
      body: { status: { reason: "NodeLost" } },
    }, { subresource: "status" });
  // The other's write is done, and told by the watch, before the edge is answered.
  rig.kube.patch = async (...asked) => {
    const answer = await patch(...asked);
    await other();
    await rig.settle();
    return answer as never;
  };
  const reply = await rig.ask("patch", "node/edge-1/default/podpatch/web", '{"status":{"phase":"Running"}}');
  await rig.settle();
  assert.deepEqual(rig.pushes(from), []);
  await rig.clock.advance(1_000);
  const push = await rig.pushed("update", "node/edge-1/default/pod/web", from);
  assert.ok(rig.sent.indexOf(push) > rig.sent.indexOf(reply));
  assert.equal(contentOf<Pod>(push).status?.reason, "NodeLost");
  assert.equal(contentOf<Pod>(push).status?.phase, "Running");
});

Deno.test("edgeController() sends a pod at once when what it refers to does not exist", async () => {
  await using rig = new Rig();
  rig.kube.seed(NODES, node("edge-1"));
  rig.kube.seed(PODS, pod("web", "edge-1"));
  await rig.module.ready;
  await rig.connect("edge-1");
  await rig.pushed("insert", "node/edge-1/default/pod/web");
  const from = rig.sent.length;
  await rig.kube.create(CONFIG_MAPS, CONFIG);
  await rig.pushed("insert", "node/edge-1/default/configmap/config", from);
});

Deno.test("edgeController() tells an edge of a status that another wrote, and of a deletion", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  await rig.kube.patch(PODS, { namespace: "default", name: "web" }, {
    type: "merge",
    body: { status: { reason: "NodeLost" } },
  }, { subresource: "status" });
  const push = await rig.pushed("update", "node/edge-1/default/pod/web", from);
  assert.equal(contentOf<Pod>(push).status?.reason, "NodeLost");
  const next = rig.sent.length;
  await rig.kube.delete(PODS, { namespace: "default", name: "web" });
  const leaving = await rig.pushed("update", "node/edge-1/default/pod/web", next);
  assert.ok(contentOf<Pod>(leaving).metadata?.deletionTimestamp);
});

Deno.test("edgeController() deletes a pod that the edge has finished and tells the edge that it is gone", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  await rig.kube.delete(PODS, { namespace: "default", name: "web" });
  const options = { gracePeriodSeconds: 0, preconditions: { uid: "uid-web" } };
  const reply = await rig.ask("delete", "node/edge-1/default/pod/web", options);
  assert.equal(reply.content, "OK");
  const gone = contentOf<Pod>(await rig.pushed("delete", "node/edge-1/default/pod/web", from));
  assert.equal(gone.metadata?.uid, "uid-web");
  assert.equal(gone.kind, "Pod");
  assert.equal(rig.kube.peek(PODS, "default/web"), undefined);
});

Deno.test("edgeController() sends deletes that a node missed when it is back", async () => {
  await using rig = new Rig();
  await connected(rig);
  await rig.disconnect("edge-1");
  await rig.settle();
  const from = rig.sent.length;
  await rig.kube.delete(PODS, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await rig.settle();
  assert.deepEqual(rig.pushes(from), []);
  await rig.connect("edge-1");
  const gone = contentOf<Pod>(await rig.pushed("delete", "node/edge-1/default/pod/web", from));
  assert.deepEqual(gone.metadata?.uid, "uid-web");
  await rig.settle();
  assert.ok(rig.pushes(from).includes("update null/node/edge-1"));
});

Deno.test("edgeController() keeps serving a node whose old connection ended after the new one began", async () => {
  await using rig = new Rig();
  await connected(rig);
  await rig.connect("edge-1");
  await rig.disconnect("edge-1");
  await rig.settle();
  const from = rig.sent.length;
  await rig.ask("query", "node/edge-1/kube-node-lease/lease/edge-1");
  await rig.pushed("update", "node/edge-1/null/node/edge-1", from);
  await rig.kube.update(CONFIG_MAPS, { ...CONFIG, data: { a: "2" } });
  await rig.until(({ content }) => (content as ConfigMap | null)?.data?.a === "2", from);
});

const OBJECT_SYNCS: ResourceType = {
  group: "reliablesyncs.kubeedge.io",
  version: "v1alpha1",
  resource: "objectsyncs",
  kind: "ObjectSync",
  namespaced: true,
};

const sync = (node: string, uid: string, objectKind: string, objectName: string) => ({
  metadata: { namespace: "default", name: `${node}.${uid}` },
  spec: { objectAPIVersion: "v1", objectKind, objectName },
  status: { objectResourceVersion: "1" },
});

Deno.test("edgeController() deletes at the edge what was deleted while cloudcore was down", async () => {
  await using rig = new Rig();
  rig.kube.seed(OBJECT_SYNCS, sync("edge-1", "uid-gone", "Pod", "gone"));
  rig.kube.seed(OBJECT_SYNCS, sync("edge-1", "uid-old", "Pod", "web"));
  rig.kube.seed(OBJECT_SYNCS, sync("edge-1", "uid-web", "Pod", "web"));
  rig.kube.seed(OBJECT_SYNCS, sync("edge-1", "uid-config", "ConfigMap", "config"));
  rig.kube.seed(OBJECT_SYNCS, sync("edge-1", "uid-device", "Device", "thermometer"));
  seed(rig);
  await rig.kube.delete(CONFIG_MAPS, { namespace: "default", name: "config" });
  await rig.module.ready;
  await rig.connect("edge-1");
  await rig.pushed("update", "node/edge-1/default/pod/web");
  await rig.settle();
  const deletes = rig.sent.filter(({ route }) => route.operation === "delete").map(({ content }) => content);
  assert.deepEqual(deletes, [
    { apiVersion: "v1", kind: "Pod", metadata: { namespace: "default", name: "gone", uid: "uid-gone" } },
    { apiVersion: "v1", kind: "Pod", metadata: { namespace: "default", name: "web", uid: "uid-old" } },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "config", uid: "uid-config", resourceVersion: "1" },
    },
  ]);
});

Deno.test("edgeController() removes the records of nodes that are gone and of no other", async () => {
  await using rig = new Rig();
  rig.kube.seed(OBJECT_SYNCS, sync("edge-1", "uid-web", "Pod", "web"));
  rig.kube.seed(OBJECT_SYNCS, sync("edge.9", "uid-x", "Pod", "x"));
  rig.kube.seed(OBJECT_SYNCS, sync("node-1", "uid-y", "Pod", "y"));
  rig.kube.seed(NODES, { metadata: { name: "node-1" } });
  seed(rig);
  await rig.module.ready;
  await rig.settle();
  assert.deepEqual(rig.kube.peekAll(OBJECT_SYNCS).map(({ metadata }) => metadata?.name).sort(), [
    "edge-1.uid-web",
    "node-1.uid-y",
  ]);
});

Deno.test("edgeController() repeats a delete whose connection ended at once, until it has settled", async () => {
  await using rig = new Rig();
  const first = await connected(rig);
  await rig.kube.delete(PODS, { namespace: "default", name: "web" }, { gracePeriodSeconds: 0 });
  await rig.pushed("delete", "node/edge-1/default/pod/web", first);
  await rig.disconnect("edge-1");
  await rig.settle();
  const second = rig.sent.length;
  await rig.connect("edge-1");
  await rig.pushed("delete", "node/edge-1/default/pod/web", second);
  await rig.clock.advance(120_000);
  await rig.disconnect("edge-1");
  await rig.settle();
  const third = rig.sent.length;
  await rig.connect("edge-1");
  await rig.settle();
  assert.deepEqual(rig.pushes(third), ["update null/node/edge-1"]);
});

Deno.test("edgeController() tells a node that its Node is gone, and the next connection nothing of it", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  await rig.kube.delete(NODES, { name: "edge-1" });
  assert.equal((await rig.pushed("delete", "node/edge-1/null/node/edge-1", from)).content, null);
  await rig.disconnect("edge-1");
  await rig.connect("edge-1");
  await rig.settle();
  assert.equal(rig.pushes(from).filter((push) => push === "delete null/node/edge-1").length, 1);
});

Deno.test("edgeController() does not hold a pod for ever when its Secret cannot be read", async () => {
  await using rig = new Rig({
    kube: {
      intercept: ({ resource }) => {
        if (resource === "secrets") throw new StatusError("Forbidden", "secrets is forbidden");
      },
    },
  });
  seed(rig);
  await rig.module.ready;
  await rig.connect("edge-1");
  await rig.pushed("insert", "node/edge-1/default/configmap/config");
  await rig.settle();
  assert.ok(!rig.pushes().includes("insert default/pod/web"));
  await rig.clock.advance(2000);
  await rig.pushed("insert", "node/edge-1/default/pod/web");
});

Deno.test("edgeController() begins to follow a node that becomes an edge node", async () => {
  await using rig = new Rig();
  rig.kube.seed(NODES, { metadata: { name: "edge-1" } });
  rig.kube.seed(CONFIG_MAPS, CONFIG);
  rig.kube.seed(SECRETS, SECRET);
  rig.kube.seed(PODS, pod("web", "edge-1"));
  await rig.module.ready;
  await rig.connect("edge-1");
  await rig.settle();
  assert.deepEqual(rig.pushes(), []);
  await rig.kube.patch(NODES, { name: "edge-1" }, {
    type: "merge",
    body: { metadata: { labels: EDGE_LABELS } },
  });
  await rig.pushed("insert", "node/edge-1/default/pod/web");
});

Deno.test("edgeController() has the hub forget a node that is deleted while it is away, once", async () => {
  await using rig = new Rig();
  await connected(rig);
  await rig.disconnect("edge-1");
  await rig.settle();
  const from = rig.sent.length;
  await rig.kube.delete(NODES, { name: "edge-1" });
  await rig.kube.delete(NODES, { name: "edge-2" });
  await rig.settle();
  assert.deepEqual(rig.pushes(from), ["delete null/node/edge-1", "delete null/node/edge-2"]);
  await rig.connect("edge-1");
  await rig.settle();
  assert.ok(
    !rig.pushes(from + 2).some((push) => push.includes("node/edge-1")),
    "its next connection is left alone",
  );
});
