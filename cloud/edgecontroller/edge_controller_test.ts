import assert from "node:assert/strict";
import type { ConfigMap, Node, Pod, Secret } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { CONFIG_MAPS, NODES, PODS, type ResourceType, SECRETS } from "../../common/kubeclient/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import { createLogger } from "../../common/module/mod.ts";
import { Rig } from "./fake_hub.ts";

const EDGE_LABELS = { "node-role.kubernetes.io/edge": "" };

const node = (name: string): Node => ({ metadata: { name, uid: `uid-${name}`, labels: EDGE_LABELS } });

const pod = (name: string, nodeName: string, spec: Partial<Pod["spec"]> = {}): Pod => ({
  metadata: { namespace: "default", name, uid: `uid-${name}` },
  spec: {
    nodeName,
    containers: [{ name: "c", envFrom: [{ configMapRef: { name: "config" } }] }],
    volumes: [{ name: "s", secret: { secretName: "secret" } }],
    ...spec,
  },
  status: { phase: "Pending" },
});

const CONFIG: ConfigMap = { metadata: { namespace: "default", name: "config" }, data: { a: "1" } };
const SECRET: Secret = { metadata: { namespace: "default", name: "secret" }, data: { a: "MQ==" } };

/** An API with edge-1 and edge-2, a pod on the first, and what the pod refers to. */
function seed({ kube }: Rig): void {
  kube.seed(NODES, node("edge-1"));
  kube.seed(NODES, node("edge-2"));
  kube.seed(CONFIG_MAPS, CONFIG);
  kube.seed(SECRETS, SECRET);
  kube.seed(PODS, pod("web", "edge-1"));
}

/** A rig whose first node is connected and has everything. */
async function connected(rig: Rig): Promise<number> {
  seed(rig);
  await rig.module.ready;
  await rig.connect("edge-1");
  await rig.pushed("insert", "node/edge-1/default/pod/web");
  await rig.settle();
  return rig.sent.length;
}

const contentOf = <T>({ content }: Message) => content as T;

const errorOf = ({ content }: Message): Record<string, unknown> => {
  const { Err = content } = content as { Err?: unknown };
  return (Err as { ErrStatus: Record<string, unknown> }).ErrStatus;
};

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

Deno.test("edgeController() names the incarnation in every patch of a pod, and reads no pod that it knows", async () => {
  await using rig = new Rig();
  await connected(rig);
  await rig.ask("patch", "node/edge-1/default/podpatch/web", '{"status":{"phase":"Running"}}');
  const calls = rig.kube.calls.filter(({ resource, name }) => resource === "pods" && name === "web");
  assert.deepEqual(calls, [{
    verb: "patch",
    resource: "pods",
    namespace: "default",
    name: "web",
    subresource: "status",
    body: { metadata: { uid: "uid-web" }, status: { phase: "Running" } },
  }]);
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

Deno.test("edgeController() leaves a pod alone that was made anew, and says OK", async () => {
  await using rig = new Rig();
  await connected(rig);
  for (const content of ["uid-old", { preconditions: { uid: "uid-old" } }]) {
    assert.equal((await rig.ask("delete", "node/edge-1/default/pod/web", content)).content, "OK");
  }
  assert.equal((await rig.ask("delete", "node/edge-1/default/pod/gone", "uid-gone")).content, "OK");
  assert.ok(rig.kube.peek(PODS, "default/web"));
});

Deno.test("edgeController() answers a patch of a pod that is gone or another with what is wrong", async () => {
  await using rig = new Rig();
  await connected(rig);
  const gone = await rig.ask("patch", "node/edge-1/default/podpatch/gone", '{"status":{}}');
  assert.deepEqual([errorOf(gone).reason, errorOf(gone).code], ["NotFound", 404]);
  const old = '{"metadata":{"uid":"uid-old"},"status":{"phase":"Failed"}}';
  assert.equal(errorOf(await rig.ask("patch", "node/edge-1/default/podpatch/web", old)).reason, "Conflict");
  assert.equal(rig.kube.peek(PODS, "default/web")?.status?.phase, "Pending");
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
    { metadata: { namespace: "default", name: "gone", uid: "uid-gone" } },
    { metadata: { namespace: "default", name: "web", uid: "uid-old" } },
    { metadata: { namespace: "default", name: "config", uid: "uid-config", resourceVersion: "1" } },
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

Deno.test("edgeController() registers a node with its address and what a node may say of itself", async () => {
  await using rig = new Rig();
  await rig.module.ready;
  await rig.connect("edge-9");
  const sent = {
    metadata: {
      name: "edge-9",
      labels: { ...EDGE_LABELS, "kubernetes.io/os": "linux" },
      annotations: { cloudcore: "203.0.113.9", a: "1" },
      finalizers: ["stay"],
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "x" }],
    },
    spec: { taints: [{ key: "k", effect: "NoSchedule" }], configSource: {} },
    status: { phase: "Running" },
  };
  const reply = await rig.ask("insert", "node/edge-9/null/node/edge-9", sent);
  assert.equal(contentOf<{ Err: unknown }>(reply).Err, null);
  const stored = rig.kube.peek(NODES, "edge-9")!;
  assert.deepEqual(stored.metadata?.annotations, { cloudcore: "192.0.2.1", a: "1" });
  assert.deepEqual(stored.metadata?.labels, sent.metadata.labels);
  assert.equal(stored.metadata?.finalizers, undefined);
  assert.equal(stored.metadata?.ownerReferences, undefined);
  assert.deepEqual(stored.spec, { taints: sent.spec.taints });
  await rig.pushed("update", "node/edge-9/null/node/edge-9");
  const again = await rig.ask("insert", "node/edge-9/null/node/edge-9", sent);
  assert.deepEqual([errorOf(again).reason, errorOf(again).code], ["AlreadyExists", 409]);
});

Deno.test("edgeController() refuses what is not the node's, in the form it waits for, once in the log", async (t) => {
  const lines: string[] = [];
  await using rig = new Rig({ log: createLogger("test", { write: (line) => lines.push(line) }) });
  await connected(rig);
  await rig.connect("edge-2");
  const rows: Array<[string, string, string, unknown, "wrapper" | "bare"]> = [
    ["another's pod", "patch", "default/podpatch/web", '{"status":{}}', "wrapper"],
    ["another's Secret", "query", "default/secret/secret", null, "bare"],
    ["another's Lease", "update", "kube-node-lease/lease/edge-1", {}, "wrapper"],
    ["another's Node", "patch", "null/nodepatch/edge-1", "{}", "wrapper"],
    ["a token", "query", "default/serviceaccounttoken/default", {
      spec: { boundObjectRef: { apiVersion: "v1", kind: "Pod", name: "web", uid: "uid-web" } },
    }, "bare"],
    ["a deletion", "delete", "default/pod/web", "uid-web", "bare"],
    ["signing", "insert", "default/certificatesigningrequest/x", {}, "wrapper"],
    ["reading a signature", "query", "default/certificatesigningrequest/x", null, "bare"],
  ];
  for (const [name, operation, resource, content, form] of rows) {
    await t.step(name, async () => {
      const reply = await rig.ask(operation, `node/edge-2/${resource}`, content);
      assert.equal("Object" in (reply.content as object), form === "wrapper");
      assert.deepEqual([errorOf(reply).reason, errorOf(reply).code], ["Forbidden", 403]);
      await rig.ask(operation, `node/edge-2/${resource}`, content);
    });
  }
  assert.equal(lines.filter((line) => line.includes("may not do")).length, rows.length);
  assert.equal(rig.kube.peek(PODS, "default/web")?.metadata?.deletionTimestamp, undefined);
  assert.equal((await rig.ask("query", "node/edge-1/default/secret/secret")).route.operation, "response");
});

Deno.test("edgeController() answers what it does not know instead of letting the edge wait", async () => {
  await using rig = new Rig();
  await connected(rig);
  for (
    const resource of ["node/edge-1/default/teapot/x", "node/edge-1/", "node/edge-1/default/secret/../x"]
  ) {
    const reply = await rig.ask("query", resource);
    assert.equal(errorOf(reply).reason, "BadRequest");
    assert.equal(reply.route.resource, resource);
  }
});

Deno.test("edgeController() answers with what the API server refuses or cannot do", async () => {
  let fail: StatusError | undefined;
  await using rig = new Rig({
    kube: {
      intercept: ({ verb, resource }) => {
        if (fail !== undefined && verb === "get" && resource === "configmaps") throw fail;
      },
    },
  });
  await connected(rig);
  fail = new StatusError("ServiceUnavailable", "The server is starting");
  const reply = await rig.ask("query", "node/edge-1/default/configmap/config");
  assert.deepEqual([errorOf(reply).reason, errorOf(reply).code], ["ServiceUnavailable", 503]);
  fail = undefined;
  const next = await rig.ask("query", "node/edge-1/default/configmap/config");
  assert.deepEqual(contentOf<ConfigMap>(next).data, { a: "1" });
});

Deno.test("edgeController() gives up on an API server that does not answer, and renews leases meanwhile", async () => {
  const { promise: never, resolve } = Promise.withResolvers<void>();
  await using rig = new Rig({
    requestTimeoutMs: 1000,
    kube: {
      intercept: async ({ verb, resource }) => {
        if (verb === "get" && resource === "secrets") await never;
      },
    },
  });
  await connected(rig);
  const asked = await Promise.all(
    Array.from({ length: 20 }, () => rig.give("query", "node/edge-1/default/secret/secret")),
  );
  const lease = { spec: { holderIdentity: "edge-1" } };
  const reply = await rig.ask("insert", "node/edge-1/kube-node-lease/lease/edge-1", lease);
  assert.equal(contentOf<{ Err: unknown }>(reply).Err, null);
  await rig.clock.advance(1000);
  resolve();
  const refused = await rig.until(({ header }) => header.parentMsgId === asked[0]!.header.msgId);
  assert.deepEqual([errorOf(refused).reason, errorOf(refused).code], ["Timeout", 504]);
  const later = await rig.until(({ header }) => header.parentMsgId === asked.at(-1)!.header.msgId);
  assert.equal(contentOf<Secret>(later).kind, "Secret");
});

Deno.test("edgeController() refuses more than it can take from one node, and serves the others", async () => {
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  await using rig = new Rig({
    queuePerNode: { heartbeat: 5, status: 5, bulk: 5 },
    kube: {
      intercept: async ({ verb, resource, name }) => {
        if (verb === "get" && resource === "configmaps" && name === "config") await gate;
      },
    },
  });
  await connected(rig);
  const asked = await Promise.all(
    Array.from({ length: 10 }, () => rig.give("query", "node/edge-1/default/configmap/config")),
  );
  const last = await rig.until(({ header }) => header.parentMsgId === asked.at(-1)!.header.msgId);
  assert.equal(errorOf(last).reason, "TooManyRequests");
  assert.equal(errorOf(await rig.ask("query", "node/edge-2/default/secret/x")).reason, "Forbidden");
  resolve();
  const first = await rig.until(({ header }) => header.parentMsgId === asked[0]!.header.msgId);
  assert.equal(contentOf<ConfigMap>(first).kind, "ConfigMap");
});

Deno.test("edgeController() stores events of a node under its name, not without end, and answers none", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const event = {
    metadata: { name: "e", namespace: "default", finalizers: ["stay"] },
    involvedObject: { kind: "Pod", namespace: "default", name: "web", uid: "uid-web" },
    reason: "Started",
    message: "m".repeat(5000),
    source: { component: "kubelet", host: "edge-2" },
  };
  for (let i = 0; i < 150; i++) await rig.give("insert", `node/edge-1/default/event/e${i}`, event);
  await rig.settle();
  const created = rig.kube.calls.filter(({ verb, resource }) => verb === "create" && resource === "events");
  assert.equal(created.length, 100);
  const body = created[0]!.body as Record<string, Record<string, unknown>>;
  assert.deepEqual(body.metadata, { namespace: "default", name: "e0" });
  assert.equal(body.source?.host, "edge-1");
  assert.equal(String(body.message).length, 1024);
  assert.equal(rig.sent.length, from);
});

Deno.test("edgeController() serves edges before v1.12", async (t) => {
  await using rig = new Rig();
  const from = await connected(rig);
  await t.step("nodestatus insert", async () => {
    const reply = await rig.ask("insert", "node/edge-1/default/nodestatus/edge-1", node("edge-1"));
    assert.deepEqual([reply.content, reply.route.resource], ["OK", "node/edge-1/default/node/edge-1"]);
  });
  await t.step("nodestatus update", async () => {
    const reply = await rig.ask("update", "node/edge-1/default/nodestatus/edge-1", {
      UID: "uid-edge-1",
      Status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "2020-01-01T00:00:00Z" }] },
      ExtendResources: { "nvidia.com/gpu": [{ name: "g0" }], cloudcore: [] },
    });
    assert.deepEqual([reply.content, reply.route.resource], ["OK", "node/edge-1/default/node/edge-1"]);
    const stored = rig.kube.peek(NODES, "edge-1");
    assert.equal(stored?.status?.conditions?.[0]?.lastHeartbeatTime, "2026-01-01T00:00:00Z");
    assert.deepEqual(stored?.metadata?.annotations, {
      "nvidia.com/gpu": '[{"name":"g0"}]',
      "huawei.com/gpu-status": '[{"id":"g0","healthy":true}]',
    });
  });
  await t.step("podstatus update", async () => {
    const reply = await rig.ask("update", "node/edge-1/default/podstatus", [{
      UID: "uid-web",
      Name: "web",
      Status: { phase: "Running" },
    }]);
    assert.equal(reply.content, "OK");
    assert.equal(rig.kube.peek(PODS, "default/web")?.status?.phase, "Running");
  });
  await t.step("podstatus of a pod that is gone", async () => {
    const report = { UID: "uid-gone", Name: "gone", Status: {} };
    assert.equal((await rig.ask("update", "node/edge-1/default/podstatus/gone", report)).content, "OK");
    const push = await rig.pushed("delete", "node/edge-1/default/pod/gone", from);
    assert.deepEqual(push.content, { metadata: { namespace: "default", name: "gone", uid: "uid-gone" } });
  });
});

Deno.test("edgeController() merges labels and annotations of a node and never takes the cloud's away", async () => {
  await using rig = new Rig();
  const from = await connected(rig);
  const sent = { metadata: { labels: { site: "a" }, annotations: { b: "1", cloudcore: "203.0.113.9" } } };
  assert.equal((await rig.ask("update", "node/edge-1/null/node/edge-1", sent)).content, "OK");
  const { metadata } = rig.kube.peek(NODES, "edge-1")!;
  assert.deepEqual(metadata?.labels, { ...EDGE_LABELS, site: "a" });
  assert.deepEqual(metadata?.annotations, { b: "1" });
  await rig.pushed("update", "node/edge-1/null/node/edge-1", from);
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

Deno.test("edgeController() refuses options it cannot work with", () => {
  assert.throws(() => new Rig({ advertiseAddress: "" }), TypeError);
  assert.throws(() => new Rig({ requestTimeoutMs: 0 }), RangeError);
});
