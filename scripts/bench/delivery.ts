// deno-lint-ignore-file no-console
/**
 * How fast pods reach connected edges under load, and what that costs cloudcore.
 *
 *   deno task bench:delivery [--pods 1000] [--edges 50] [--rate 100] [--control-plane kubernetes|embedded] [--dist dist]
 *
 * Method: cloudcore as executable; this program is all the edges, each with a certificate, a mutual-TLS WebSocket, a Node and a Lease of
 * its own; they acknowledge what they get and report each pod as running. Pods are created at the given rate with `nodeName`; a pod's
 * time is from the answer to its creation to its arrival at its edge, both on this program's clock. Processor time and memory
 * are cloudcore's, from the first creation until 10 s after the last pod is reported as running, when everything is recorded.
 * @module
 */
import { parseArgs } from "node:util";
import type { Pod } from "../../common/api/core_v1.ts";
import { createKubeClient, loadKubeConfig, PODS } from "../../common/kubeclient/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import { HOST_ARCH } from "../runtime.ts";
import { until } from "../trial/program.ts";
import { removeTree, Site } from "../trial/site.ts";
import { startCluster } from "./cluster.ts";
import { cpuSecondsOf, machineCpuSeconds, memoryOf } from "./measure.ts";
import { authorityOf, identityOf, SimulatedEdge } from "./simulated_edge.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SETTLE_MS = 10_000;

const { values } = parseArgs({
  options: {
    pods: { type: "string", default: "1000" },
    edges: { type: "string", default: "50" },
    rate: { type: "string", default: "100" },
    "control-plane": { type: "string", default: "kubernetes" },
    dist: { type: "string", default: `${ROOT}dist` },
  },
});
const [podCount, edgeCount, rate] = [values.pods, values.edges, values.rate].map(Number) as [
  number,
  number,
  number,
];
if (!["kubernetes", "embedded"].includes(values["control-plane"])) {
  throw new RangeError(
    `--control-plane is kubernetes or embedded, not ${JSON.stringify(values["control-plane"])}`,
  );
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const created = new Map<string, number>();
const arrived = new Map<string, number>();
let repeated = 0;
const running: Promise<Message>[] = [];

function took(edge: SimulatedEdge, { route, content }: Message): void {
  const name = /^default\/pod\/(load-\d+)$/.exec(route.resource)?.[1];
  if (name === undefined || (route.operation !== "insert" && route.operation !== "update")) return;
  if (arrived.has(name)) {
    repeated++;
    return;
  }
  arrived.set(name, performance.now());
  running.push(edge.reportRunning(content as Pod));
}

function pod(name: string, nodeName: string): Pod {
  return {
    metadata: { name, namespace: "default", labels: { app: "load" } },
    spec: {
      nodeName,
      automountServiceAccountToken: false,
      containers: [{ name: "main", image: "demo-web:1", command: ["sleep", "3600"] }],
    },
  };
}

await using stack = new AsyncDisposableStack();
const cluster = values["control-plane"] === "kubernetes" ? stack.use(await startCluster()) : undefined;
const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-" });
stack.defer(() => removeTree(directory));
const site = stack.use(
  new Site({
    directory,
    dist: values.dist,
    arch: HOST_ARCH,
    sandboxImage: "none",
    ...(cluster && { cluster }),
  }),
);
await site.configureCloud();
await site.startCloud();
const kube = stack.use(createKubeClient(await loadKubeConfig({ path: site.kubeConfigPath })));
const authority = await authorityOf(kube);
for (let i = 0; i < edgeCount; i++) {
  const name = `edge-${i}`;
  const edge: SimulatedEdge = await SimulatedEdge.connect(
    name,
    site.ports.hub,
    await identityOf(authority, name),
    {
      pushed: (message) => took(edge, message),
    },
  );
  stack.use(edge);
  await edge.register();
}
await sleep(SETTLE_MS / 2);

const cpuBefore = await cpuSecondsOf(site.cloud.pid);
const own = async () => {
  const pids = [Deno.pid, site.cloud.pid, ...cluster?.pids ?? []];
  return (await Promise.all(pids.map(cpuSecondsOf))).reduce((sum, each) => sum + each, 0);
};
const [ownBefore, machineBefore] = [await own(), await machineCpuSeconds()];
const memoryBefore = await memoryOf(site.cloud.pid);
const start = performance.now();
const creating: Promise<void>[] = [];
for (let i = 0; i < podCount; i++) {
  const wait = start + i * 1000 / rate - performance.now();
  if (wait > 0) await sleep(wait);
  const name = `load-${i}`;
  creating.push(
    kube.create(PODS, pod(name, `edge-${i % edgeCount}`)).then(() =>
      void created.set(name, performance.now())
    ),
  );
}
await Promise.all(creating);
const seconds = (performance.now() - start) / 1000;
await until("all pods are delivered", () => Promise.resolve(arrived.size === podCount), {
  timeoutMs: 60_000,
});
const elapsed = (performance.now() - start) / 1000;
const machineAfter = await machineCpuSeconds();
const share = (used: number) => `${(used / elapsed / machineAfter.processors * 100).toFixed(0)} %`;
const ownUsed = await own() - ownBefore;
const load = `processors of the machine busy until then: with this ${share(ownUsed)}, with other things ${
  share(machineAfter.busy - machineBefore.busy - ownUsed)
}`;
const refused = (await Promise.all(running)).filter(({ content }) =>
  !(content as { Object?: unknown }).Object
);
await sleep(SETTLE_MS);

const times = [...arrived].map(([name, at]) => at - created.get(name)!).sort((a, b) => a - b);
const at = (quantile: number) =>
  times[Math.min(times.length - 1, Math.floor(times.length * quantile))]!.toFixed(1);
const memory = await memoryOf(site.cloud.pid);
const items = (await kube.list(PODS, { namespace: "default" })).items;
console.log(
  `${values["control-plane"]}: ${podCount} pods created in ${seconds.toFixed(1)} s, ${edgeCount} edges`,
);
console.log(
  `delivered ${arrived.size}, a second time ${repeated}, running ${
    items.filter(({ status }) => status?.phase === "Running").length
  }, reports refused ${refused.length}`,
);
console.log(`create → edge P50 ${at(0.5)} ms, P90 ${at(0.9)} ms, P99 ${at(0.99)} ms, longest ${at(1)} ms`);
console.log(load);
console.log(
  `cloudcore ${(await cpuSecondsOf(site.cloud.pid) - cpuBefore).toFixed(1)} processor seconds, RSS ${
    (memoryBefore.rssKb / 1024).toFixed(0)
  } → ${(memory.rssKb / 1024).toFixed(0)} MB`,
);
