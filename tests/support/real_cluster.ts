/** A cluster of its own for a test: a real control plane in a directory, with a service account for cloudcore; stopped and removed at the end. */
import { argumentsOf, type Component } from "../../scripts/kubernetes/arguments.ts";
import { ensureBinaries, missingBinaries } from "../../scripts/kubernetes/binaries.ts";
import {
  type CloudcoreAccountOptions,
  setUpCloudcoreAccount,
} from "../../scripts/kubernetes/cloudcore_account.ts";
import {
  adminKubeconfig,
  parseState,
  startComponent,
  stopComponent,
} from "../../scripts/kubernetes/control_plane.ts";
import { freePort, Program, runToEnd, until } from "../../scripts/trial/program.ts";
import type { Cluster } from "../../scripts/trial/site.ts";
import type { Need } from "./needs.ts";
import { ROOT } from "./trial.ts";

export const KUBERNETES: Need = {
  what: "the programs of Kubernetes' control plane",
  fix: "deno run -A scripts/kubernetes.ts build",
  met: (await missingBinaries(Deno.env.toObject())).length === 0,
};

/** One request of cloudcore, as the API server's audit log has it. */
export interface AuditedRequest {
  verb: string;
  /** Path and query. */
  uri: string;
  code: number;
  /** When it came, Unix milliseconds. */
  at: number;
  /** Why it was refused. */
  message?: string;
}

/** What cloudcore is never to be answered: it lacks a right, or asked in a way that the API does not take. */
const FAULTS: ReadonlySet<number> = new Set([400, 401, 403, 405, 413, 415, 422, 500]);

/** A running control plane. */
export class RealCluster implements AsyncDisposable, Cluster {
  readonly directory: string;
  readonly admin: string;
  readonly cloudcore: string;
  /** From when to when an API server was started again, Unix milliseconds. */
  readonly #starts: Array<readonly [from: number, to: number]> = [];

  private constructor(directory: string) {
    this.directory = directory;
    this.admin = adminKubeconfig(directory);
    this.cloudcore = `${directory}/cloudcore.kubeconfig`;
  }

  /** Starts one and gives cloudcore's service account its rights. */
  static async start(account: CloudcoreAccountOptions = {}): Promise<RealCluster> {
    const directory = await Deno.makeTempDir({ prefix: "kubeedge-cluster-" });
    const cluster = new RealCluster(directory);
    try {
      await cluster.#run("up");
      await setUpCloudcoreAccount(cluster.admin, cluster.cloudcore, account);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Everything cloudcore asked. */
  async requests(): Promise<AuditedRequest[]> {
    const lines = (await Deno.readTextFile(`${this.directory}/audit.log`)).split("\n");
    return lines.filter((line) => line !== "").map((line) => {
      const { verb, requestURI, requestReceivedTimestamp, responseStatus } = JSON.parse(line);
      const { code, message } = responseStatus ?? {};
      const at = Date.parse(requestReceivedTimestamp);
      return { verb, uri: requestURI, code, at, ...(message === undefined ? {} : { message }) };
    });
  }

  /**
   * What cloudcore asked and must not, or may not. An API server that starts refuses what it has not read the roles for: that is none.
   * @throws when it asked nothing: then it did not use this cluster
   */
  async faults(): Promise<AuditedRequest[]> {
    const requests = await this.requests();
    if (requests.length === 0) throw new Error("cloudcore asked this cluster nothing");
    const starting = (at: number) => this.#starts.some(([from, to]) => from <= at && at <= to);
    return requests.filter(({ code, at }) => FAULTS.has(code) && !(code === 403 && starting(at)));
  }

  /** Stops one of its programs, as a machine that fails would. */
  async stopProgram(component: Component): Promise<void> {
    await stopComponent(this.directory, component, 500);
  }

  /** Starts one of its programs again. @param more arguments besides the usual ones */
  async startProgram(component: Component, more: readonly string[] = []): Promise<void> {
    const from = Date.now();
    await startComponent(this.directory, component, await ensureBinaries(() => {}), more);
    if (component === "kube-apiserver") this.#starts.push([from, Date.now()]);
  }

  /**
   * Has changes made through another API server on the same data, at an address nobody else knows, while the first is stopped.
   * @param change is given the administrator's kubeconfig of that server
   */
  async unseen(change: (kubeconfig: string) => Promise<void>): Promise<void> {
    const { ports } = parseState(await Deno.readTextFile(`${this.directory}/state.json`));
    const port = freePort();
    const args = argumentsOf("kube-apiserver", this.directory, { ...ports, api: port })
      .filter((arg) => !arg.startsWith("--audit-"));
    const { "kube-apiserver": path } = await ensureBinaries(() => {});
    await using _server = Program.start("second kube-apiserver", path, args, {
      logFile: `${this.directory}/logs/second-kube-apiserver.log`,
    });
    const kubeconfig = `${this.directory}/second.kubeconfig`;
    const text = (await Deno.readTextFile(this.admin)).replace(`:${ports.api}"`, `:${port}"`);
    await Deno.writeTextFile(kubeconfig, text, { mode: 0o600 });
    await until("the second API server is ready", async () => {
      const { code } = await runToEnd("kubectl", ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"]);
      return code === 0;
    }, { timeoutMs: 60_000 });
    await change(kubeconfig);
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
