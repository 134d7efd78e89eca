/** A whole KubeEdge on this machine in one directory: cloudcore, edgecore, their configuration; the control plane is cloudcore's own or a cluster's. */
import { parseDocument } from "yaml";
import {
  createKubeClient,
  type KubeClient,
  loadKubeConfig,
  NODES,
  SECRETS,
} from "../../common/kubeclient/mod.ts";
import { freePort, Program, runToEnd, until } from "./program.ts";

/** A cluster's API server, as two users see it. */
export interface Cluster {
  /** Path of the administrator's kubeconfig. */
  readonly admin: string;
  /** Path of the kubeconfig that cloudcore uses. */
  readonly cloudcore: string;
}

export interface SiteOptions {
  /** Everything the programs write is below it. */
  directory: string;
  /** Directory of the executables. */
  dist: string;
  arch: "amd64" | "arm64";
  /** @default "edge-1" */
  nodeName?: string;
  /** Pause image of the sandboxes. */
  sandboxImage: string;
  /** @default cloudcore's embedded control plane */
  cluster?: Cluster;
  /** Settings of cloudcore that are not the usual ones, by their path: `modules.cloudHub.enable`. */
  cloud?: Record<string, unknown>;
  /** The same of edgecore. */
  edge?: Record<string, unknown>;
}

/** Ports of one site. */
interface Ports {
  api: number;
  hub: number;
  https: number;
  monitor: number;
  edged: number;
}

/** A site: made once, its programs started and stopped as a scenario needs. */
export class Site implements AsyncDisposable {
  readonly directory: string;
  readonly nodeName: string;
  readonly ports: Ports;
  readonly #options: SiteOptions;
  #cloud: Program | undefined;
  #edge: Program | undefined;
  #kube: KubeClient | undefined;

  constructor(options: SiteOptions) {
    this.#options = options;
    this.directory = options.directory;
    this.nodeName = options.nodeName ?? "edge-1";
    this.ports = {
      api: freePort(),
      hub: freePort(),
      https: freePort(),
      monitor: freePort(),
      edged: freePort(),
    };
  }

  /** Path of an executable. */
  program(name: "cloudcore" | "edgecore" | "keadm"): string {
    return `${this.#options.dist}/${name}-linux-${this.#options.arch}`;
  }

  /** The administrator's kubeconfig. */
  get kubeConfigPath(): string {
    return this.#options.cluster?.admin ?? `${this.directory}/cloud/admin.kubeconfig`;
  }

  get cloud(): Program {
    if (this.#cloud === undefined) throw new Error("cloudcore was not started");
    return this.#cloud;
  }

  get edge(): Program {
    if (this.#edge === undefined) throw new Error("edgecore was not started");
    return this.#edge;
  }

  /** A client of the control plane as its administrator. */
  async kube(): Promise<KubeClient> {
    this.#kube ??= createKubeClient(await loadKubeConfig({ path: this.kubeConfigPath }));
    return this.#kube;
  }

  /** Writes cloudcore's configuration: what `--minconfig` prints, with this site's paths and ports. */
  async configureCloud(changes: Record<string, unknown> = {}): Promise<string> {
    const { ports } = this;
    const here = `${this.directory}/cloud`;
    await Deno.mkdir(here, { recursive: true });
    const { cluster } = this.#options;
    const controlPlane = cluster === undefined
      ? {
        "kubeAPIConfig.embedded.enable": true,
        "kubeAPIConfig.embedded.dataDir": `${here}/embedded`,
        "kubeAPIConfig.embedded.address": "127.0.0.1",
        "kubeAPIConfig.embedded.port": ports.api,
        "kubeAPIConfig.embedded.kubeConfig": this.kubeConfigPath,
      }
      : { "kubeAPIConfig.kubeConfig": cluster.cloudcore };
    return await this.#configure("cloudcore", `${here}/cloudcore.yaml`, {
      "commonConfig.monitorServer.bindAddress": `127.0.0.1:${ports.monitor}`,
      ...controlPlane,
      "modules.cloudHub.advertiseAddress": ["127.0.0.1"],
      "modules.cloudHub.tlsCAFile": `${here}/ca/rootCA.crt`,
      "modules.cloudHub.tlsCAKeyFile": `${here}/ca/rootCA.key`,
      "modules.cloudHub.tlsCertFile": `${here}/certs/server.crt`,
      "modules.cloudHub.tlsPrivateKeyFile": `${here}/certs/server.key`,
      "modules.cloudHub.unixsocket.enable": false,
      "modules.cloudHub.websocket.address": "127.0.0.1",
      "modules.cloudHub.websocket.port": ports.hub,
      "modules.cloudHub.https.address": "127.0.0.1",
      "modules.cloudHub.https.port": ports.https,
      ...this.#options.cloud,
      ...changes,
    });
  }

  /** Writes edgecore's configuration: what `--minconfig` prints, with this site's paths, addresses and token. */
  async configureEdge(token: string, changes: Record<string, unknown> = {}): Promise<string> {
    const { ports } = this;
    const here = `${this.directory}/edge`;
    await Deno.mkdir(here, { recursive: true });
    return await this.#configure("edgecore", `${here}/edgecore.yaml`, {
      "database.dataSource": `${here}/edgecore.db`,
      "modules.edgeHub.httpServer": `https://127.0.0.1:${ports.https}`,
      "modules.edgeHub.websocket.server": `127.0.0.1:${ports.hub}`,
      "modules.edgeHub.token": token,
      "modules.edgeHub.tlsCaFile": `${here}/ca/rootCA.crt`,
      "modules.edgeHub.tlsCertFile": `${here}/certs/server.crt`,
      "modules.edgeHub.tlsPrivateKeyFile": `${here}/certs/server.key`,
      "modules.edged.hostnameOverride": this.nodeName,
      "modules.edged.rootDirectory": `${here}/kubelet`,
      "modules.edged.podSandboxImage": this.#options.sandboxImage,
      "modules.edged.containerRuntime": "docker",
      "modules.edged.tailoredKubeletConfig.readOnlyPort": ports.edged,
      "modules.edged.tailoredKubeletConfig.staticPodPath": `${here}/manifests`,
      "modules.edged.tailoredKubeletConfig.podLogsDir": `${here}/pod-logs`,
      ...this.#options.edge,
      ...changes,
    });
  }

  async #configure(
    program: "cloudcore" | "edgecore",
    path: string,
    values: Record<string, unknown>,
  ): Promise<string> {
    const { code, stdout, stderr } = await runToEnd(this.program(program), ["--minconfig"]);
    if (code !== 0) throw new Error(`${program} --minconfig ended with ${code}: ${stderr.trim()}`);
    const document = parseDocument(stdout);
    for (const [key, value] of Object.entries(values)) document.setIn(key.split("."), value);
    await Deno.writeTextFile(path, document.toString(), { mode: 0o600 });
    return path;
  }

  /** Starts cloudcore; does not wait for anything. */
  launchCloud(): void {
    this.#cloud = Program.start("cloudcore", this.program("cloudcore"), [
      "--config",
      `${this.directory}/cloud/cloudcore.yaml`,
    ], {
      logFile: `${this.directory}/cloudcore.log`,
    });
  }

  /** Starts cloudcore and waits until it serves. */
  async startCloud(): Promise<void> {
    this.launchCloud();
    const program = this.cloud;
    const failed = program.ended.then(async ({ code }) => {
      throw new Error(`cloudcore ended with ${code} instead of serving:\n${await program.tail()}`);
    });
    failed.catch(() => {/* lost the race: told when the program is stopped */});
    await Promise.race([until("cloudcore serves nodes", () => this.cloudHealthy()), failed]);
  }

  /** What cloudcore answers at `/healthz`: whether it serves nodes. @param path `/livez` and `/readyz` ask other things */
  async cloudHealthy(path = "/healthz"): Promise<boolean> {
    const response = await fetch(`http://127.0.0.1:${this.ports.monitor}${path}`);
    await response.body?.cancel();
    return response.ok;
  }

  /** Starts edgecore; does not wait for anything. */
  startEdge(): void {
    this.#edge = Program.start("edgecore", this.program("edgecore"), [
      "--config",
      `${this.directory}/edge/edgecore.yaml`,
      "-v=4",
    ], {
      logFile: `${this.directory}/edgecore.log`,
    });
  }

  /** The join token, as `keadm gettoken` prints it. */
  async token(): Promise<string> {
    const { code, stdout, stderr } = await runToEnd(this.program("keadm"), [
      "gettoken",
      "--kube-config",
      this.kubeConfigPath,
    ]);
    if (code !== 0) throw new Error(`keadm gettoken ended with ${code}: ${stderr.trim()}`);
    return stdout.trim();
  }

  /** Waits until the node says it is ready: an edge asks a cloud that was away for long every 30 s only. */
  async nodeReady(timeoutMs = 60_000): Promise<void> {
    const kube = await this.kube();
    await until(`node ${this.nodeName} is Ready`, async () => {
      const node = await kube.get(NODES, { name: this.nodeName });
      return node.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True");
    }, { timeoutMs });
  }

  /** Makes both configurations, starts both programs, waits for the node. */
  async start(): Promise<void> {
    await this.configureCloud();
    await this.startCloud();
    await this.configureEdge(await this.token());
    this.startEdge();
    await this.nodeReady();
  }

  /** Whether the join token's secret is there: cloudcore has prepared its certificates. */
  async joinable(): Promise<boolean> {
    const secret = await (await this.kube()).get(SECRETS, { namespace: "kubeedge", name: "tokensecret" });
    return secret.data?.tokendata !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kube?.[Symbol.asyncDispose]();
    await this.#edge?.stop();
    await this.#cloud?.stop();
  }
}

/** Removes a site's directory; volumes in memory that pods of a stopped edgecore still have there are unmounted first. */
export async function removeTree(directory: string): Promise<void> {
  const mounts = (await Deno.readTextFile("/proc/self/mounts")).split("\n").map((line) =>
    line.split(" ")[1] ?? ""
  );
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).reverse()) {
    const { code, stderr } = await runToEnd("umount", ["--", mount]);
    if (code !== 0) throw new Error(`Cannot unmount ${mount}: ${stderr.trim()}`);
  }
  await Deno.remove(directory, { recursive: true });
}

/** Removes the containers that a node's edgecore has left: pods outlive it. */
export async function removeContainers(nodeName: string): Promise<void> {
  const filter = `label=io.kubeedge.node.name=${nodeName}`;
  const { stdout } = await runToEnd("docker", ["ps", "--all", "--quiet", "--no-trunc", "--filter", filter]);
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) await runToEnd("docker", ["rm", "--force", ...ids]);
}
