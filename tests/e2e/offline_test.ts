import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { offline } from "../support/offline.ts";
import { Trial } from "../support/trial.ts";

Deno.test({
  name: "the edge keeps its pods without the cloud, through kills and restarts, and the cloud catches up",
  ignore: lacking(ENGINE, KUBECTL, EXECUTABLES),
  fn: async (t) => {
    await using trial = await Trial.make("e2e-offline");
    await offline(t, trial);
  },
});
