/**
 * Joins nodes and carries all messages between the cloud's modules and the nodes.
 *
 * Port 10002 (HTTPS): the CA certificate, node certificates against a join token or the present certificate, whether a node
 * exists, states of node jobs. Port 10000 (WebSocket, client certificates): one session for each node; a node speaks only
 * for itself.
 *
 * Takes: messages for nodes (`node/<node>/…`) from edgecontroller and the other controllers.
 * Gives: what nodes send, with `node/<node>/` in front, to edgecontroller (sources `twin` and `metaserver`, uploads and job
 * states to the modules for them, where those run); `node/<node>` with operation `connected` and `disconnected`.
 * Upstream: kubeedge cloud/pkg/cloudhub @ 16cd854
 * @module
 */
export { cloudHub } from "./cloud_hub.ts";
export type { CloudHubComponents } from "./cloud_hub.ts";
export type { CloudHubOptions, CredentialFiles, ListenOptions } from "./options.ts";
export { MemoryDeliveryLog } from "./delivery_log.ts";
export type { DeliveryLog, RunningDeliveryLog } from "./delivery_log.ts";
export { objectSyncLog } from "./object_sync_log.ts";
export type { ObjectSyncLogComponents } from "./object_sync_log.ts";
export type { DeliveredObject } from "./delivery_class.ts";
export { CLOUD_HUB_NAMESPACE_RULES, CLOUD_HUB_RULES } from "./rbac.ts";
