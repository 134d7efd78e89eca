/** A whole cloudcore before an API server that has bad days: edges stay, and are sent what happened meanwhile. */
import assert from "node:assert/strict";
import { NODES, PODS } from "../../common/kubeclient/mod.ts";
import { until } from "../../scripts/trial/program.ts";
import type { Fault, SeenRequest } from "../support/faulty_api.ts";
import { onEachPlane } from "../support/plane_clusters.ts";
import { WireCloud } from "../wire/cloud_core.ts";
import { WireEdge } from "../wire/cloud_edge.ts";
import { nodeOf, podOf } from "../wire/cloud_objects.ts";

const NODE = "edge-1";
const BAD_MS = 6_000;
/**
 * Requests of a whole cloudcore with one edge in that time: it has about a dozen watches, each of which tries again about
 * once a second at first.
 */
const MAX_REQUESTS = 150;

const isList = ({ method, isWatch, path }: SeenRequest) =>
  method === "GET" && !isWatch && /\/(nodes|pods|objectsyncs|clusterobjectsyncs)$/.test(path);

const BAD_DAYS: ReadonlyArray<[name: string, fault: (request: SeenRequest) => Fault | undefined]> = [
  ["429 with Retry-After", () => ({ kind: "answer", status: 429, headers: { "Retry-After": "1" } })],
  ["503", () => ({ kind: "answer", status: 503 })],
  ["watches that break", ({ isWatch }) => isWatch ? { kind: "reset" } : undefined],
  ["connections that break", () => ({ kind: "reset" })],
  ["answers that take 3 s", () => ({ kind: "delay", ms: 3_000 })],
];

onEachPlane("cloudcore keeps its edges on bad days of the API server", async (t, { proxied, api }) => {
  api.fault = (request) => isList(request) ? { kind: "delay", ms: 5_000 } : undefined;
  await using cloud = await WireCloud.start(proxied);
  await cloud.kube.create(NODES, nodeOf(NODE));
  await using edge = await WireEdge.open(cloud, NODE, {
    credentials: await cloud.issue(NODE),
    acknowledge: ({ header }) => header.resourceversion !== undefined,
  });
  let isClosed = false;
  edge.closed.then(() => isClosed = true);
  const alive = setInterval(() => edge.keepalive(), 5_000);
  const delivered = (pod: string) =>
    edge.first(({ route }) => route.resource === `default/pod/${pod}`, `pod ${pod}`, 60_000);
  try {
    await t.step("lists that take 5 s at the start", async () => {
      await until("a pod can be made", async () => {
        await cloud.kube.create(PODS, podOf("first", NODE));
        return true;
      });
      await delivered("first");
      assert.ok(api.seen.some(isList));
    });
    for (const [i, [name, fault]] of BAD_DAYS.entries()) {
      await t.step(name, async () => {
        api.fault = fault;
        const before = api.seen.length;
        api.cut();
        await cloud.kube.create(PODS, podOf(`meanwhile-${i}`, NODE));
        await new Promise((resolve) => setTimeout(resolve, BAD_MS));
        const requests = api.seen.length - before;
        assert.ok(requests <= MAX_REQUESTS, `${requests} requests`);
        api.fault = undefined;
        await cloud.kube.create(PODS, podOf(`after-${i}`, NODE));
        await delivered(`meanwhile-${i}`);
        await delivered(`after-${i}`);
        const lease = await edge.ask({ operation: "query", resource: `kube-node-lease/lease/${NODE}` }, null);
        assert.equal(lease.route.operation, "response");
        assert.equal(isClosed, false, "the edge stays connected");
      });
    }
  } finally {
    clearInterval(alive);
  }
  assert.doesNotMatch(await cloud.log(), /Cannot go on/);
});
