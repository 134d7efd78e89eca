/** Control planes without a cloudcore of their own, for tests that put something between both. */
import { controlPlaneControllers } from "../../cloud/embedded/controllers/mod.ts";
import { startControlPlane } from "../../cloud/embedded/testing.ts";
import { createKubeClient, loadKubeConfig } from "../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";
import type { Cluster } from "../../scripts/trial/site.ts";
import { accountToken } from "./cloudcore.ts";
import { FaultyApi } from "./faulty_api.ts";
import { lacking } from "./needs.ts";
import { KUBERNETES, RealCluster } from "./real_cluster.ts";

/** A control plane, and a proxy in front of it. */
export interface PlaneCluster {
  /** Without the proxy in between. */
  direct: Cluster;
  /** Cloudcore goes through the proxy, the administrator past it. */
  proxied: Cluster;
  api: FaultyApi;
}

/** Registers a test for the embedded control plane and for a real Kubernetes. */
export function onEachPlane(
  name: string,
  act: (t: Deno.TestContext, plane: PlaneCluster) => Promise<void>,
): void {
  Deno.test(`embedded control plane: ${name}`, async (t) => {
    await using plane = await startControlPlane();
    const { server, caCertificate: ca, adminToken: token } = plane.endpoint;
    await using kube = createKubeClient({ server, ca, token });
    const controllers = controlPlaneControllers({
      kube,
      clock: systemClock,
      log: silentLogger,
      metrics: new MetricsRegistry(),
    });
    const stop = new AbortController();
    const running = controllers.run(stop.signal);
    try {
      await withProxy({ server, ca, token }, undefined, (parts) => act(t, parts));
    } finally {
      stop.abort();
      await running;
    }
  });
  Deno.test({
    name: `Kubernetes: ${name}`,
    ignore: lacking(KUBERNETES),
    fn: async (t) => {
      await using cluster = await RealCluster.start();
      const { server, ca } = await loadKubeConfig({ path: cluster.admin });
      const token = await accountToken(cluster);
      await withProxy({ server, ca: ca!, token }, cluster, (parts) => act(t, parts));
    },
  });
}

async function withProxy(
  { server, ca, token }: { server: string; ca: string; token: string },
  cluster: Cluster | undefined,
  act: (plane: PlaneCluster) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "kubeedge-plane-" });
  try {
    await using api = new FaultyApi({ server, caCertificate: ca });
    const own = `${directory}/direct.kubeconfig`;
    await writeConfig(own, token, {
      server,
      "certificate-authority-data": new TextEncoder().encode(ca).toBase64(),
    });
    const through = `${directory}/proxied.kubeconfig`;
    await writeConfig(through, token, { server: api.server });
    const direct = { admin: cluster?.admin ?? own, cloudcore: own };
    await act({ direct, proxied: { ...direct, cloudcore: through }, api });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function writeConfig(path: string, token: string, cluster: Record<string, unknown>): Promise<void> {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster }],
    users: [{ name: "u", user: { token } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  await Deno.writeTextFile(path, JSON.stringify(config), { mode: 0o600 });
}
