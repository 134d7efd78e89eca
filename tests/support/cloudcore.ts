/** cloudcore alone, as an executable, for tests of what it says and does at a cluster without any edge. */
import { loadKubeConfig } from "../../common/kubeclient/mod.ts";
import { HOST_ARCH } from "../../scripts/runtime.ts";
import { until } from "../../scripts/trial/program.ts";
import { Site } from "../../scripts/trial/site.ts";
import type { RealCluster } from "./real_cluster.ts";
import { ROOT } from "./trial.ts";

/** A cloudcore with a directory of its own; stopped and removed at the end. */
export class Cloudcore implements AsyncDisposable {
  readonly directory: string;
  readonly site: Site;

  private constructor(directory: string, cluster: RealCluster, kubeconfig: string) {
    this.directory = directory;
    const access = { admin: cluster.admin, cloudcore: kubeconfig };
    this.site = new Site({
      directory,
      dist: `${ROOT}dist`,
      arch: HOST_ARCH,
      sandboxImage: "",
      cluster: access,
    });
  }

  /** Starts one; does not wait for anything. */
  static async start(
    cluster: RealCluster,
    kubeconfig: string,
    changes: Record<string, unknown> = {},
  ): Promise<Cloudcore> {
    const directory = await Deno.makeTempDir({ prefix: "kubeedge-cloudcore-" });
    const one = new Cloudcore(directory, cluster, kubeconfig);
    await one.site.configureCloud(changes);
    one.site.launchCloud();
    return one;
  }

  /** All it has said, without times and process ids. */
  async log(): Promise<string[]> {
    const text = await this.site.cloud.log();
    return text.split("\n").filter((line) => line !== "").map((line) =>
      line.replace(/^[A-Z]\d{4} \S+ +\d+ /, "")
    );
  }

  /** The first line that fits, waiting for it. */
  async says(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    try {
      return await until(
        `it says ${pattern}`,
        async () => (await this.log()).find((line) => pattern.test(line)),
        {
          timeoutMs,
        },
      );
    } catch (error) {
      throw new Error(`cloudcore said:\n${(await this.log()).join("\n")}`, { cause: error });
    }
  }

  /** How many lines fit. */
  async count(pattern: RegExp): Promise<number> {
    return (await this.log()).filter((line) => pattern.test(line)).length;
  }

  /** Waits until nodes are served. */
  async serves(timeoutMs = 45_000): Promise<void> {
    try {
      await until("nodes are served", () => this.site.cloudHealthy(), { timeoutMs });
    } catch (error) {
      throw new Error(`cloudcore said:\n${(await this.log()).join("\n")}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Writes a kubeconfig of a cluster with another user, and perhaps another server. */
export async function writeKubeconfig(
  cluster: RealCluster,
  path: string,
  user: Record<string, unknown>,
  change: Record<string, unknown> = {},
): Promise<string> {
  const { server, ca } = await loadKubeConfig({ path: cluster.admin });
  const certificate = new TextEncoder().encode(ca!).toBase64();
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": certificate, ...change } }],
    users: [{ name: "u", user }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  await Deno.writeTextFile(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** The token of cloudcore's service account. */
export async function accountToken(cluster: RealCluster): Promise<string> {
  return (await loadKubeConfig({ path: cluster.cloudcore })).token!;
}
