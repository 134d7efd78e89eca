/** A whole cloudcore for wire tests: the program from source, its embedded control plane, certificates and sessions as edges use them. */
import type { Secret } from "../../common/api/core_v1.ts";
import { createKubeClient, type KubeClient, loadKubeConfig, SECRETS } from "../../common/kubeclient/mod.ts";
import { type Authority, loadAuthority, parseJoinToken, printPem } from "../../common/pki/mod.ts";
import { credentialsOf, type NodeCredentials } from "../../cloud/cloudhub/_testing.ts";
import type { Cluster } from "../../scripts/trial/site.ts";
import { freePort, Program, until } from "../../scripts/trial/program.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** What is known of a cloudcore, ours or upstream's, that answers on this machine. */
export interface CloudAddress {
  httpsPort: number;
  hubPort: number;
  /** Signs what edges show. */
  authority: Authority;
  /** The CA certificate as PEM. */
  ca: string;
  /** The JWT part of the join token. */
  jwt: string;
  /** The join token as it is in its secret. */
  token: string;
}

/** Reads CA and token from the secrets that a cloudcore wrote. */
export async function readCloudSecrets(
  kube: KubeClient,
): Promise<Pick<CloudAddress, "authority" | "ca" | "jwt" | "token">> {
  const bytes = async (name: string, ...keys: string[]) => {
    const secret: Secret = await kube.get(SECRETS, { namespace: "kubeedge", name });
    return keys.map((key) => Uint8Array.fromBase64(secret.data![key]!));
  };
  const [certificate, key] = await bytes("casecret", "cadata", "cakeydata");
  const [data] = await bytes("tokensecret", "tokendata");
  const token = new TextDecoder().decode(data);
  return {
    authority: await loadAuthority({ certificate: certificate!, key: key! }),
    ca: printPem("CERTIFICATE", certificate!),
    token,
    jwt: parseJoinToken(token).jwt,
  };
}

/** A running cloudcore in a directory of its own; disposing ends the program and removes the directory. */
export class WireCloud implements AsyncDisposable, CloudAddress {
  readonly hubPort = freePort();
  readonly httpsPort = freePort();
  readonly #monitorPort = freePort();
  readonly #apiPort = freePort();
  readonly #directory: string;
  readonly #cluster: Cluster | undefined;
  readonly #cleanup = new AsyncDisposableStack();
  kube!: KubeClient;
  authority!: Authority;
  ca!: string;
  jwt!: string;
  token!: string;

  private constructor(directory: string, cluster: Cluster | undefined) {
    this.#directory = directory;
    this.#cluster = cluster;
    this.#cleanup.defer(() => Deno.remove(directory, { recursive: true }));
  }

  /**
   * Starts one and waits until it serves.
   * @param cluster its control plane @default the embedded one
   */
  static async start(cluster?: Cluster): Promise<WireCloud> {
    const cloud = new WireCloud(await Deno.makeTempDir({ prefix: "kubeedge-wire-" }), cluster);
    try {
      await cloud.#start();
      return cloud;
    } catch (error) {
      await cloud[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const here = this.#directory;
    const kubeConfig = this.#cluster?.admin ?? `${here}/admin.kubeconfig`;
    await Deno.writeTextFile(`${here}/cloudcore.yaml`, JSON.stringify(this.#config(kubeConfig)));
    const program = Program.start("cloudcore", Deno.execPath(), [
      "run",
      "--quiet",
      "--no-prompt",
      "--permission-set=cloudcore",
      `--config=${ROOT}deno.json`,
      `${ROOT}cloud/main.ts`,
      "--config",
      `${here}/cloudcore.yaml`,
    ], { logFile: `${here}/cloudcore.log` });
    this.#cleanup.defer(async () => {
      await program.stop();
    });
    const failed = program.ended.then(async ({ code }) => {
      throw new Error(`cloudcore ended with ${code}:\n${await program.tail()}`);
    });
    const serving = until("cloudcore serves", async () => {
      const answer = await fetch(`http://127.0.0.1:${this.#monitorPort}/healthz`);
      await answer.body?.cancel();
      return answer.ok;
    });
    failed.catch(() => {/* told when the program is stopped */});
    await Promise.race([serving, failed]);
    this.kube = this.#cleanup.use(createKubeClient(await loadKubeConfig({ path: kubeConfig })));
    Object.assign(this, await readCloudSecrets(this.kube));
  }

  #config(kubeConfig: string): unknown {
    const here = this.#directory;
    return {
      apiVersion: "cloudcore.config.kubeedge.io/v1alpha1",
      kind: "CloudCore",
      commonConfig: { monitorServer: { bindAddress: `127.0.0.1:${this.#monitorPort}` } },
      kubeAPIConfig: this.#cluster !== undefined ? { kubeConfig: this.#cluster.cloudcore } : {
        embedded: {
          enable: true,
          dataDir: `${here}/embedded`,
          address: "127.0.0.1",
          port: this.#apiPort,
          kubeConfig,
        },
      },
      modules: {
        cloudHub: {
          advertiseAddress: ["127.0.0.1"],
          tlsCAFile: `${here}/ca.crt`,
          tlsCAKeyFile: `${here}/ca.key`,
          tlsCertFile: `${here}/server.crt`,
          tlsPrivateKeyFile: `${here}/server.key`,
          unixsocket: { enable: false },
          websocket: { enable: true, address: "127.0.0.1", port: this.hubPort },
          https: { enable: true, address: "127.0.0.1", port: this.httpsPort },
        },
      },
    };
  }

  /** A certificate of this cloud's CA for a node, without asking for it. */
  issue(node: string): Promise<NodeCredentials> {
    return credentialsOf(node, this.authority, { now: Date.now(), validityDays: 1 });
  }

  /** Lines of the log. */
  async log(): Promise<string> {
    return await Deno.readTextFile(`${this.#directory}/cloudcore.log`);
  }

  /** The text of `/metrics`. */
  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.#monitorPort}/metrics`)).text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}
