/**
 * A thin Kubernetes client on native fetch, informers that keep a copy of a resource, and work queues for reconcilers.
 * Upstream: k8s.io/client-go rest, tools/cache, util/workqueue, tools/clientcmd @ v0.32
 * @module
 */
export type {
  Informer,
  InformerEvent,
  KubeClient,
  KubeDiscovery,
  KubeList,
  KubeReader,
  KubeWriter,
  Lister,
  ListOptions,
  ObjectRef,
  PatchType,
  RequestOptions,
  ResourceType,
  Selection,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./types.ts";
export {
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  printLabelSelector,
  requirementsOf,
} from "./selectors.ts";
export type { FieldRequirement, LabelRequirement, LabelSet } from "./selectors.ts";
export {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  JOBS,
  LEASES,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
} from "./resources.ts";
export { createKubeClient } from "./client.ts";
export type { KubeClientOptions } from "./client.ts";
export type { Fetch, Impersonation, KubeClientConfig, KubeOrigin } from "./connection.ts";
export { credentialServer, remoteCredentials } from "./credential_port.ts";
export type { CredentialAnswer, CredentialQuestion } from "./credential_port.ts";
export { credentialsOf } from "./credential_sources.ts";
export type { Credential, CredentialSource } from "./credentials.ts";
export type { ExecConfig } from "./exec_credentials.ts";
export { keptPartial } from "./keep_oidc_tokens.ts";
export { findTokenEndpoint } from "./oidc_credentials.ts";
export type { OidcConfig } from "./oidc_credentials.ts";
export type { RateLimit } from "./rate_limit.ts";
export { findKubeConfigError, KubeConfigError } from "./kubeconfig_error.ts";
export { loadKubeConfig } from "./load_kubeconfig.ts";
export type { LoadedKubeConfig, LoadKubeConfigOptions } from "./load_kubeconfig.ts";
export { informer, informerMetrics } from "./informer.ts";
export type { InformerMetrics, InformerOptions } from "./informer.ts";
export { runWorkers, workQueue, workQueueMetrics } from "./work_queue.ts";
export type {
  Reconcile,
  ReconcileResult,
  RunWorkersOptions,
  WorkQueue,
  WorkQueueMetrics,
  WorkQueueOptions,
} from "./work_queue.ts";
export { equalJson, jsonPatch, mergePatch } from "./patches.ts";
