import { mainLine } from "../support/main_line.ts";
import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { Trial } from "../support/trial.ts";

Deno.test({
  name: "kubectl runs a Deployment in real containers at the edge, changes it and removes it",
  ignore: lacking(ENGINE, KUBECTL, EXECUTABLES),
  fn: async (t) => {
    await using trial = await Trial.make("e2e-main");
    await mainLine(t, trial);
  },
});
