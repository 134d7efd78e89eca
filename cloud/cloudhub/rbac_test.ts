import assert from "node:assert/strict";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { CONFIG_MAPS, EVENTS, NODES } from "../../common/kubeclient/mod.ts";
import { newMessage } from "../../common/model/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";
import { startHub, until } from "./_testing.ts";
import { CLUSTER_OBJECT_SYNCS, OBJECT_SYNCS, objectSyncLog } from "./object_sync_log.ts";
import { CLOUD_HUB_NAMESPACE_RULES, CLOUD_HUB_RULES } from "./rbac.ts";

function tooLargeMessage() {
  const route = {
    source: "edgecontroller",
    group: "resource",
    operation: "update",
    resource: "node/edge-1/default/pod/web",
  };
  const metadata = { namespace: "default", name: "web", uid: "uid-web", resourceVersion: "5" };
  const content = { apiVersion: "v1", kind: "Pod", metadata, spec: { junk: "x".repeat(5_000) } };
  return newMessage(route, content, { resourceVersion: "5" });
}

Deno.test("CLOUD_HUB_RULES and CLOUD_HUB_NAMESPACE_RULES permit all that is done, and nothing that is never done", async () => {
  const kube = new FakeKubeClient();
  const stop = new AbortController();
  const deliveryLog = objectSyncLog({ kube, clock: systemClock, log: silentLogger });
  const logging = deliveryLog.run(stop.signal);
  const deliveries = async () => {
    const pod = {
      uid: "u1",
      namespace: "default",
      name: "web",
      apiVersion: "v1",
      kind: "Pod",
      deleting: false,
    };
    const node = { ...pod, uid: "u2", namespace: "", name: "edge-1", kind: "Node" };
    const kept = () =>
      [kube.peek(OBJECT_SYNCS, "default/edge-1.u1"), kube.peek(CLUSTER_OBJECT_SYNCS, "edge-1.u2")]
        .filter((sync) => sync?.status?.objectResourceVersion === "7").length;
    for (const object of [pod, node]) deliveryLog.confirm("edge-1", object, "7");
    await until(() => kept() === 2, "both are recorded");
    for (const object of [pod, node]) deliveryLog.forget("edge-1", object);
    await until(() => kept() === 0, "both are forgotten");
  };
  {
    await using hub = await startHub({ queueLimitChars: 5_000 }, { kube });
    kube.seed(NODES, { metadata: { name: "edge-1" } });
    kube.seed(CONFIG_MAPS, {
      metadata: { namespace: "kubeedge", name: "kube-root-ca.crt" },
      data: { "ca.crt": "PEM" },
    });
    await using edge = await hub.connect("edge-1");
    assert.equal((await hub.request("/node/edge-1")).status, 200);
    const route = { source: "metamanager", group: "resource", operation: "query", resource: "k8s/ca.crt" };
    edge.send(newMessage(route, null));
    assert.equal((await edge.received.receive({ signal: AbortSignal.timeout(30_000) }))?.content, "PEM");
    await until(
      () => kube.peek(NODES, "edge-1")?.metadata?.annotations?.cloudcore !== undefined,
      "the node is annotated",
    );
    await hub.inbox.send(tooLargeMessage());
    await until(() => kube.peekAll(EVENTS).length === 1, "what is too large is told");
    await deliveries();
  }
  // Another address needs another certificate, which replaces the first.
  await (await startHub({ advertiseAddress: ["127.0.0.1", "192.0.2.9"] }, { kube })).stop();
  stop.abort(new DOMException("stop", "AbortError"));
  await logging.catch((error) => {
    if (error !== stop.signal.reason) throw error;
  });

  const done = new Set(
    kube.calls.map(({ verb, resource, subresource }) =>
      `${verb} ${subresource === undefined ? resource : `${resource}/${subresource}`}`
    ),
  );
  const permitted = new Set(
    [...CLOUD_HUB_RULES, ...CLOUD_HUB_NAMESPACE_RULES].flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`))
    ),
  );
  assert.deepEqual([...done].filter((call) => !permitted.has(call)), []);
  assert.deepEqual([...permitted].filter((call) => !done.has(call)), []);
  const named = new Set(CLOUD_HUB_NAMESPACE_RULES.flatMap(({ resourceNames = [] }) => resourceNames));
  const secrets = kube.calls.filter(({ resource, verb }) => resource === "secrets" && verb !== "create");
  assert.deepEqual(secrets.filter(({ name = "" }) => !named.has(name)), []);
});
