/** Frames at the limits, against a whole cloudcore: what one compartment takes must not end the next. */
import assert from "node:assert/strict";
import { NODES } from "../../common/kubeclient/mod.ts";
import { WireCloud } from "./cloud_core.ts";
import { joinAsEdgecore, WireEdge } from "./cloud_edge.ts";
import { nodeOf } from "./cloud_objects.ts";

const MIB = 1024 * 1024;
const HOSTILE = "edge-hostile";
const OTHER = "edge-other";

const frame = (route: Record<string, string>, content: unknown, header: Record<string, unknown> = {}) =>
  JSON.stringify({
    header: { msg_id: crypto.randomUUID(), timestamp: 1, ...header },
    route: { source: "edged", group: "meta", operation: "query", resource: "default/configmap/a", ...route },
    content,
  });

const FRAMES: ReadonlyArray<[name: string, text: () => string]> = [
  [
    "a resource as long as one may be",
    () => frame({ resource: `default/configmap/${"a".repeat(8192 - 18)}` }, null),
  ],
  ["a source as long as one may be", () => frame({ source: "s".repeat(8192) }, null)],
  ["an id as long as one may be", () => frame({}, null, { msg_id: "i".repeat(8192) })],
  [
    "a group and an operation as long as they may be",
    () => frame({ group: "g".repeat(8192), operation: "o".repeat(8192) }, null),
  ],
  ["text that is longer once it is printed as Go prints it", () => frame({}, "<".repeat(6 * MIB))],
  [
    "numbers that are longer once they are printed",
    () => frame({}, null).replace(/null}$/, `[${"1e20,".repeat(995_000)}"${"x".repeat(11_750_000)}"]}`),
  ],
  [
    "more values than are read",
    () => frame({}, null).replace(/null}$/, `[${"[],".repeat(4_000_000)}0]}`),
  ],
  [
    "nesting as deep as it may be",
    () => frame({}, null).replace(/null}$/, `${"[".repeat(199)}${"]".repeat(199)}}`),
  ],
  ["a half of a character", () => frame({ resource: "default/configmap/\ud800" }, "\udc00")],
  [
    "a number that no program holds",
    () => frame({}, null).replace('"timestamp":1', '"timestamp":9007199254740993'),
  ],
  [
    "a key that objects have",
    () => frame({}, null).replace('"content":null', '"content":{"__proto__":{"a":1}}'),
  ],
];

Deno.test("frames at the limits end neither cloudcore nor another node's session", async (t) => {
  await using cloud = await WireCloud.start();
  for (const node of [HOSTILE, OTHER]) await cloud.kube.create(NODES, nodeOf(node));
  const acknowledge = () => true;
  await using other = await WireEdge.open(cloud, OTHER, {
    credentials: await joinAsEdgecore(cloud, OTHER),
    acknowledge,
  });
  await using edge = await WireEdge.open(cloud, HOSTILE, {
    credentials: await cloud.issue(HOSTILE),
    acknowledge,
  });
  const serves = async (session: WireEdge, node: string) => {
    session.keepalive();
    await session.ask({ operation: "query", resource: `kube-node-lease/lease/${node}` }, null);
  };
  for (const [name, text] of FRAMES) {
    await t.step(name, async () => {
      edge.sendText(text());
      await serves(edge, HOSTILE);
      await serves(other, OTHER);
    });
  }
  assert.doesNotMatch(await cloud.log(), /Cannot go on/);
});
