/**
 * Puts cloudcore together: which compartments there are, what each may do, which ports join them.
 *
 *     controlplane   the embedded Kubernetes API and its controllers, where it is enabled
 *     hub            cloudhub
 *     controllers    edgecontroller, custom resources
 *     credentials    where a kubeconfig names a command or an issuer that gives them
 *
 * The process itself serves `/metrics` and `/healthz`, waits for the Kubernetes API, and then gives up what it may do.
 */
import { splitHostPort } from "../common/config/mod.ts";
import type { Logging } from "../common/core/mod.ts";
import {
  type CredentialAnswer,
  type CredentialQuestion,
  type KubeClientConfig,
  KubeConfigError,
  remoteCredentials,
} from "../common/kubeclient/mod.ts";
import {
  aborted,
  type Compartment,
  compartment,
  connectPort,
  defineModule,
  lockdown,
  type Logger,
  Mailbox,
  type Module,
  runAll,
  systemClock,
} from "../common/module/mod.ts";
import type { CloudHubOptions } from "./cloudhub/mod.ts";
import { cloudHubPermissions } from "./cloudhub/permissions.ts";
import type { ControllersInit } from "./compartments/controllers.ts";
import type { ControlPlaneInit } from "./compartments/controlplane.ts";
import type { HubInit } from "./compartments/hub.ts";
import type { CredentialsInit } from "./compartments/credentials.ts";
import type { CloudCoreConfig, ControlPlane, DecidedCloudCore } from "./config/mod.ts";
import {
  asksForCredentials,
  credentialPermissions,
  kubePermissions,
  readKubeAccess,
  waitForApi,
  waitForIssuer,
} from "./kube_access.ts";
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
): Record<"controlplane" | "hub" | "controllers" | "credentials", Deno.PermissionOptionsObject> {
  return {
    controlplane: controlPlane.kind === "embedded"
      ? controlPlanePermissions(controlPlaneInit(controlPlane.embedded))
      : {},
    hub: merge(cloudHubPermissions(hubOptions(config)), kubePermissions(kube)),
    controllers: kubePermissions(kube),
    credentials: credentialPermissions(kube),
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
  const collect = async () => (await Promise.all(running.map((each) => each.collect()))).flat();
  let serves = false;

  /** The compartments that use the Kubernetes API, once it answers. */
  const edgeSide = defineModule("edgeside", async ({ signal, ready }) => {
    const { kube, credentials } = await reachKube(signal);
    const permissions = cloudCompartmentPermissions(decided, kube);
    const channel = new MessageChannel();
    const ports = (name: string): Record<string, MessagePort> => {
      const port = credentials(name);
      return port === undefined ? {} : { credentials: port };
    };
    const shared = withoutSecrets(kube);
    const modules: Compartment[] = [start<HubInit>({
      name: "hub",
      permissions: permissions.hub,
      init: { kube: shared, hub: hubOptions(config) },
      ports: { edgecontroller: channel.port1, ...ports("hub") },
    })];
    if (config.modules.edgeController.enable) {
      modules.push(start<ControllersInit>({
        name: "controllers",
        permissions: permissions.controllers,
        init: {
          kube: shared,
          edgeController: {
            advertiseAddress: config.modules.cloudHub.advertiseAddress[0]!,
            nodeUpdateFrequencyMs: config.modules.edgeController.nodeUpdateFrequency * 1000,
          },
        },
        ports: { cloudhub: channel.port2, ...ports("controllers") },
      }));
    }
    Promise.all(modules.map((module) => module.loaded)).then(ready);
    Promise.all(modules.map((module) => module.ready)).then(() => serves = true);
    await runAtOnce(modules, signal);
  });

  /** Reads the kubeconfig, starts what gives the credential where that takes something, waits for the API server. */
  async function reachKube(
    signal: AbortSignal,
  ): Promise<{ kube: KubeClientConfig; credentials: (peer: string) => MessagePort | undefined }> {
    const kube = await readKubeAccess(controlPlane, config);
    if (kube.exec === undefined) await Deno.permissions.revoke({ name: "run" });
    if (controlPlane.kind === "embedded") return { kube, credentials: () => undefined };
    const clock = systemClock;
    const wait = { clock, log: log.child("kubernetes"), signal };
    if (!asksForCredentials(kube)) {
      await waitForApi(kube, wait);
      return { kube: await readAgain(kube), credentials: () => undefined };
    }
    if (kube.oidc !== undefined) kube.oidc.tokenEndpoint = await waitForIssuer(kube.oidc, wait);
    const peers = new Map(["main", "hub", "controllers"].map((name) => [name, new MessageChannel()]));
    const given = start<CredentialsInit>({
      name: "credentials",
      permissions: cloudCompartmentPermissions(decided, kube).credentials,
      init: { kube, peers: [...peers.keys()] },
      ports: Object.fromEntries([...peers].map(([name, { port1 }]) => [name, port1])),
    });
    giver.resolve(given);
    await given.loaded;
    const answers = new Mailbox<CredentialAnswer>("credentials", 16);
    const { port2 } = peers.get("main")!;
    const ask = connectPort<CredentialQuestion, CredentialAnswer>(port2, answers);
    try {
      await waitForApi(kube, { ...wait, credentials: remoteCredentials(ask, answers, clock) });
    } finally {
      answers.close();
      port2.close();
    }
    return { kube, credentials: (peer) => peers.get(peer)?.port2 };
  }

  /** The kubeconfig as it is now: it may have been written anew while the API server was waited for. */
  async function readAgain(before: KubeClientConfig): Promise<KubeClientConfig> {
    try {
      const now = await readKubeAccess(controlPlane, config);
      return asksForCredentials(now) ? before : now;
    } catch (error) {
      // It is just being written: the compartments look at it again.
      if (error instanceof KubeConfigError) return before;
      throw error;
    }
  }

  /** Runs what gives credentials, from when it is known whether anything does. */
  const giver = Promise.withResolvers<Compartment>();
  const credentialGiver = defineModule("credentials", async ({ signal, ready }) => {
    ready();
    const given = await Promise.race([giver.promise, aborted(signal)]);
    await given?.run(signal);
  });

  const { host, port } = splitHostPort(config.commonConfig.monitorServer.bindAddress)!;
  const modules: Module[] = [
    monitor({ collect, serving: () => serves, log: log.child("monitor") }, { hostname: host, port }),
  ];
  if (controlPlane.kind === "embedded") {
    const init = controlPlaneInit(controlPlane.embedded);
    modules.push(
      start<ControlPlaneInit>({ name: "controlplane", permissions: controlPlanePermissions(init), init }),
    );
  }
  modules.push(credentialGiver, edgeSide, lockdown());
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
    nodeMonitorGracePeriodMs: embedded.nodeMonitorGracePeriod * 1000,
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

/** What compartments need to know where another one gives them the credential. */
function withoutSecrets({ exec: _exec, oidc: _oidc, ...kube }: KubeClientConfig): KubeClientConfig {
  return kube;
}

/** Runs modules side by side: none waits until another can serve. */
function runAtOnce(modules: readonly Module[], signal: AbortSignal): Promise<void> {
  return runAll(modules.map((module) => ({ ...module, ready: Promise.resolve() })), signal);
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
