/** The embedded control plane, in this process, with its controllers. */
import { startControlPlane } from "../../cloud/embedded/testing.ts";
import { controlPlaneControllers } from "../../cloud/embedded/controllers/mod.ts";
import { createKubeClient } from "../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";
import { type ControlPlane, FORGETTING_CHARS } from "./control_plane.ts";

/** Characters of changes of one resource that are kept; more make the server forget. */
const KEPT_CHARS = 2 * 1024 * 1024;

/** Starts one on a free port with a directory of its own. */
export async function startEmbeddedPlane(): Promise<ControlPlane> {
  const server = await startControlPlane({ watchCache: { chars: KEPT_CHARS } });
  const { caCertificate, adminToken, kubeconfig } = server.endpoint;
  const kube = createKubeClient({ server: server.endpoint.server, ca: caCertificate, token: adminToken });
  const controllers = controlPlaneControllers({
    kube,
    clock: systemClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  });
  const end = new AbortController();
  const controlling = controllers.run(end.signal);
  await Promise.race([controllers.ready, controlling]);
  const scratch = await Deno.makeTempDir({ prefix: "conformance-" });
  return {
    kind: "embedded",
    server: server.endpoint.server,
    caCertificate,
    admin: { kind: "token", token: adminToken },
    kubeconfig,
    scratch,
    forgetConfigMaps: async (write) => {
      for (let chars = 0; chars <= KEPT_CHARS; chars += FORGETTING_CHARS) await write();
    },
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await controlling;
      await kube[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await Deno.remove(scratch, { recursive: true });
    },
  };
}
