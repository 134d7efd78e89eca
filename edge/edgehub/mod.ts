/**
 * Joins the node to its cluster and keeps the link to the cloud: certificates, the WebSocket, heartbeats, order of sending.
 *
 * Takes: everything the edge says to the cloud, from metamanager; requests are refused at once while there is no link.
 * Takes the join token out of the configuration file once it has served.
 * Gives: messages of groups `resource` and `func`, refusals, and `connect` (`node/connection`) to metamanager.
 * Upstream: kubeedge edge/pkg/edgehub @ 16cd854
 * @module
 */
export { edgeHub } from "./edgehub.ts";
export type { EdgeHubComponents } from "./edgehub.ts";
export type { EdgeHubOptions } from "./options.ts";
export { edgeHubPermissions } from "./permissions.ts";
