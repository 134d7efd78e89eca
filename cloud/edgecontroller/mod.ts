/**
 * Gives every edge node what it needs of the Kubernetes API and carries out what it asks for, within what is its own.
 *
 * Takes, from cloudhub:
 * - `node/<n>` `connected` and `disconnected`;
 * - `node/<n>/<ns>/<type>[/<name>]` of edges: insert, query, update of the Node; patch of its status (`nodepatch`);
 *   query, insert, update of its Lease; insert of mirror pods, patch of pod status (`podpatch`), delete of pods; query of
 *   ConfigMaps, Secrets, claims, volumes, volume attachments and service account tokens; insert, update, patch of events;
 *   and the forms of edges before v1.12 (`nodestatus`, `podstatus`, bare UIDs).
 *
 * Gives, to cloudhub: insert, update and delete of `node/<n>/<ns>/{node,pod,configmap,secret}/<name>` with the whole
 * object, and one reply to every request that an edge waits for.
 *
 * A node may touch only itself, its Lease and the pods bound to it, and read only what those refer to: always.
 * Upstream: kubeedge cloud/pkg/edgecontroller @ 16cd854
 * @module
 */
export { edgeController } from "./edge_controller.ts";
export type { EdgeControllerComponents } from "./edge_controller.ts";
export { DEFAULT_OPTIONS } from "./options.ts";
export type { EdgeControllerOptions } from "./options.ts";
export type { LanesOptions, PerLane } from "./lanes.ts";
export type { InformerSource } from "./object_watch.ts";
export { EDGE_CONTROLLER_RULES } from "./rbac.ts";
export type { PolicyRule } from "./rbac.ts";
