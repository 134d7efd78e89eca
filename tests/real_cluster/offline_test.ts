import assert from "node:assert/strict";
import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { offline } from "../support/offline.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";
import { Trial } from "../support/trial.ts";

Deno.test({
  name: "an edge of a real cluster keeps its pods without the cloud, and the cloud catches up",
  ignore: lacking(ENGINE, KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start();
    await using trial = await Trial.make("real-offline", cluster);
    await offline(t, trial);
    await t.step("cloudcore asked for nothing that it may not have or that is wrong", async () => {
      assert.deepEqual(await cluster.faults(), []);
    });
  },
});
