import { tryCustomResources } from "../support/custom_resources.ts";
import { KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";

Deno.test({
  name: "a real API server takes the custom resources, keeps good objects, refuses bad ones and prints them",
  ignore: lacking(KUBECTL, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start();
    await tryCustomResources(t, cluster.admin);
  },
});
