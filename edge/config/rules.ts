import { type ReportProblem, splitHostPort } from "../../common/config/mod.ts";
import type { EdgeCoreConfig } from "./schema.ts";

/**
 * Combinations that cannot be. A module that is off is not looked at.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/edgecore/v1alpha2/validation @ 16cd854
 */
export function checkEdgeCore(config: EdgeCoreConfig, report: ReportProblem): void {
  const { edged, edgeHub, metaManager, deviceTwin } = config.modules;
  if (edgeHub.enable && edgeHub.websocket.enable === edgeHub.quic.enable) {
    const found = edgeHub.quic.enable ? "both" : "neither";
    report("modules.edgeHub", "exactly one of websocket.enable and quic.enable to be true", found);
  }
  for (const [name, module] of Object.entries({ edged, deviceTwin })) {
    if (module.enable && !metaManager.enable) {
      report("modules.metaManager.enable", `true, since modules.${name} is enabled and needs it`, "false");
    }
  }
  if (edged.enable) checkEdged(edged, report);
  checkPorts(config, report);
}

function checkEdged(edged: EdgeCoreConfig["modules"]["edged"], report: ReportProblem): void {
  const kubelet = edged.tailoredKubeletConfig;
  const path = "modules.edged.tailoredKubeletConfig";
  const { imageGCLowThresholdPercent: low, imageGCHighThresholdPercent: high } = kubelet;
  if (low >= high) {
    report(
      `${path}.imageGCLowThresholdPercent`,
      `less than imageGCHighThresholdPercent (${high})`,
      String(low),
    );
  }
  for (const signal of Object.keys(kubelet.evictionSoft ?? {})) {
    if (Object.hasOwn(kubelet.evictionSoftGracePeriod ?? {}, signal)) continue;
    report(
      `${path}.evictionSoftGracePeriod`,
      `a grace period for ${signal}, which evictionSoft names`,
      "none",
    );
  }
  if (kubelet.shutdownGracePeriodCriticalPods > kubelet.shutdownGracePeriod) {
    const found = "a longer time";
    report(`${path}.shutdownGracePeriodCriticalPods`, "at most shutdownGracePeriod", found);
  }
  const endpoint = kubelet.containerRuntimeEndpoint;
  if (edged.containerRuntime === "cri" && endpoint.endsWith("/docker.sock")) {
    const expected = 'the socket of a CRI runtime, or containerRuntime "docker"';
    report(`${path}.containerRuntimeEndpoint`, expected, JSON.stringify(endpoint));
  }
}

/** What listens on this machine must not listen on one port. */
function checkPorts({ modules }: EdgeCoreConfig, report: ReportProblem): void {
  const { edged, eventBus, metaManager, serviceBus } = modules;
  const { metaServer } = metaManager;
  const listeners: Array<{ path: string; host: string; port: number }> = [];
  const listen = (enabled: boolean, path: string, host: string, port: number | undefined) => {
    if (enabled && port !== undefined && port > 0) listeners.push({ path, host, port });
  };
  const { address, readOnlyPort } = edged.tailoredKubeletConfig;
  listen(edged.enable, "modules.edged.tailoredKubeletConfig.readOnlyPort", address, readOnlyPort);
  const meta = splitHostPort(metaServer.server);
  const metaPath = "modules.metaManager.metaServer.server";
  listen(metaManager.enable && metaServer.enable, metaPath, meta?.host ?? "", meta?.port);
  listen(serviceBus.enable, "modules.serviceBus.port", serviceBus.server, serviceBus.port);
  const broker = URL.parse(eventBus.mqttServerInternal);
  const brokerOn = eventBus.enable && eventBus.mqttMode < 2 && broker !== null;
  listen(brokerOn, "modules.eventBus.mqttServerInternal", broker?.hostname ?? "", Number(broker?.port));
  for (const [index, listener] of listeners.entries()) {
    const other = listeners.slice(0, index).find((l) =>
      l.port === listener.port && overlap(l.host, listener.host)
    );
    if (other === undefined) continue;
    report(listener.path, `a port that ${other.path} does not use`, String(listener.port));
  }
}

function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some((host) => host === "0.0.0.0" || host === "::" || host === "[::]");
}
