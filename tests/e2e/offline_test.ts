import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { offline } from "../support/offline.ts";

onEachControlPlane(
  "the edge keeps its pods without the cloud, through kills and restarts, and the cloud catches up",
  {
    needs: [ENGINE, KUBECTL, EXECUTABLES],
    node: "offline",
    steps: offline,
  },
);
