import { onEachControlPlane } from "../support/control_planes.ts";
import { mainLine } from "../support/main_line.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";

onEachControlPlane("kubectl runs a Deployment in real containers at the edge, changes it and removes it", {
  needs: [ENGINE, KUBECTL, EXECUTABLES],
  node: "main",
  steps: mainLine,
});
