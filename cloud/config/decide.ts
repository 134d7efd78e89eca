import { defaultOf, minimalOf, printConfig, type PrintWhich } from "../../common/config/mod.ts";
import { CLOUD_CORE_SCHEMA, type CloudCoreConfig } from "./schema.ts";

/** What the machine says of itself. */
export interface HostFacts {
  /** Address others reach this machine at. */
  localIP: string;
}

/** Which Kubernetes API is used. */
export type ControlPlane =
  | { kind: "embedded"; embedded: CloudCoreConfig["kubeAPIConfig"]["embedded"] }
  /** `server` overrides the address in the file when it is not empty. */
  | { kind: "kubeconfig"; path: string; server: string }
  /** The service account of the pod this runs in. */
  | { kind: "in-cluster"; server: string };

/** A configuration with everything decided that a file may leave open. */
export interface DecidedCloudCore {
  config: CloudCoreConfig;
  controlPlane: ControlPlane;
}

/**
 * Fills in what depends on the machine (advertiseAddress), and raises what depends on nodeLimit. The argument is not changed.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/cloudcore/v1alpha1/helper.go @ 16cd854
 */
export function decideCloudCore(config: CloudCoreConfig, host: HostFacts): DecidedCloudCore {
  const decided = structuredClone(config);
  const { kubeAPIConfig: api, modules: { cloudHub, edgeController } } = decided;
  // The chart writes an empty first item for "not set".
  cloudHub.advertiseAddress = cloudHub.advertiseAddress.filter((address) => address !== "");
  if (cloudHub.advertiseAddress.length === 0) cloudHub.advertiseAddress = [host.localIP];
  cloudHub.dnsNames = cloudHub.dnsNames.filter((name) => name !== "");
  api.embedded.advertiseAddress = api.embedded.advertiseAddress.filter((address) => address !== "");
  const limit = cloudHub.nodeLimit;
  api.qps = 5 * limit;
  api.burst = 10 * limit;
  const { buffer, load } = edgeController;
  buffer.patchNode = Math.max(buffer.patchNode, 1024 + Math.floor(limit / 2));
  buffer.queryNode = Math.max(buffer.queryNode, 1024 + limit);
  buffer.createLease = Math.max(buffer.createLease, 1024 + limit);
  load.patchNodeWorkers = Math.max(load.patchNodeWorkers, 100 + Math.floor(limit / 50));
  load.queryNodeWorkers = Math.max(load.queryNodeWorkers, limit);
  load.createLeaseWorkers = Math.max(load.createLeaseWorkers, limit);
  return { config: decided, controlPlane: controlPlaneOf(decided) };
}

function controlPlaneOf({ kubeAPIConfig: { embedded, kubeConfig, master } }: CloudCoreConfig): ControlPlane {
  if (embedded.enable) return { kind: "embedded", embedded };
  if (kubeConfig !== "") return { kind: "kubeconfig", path: kubeConfig, server: master };
  return { kind: "in-cluster", server: master };
}

/** Every key at its default; what depends on the machine is still empty. A fresh copy. */
export function defaultCloudCoreConfig(): CloudCoreConfig {
  return defaultOf(CLOUD_CORE_SCHEMA);
}

/** What `--minconfig` and `--defaultconfig` print: commented YAML that loads unchanged. */
export function printCloudCoreConfig(which: PrintWhich, host: HostFacts): string {
  const config = defaultCloudCoreConfig();
  config.modules.cloudHub.advertiseAddress = [host.localIP];
  const value = which === "min" ? minimalOf(CLOUD_CORE_SCHEMA, config) : config;
  const about = which === "min"
    ? "The settings to begin with; every other key has its default."
    : "Every key with its default; keys without one are commented out.";
  const api =
    "Give the cluster's kubeconfig under kubeAPIConfig, or enable kubeAPIConfig.embedded to do without a cluster.";
  return `# Configuration of cloudcore.\n# ${about}\n# ${api}\n\n${
    printConfig(CLOUD_CORE_SCHEMA, value, which)
  }\n`;
}
