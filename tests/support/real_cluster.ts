/** A cluster of its own for a test: a real control plane in a directory, with a service account for cloudcore; stopped and removed at the end. */
import { setUpCloudcoreAccount } from "../../scripts/kubernetes/cloudcore_account.ts";
import { missingBinaries } from "../../scripts/kubernetes/binaries.ts";
import { adminKubeconfig } from "../../scripts/kubernetes/control_plane.ts";
import { runToEnd } from "../../scripts/trial/program.ts";
import type { Cluster } from "../../scripts/trial/site.ts";
import type { Need } from "./needs.ts";
import { ROOT } from "./trial.ts";

export const KUBERNETES: Need = {
  what: "the programs of Kubernetes' control plane",
  fix: "deno run -A scripts/kubernetes.ts build",
  met: (await missingBinaries(Deno.env.toObject())).length === 0,
};

/** One request that the API server refused, as its audit log has it. */
export interface Refusal {
  user: string;
  verb: string;
  /** Path and query. */
  uri: string;
  code: number;
}

/** A running control plane. */
export class RealCluster implements AsyncDisposable, Cluster {
  readonly directory: string;
  readonly admin: string;
  readonly cloudcore: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.admin = adminKubeconfig(directory);
    this.cloudcore = `${directory}/cloudcore.kubeconfig`;
  }

  /** Starts one and gives cloudcore's service account its rights. */
  static async start(): Promise<RealCluster> {
    const directory = await Deno.makeTempDir({ prefix: "kubeedge-cluster-" });
    const cluster = new RealCluster(directory);
    try {
      await cluster.#run("up");
      await setUpCloudcoreAccount(cluster.admin, cluster.cloudcore);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What was refused to cloudcore for want of rights. */
  async forbidden(): Promise<Refusal[]> {
    const refused: Refusal[] = [];
    for (const line of (await Deno.readTextFile(`${this.directory}/audit.log`)).split("\n")) {
      if (line === "") continue;
      const { user, verb, requestURI, responseStatus } = JSON.parse(line);
      if (responseStatus?.code !== 401 && responseStatus?.code !== 403) continue;
      refused.push({ user: user.username, verb, uri: requestURI, code: responseStatus.code });
    }
    return refused;
  }

  async #run(...args: string[]): Promise<void> {
    const { code, stderr } = await runToEnd(Deno.execPath(), [
      "run",
      "--quiet",
      "--allow-all",
      `${ROOT}scripts/kubernetes.ts`,
      ...args,
      "--directory",
      this.directory,
    ]);
    if (code !== 0) throw new Error(`kubernetes.ts ${args.join(" ")} ended with ${code}: ${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run("down");
    await Deno.remove(this.directory, { recursive: true });
  }
}
