import type { Lease } from "../../common/api/coordination_v1.ts";
import type { Node, NodeStatus } from "../../common/api/core_v1.ts";
import type { OwnerReference } from "../../common/api/meta_v1.ts";
import { isAlreadyExists } from "../../common/errors/mod.ts";
import { LEASES, NODES } from "../../common/kubeclient/mod.ts";
import { CLUSTER_SCOPE } from "../../common/model/mod.ts";
import { asText, isObject, type JsonObject } from "./content.ts";
import { forEdge, type HandlerContext, type Handlers } from "./handler.ts";
import { CLOUDCORE_ANNOTATION, nodeToCreate, readMetadataChange } from "./node_metadata.ts";

type NodeKinds =
  | "node-insert"
  | "node-query"
  | "node-update"
  | "node-patch"
  | "nodestatus-insert"
  | "nodestatus-update"
  | "lease-query"
  | "lease-insert"
  | "lease-update";

const nodeObject = (node: Node) => forEdge(node, "v1", "Node");
const leaseObject = (lease: Lease) => forEdge(lease, "coordination.k8s.io/v1", "Lease");

/**
 * What a node may do to its own Node and Lease.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/upstream.go @ 16cd854
 */
export const NODE_HANDLERS: Handlers<NodeKinds> = {
  "node-insert": async ({ name, node }, { kube, advertiseAddress, signal }) =>
    nodeObject(await kube.create(NODES, nodeToCreate(name, node, advertiseAddress), { signal })),

  "node-query": async ({ name }, { kube, signal }) => nodeObject(await kube.get(NODES, { name }, { signal })),

  // Labels and annotations are merged over the stored ones, never removed.
  "node-update": async ({ name, node }, { kube, signal }) => {
    const { labels, annotations } = readMetadataChange(node.metadata);
    const metadata = { labels: dropNulls(labels), annotations: dropNulls(annotations) };
    await kube.patch(NODES, { name }, { type: "merge", body: { metadata } }, { signal });
    return "OK";
  },

  "node-patch": async ({ nodeName, name, patch }, { kube, edge, held, signal }) => {
    const id = { type: "node", namespace: CLUSTER_SCOPE, name } as const;
    held.use(edge.writing(nodeName, id));
    const body = nodeStatusPatch(patch);
    const node = await kube.patch(NODES, { name }, { type: "strategic", body }, {
      subresource: "status",
      signal,
    });
    edge.answered(nodeName, id, node);
    return nodeObject(node);
  },

  // Old edges send this at every start: that the node exists is what they want to hear.
  "nodestatus-insert": async ({ name, node }, { kube, advertiseAddress, signal }) => {
    try {
      await kube.create(NODES, nodeToCreate(name, node, advertiseAddress), { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    return "OK";
  },

  "nodestatus-update": async (request, context) => {
    const { kube, edge, held, signal } = context;
    const { nodeName, name } = request;
    held.use(edge.writing(nodeName, { type: "node", namespace: CLUSTER_SCOPE, name }));
    const stored = await kube.get(NODES, { name }, { signal });
    const next = withReportedStatus(stored, request.status, request.extendResources, context);
    await kube.update(NODES, next, { subresource: "status", signal });
    return "OK";
  },

  "lease-query": async ({ namespace, name }, { kube, signal }) =>
    leaseObject(await kube.get(LEASES, { namespace, name }, { signal })),

  "lease-insert": async ({ namespace, name, lease }, { kube, signal }) => {
    const metadata = { namespace, name, ...ownedByNode(lease, name) };
    return leaseObject(await kube.create(LEASES, { ...LEASE, metadata, ...leaseSpec(lease) }, { signal }));
  },

  "lease-update": async ({ namespace, name, lease }, { kube, signal }) => {
    const resourceVersion = asText(lease.metadata?.resourceVersion, "metadata.resourceVersion");
    const metadata = {
      namespace,
      name,
      ...(resourceVersion === "" ? {} : { resourceVersion }),
      ...ownedByNode(lease, name),
    };
    return leaseObject(await kube.update(LEASES, { ...LEASE, metadata, ...leaseSpec(lease) }, { signal }));
  },
};

const LEASE = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" } as const;

const leaseSpec = ({ spec }: Lease) => spec === undefined ? {} : { spec };

/** Of the owners an edge names only its own Node is taken over. */
function ownedByNode({ metadata }: Lease, node: string): { ownerReferences?: OwnerReference[] } {
  const owners = (metadata?.ownerReferences ?? []).filter(({ apiVersion, kind, name }) =>
    apiVersion === "v1" && kind === "Node" && name === node
  );
  return owners.length === 0 ? {} : { ownerReferences: owners.slice(0, 1) };
}

/** The part of a kubelet's patch that concerns the status; labels and annotations may come with it. */
export function nodeStatusPatch(patch: JsonObject): JsonObject {
  const { labels, annotations } = readMetadataChange(patch.metadata);
  const uid = isObject(patch.metadata) ? asText(patch.metadata.uid, "metadata.uid") : "";
  const metadata = {
    ...(uid === "" ? {} : { uid }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  return {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(patch.status === undefined || patch.status === null ? {} : { status: patch.status }),
  };
}

function dropNulls(map: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== null),
  );
}

const GPU_RESOURCE = "nvidia.com/gpu";
const GPU_ANNOTATION = "huawei.com/gpu-status";

/** The Node with the status an edge before v1.12 reported. */
function withReportedStatus(
  stored: Node,
  reported: JsonObject,
  extendResources: JsonObject,
  { now, nodeUpdateFrequencyMs }: HandlerContext,
): Node {
  const status = { ...reported } as NodeStatus;
  const oldest = now - nodeUpdateFrequencyMs;
  const time = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
  status.conditions = (status.conditions ?? []).map((condition) => {
    const heartbeat = Date.parse(condition.lastHeartbeatTime ?? "");
    return heartbeat >= oldest ? condition : { ...condition, lastHeartbeatTime: time };
  });
  if (stored.status?.volumesAttached !== undefined) status.volumesAttached = stored.status.volumesAttached;
  const port = stored.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (port) status.daemonEndpoints = { ...status.daemonEndpoints, kubeletEndpoint: { Port: port } };
  const annotations = { ...stored.metadata?.annotations };
  for (const [resource, devices] of Object.entries(extendResources)) {
    if (resource === CLOUDCORE_ANNOTATION) continue;
    annotations[resource] = JSON.stringify(devices);
    if (resource === GPU_RESOURCE && Array.isArray(devices)) {
      const gpus = devices.filter(isObject).map(({ name }) => ({ id: asText(name, "name"), healthy: true }));
      annotations[GPU_ANNOTATION] = JSON.stringify(gpus);
    }
  }
  return { ...stored, metadata: { ...stored.metadata, annotations }, status };
}
