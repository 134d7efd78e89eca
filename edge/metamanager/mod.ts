/**
 * Keeps the edge copy of cloud objects in SQLite, answers edged's reads from it while the cloud is away, and keeps the
 * edge's changes until the cloud has taken them.
 *
 * Takes: insert, update, delete and replies of the cloud, and `connect`, from edgehub; insert, update, patch, delete and
 * query of group `meta` from edged.
 * Gives: stored pods, ConfigMaps, Secrets and the Node, answers and `connect` to edged; acknowledgements, requests and changes to
 * edgehub.
 * Upstream: kubeedge edge/pkg/metamanager/process.go, edge/pkg/metamanager/client @ 16cd854
 * @module
 */
export { metaManager } from "./metamanager.ts";
export type { MetaManagerComponents, MetaManagerOptions } from "./metamanager.ts";
export { metaManagerPermissions } from "./permissions.ts";
