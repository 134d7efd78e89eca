/** A control plane of Kubernetes for one run of a benchmark, in a directory of its own. */
import { setUpCloudcoreAccount } from "../kubernetes/cloudcore_account.ts";
import { ensureBinaries } from "../kubernetes/binaries.ts";
import { parseState, startControlPlane, stopControlPlane } from "../kubernetes/control_plane.ts";
import type { Cluster } from "../trial/site.ts";

/** A running cluster. */
export interface BenchCluster extends Cluster, AsyncDisposable {
  /** Its programs. */
  readonly pids: readonly number[];
}

/** Starts one; disposing stops and removes it. */
export async function startCluster(): Promise<BenchCluster> {
  const directory = await Deno.makeTempDir({ prefix: "kubeedge-bench-cluster-" });
  const stop = async () => {
    await stopControlPlane(directory);
    await Deno.remove(directory, { recursive: true });
  };
  try {
    // deno-lint-ignore no-console
    const admin = await startControlPlane(directory, await ensureBinaries((line) => console.error(line)));
    const cloudcore = `${directory}/cloudcore.kubeconfig`;
    await setUpCloudcoreAccount(admin, cloudcore);
    const { processes } = parseState(await Deno.readTextFile(`${directory}/state.json`));
    const pids = Object.values(processes).map(({ pid }) => pid);
    return { admin, cloudcore, pids, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
