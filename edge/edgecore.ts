/**
 * Puts edgecore together: which compartments there are, what each may do, which ports join them.
 *
 *     store     metamanager
 *     runtime   edged
 *     link      edgehub
 *
 * Pods need only the first two, so the link is started last. Then the process itself gives up what it may do.
 */
import type { Logging } from "../common/core/mod.ts";
import { compartment, lockdown, type Logger, type Module, runAll } from "../common/module/mod.ts";
import { KUBELET_VERSION } from "../common/version/mod.ts";
import type { RuntimeInit } from "./compartments/runtime.ts";
import type { DecidedEdgeCore } from "./config/mod.ts";
import { edgedPermissions } from "./edged/permissions.ts";
import type { EdgeHubOptions } from "./edgehub/mod.ts";
import { edgeHubPermissions } from "./edgehub/permissions.ts";
import type { MetaManagerOptions } from "./metamanager/mod.ts";
import { metaManagerPermissions } from "./metamanager/permissions.ts";
import { idleModules } from "./supported.ts";

export interface EdgeCoreComponents {
  log: Logger;
  logging: Logging;
  /** The file the configuration was read from, out of which the join token is taken once it has served. @default none */
  configFile?: string;
}

/** Program of a compartment: TypeScript beside this file, or JavaScript once bundled. */
function entry(name: string): URL {
  return new URL(`./compartments/${name}.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}

/** What each compartment may do, computed from the configuration. */
export function edgeCompartmentPermissions(
  decided: DecidedEdgeCore,
  configFile?: string,
): Record<"store" | "runtime" | "link", Deno.PermissionOptionsObject> {
  return {
    store: metaManagerPermissions(metaManagerOptions(decided)),
    runtime: runtimePermissions(runtimeInit(decided)),
    link: edgeHubPermissions(edgeHubOptions(decided, configFile)),
  };
}

/** All of edgecore, as one module. */
export function edgeCore(
  decided: DecidedEdgeCore,
  { log, logging, configFile }: EdgeCoreComponents,
): Pick<Module, "run"> {
  const { modules } = decided.config;
  const permissions = edgeCompartmentPermissions(decided, configFile);
  const hubAndMeta = new MessageChannel();
  const metaAndEdged = new MessageChannel();
  const parts: Module[] = [];
  if (modules.metaManager.enable) {
    const init = metaManagerOptions(decided);
    parts.push(compartment({
      name: "store",
      entry: entry("store"),
      permissions: permissions.store,
      init,
      ports: { edgehub: hubAndMeta.port1, edged: metaAndEdged.port1 },
      log: logging,
    }));
  }
  if (modules.edged.enable) {
    const init = runtimeInit(decided);
    parts.push(compartment({
      name: "runtime",
      entry: entry("runtime"),
      permissions: permissions.runtime,
      init,
      ports: { metamanager: metaAndEdged.port2 },
      log: logging,
    }));
  }
  if (modules.edgeHub.enable) {
    const init = edgeHubOptions(decided, configFile);
    parts.push(compartment({
      name: "link",
      entry: entry("link"),
      permissions: permissions.link,
      init,
      ports: { metamanager: hubAndMeta.port2 },
      log: logging,
    }));
  }
  return {
    run: (signal) => {
      const idle = idleModules(decided.config);
      if (idle.length > 0) log.info("Devices are not served by this version", { idle: idle.join(",") });
      return runAll([...parts, lockdown()], signal);
    },
  };
}

function metaManagerOptions({ config, nodeName }: DecidedEdgeCore): MetaManagerOptions {
  return {
    databasePath: config.database.dataSource,
    nodeName,
    remoteQueryTimeoutMs: config.modules.metaManager.remoteQueryTimeout * 1000,
  };
}

function edgeHubOptions({ config, nodeName }: DecidedEdgeCore, configFile?: string): EdgeHubOptions {
  const hub = config.modules.edgeHub;
  return {
    nodeName,
    httpServer: hub.httpServer,
    websocketServer: hub.websocket.server,
    projectId: hub.projectID,
    ...(hub.token === "" ? {} : { token: hub.token }),
    ...(configFile === undefined ? {} : { configFile }),
    tlsCaFile: hub.tlsCaFile,
    tlsCertFile: hub.tlsCertFile,
    tlsPrivateKeyFile: hub.tlsPrivateKeyFile,
    heartbeatMs: hub.heartbeat * 1000,
    handshakeTimeoutMs: hub.websocket.handshakeTimeout * 1000,
    writeDeadlineMs: hub.websocket.writeDeadline * 1000,
    messageQps: hub.messageQPS,
    messageBurst: hub.messageBurst,
    rotateCertificates: hub.rotateCertificates,
  };
}

function runtimeInit({ config, nodeName, nodeIP }: DecidedEdgeCore): RuntimeInit {
  const { edged } = config.modules;
  const kubelet = edged.tailoredKubeletConfig;
  return {
    root: Deno.uid() === 0,
    docker: { binary: edged.dockerBinary, nodeName },
    edged: {
      nodeName,
      version: KUBELET_VERSION,
      rootDirectory: edged.rootDirectory,
      nodeIP,
      nodeLabels: edged.nodeLabels ?? {},
      registerWithTaints: kubelet.registerWithTaints ?? [],
      registerNode: kubelet.registerNode,
      reportEvent: edged.reportEvent,
      maxPods: kubelet.maxPods,
      podSandboxImage: edged.podSandboxImage,
      clusterDNS: kubelet.clusterDNS ?? [],
      clusterDomain: kubelet.clusterDomain,
      readOnlyPort: kubelet.readOnlyPort,
    },
  };
}

/** Programs of the system that volumes and the node's facts need. */
const PROGRAMS = ["mount", "umount", "cat", "grep", "stat"];

/**
 * What edged's compartment may do. Paths of the node that pods ask for may be anywhere, and who may run the engine can do
 * anything anyway, so reading and writing are not narrowed further; the network is for probes.
 */
function runtimePermissions({ edged, docker }: RuntimeInit): Deno.PermissionOptionsObject {
  return {
    ...edgedPermissions(edged),
    read: true,
    write: true,
    run: [docker.binary ?? "docker", ...PROGRAMS],
    sys: ["networkInterfaces", "statfs", "systemMemoryInfo", "osRelease", "uid", "gid"],
  };
}
