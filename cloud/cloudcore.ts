/**
 * Puts cloudcore together: which compartments there are, what each may do, which ports join them.
 *
 *     controlplane   the embedded Kubernetes API and its controllers, where it is enabled
 *     hub            cloudhub
 *     controllers    edgecontroller
 *
 * The process itself serves `/metrics` and `/healthz`, and then gives up what it may do.
 */
import { splitHostPort } from "../common/config/mod.ts";
import type { Logging } from "../common/core/mod.ts";
import { type KubeClientConfig, loadKubeConfig } from "../common/kubeclient/mod.ts";
import {
  type Compartment,
  compartment,
  deferModule,
  lockdown,
  type Logger,
  type Module,
  runAll,
} from "../common/module/mod.ts";
import type { CloudHubOptions } from "./cloudhub/mod.ts";
import { cloudHubPermissions } from "./cloudhub/permissions.ts";
import type { ControllersInit } from "./compartments/controllers.ts";
import type { ControlPlaneInit } from "./compartments/controlplane.ts";
import type { HubInit } from "./compartments/hub.ts";
import type { CloudCoreConfig, ControlPlane, DecidedCloudCore } from "./config/mod.ts";
import { monitor } from "./monitor/mod.ts";
import { idleModules } from "./supported.ts";

export interface CloudCoreComponents {
  log: Logger;
  logging: Logging;
}

/** Program of a compartment: TypeScript beside this file, or JavaScript once bundled. */
function entry(name: string): URL {
  return new URL(`./compartments/${name}.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}

/** What each compartment may do, computed from the configuration and from how the Kubernetes API is reached. */
export function cloudCompartmentPermissions(
  { config, controlPlane }: DecidedCloudCore,
  kube: KubeClientConfig,
): Record<"controlplane" | "hub" | "controllers", Deno.PermissionOptionsObject> {
  return {
    controlplane: controlPlane.kind === "embedded"
      ? controlPlanePermissions(controlPlaneInit(controlPlane.embedded))
      : {},
    hub: merge(cloudHubPermissions(hubOptions(config)), kubePermissions(kube)),
    controllers: kubePermissions(kube),
  };
}

/** All of cloudcore, as one module. */
export function cloudCore(
  decided: DecidedCloudCore,
  { log, logging }: CloudCoreComponents,
): Pick<Module, "run"> {
  const { config, controlPlane } = decided;
  const running: Compartment[] = [];
  const start = <Init>(
    spec: {
      name: string;
      permissions: Deno.PermissionOptionsObject;
      init: Init;
      ports?: Record<string, MessagePort>;
    },
  ) => {
    const made = compartment({ ...spec, entry: entry(spec.name), log: logging });
    running.push(made);
    return made;
  };
  const channel = new MessageChannel();
  const modules: Module[] = [];
  if (controlPlane.kind === "embedded") {
    const init = controlPlaneInit(controlPlane.embedded);
    modules.push(
      start<ControlPlaneInit>({ name: "controlplane", permissions: controlPlanePermissions(init), init }),
    );
  }
  modules.push(deferModule("hub", async () => {
    const kube = await kubeAccess(controlPlane, config);
    const hub = hubOptions(config);
    return start<HubInit>({
      name: "hub",
      permissions: cloudCompartmentPermissions(decided, kube).hub,
      init: { kube, hub },
      ports: { edgecontroller: channel.port1 },
    });
  }));
  if (config.modules.edgeController.enable) {
    modules.push(deferModule("controllers", async () => {
      const kube = await kubeAccess(controlPlane, config);
      return start<ControllersInit>({
        name: "controllers",
        permissions: cloudCompartmentPermissions(decided, kube).controllers,
        init: {
          kube,
          edgeController: {
            advertiseAddress: config.modules.cloudHub.advertiseAddress[0]!,
            nodeUpdateFrequencyMs: config.modules.edgeController.nodeUpdateFrequency * 1000,
          },
        },
        ports: { cloudhub: channel.port2 },
      });
    }));
  }
  const { host, port } = splitHostPort(config.commonConfig.monitorServer.bindAddress)!;
  const collect = async () => (await Promise.all(running.map((each) => each.collect()))).flat();
  modules.push(monitor({ collect, log: log.child("monitor") }, { hostname: host, port }));
  modules.push(lockdown());
  return {
    run: (signal) => {
      const idle = idleModules(config);
      if (idle.length > 0) log.debug("Not part of this version", { idle: idle.join(",") });
      return runAll(modules, signal);
    },
  };
}

function controlPlaneInit(
  embedded: Extract<ControlPlane, { kind: "embedded" }>["embedded"],
): ControlPlaneInit {
  const [advertiseAddress] = embedded.advertiseAddress;
  return {
    dataDir: embedded.dataDir,
    address: embedded.address,
    port: embedded.port,
    kubeconfig: embedded.kubeConfig,
    extraSans: embedded.advertiseAddress,
    ...(advertiseAddress === undefined ? {} : { advertiseAddress }),
  };
}

/** What the embedded control plane may do: keep its directory and its kubeconfig, listen, and be its own client. */
function controlPlanePermissions(
  { dataDir, address, port, kubeconfig, advertiseAddress = "127.0.0.1" }: ControlPlaneInit,
): Deno.PermissionOptionsObject {
  const directories = [dataDir, kubeconfig.slice(0, kubeconfig.lastIndexOf("/"))];
  return {
    net: [address, advertiseAddress].map((host) => `${host.includes(":") ? `[${host}]` : host}:${port}`),
    read: directories,
    write: directories,
  };
}

/** How to reach the Kubernetes API; the file of the embedded one exists once that is ready. */
async function kubeAccess(
  controlPlane: ControlPlane,
  { kubeAPIConfig: { qps, burst } }: CloudCoreConfig,
): Promise<KubeClientConfig> {
  const path = controlPlane.kind === "embedded"
    ? controlPlane.embedded.kubeConfig
    : controlPlane.kind === "kubeconfig"
    ? controlPlane.path
    : undefined;
  const { source: _source, namespace: _namespace, ...access } = await loadKubeConfig(
    path === undefined ? {} : { path },
  );
  const server = controlPlane.kind !== "embedded" && controlPlane.server !== ""
    ? controlPlane.server
    : access.server;
  return { ...access, server, rateLimit: { qps, burst } };
}

/** What a user of the Kubernetes API may do: reach its address, or its proxy's, and read a token that is replaced. */
function kubePermissions({ server, proxyUrl, tokenFile }: KubeClientConfig): Deno.PermissionOptionsObject {
  const url = new URL(proxyUrl ?? server);
  const port = url.port || (url.protocol === "http:" ? "80" : "443");
  return { net: [`${url.hostname}:${port}`], ...(tokenFile === undefined ? {} : { read: [tokenFile] }) };
}

function hubOptions({ modules: { cloudHub } }: CloudCoreConfig): CloudHubOptions {
  const { tlsCAFile, tlsCAKeyFile, tlsCertFile, tlsPrivateKeyFile } = cloudHub;
  return {
    advertiseAddress: cloudHub.advertiseAddress,
    dnsNames: cloudHub.dnsNames,
    https: { address: cloudHub.https.address, port: cloudHub.https.port },
    websocket: { address: cloudHub.websocket.address, port: cloudHub.websocket.port },
    files: { tlsCAFile, tlsCAKeyFile, tlsCertFile, tlsPrivateKeyFile },
    nodeLimit: cloudHub.nodeLimit,
    keepaliveIntervalMs: cloudHub.keepaliveInterval * 1000,
    edgeCertSigningDays: cloudHub.edgeCertSigningDuration,
    tokenRefreshHours: cloudHub.tokenRefreshDuration,
  };
}

/** Permissions of modules that share a compartment. */
function merge(...sets: Deno.PermissionOptionsObject[]): Deno.PermissionOptionsObject {
  const kinds = ["net", "read", "write", "env", "run", "sys"] as const;
  return Object.fromEntries(kinds.map((kind) => {
    const values = sets.map((set) => set[kind]).filter((value) => value !== undefined && value !== false);
    if (values.length === 0) return [kind, false];
    return [kind, values.includes(true) ? true : values.flatMap((value) => value as string[])];
  }));
}
