import type { Taint } from "../../common/api/core_v1.ts";

/** What edged is told by the configuration. */
export interface EdgedOptions {
  /** Name of the node; checked to be a DNS subdomain. */
  nodeName: string;
  /** The node's `kubeletVersion`: "v1.32.10-kubeedge-v1.23.1". */
  version: string;
  /** Directory of the pods' volumes; its file system is the node's ephemeral storage. @default "/var/lib/kubelet" */
  rootDirectory?: string;
  /** @default the address of the interface of the default route */
  nodeIP?: string;
  /** Labels besides edged's own. @default none */
  nodeLabels?: Readonly<Record<string, string>>;
  /** Taints to register with. @default none */
  registerWithTaints?: readonly Taint[];
  /** Whether to make the node object. @default true */
  registerNode?: boolean;
  /** Whether what happens to pods and the node is reported as Kubernetes Events. @default false */
  reportEvent?: boolean;
  /** @default 110 */
  maxPods?: number;
  /** Image of the pause container. @default "kubeedge/pause:3.6" */
  podSandboxImage?: string;
  /** @default none: pods resolve as the node does */
  clusterDNS?: readonly string[];
  /** @default "cluster.local" */
  clusterDomain?: string;
  /** @default the engine's own */
  cgroupParent?: string;
  /** Loopback port of the read-only server, 0 for none. @default 10350 */
  readOnlyPort?: number;
  /** Sandboxes and containers that are made at a time. @default 4 */
  maxParallelStarts?: number;
  /** Images that are downloaded at a time. @default 2 */
  maxParallelImagePulls?: number;
}

/** The options with their defaults. */
export type SettledOptions = Required<EdgedOptions>;

export const READ_ONLY_PORT = 10350;

/** Fills in the defaults. @throws {RangeError} when a number is out of bounds, {TypeError} when the name cannot be one */
export function settleOptions(options: EdgedOptions): SettledOptions {
  const settled: SettledOptions = {
    rootDirectory: "/var/lib/kubelet",
    nodeIP: "",
    nodeLabels: {},
    registerWithTaints: [],
    registerNode: true,
    reportEvent: false,
    maxPods: 110,
    podSandboxImage: "kubeedge/pause:3.6",
    clusterDNS: [],
    clusterDomain: "cluster.local",
    cgroupParent: "",
    readOnlyPort: READ_ONLY_PORT,
    maxParallelStarts: 4,
    maxParallelImagePulls: 2,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as EdgedOptions,
  };
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(settled.nodeName)) {
    throw new TypeError(
      `Cannot run edged: node name ${JSON.stringify(settled.nodeName)} is not a DNS subdomain`,
    );
  }
  const bounds = [["maxPods", 1, 10_000], ["readOnlyPort", 0, 65535], ["maxParallelStarts", 1, 64], [
    "maxParallelImagePulls",
    1,
    64,
  ]] as const;
  for (const [name, min, max] of bounds) {
    const value = settled[name];
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new RangeError(`Cannot run edged: ${name} ${value} is not a whole number from ${min} to ${max}`);
    }
  }
  return settled;
}
