/** A real Kubernetes control plane. */
import { parseState } from "../../scripts/kubernetes/control_plane.ts";
import { RealCluster } from "../support/real_cluster.ts";
import type { ControlPlane } from "./control_plane.ts";

/** Starts one. */
export async function startKubernetesPlane(): Promise<ControlPlane> {
  const cluster = await RealCluster.start();
  return await kubernetesPlane(cluster.directory, () => cluster[Symbol.asyncDispose]());
}

/**
 * A control plane that runs already.
 * @param directory where `scripts/kubernetes.ts up` started it
 * @param stop is called when it is disposed
 */
export async function kubernetesPlane(directory: string, stop: () => Promise<void>): Promise<ControlPlane> {
  const read = (name: string) => Deno.readTextFile(`${directory}/${name}`);
  const { ports } = parseState(await read("state.json"));
  const caCertificate = await read("pki/ca.crt");
  const scratch = await Deno.makeTempDir({ prefix: "conformance-" });
  return {
    kind: "kubernetes",
    server: `https://127.0.0.1:${ports.api}`,
    caCertificate,
    admin: {
      kind: "certificate",
      certificate: await read("pki/admin.crt"),
      key: await read("pki/admin.key"),
    },
    kubeconfig: `${directory}/admin.kubeconfig`,
    scratch,
    forgetConfigMaps: async (write) => {
      await write();
      using client = Deno.createHttpClient({
        caCerts: [caCertificate],
        cert: await read("pki/etcd-client.crt"),
        key: await read("pki/etcd-client.key"),
      });
      const ask = async (path: string, body: object) => {
        const url = `https://127.0.0.1:${ports.etcd}/v3/kv/${path}`;
        const response = await fetch(url, { method: "POST", body: JSON.stringify(body), client });
        const text = await response.text();
        if (!response.ok) throw new Error(`etcd answers ${path} with ${response.status}: ${text}`);
        return JSON.parse(text);
      };
      const { header } = await ask("range", { key: btoa("/"), limit: 1, keys_only: true });
      await ask("compaction", { revision: header.revision, physical: true });
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await Deno.remove(scratch, { recursive: true });
    },
  };
}
