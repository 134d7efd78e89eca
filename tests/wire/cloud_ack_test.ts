/** What a cloud sends again, and until when: an edge that is slow, silent or wrong about acknowledging. */
import assert from "node:assert/strict";
import { CONFIG_MAPS, type KubeClient, NODES, PODS } from "../../common/kubeclient/mod.ts";
import { WireCloud } from "./cloud_core.ts";
import { joinAsEdgecore, WireEdge } from "./cloud_edge.ts";
import { nodeOf, podOf } from "./cloud_objects.ts";
import type { WireMessage } from "./cloud_recording.ts";

const NODE = "edge-ack";
/** Upstream: kubeedge cloud/pkg/cloudhub/session/node_session.go @ 16cd854 */
const RESEND_MS = 5_000;

async function setUp(kube: KubeClient): Promise<void> {
  await kube.create(CONFIG_MAPS, {
    metadata: { namespace: "default", name: "settings" },
    data: { a: "b" },
  });
  await kube.create(PODS, podOf("web", NODE, { envFrom: [{ configMapRef: { name: "settings" } }] }));
}

Deno.test("cloudcore sends a push again, unchanged, until it is acknowledged, and nothing else again", async (t) => {
  await using cloud = await WireCloud.start();
  await cloud.kube.create(NODES, nodeOf(NODE));
  await setUp(cloud.kube);
  await using edge = await WireEdge.open(cloud, NODE, {
    credentials: await joinAsEdgecore(cloud, NODE),
    acknowledge: ({ route }) => route.resource === `null/node/${NODE}`,
  });
  edge.keepalive();
  const is = (path: string) => (message: WireMessage) =>
    message.header.parent_msg_id === undefined && message.route.resource === path;
  const times = (message: WireMessage) =>
    edge.received.filter(({ header }) => header.msg_id === message.header.msg_id).length;
  const settings = await edge.first(is("default/configmap/settings"), "push of the ConfigMap");
  const since = Date.now();

  await t.step("replies that are not acknowledged come while the push waits, each once", async () => {
    for (let count = 0; count < 3; count++) {
      const reply = await edge.ask(
        { operation: "query", resource: `kube-node-lease/lease/${NODE}` },
        null,
      );
      assert.equal(times(reply), 1);
    }
  });
  await t.step("an error and an acknowledgement of something else do not count", () => {
    edge.send({
      header: { msg_id: crypto.randomUUID(), parent_msg_id: settings.header.msg_id, timestamp: Date.now() },
      route: {
        source: "metamanager",
        group: "resource",
        operation: "error",
        resource: settings.route.resource,
      },
      content: "Cannot store it",
    });
    edge.acknowledge({ ...settings, header: { ...settings.header, msg_id: crypto.randomUUID() } });
  });
  await t.step("the same text comes again, and nothing that must be acknowledged besides", async () => {
    await edge.first(() => times(settings) === 2, "second push of the ConfigMap");
    const waited = Date.now() - since;
    assert.ok(waited >= RESEND_MS - 500 && waited < RESEND_MS + 3_000, `it came after ${waited} ms`);
    assert.equal(new Set(edge.texts.filter((text) => text.includes(settings.header.msg_id))).size, 1);
    assert.ok(!edge.received.some(is("default/pod/web")), "the pod waits its turn");
    for (const message of edge.received) {
      if (message.header.msg_id !== settings.header.msg_id) assert.equal(times(message), 1);
    }
  });
  await t.step("acknowledged, whatever source, group and content say, the next one comes", async () => {
    edge.send({
      header: { msg_id: crypto.randomUUID(), parent_msg_id: settings.header.msg_id, timestamp: Date.now() },
      route: { source: "x", group: "y", operation: "response", resource: "z" },
      content: { any: "thing" },
    });
    const pod = await edge.first(is("default/pod/web"), "push of the pod");
    edge.acknowledge(settings);
    edge.acknowledge(pod);
    edge.acknowledge(pod);
  });
  await t.step("after a new connection everything comes again, with new ids", async () => {
    await using again = await WireEdge.open(cloud, NODE, {
      credentials: await cloud.issue(NODE),
      acknowledge: () => true,
    });
    assert.match((await edge.closed).reason, /newer connection/);
    again.keepalive();
    const pod = await again.first(is("default/pod/web"), "push of the pod");
    assert.equal(pod.route.operation, "update");
    assert.ok(!edge.received.some(({ header }) => header.msg_id === pod.header.msg_id));
  });
});
