import assert from "node:assert/strict";
import { mainLine } from "../support/main_line.ts";
import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";
import { Trial } from "../support/trial.ts";

Deno.test({
  name: "a real cluster runs a Deployment in real containers at the edge, changes it and removes it",
  ignore: lacking(ENGINE, KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start();
    await using trial = await Trial.make("real-main", cluster);
    await mainLine(t, trial);
    await t.step("cloudcore asked for nothing that it may not have or that is wrong", async () => {
      assert.deepEqual(await cluster.faults(), []);
    });
  },
});
