import type { ReportProblem } from "../common/config/mod.ts";
import type { CloudCoreConfig } from "./config/mod.ts";

/** Refuses what the configuration asks for and this version of cloudcore has no module for. */
export function checkSupported({ modules }: CloudCoreConfig, report: ReportProblem): void {
  const { cloudHub, cloudStream, router, dynamicController, taskManager } = modules;
  const rows: Array<[key: string, enabled: boolean, instead: string]> = [
    [
      "cloudHub.quic",
      cloudHub.enable && cloudHub.quic.enable,
      "nodes connect over modules.cloudHub.websocket",
    ],
    ["cloudStream", cloudStream.enable, "use docker logs and docker exec on the node"],
    ["router", router.enable, "let applications reach other systems themselves"],
    [
      "dynamicController",
      dynamicController.enable,
      "pods get ConfigMaps and Secrets as volumes and variables",
    ],
    ["taskManager", taskManager.enable, "upgrade nodes and pull images there"],
  ];
  for (const [key, enabled, instead] of rows) {
    if (enabled) {
      report(`modules.${key}.enable`, `false, since this version does not have it (${instead})`, "true");
    }
  }
}

/** Keys of modules that are on by default upstream and do nothing in this version. */
export function idleModules({ modules }: CloudCoreConfig): string[] {
  const { cloudHub, deviceController, syncController, iptablesManager } = modules;
  const rows: Array<[key: string, enabled: boolean]> = [
    ["modules.cloudHub.unixsocket", cloudHub.enable && cloudHub.unixsocket.enable],
    ["modules.deviceController", deviceController.enable],
    ["modules.syncController", syncController.enable],
    ["modules.iptablesManager", iptablesManager.enable],
  ];
  return rows.filter(([, enabled]) => enabled).map(([key]) => key);
}
