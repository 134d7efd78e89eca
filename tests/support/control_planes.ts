/** End-to-end tests run once on each control plane: the one inside cloudcore and a real Kubernetes. */
import assert from "node:assert/strict";
import { freePort } from "../../scripts/trial/program.ts";
import { lacking, type Need } from "./needs.ts";
import { KUBERNETES, RealCluster } from "./real_cluster.ts";
import { Trial } from "./trial.ts";

export interface ControlPlaneTest {
  /** What it needs besides the control plane. */
  needs: Need[];
  /** Name of the node; the control plane's name is put in front. */
  node: string;
  /** Silence after which a node's state is unknown, seconds. @default the control plane's own, 40 or more */
  nodeMonitorGracePeriod?: number;
  /** Settings of edgecore that are not the usual ones, by their path. */
  edge?: Record<string, unknown>;
  /** The test; nothing of the trial is started. */
  steps(t: Deno.TestContext, trial: Trial, plane: ControlPlane): Promise<void>;
}

/** What a test does to a control plane. */
export interface ControlPlane {
  readonly kind: "embedded" | "Kubernetes";
  /** Ends what serves the API, as a machine that fails would. The embedded one goes with all of cloudcore. */
  stopApi(): Promise<void>;
  startApi(): Promise<void>;
  /**
   * Has changes made while the API is stopped, at an address that nobody else knows: no watch tells of them.
   * @param change is given an administrator's kubeconfig for that address
   */
  unseen(change: (kubeconfig: string) => Promise<void>): Promise<void>;
}

/** Registers a test for each control plane. */
export function onEachControlPlane(
  name: string,
  { needs, node, nodeMonitorGracePeriod: silence, edge = {}, steps }: ControlPlaneTest,
): void {
  Deno.test({
    name: `embedded control plane: ${name}`,
    ignore: lacking(...needs),
    fn: async (t) => {
      const cloud = silence === undefined ? {} : { "kubeAPIConfig.embedded.nodeMonitorGracePeriod": silence };
      await using trial = await Trial.make(`embedded-${node}`, { cloud, edge });
      await steps(t, trial, embedded(trial));
    },
  });
  Deno.test({
    name: `Kubernetes: ${name}`,
    ignore: lacking(...needs, KUBERNETES),
    fn: async (t) => {
      await using cluster = await RealCluster.start();
      if (silence !== undefined) {
        await cluster.stopProgram("kube-controller-manager");
        await cluster.startProgram("kube-controller-manager", [
          `--node-monitor-grace-period=${silence}s`,
          "--node-monitor-period=1s",
        ]);
      }
      await using trial = await Trial.make(`kubernetes-${node}`, { cluster, edge });
      await steps(t, trial, {
        kind: "Kubernetes",
        stopApi: () => cluster.stopProgram("kube-apiserver"),
        startApi: () => cluster.startProgram("kube-apiserver"),
        unseen: (change) => cluster.unseen(change),
      });
      await t.step("cloudcore asked for nothing that it may not have or that is wrong", async () => {
        assert.deepEqual(await cluster.faults(), []);
      });
    },
  });
}

function embedded({ site }: Trial): ControlPlane {
  return {
    kind: "embedded",
    stopApi: async () => void await site.cloud.kill(),
    startApi: () => site.startCloud(),
    unseen: async (change) => {
      await using other = await Trial.make(`${site.nodeName}-unseen`, {
        cloud: {
          "kubeAPIConfig.embedded.dataDir": `${site.directory}/cloud/embedded`,
          "modules.cloudHub.enable": false,
          "modules.cloudHub.https.port": freePort(),
        },
      });
      await other.site.configureCloud();
      await other.site.startCloud();
      await change(other.site.kubeConfigPath);
      await other.site.cloud.stop();
    },
  };
}
