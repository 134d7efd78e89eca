// deno-lint-ignore-file no-console
/**
 * How long a pod takes from its creation in the cloud to Running, with the image at the edge.
 *
 *   deno task bench:pod [--runs 5]
 *
 * Method: one cloudcore with the embedded control plane and one edgecore on Docker, both executables; pods of one container
 * are created one after another; the time is from the call to the watch event that shows phase Running, on one clock.
 * @module
 */
import { parseArgs } from "node:util";
import { type KubeClient, PODS } from "../../common/kubeclient/mod.ts";
import { makeDemoImages, PAUSE_IMAGE } from "../demo_image.ts";
import { ensureEngine } from "../engine.ts";
import { HOST_ARCH } from "../runtime.ts";
import { until } from "../trial/program.ts";
import { removeContainers, removeTree, Site } from "../trial/site.ts";
import { summary } from "./measure.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

async function createToRunning(kube: KubeClient, name: string): Promise<number> {
  const { metadata } = await kube.list(PODS, { namespace: "default" });
  const controller = new AbortController();
  const watch = kube.watch(PODS, {
    namespace: "default",
    fieldSelector: `metadata.name=${name}`,
    resourceVersion: metadata.resourceVersion!,
    signal: controller.signal,
  });
  const start = performance.now();
  await kube.create(PODS, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{
        name: "main",
        image: "demo-web:1",
        imagePullPolicy: "IfNotPresent",
        command: ["sleep", "3600"],
      }],
    },
  });
  for await (const { object } of watch) {
    if (object.status?.phase === "Running") break;
  }
  const taken = performance.now() - start;
  controller.abort();
  await kube.delete(PODS, { namespace: "default", name });
  await until(
    "the pod is gone",
    async () => (await kube.list(PODS, { namespace: "default" })).items.length === 0,
  );
  return taken;
}

const { values } = parseArgs({ options: { runs: { type: "string", default: "5" } } });
await ensureEngine();
await makeDemoImages();
const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-" });
const nodeName = "bench-pod";
const site = new Site({
  directory,
  dist: `${ROOT}dist`,
  arch: HOST_ARCH,
  nodeName,
  sandboxImage: PAUSE_IMAGE,
});
try {
  await site.start();
  const kube = await site.kube();
  const times: number[] = [];
  await createToRunning(kube, "warm-up");
  for (let run = 0; run < Number(values.runs); run++) times.push(await createToRunning(kube, `pod-${run}`));
  console.log(`create → Running on docker  ${summary(times, "ms", 0)}`);
} finally {
  await site[Symbol.asyncDispose]();
  await removeContainers(nodeName);
  await removeTree(directory);
}
