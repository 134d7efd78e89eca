/** The compartment of the embedded control plane: it listens on its one port and reads and writes its directory. */
import { createKubeClient } from "../../common/kubeclient/mod.ts";
import { deferModule, runCompartment, systemClock } from "../../common/module/mod.ts";
import { controlPlaneControllers } from "../embedded/controllers/mod.ts";
import { embeddedControlPlane, type EmbeddedControlPlaneOptions } from "../embedded/mod.ts";

/** As plain data; every path is absolute. */
export interface ControlPlaneInit extends EmbeddedControlPlaneOptions {
  address: string;
  port: number;
  kubeconfig: string;
  /** Silence after which a node's state is unknown, milliseconds. */
  nodeMonitorGracePeriodMs: number;
}

runCompartment<ControlPlaneInit>(({ init, log, metrics }) => {
  const clock = systemClock;
  const api = embeddedControlPlane({ clock, log: log.child("apiserver"), metrics }, init);
  const controllers = deferModule("controllers", async () => {
    const { server, caCertificate, adminToken } = await api.endpoint;
    const kube = createKubeClient({ server, ca: caCertificate, token: adminToken }, {
      clock,
      log: log.child("kubeclient"),
    });
    return controlPlaneControllers({ kube, clock, log, metrics }, {
      nodeMonitorGracePeriodMs: init.nodeMonitorGracePeriodMs,
    });
  });
  return [api, controllers];
});
