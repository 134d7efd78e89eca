// deno-lint-ignore-file no-console
/**
 * A real control plane of Kubernetes on this machine: etcd, kube-apiserver, kube-controller-manager and kube-scheduler on the
 * loopback interface, with RBAC and Node authorization.
 *
 *   deno run -A scripts/kubernetes.ts up [--directory DIR]       starts it, prints the administrator's kubeconfig
 *   deno run -A scripts/kubernetes.ts status [--directory DIR]   exits 0 when all of it serves
 *   deno run -A scripts/kubernetes.ts down [--directory DIR] [--purge]
 *   deno run -A scripts/kubernetes.ts build                      only makes sure that the programs are there
 *
 * Programs are taken from KUBEBUILDER_ASSETS or PATH; etcd is installed from Debian, the others are built once from the Go
 * module into the user's cache (~/.cache/kubeedge-deno/kubernetes), where they are missing.
 * @module
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ensureBinaries } from "./kubernetes/binaries.ts";
import {
  adminKubeconfig,
  startControlPlane,
  statusOf,
  stopControlPlane,
} from "./kubernetes/control_plane.ts";

const USAGE = "usage: kubernetes.ts up|down|status|build [--directory DIR] [--purge]";
const say = (line: string) => console.error(line);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      directory: { type: "string", default: new URL("../.cache/cluster", import.meta.url).pathname },
      purge: { type: "boolean", default: false },
    },
  });
  const [command, ...rest] = positionals;
  const directory = resolve(values.directory);
  if (rest.length > 0) return misused();
  switch (command) {
    case "build":
      await ensureBinaries(say);
      return 0;
    case "up": {
      const binaries = await ensureBinaries(say);
      const start = Date.now();
      const path = await startControlPlane(directory, binaries);
      say(`Kubernetes serves after ${((Date.now() - start) / 1000).toFixed(1)} s. Its kubeconfig:`);
      console.log(path);
      return 0;
    }
    case "down":
      await stopControlPlane(directory);
      if (values.purge) await removeControlPlane(directory);
      return 0;
    case "status": {
      const status = await statusOf(directory);
      for (const { component, running, healthy, pid } of status) {
        const how = healthy ? "serves" : running ? "runs, but does not serve" : "does not run";
        console.log(`${component.padEnd(24)} ${how}${pid === undefined ? "" : `, process ${pid}`}`);
      }
      if (status.length === 0) console.log(`There is no control plane in ${directory}`);
      else console.log(`kubeconfig               ${adminKubeconfig(directory)}`);
      return status.length > 0 && status.every(({ healthy }) => healthy) ? 0 : 1;
    }
    default:
      return misused();
  }
}

function misused(): number {
  say(USAGE);
  return 2;
}

/** Removes the directory; never one that holds no control plane. */
async function removeControlPlane(directory: string): Promise<void> {
  try {
    await Deno.stat(`${directory}/state.json`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  await Deno.remove(directory, { recursive: true });
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    Deno.exitCode = 1;
  }
}
