import { KUBECTL, lacking } from "../support/needs.ts";
import { startEmbeddedPlane } from "./embedded_plane.ts";
import { runSuite } from "./run_suite.ts";

Deno.test({
  name: "the embedded control plane conforms",
  ignore: lacking(KUBECTL),
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async (t) => {
    await using plane = await startEmbeddedPlane();
    await runSuite(t, plane);
  },
});
