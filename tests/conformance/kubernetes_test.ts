import { KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES } from "../support/real_cluster.ts";
import { startKubernetesPlane } from "./kubernetes_plane.ts";
import { runSuite } from "./run_suite.ts";

Deno.test({
  name: "a real Kubernetes conforms",
  ignore: lacking(KUBECTL, KUBERNETES),
  sanitizeOps: true,
  sanitizeResources: true,
  fn: async (t) => {
    await using plane = await startKubernetesPlane();
    await runSuite(t, plane);
  },
});
