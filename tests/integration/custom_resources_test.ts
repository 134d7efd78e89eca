import { startControlPlane } from "../../cloud/embedded/testing.ts";
import { tryCustomResources } from "../support/custom_resources.ts";
import { KUBECTL, lacking } from "../support/needs.ts";

Deno.test({
  name:
    "the embedded API server takes the custom resources, keeps good objects, refuses bad ones and prints them",
  ignore: lacking(KUBECTL),
  fn: async (t) => {
    await using api = await startControlPlane();
    await tryCustomResources(t, api.endpoint.kubeconfig);
  },
});
