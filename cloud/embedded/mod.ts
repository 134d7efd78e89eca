/**
 * A small Kubernetes API inside cloudcore, for one machine, trials, tests and sites without a cluster: kubectl and KubeEdge's own
 * client work against it. Objects live in one SQLite file; nothing is served without TLS; the administrator's kubeconfig is written
 * when it starts. What it does not do it refuses with a Status.
 *
 * Takes: HTTPS requests of the Kubernetes API.
 * Gives: objects, lists, watches, tables.
 * Upstream: none; the API it serves is that of kube-apiserver v1.32.
 * @module
 */
import type { MetricsRegistry } from "../../common/metrics/mod.ts";
import { type Clock, defineModule, type Logger, type Module } from "../../common/module/mod.ts";
import { serveControlPlane } from "./serve.ts";
import type { WatchLimits } from "./api/watch.ts";
import type { WatchCacheLimits } from "./storage/watch_cache.ts";

export { Registry } from "./registry.ts";
export { RESOURCES, ResourceTable } from "./resources/table.ts";
export type { ResourceDefinition } from "./resources/definition.ts";
export type { WatchLimits } from "./api/watch.ts";
export type { WatchCacheLimits } from "./storage/watch_cache.ts";

/** What the embedded control plane works with. */
export interface EmbeddedControlPlaneComponents {
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
}

/** How the embedded control plane is set up. */
export interface EmbeddedControlPlaneOptions {
  /** Directory of the database and the keys; it is made, for the owner only, when it is missing. */
  dataDir: string;
  /** Address to listen on. @default "127.0.0.1" */
  address?: string;
  /** Port to listen on; 0 for a free one. @default 6443 */
  port?: number;
  /** Where the administrator's kubeconfig is written, for the owner only. @default <dataDir>/admin.kubeconfig */
  kubeconfig?: string;
  /** Host of the server address in the kubeconfig. @default 127.0.0.1 */
  advertiseAddress?: string;
  /** Names and addresses for the serving certificate besides 127.0.0.1, ::1, localhost and the address listened on. */
  extraSans?: readonly string[];
  watchCache?: WatchCacheLimits;
  watches?: WatchLimits;
}

/** Where the API is served. */
export interface EmbeddedControlPlaneEndpoint {
  /** The port that is bound. */
  port: number;
  /** `https://host:port` as in the kubeconfig. */
  server: string;
  /** Path of the administrator's kubeconfig. */
  kubeconfig: string;
  /** PEM of the authority that signed the serving certificate. */
  caCertificate: string;
  /** The administrator's bearer token. */
  adminToken: string;
}

/** The embedded control plane: a module that also tells where it serves. */
export interface EmbeddedControlPlane extends Module {
  /** Resolves with the endpoint when the module is ready; stays pending when it never is. */
  readonly endpoint: Promise<EmbeddedControlPlaneEndpoint>;
}

/**
 * The embedded control plane. It is ready when the API is served and the kubeconfig is written.
 * @throws {TypeError} when an option is missing or malformed
 */
export function embeddedControlPlane(
  components: EmbeddedControlPlaneComponents,
  options: EmbeddedControlPlaneOptions,
): EmbeddedControlPlane {
  if (options.dataDir === "") throw new TypeError("Cannot make the embedded control plane: dataDir is empty");
  const port = options.port ?? 6443;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TypeError(`Cannot make the embedded control plane: ${port} is no port`);
  }
  const { promise: endpoint, resolve } = Promise.withResolvers<EmbeddedControlPlaneEndpoint>();
  const module = defineModule("embedded", ({ signal, ready }) =>
    serveControlPlane(components, options, {
      signal,
      serving: (at) => {
        resolve(at);
        ready();
      },
    }));
  return { ...module, endpoint };
}
