import { type ReportProblem, splitHostPort } from "../../common/config/mod.ts";
import type { CloudCoreConfig } from "./schema.ts";

/**
 * Combinations that cannot be. A module that is off is not looked at.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/cloudcore/v1alpha1/validation/validation.go @ 16cd854
 */
export function checkCloudCore(config: CloudCoreConfig, report: ReportProblem): void {
  const { kubeAPIConfig: api, modules } = config;
  for (const key of ["master", "kubeConfig"] as const) {
    if (api.embedded.enable && api[key] !== "") {
      const expected = "nothing, since kubeAPIConfig.embedded is enabled and is the API then";
      report(`kubeAPIConfig.${key}`, expected, JSON.stringify(api[key]));
    }
  }
  const { cloudHub } = modules;
  if (cloudHub.enable && !cloudHub.websocket.enable && !cloudHub.quic.enable) {
    report("modules.cloudHub", "websocket.enable or quic.enable to be true", "neither");
  }
  checkPorts(config, report);
}

interface Listener {
  path: string;
  host: string;
  port: number;
}

/** What listens on this machine must not listen on one port. */
function checkPorts(config: CloudCoreConfig, report: ReportProblem): void {
  const { commonConfig, kubeAPIConfig: { embedded }, modules: { cloudHub, cloudStream, router } } = config;
  const monitor = splitHostPort(commonConfig.monitorServer.bindAddress);
  const { websocket, https } = cloudHub;
  const all: Array<[enabled: boolean, path: string, host: string, port: number]> = [
    [
      monitor !== undefined,
      "commonConfig.monitorServer.bindAddress",
      monitor?.host ?? "",
      monitor?.port ?? 0,
    ],
    [embedded.enable, "kubeAPIConfig.embedded.port", embedded.address, embedded.port],
    [
      cloudHub.enable && websocket.enable,
      "modules.cloudHub.websocket.port",
      websocket.address,
      websocket.port,
    ],
    [cloudHub.enable && https.enable, "modules.cloudHub.https.port", https.address, https.port],
    [cloudStream.enable, "modules.cloudStream.tunnelPort", "0.0.0.0", cloudStream.tunnelPort],
    [cloudStream.enable, "modules.cloudStream.streamPort", "0.0.0.0", cloudStream.streamPort],
    [router.enable, "modules.router.port", router.address, router.port],
  ];
  const listeners: Listener[] = [];
  for (const [enabled, path, host, port] of all) {
    if (!enabled) continue;
    const other = listeners.find((l) => l.port === port && overlap(l.host, host));
    if (other !== undefined) report(path, `a port that ${other.path} does not use`, String(port));
    listeners.push({ path, host, port });
  }
}

function overlap(a: string, b: string): boolean {
  return a === b || [a, b].some((host) => host === "0.0.0.0" || host === "::");
}
