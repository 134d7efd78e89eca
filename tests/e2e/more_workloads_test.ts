import { onEachControlPlane } from "../support/control_planes.ts";
import { moreWorkloads } from "../support/more_workloads.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";

onEachControlPlane("schedules, taints, requests and services work with an edge node", {
  needs: [ENGINE, KUBECTL, EXECUTABLES],
  node: "planned",
  steps: async (t, trial) => {
    await trial.site.start();
    await moreWorkloads(t, trial);
  },
});
