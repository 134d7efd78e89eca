/** End-to-end tests run once on each control plane: the one inside cloudcore and a real Kubernetes. */
import assert from "node:assert/strict";
import { lacking, type Need } from "./needs.ts";
import { KUBERNETES, RealCluster } from "./real_cluster.ts";
import { Trial } from "./trial.ts";

export interface ControlPlaneTest {
  /** What it needs besides the control plane. */
  needs: Need[];
  /** Name of the node; the control plane's name is put in front. */
  node: string;
  /** The test; nothing of the trial is started. */
  steps(t: Deno.TestContext, trial: Trial): Promise<void>;
}

/** Registers a test for each control plane. */
export function onEachControlPlane(name: string, { needs, node, steps }: ControlPlaneTest): void {
  Deno.test({
    name: `embedded control plane: ${name}`,
    ignore: lacking(...needs),
    fn: async (t) => {
      await using trial = await Trial.make(`embedded-${node}`);
      await steps(t, trial);
    },
  });
  Deno.test({
    name: `Kubernetes: ${name}`,
    ignore: lacking(...needs, KUBERNETES),
    fn: async (t) => {
      await using cluster = await RealCluster.start();
      await using trial = await Trial.make(`kubernetes-${node}`, cluster);
      await steps(t, trial);
      await t.step("cloudcore asked for nothing that it may not have or that is wrong", async () => {
        assert.deepEqual(await cluster.faults(), []);
      });
    },
  });
}
