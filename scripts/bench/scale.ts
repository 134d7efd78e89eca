// deno-lint-ignore-file no-console
/**
 * What pods of a large cluster cost cloudcore, on a real API server.
 *
 *   deno task bench:scale [--pods 20000] [--edge-pods 2000] [--edges 50] [--dist dist]
 *
 * Method: nodes and pods are objects only, made with `nodeName`, like what a cluster has: labels, environment, probes, volumes, a
 * status, and what admission adds. cloudcore, as executable, is started three times: with neither pods nor nodes, with the pods of
 * other nodes, and with those of edges besides. Each time: from the spawn until `/healthz` answers, which is after its
 * informers have their lists, and `/proc/PID/smaps_rollup` 10 s later. Per pod is the difference divided by the number of pods.
 * The start with edge pods is measured a second time: at the first their tolerations are written.
 * @module
 */
import { parseArgs } from "node:util";
import type { Pod } from "../../common/api/core_v1.ts";
import {
  createKubeClient,
  type KubeClient,
  loadKubeConfig,
  NODES,
  PODS,
} from "../../common/kubeclient/mod.ts";
import { HOST_ARCH } from "../runtime.ts";
import { removeTree, Site } from "../trial/site.ts";
import { startCluster } from "./cluster.ts";
import { cpuSecondsOf, type Memory, memoryOf } from "./measure.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SETTLE_MS = 10_000;

/** A pod as Deployments of ordinary charts have them, about 5 KB as JSON. */
function hollowPod(name: string, nodeName: string): Pod {
  const labels = {
    "app.kubernetes.io/name": name.replace(/-\d+$/, ""),
    "app.kubernetes.io/instance": "bench",
    "app.kubernetes.io/managed-by": "bench",
    "pod-template-hash": "5f6c8d7b9c",
  };
  const variables = Array.from(
    { length: 10 },
    (_, i) => ({ name: `SETTING_${i}`, value: `value number ${i}` }),
  );
  const probe = { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 10 };
  return {
    metadata: {
      name,
      namespace: "default",
      labels,
      annotations: { "checksum/config": "0123456789abcdef".repeat(4) },
    },
    spec: {
      nodeName,
      containers: [{
        name: "main",
        image: "registry.example.com/team/service:v1.2.3",
        env: variables,
        ports: [{ name: "http", containerPort: 8080 }],
        resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
        livenessProbe: probe,
        readinessProbe: probe,
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      }],
      volumes: [{ name: "data", emptyDir: {} }],
    },
  };
}

async function create(kube: KubeClient, pods: Pod[]): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let pod = pods[next++]; pod !== undefined; pod = pods[next++]) await kube.create(PODS, pod);
  };
  await Promise.all(Array.from({ length: 32 }, work));
}

async function measure(site: Site): Promise<Memory & { startMs: number; cpu: number }> {
  const started = performance.now();
  await site.startCloud();
  const startMs = performance.now() - started;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const memory = await memoryOf(site.cloud.pid);
  const cpu = await cpuSecondsOf(site.cloud.pid);
  await site.cloud.stop();
  return { ...memory, startMs, cpu };
}

const { values } = parseArgs({
  options: {
    pods: { type: "string", default: "20000" },
    "edge-pods": { type: "string", default: "2000" },
    edges: { type: "string", default: "50" },
    dist: { type: "string", default: `${ROOT}dist` },
  },
});
const [pods, edgePods, edges] = [values.pods, values["edge-pods"], values.edges].map(Number) as [
  number,
  number,
  number,
];
const foreign = pods - edgePods;
await using cluster = await startCluster();
const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-" });
const site = new Site({ directory, dist: values.dist, arch: HOST_ARCH, sandboxImage: "none", cluster });
try {
  await site.configureCloud();
  await using kube = createKubeClient(await loadKubeConfig({ path: cluster.admin }));
  const show = (what: string, { startMs, rssKb, anonymousKb, cpu }: Awaited<ReturnType<typeof measure>>) =>
    console.log(
      `${what.padEnd(36)} serves after ${(startMs / 1000).toFixed(2)} s, ${
        (rssKb / 1024).toFixed(1)
      } MB RSS, ${(anonymousKb / 1024).toFixed(1)} MB anonymous, ${cpu.toFixed(1)} processor seconds`,
    );
  // The first start makes certificates and secrets, which the others find.
  await measure(site);
  const empty = await measure(site);
  show("no pods", empty);
  for (let i = 0; i < 100; i++) await kube.create(NODES, { metadata: { name: `node-${i}` } });
  for (let i = 0; i < edges; i++) {
    await kube.create(NODES, {
      metadata: { name: `edge-${i}`, labels: { "node-role.kubernetes.io/edge": "" } },
    });
  }
  await create(kube, Array.from({ length: foreign }, (_, i) => hollowPod(`service-${i}`, `node-${i % 100}`)));
  const others = await measure(site);
  show(`${foreign} pods of other nodes`, others);
  await create(kube, Array.from({ length: edgePods }, (_, i) => hollowPod(`edge-${i}`, `edge-${i % edges}`)));
  show(`${edgePods} pods of ${edges} edges besides, first`, await measure(site));
  const all = await measure(site);
  show(`${edgePods} pods of ${edges} edges besides`, all);
  const per = (a: Memory, b: Memory, count: number) => ((b.rssKb - a.rssKb) / count).toFixed(2);
  console.log(
    `per pod of other nodes ${per(empty, others, foreign)} KB, per pod of an edge ${
      per(others, all, edgePods)
    } KB`,
  );
} finally {
  await site[Symbol.asyncDispose]();
  await removeTree(directory);
}
