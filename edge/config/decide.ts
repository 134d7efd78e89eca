import {
  defaultOf,
  DNS_SUBDOMAIN,
  minimalOf,
  printConfig,
  type PrintWhich,
} from "../../common/config/mod.ts";
import { EDGE_CORE_SCHEMA, type EdgeCoreConfig } from "./schema.ts";

/** What the machine says of itself. */
export interface HostFacts {
  hostname: string;
  /** Address others reach this machine at. */
  localIP: string;
}

/** A configuration with everything decided that a file may leave to the machine. */
export interface DecidedEdgeCore {
  config: EdgeCoreConfig;
  /** `modules.edged.hostnameOverride`, decided. */
  nodeName: string;
  /** `modules.edged.nodeIP`, decided. */
  nodeIP: string;
}

/** Name of a node whose host name cannot be one. Upstream: kubeedge pkg/util/util.go (GetHostname) @ 16cd854 */
const FALLBACK_NODE_NAME = "default-edge-node";

/**
 * Fills in what depends on the machine: the node's name and address, and the cloud's addresses, which are this machine's
 * when the file has none. The argument is not changed.
 */
export function decideEdgeCore(config: EdgeCoreConfig, host: HostFacts): DecidedEdgeCore {
  const decided = structuredClone(config);
  const { edged, edgeHub } = decided.modules;
  const own = host.hostname.toLowerCase();
  edged.hostnameOverride ||= own !== "" && DNS_SUBDOMAIN.test(own) ? own : FALLBACK_NODE_NAME;
  const address = host.localIP.includes(":") ? `[${host.localIP}]` : host.localIP;
  edgeHub.websocket.server ||= `${address}:10000`;
  edgeHub.quic.server ||= `${address}:10001`;
  edgeHub.httpServer ||= `https://${address}:10002`;
  return { config: decided, nodeName: edged.hostnameOverride, nodeIP: edged.nodeIP ?? host.localIP };
}

/** Every key at its default; what depends on the machine is still empty. A fresh copy. */
export function defaultEdgeCoreConfig(): EdgeCoreConfig {
  return defaultOf(EDGE_CORE_SCHEMA);
}

/** What `--minconfig` and `--defaultconfig` print: commented YAML that loads unchanged. */
export function printEdgeCoreConfig(which: PrintWhich, host: HostFacts): string {
  const { config } = decideEdgeCore(defaultEdgeCoreConfig(), host);
  const value = which === "min" ? minimalOf(EDGE_CORE_SCHEMA, config) : config;
  const about = which === "min"
    ? "The settings to begin with; every other key has its default."
    : "Every key with its default; keys without one are commented out.";
  return `# Configuration of edgecore.\n# ${about}\n# Put the cloud's address and the token under modules.edgeHub.\n\n${
    printConfig(EDGE_CORE_SCHEMA, value, which)
  }\n`;
}
