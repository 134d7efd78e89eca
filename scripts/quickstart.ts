// deno-lint-ignore-file no-console
/**
 * The main job on this machine, with the executables and a real container; see README.md.
 *
 *   sh scripts/quickstart.sh [--once]
 * @module
 */
import { parseArgs } from "node:util";
import { CONFIG_MAPS, DEPLOYMENTS, PODS } from "../common/kubeclient/mod.ts";
import { DEMO_WEB_IMAGE, makeDemoImages, PAUSE_IMAGE } from "./demo_image.ts";
import { ensureEngine } from "./engine.ts";
import { HOST_ARCH } from "./runtime.ts";
import { applyManifest, hasKubectl, isReady, kubectl } from "./trial/kubernetes.ts";
import { runToEnd, until } from "./trial/program.ts";
import { removeContainers, removeTree, Site } from "./trial/site.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const NAMESPACE = "quickstart";
/** docker's filter for the containers of the scenario and of nobody else. */
const OWN_CONTAINERS = `label=io.kubernetes.pod.namespace=${NAMESPACE}`;
const MANIFEST = `${ROOT}scripts/trial/demo.yaml`;

/** Says what is done, does it, says how long it took. */
async function step<T>(title: string, action: () => Promise<T>): Promise<T> {
  const start = Date.now();
  await Deno.stdout.write(new TextEncoder().encode(`- ${title} … `));
  const result = await action();
  console.log(`${((Date.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

async function page(ip: string): Promise<string> {
  const response = await fetch(`http://${ip}:8080/`, { signal: AbortSignal.timeout(2000) });
  return await response.text();
}

/** Ids of the running containers of the demo that are not sandboxes. */
async function webContainers(uid: string): Promise<string[]> {
  const { stdout } = await runToEnd("docker", [
    "ps",
    "--quiet",
    "--no-trunc",
    "--filter",
    `label=io.kubernetes.pod.uid=${uid}`,
    "--filter",
    "label=io.kubernetes.container.name=web",
  ]);
  return stdout.split("\n").filter((id) => id !== "");
}

async function scenario(site: Site): Promise<void> {
  const withKubectl = await hasKubectl();
  await step("cloudcore with its embedded control plane", async () => {
    await site.configureCloud();
    await site.startCloud();
  });
  const kube = await site.kube();
  await step("edgecore joins with a token as node edge-1 over mutual TLS", async () => {
    await site.configureEdge(await site.token());
    site.startEdge();
    await site.nodeReady();
  });
  await step(
    `${withKubectl ? "kubectl apply" : "apply"} of a ConfigMap, a Secret and a Deployment`,
    async () => {
      if (withKubectl) await kubectl(site.kubeConfigPath, ["apply", "-f", MANIFEST]);
      else await applyManifest(kube, await Deno.readTextFile(MANIFEST));
    },
  );
  const pod = await step("the pod runs on edge-1", () =>
    until("the pod is Running and Ready", async () => {
      const { items } = await kube.list(PODS, { namespace: NAMESPACE, labelSelector: "app=web" });
      return items.find(isReady);
    }, { timeoutMs: 60_000 }));
  const uid = pod.metadata!.uid!;
  const ip = pod.status!.podIP!;
  const first = await step("its page", () => until("the page is served", () => page(ip)));
  console.log(`    ${first.trim()}`);
  const second = await step("the ConfigMap changes, and with it the page", async () => {
    await kube.patch(CONFIG_MAPS, { namespace: NAMESPACE, name: "web-pages" }, {
      type: "merge",
      body: { data: { "index.html": "<h1>Changed from the cloud</h1>\n" } },
    });
    return await until("the new page is served", async () => {
      const text = await page(ip);
      return text.includes("Changed") && text;
    }, { timeoutMs: 120_000 });
  });
  console.log(`    ${second.trim()}`);
  await step("cloudcore stops; the container is killed; edgecore brings it back alone", async () => {
    await site.cloud.stop();
    const [before] = await webContainers(uid);
    if (before === undefined) throw new Error("The pod has no container");
    await runToEnd("docker", ["kill", before]);
    await until("another container runs", async () => (await webContainers(uid)).some((id) => id !== before));
    await until("the page is served again", () => page(ip));
  });
  await step("edgecore restarts without a cloud and adopts the running pod", async () => {
    const [before] = await webContainers(uid);
    await site.edge.stop();
    if (!(await webContainers(uid)).includes(before!)) {
      throw new Error("The container did not outlive edgecore");
    }
    site.startEdge();
    await until("edgecore knows the pod", async () => {
      const response = await fetch(`http://127.0.0.1:${site.ports.edged}/pods`);
      return (await response.text()).includes(uid);
    });
    await until("the page is served", () => page(ip));
    const after = await webContainers(uid);
    if (after.length !== 1 || after[0] !== before) {
      throw new Error(`Container ${before} was replaced by ${after.join(", ")}`);
    }
  });
  await step("cloudcore starts again and the status catches up", async () => {
    await site.startCloud();
    await until("the cloud shows the restart", async () => {
      const now = await kube.get(PODS, { namespace: NAMESPACE, name: pod.metadata!.name! });
      return isReady(now) && now.status?.containerStatuses?.[0]?.restartCount === 1;
    }, { timeoutMs: 60_000 });
    await site.nodeReady();
  });
}

async function farewell(site: Site): Promise<void> {
  const kube = await site.kube();
  await step("the Deployment is deleted and its container gone", async () => {
    await kube.delete(DEPLOYMENTS, { namespace: NAMESPACE, name: "web" }, {
      propagationPolicy: "Background",
    });
    await until("no pod is left", async () => {
      const { items } = await kube.list(PODS, { namespace: NAMESPACE, labelSelector: "app=web" });
      return items.length === 0;
    }, { timeoutMs: 60_000 });
    await until("no container is left", async () => {
      const { stdout } = await runToEnd("docker", [
        "ps",
        "--all",
        "--quiet",
        "--filter",
        OWN_CONTAINERS,
      ]);
      return stdout.trim() === "";
    }, { timeoutMs: 30_000 });
  });
}

function instructions(site: Site): string {
  const kubectl = `kubectl --kubeconfig ${site.kubeConfigPath}`;
  return `
Everything stays up until Ctrl-C. The kubeconfig: ${site.kubeConfigPath}
Logs: ${site.directory}/cloudcore.log and edgecore.log
Try:
  ${kubectl} apply -f scripts/trial/demo.yaml
  ${kubectl} -n quickstart get nodes,pods -o wide
  ${kubectl} -n quickstart edit configmap web-pages
  ${kubectl} -n quickstart scale deployment web --replicas 3
  docker ps --filter ${OWN_CONTAINERS}
`;
}

/** Resolves at the first SIGINT or SIGTERM. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => resolve());
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ args: Deno.args, options: { once: { type: "boolean", default: false } } });
  const stopped = interrupted();
  await step("a container engine", () => ensureEngine());
  await step(`the images ${PAUSE_IMAGE} and ${DEMO_WEB_IMAGE}`, () => makeDemoImages());
  await step("the executables", async () => {
    const { code, stderr } = await runToEnd(Deno.execPath(), ["task", "compile", "--arch", HOST_ARCH], {
      cwd: ROOT,
    });
    if (code !== 0) throw new Error(stderr.trim());
  });
  await Deno.mkdir(`${ROOT}.cache`, { recursive: true });
  const directory = `${ROOT}.cache/quickstart`;
  await removeTree(directory).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(directory, { mode: 0o700 });
  const site = new Site({ directory, dist: `${ROOT}dist`, arch: HOST_ARCH, sandboxImage: PAUSE_IMAGE });
  try {
    await Promise.race([
      scenario(site),
      stopped.then(() => {
        throw new Error("Interrupted");
      }),
    ]);
    await farewell(site);
    if (!values.once) {
      console.log(instructions(site));
      await stopped;
      console.log("Stopping");
    }
  } catch (error) {
    console.log("failed");
    console.error(error instanceof Error ? error.message : String(error));
    console.error(`The logs are in ${directory}`);
    Deno.exitCode = 1;
  } finally {
    await site[Symbol.asyncDispose]();
    await removeContainers(site.nodeName);
  }
  if (values.once && Deno.exitCode === 0) {
    await removeTree(directory);
    console.log("Everything that was promised happened; nothing is left running.");
  }
  Deno.exit();
}

try {
  await main();
} catch (error) {
  console.log("failed");
  console.error(error instanceof Error ? error.message : String(error));
  Deno.exit(1);
}
