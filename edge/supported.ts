import type { ReportProblem } from "../common/config/mod.ts";
import type { EdgeCoreConfig } from "./config/mod.ts";

/** Refuses what the configuration asks for and this version of edgecore has no module for. */
export function checkSupported({ modules }: EdgeCoreConfig, report: ReportProblem): void {
  const { edged, edgeHub, edgeStream, metaManager, serviceBus, taskManager } = modules;
  if (edged.enable && !["", "docker"].includes(edged.containerRuntime)) {
    const expected = '"docker", since this version has no other runtime (start Docker on this node)';
    report("modules.edged.containerRuntime", expected, JSON.stringify(edged.containerRuntime));
  }
  const metaServer = metaManager.enable && metaManager.metaServer.enable;
  const rows: Array<[key: string, enabled: boolean, instead: string]> = [
    [
      "edgeHub.quic",
      edgeHub.enable && edgeHub.quic.enable,
      "the cloud is reached over modules.edgeHub.websocket",
    ],
    ["edgeStream", edgeStream.enable, "use docker logs and docker exec on this node"],
    ["metaManager.metaServer", metaServer, "pods get ConfigMaps and Secrets as volumes and variables"],
    ["serviceBus", serviceBus.enable, "let applications reach the cloud themselves"],
    ["taskManager", taskManager.enable, "upgrade this node and pull images on it"],
  ];
  for (const [key, enabled, instead] of rows) {
    if (enabled) {
      report(`modules.${key}.enable`, `false, since this version does not have it (${instead})`, "true");
    }
  }
}

/** Keys of modules for devices that are on, as they are by default, and do nothing in this version. */
export function idleModules({ modules: { eventBus, deviceTwin } }: EdgeCoreConfig): string[] {
  const rows: Array<[key: string, enabled: boolean]> = [
    ["modules.eventBus", eventBus.enable],
    ["modules.deviceTwin", deviceTwin.enable],
  ];
  return rows.filter(([, enabled]) => enabled).map(([key]) => key);
}
