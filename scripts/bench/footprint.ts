// deno-lint-ignore-file no-console
/**
 * What the programs need when there is little to do: memory and idle processor time of edgecore and cloudcore with one pod,
 * and how long edgecore takes from its start to a Ready node.
 *
 *   deno task bench:footprint [--runs 5] [--idle 30]
 *
 * Method: each run starts both executables in a new directory with an empty database, applies one pod, waits until it is
 * Ready and then `idle` seconds; memory is `/proc/PID/smaps_rollup` of the one process each program is; idle processor time
 * is what it used in those seconds, its children included. Start → Ready: the first start of the run (with the join) and a
 * second one after the Node was deleted, from the spawn to the first read that shows Ready, asked every 10 ms.
 * @module
 */
import { parseArgs } from "node:util";
import { NODES, PODS } from "../../common/kubeclient/mod.ts";
import { makeDemoImages, PAUSE_IMAGE } from "../demo_image.ts";
import { ensureEngine } from "../engine.ts";
import { HOST_ARCH } from "../runtime.ts";
import { isReady } from "../trial/kubernetes.ts";
import { until } from "../trial/program.ts";
import { removeContainers, removeTree, Site } from "../trial/site.ts";
import { cpuSecondsOf, memoryOf, summary } from "./measure.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const POD = { namespace: "default", name: "idle" };

interface Figures {
  edgeRssMb: number;
  edgeAnonymousMb: number;
  edgeCpuPercent: number;
  cloudRssMb: number;
  cloudAnonymousMb: number;
  cloudCpuPercent: number;
  firstStartMs: number;
  restartMs: number;
}

async function startToReady(site: Site): Promise<number> {
  const kube = await site.kube();
  const start = performance.now();
  site.startEdge();
  await until("the node is Ready", async () => {
    const node = await kube.get(NODES, { name: site.nodeName });
    return node.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True");
  }, { everyMs: 10 });
  return performance.now() - start;
}

async function measure(run: number, idleSeconds: number): Promise<Figures> {
  const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-" });
  const nodeName = `bench-${run}`;
  const site = new Site({
    directory,
    dist: `${ROOT}dist`,
    arch: HOST_ARCH,
    nodeName,
    sandboxImage: PAUSE_IMAGE,
  });
  try {
    await site.configureCloud();
    await site.startCloud();
    await site.configureEdge(await site.token());
    const firstStartMs = await startToReady(site);
    await site.edge.stop();
    const kube = await site.kube();
    await kube.delete(NODES, { name: nodeName });
    const restartMs = await startToReady(site);
    await kube.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: POD,
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{
          name: "main",
          image: "demo-web:1",
          imagePullPolicy: "IfNotPresent",
          command: ["sleep", "3600"],
        }],
      },
    });
    await until("the pod is Ready", async () => isReady(await kube.get(PODS, POD)));
    const before = [await cpuSecondsOf(site.edge.pid), await cpuSecondsOf(site.cloud.pid)];
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
    const after = [await cpuSecondsOf(site.edge.pid), await cpuSecondsOf(site.cloud.pid)];
    const edge = await memoryOf(site.edge.pid);
    const cloud = await memoryOf(site.cloud.pid);
    await kube.delete(PODS, POD);
    await until(
      "the pod is gone",
      async () => (await kube.list(PODS, { namespace: "default" })).items.length === 0,
    );
    return {
      edgeRssMb: edge.rssKb / 1024,
      edgeAnonymousMb: edge.anonymousKb / 1024,
      edgeCpuPercent: (after[0]! - before[0]!) / idleSeconds * 100,
      cloudRssMb: cloud.rssKb / 1024,
      cloudAnonymousMb: cloud.anonymousKb / 1024,
      cloudCpuPercent: (after[1]! - before[1]!) / idleSeconds * 100,
      firstStartMs,
      restartMs,
    };
  } finally {
    await site[Symbol.asyncDispose]();
    await removeContainers(nodeName);
    await removeTree(directory);
  }
}

const { values } = parseArgs({
  options: { runs: { type: "string", default: "5" }, idle: { type: "string", default: "30" } },
});
await ensureEngine();
await makeDemoImages();
const all: Figures[] = [];
for (let run = 0; run < Number(values.runs); run++) {
  all.push(await measure(run, Number(values.idle)));
  console.log(JSON.stringify(all.at(-1)));
}
const row = (title: string, key: keyof Figures, unit: string) =>
  console.log(`${title.padEnd(34)} ${summary(all.map((f) => f[key]), unit)}`);
row("edgecore RSS", "edgeRssMb", "MB");
row("edgecore anonymous", "edgeAnonymousMb", "MB");
row("edgecore idle CPU", "edgeCpuPercent", "% of a core");
row("cloudcore RSS", "cloudRssMb", "MB");
row("cloudcore anonymous", "cloudAnonymousMb", "MB");
row("cloudcore idle CPU", "cloudCpuPercent", "% of a core");
row("edgecore start and join to Ready", "firstStartMs", "ms");
row("edgecore start to Ready", "restartMs", "ms");
