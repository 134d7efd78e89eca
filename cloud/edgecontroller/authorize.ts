import type { Event, Node, Pod } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { asOptionalObject, type JsonObject } from "./content.ts";
import type { PodIdentity } from "./edge_index.ts";
import { forbiddenLabels, readMetadataChange } from "./node_metadata.ts";
import { podReferences, podTokenAudiences, type Reference } from "./pod_references.ts";
import type { RequestKind, RequestOf, UpstreamRequest } from "./request.ts";

/** What permissions are decided from. */
export interface AuthorizationIndex {
  node(name: string): Node | undefined;
  /** A pod that is bound to any node. */
  pod(namespace: string, name: string): Pod | undefined;
  /** The node of a pod that was deleted lately. */
  nodeOfGone(pod: PodIdentity): string | undefined;
  /** Whether a pod bound to the node refers to the object. */
  references(node: string, reference: Reference): boolean;
}

/** Whether a node may do what it asks for, and if not, why not and what to do about it. */
export type Decision = { allowed: true } | { allowed: false; reason: string };

const ALLOWED: Decision = { allowed: true };
const denied = (reason: string): Decision => ({ allowed: false, reason });

type Rules = {
  [K in RequestKind]: (node: string, request: RequestOf<K>, index: AuthorizationIndex) => Decision;
};

/** The namespace of node leases. */
export const LEASE_NAMESPACE = "kube-node-lease";

/** The annotation that makes a pod the API's picture of a static pod. */
export const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

const RULES: Rules = {
  "node-insert": (node, { name, node: sent }) => ownName(node, name, "Node") ?? labels(sent.metadata, {}),
  "node-query": (node, { name }) => ownName(node, name, "Node") ?? ALLOWED,
  "node-update": (node, { name, node: sent }, index) =>
    ownName(node, name, "Node") ?? labels(sent.metadata, index.node(name)?.metadata?.labels),
  "node-patch": (node, { name, patch }, index) => {
    const other = ownName(node, name, "Node");
    if (other !== undefined) return other;
    if (Object.keys(asOptionalObject(patch.spec, "spec")).length > 0) {
      return denied("a node cannot change its own spec or taints; use kubectl taint or kubectl cordon");
    }
    return labels(patch.metadata, index.node(name)?.metadata?.labels);
  },
  "nodestatus-insert": (node, { name, node: sent }) =>
    ownName(node, name, "Node") ?? labels(sent.metadata, {}),
  "nodestatus-update": (node, { name }) => ownName(node, name, "Node") ?? ALLOWED,
  "lease-query": (node, request) => ownLease(node, request),
  "lease-insert": (node, request) => ownLease(node, request),
  "lease-update": (node, request) => ownLease(node, request),
  "pod-insert": (node, { namespace, name, pod }, index) =>
    mirrorPod(node, namespace, name, pod, index.node(node)),
  "pod-patch": (node, { patch, ...request }, index) => {
    const other = boundPod(node, request, index);
    if (other !== undefined) return other;
    for (const key of Object.keys(patch)) {
      if (key !== "status" && key !== "metadata") {
        return denied(`a node can change only the status of a pod, not its ${key}`);
      }
    }
    for (const key of Object.keys(asOptionalObject(patch.metadata, "metadata"))) {
      if (!PATCH_IDENTITY.has(key)) {
        return denied(`a node can change only the status of a pod, not metadata.${key}`);
      }
    }
    return ALLOWED;
  },
  "pod-delete": (node, request, index) => boundPod(node, request, index) ?? ALLOWED,
  "podstatus-update": (node, request, index) => boundPod(node, request, index) ?? ALLOWED,
  "configmap-query": (node, request, index) => referenced(node, "configmap", request, index),
  "secret-query": (node, request, index) => referenced(node, "secret", request, index),
  "persistentvolumeclaim-query": (node, request, index) =>
    referenced(node, "persistentvolumeclaim", request, index),
  // Who may read these is written in the object itself: authorizeRead decides.
  "persistentvolume-query": () => ALLOWED,
  "volumeattachment-query": () => ALLOWED,
  "token-query": (node, request, index) => podToken(node, request, index),
  "event-insert": (node, request, index) => ownEvent(node, request.namespace, request.event, index),
  "event-update": (node, request, index) => ownEvent(node, request.namespace, request.event, index),
  "event-patch": (node, request, index) => ownEvent(node, request.namespace, request.event, index),
  "csr-insert": () => CSR_REFUSAL,
  "csr-query": () => CSR_REFUSAL,
};

/** A request would be signed for cloudcore's identity, not for the node's. */
const CSR_REFUSAL = denied(
  "cloudcore does not pass on certificate signing requests; turn off the metaserver's requireAuthorization feature",
);

/** What a kubelet's patch of a pod may name in the metadata: it says which pod is meant. */
const PATCH_IDENTITY: ReadonlySet<string> = new Set(["uid", "name", "namespace"]);

/**
 * Whether a node may do what it asks for: it may touch only itself, its lease and the pods bound to it, and read only what
 * those pods refer to. Pure.
 *
 * A pod that the index does not have is let through to the API server, which answers that it does not exist; callers that
 * can see pods the index cannot must put them into the index first.
 * Upstream: NodeAuthorizer and the NodeRestriction admission plugin of k8s.io/kubernetes @ v1.32
 */
export function authorize(node: string, request: UpstreamRequest, index: AuthorizationIndex): Decision {
  if (request.nodeName !== node) return denied(`the request is for node ${request.nodeName}`);
  const rule = RULES[request.kind] as (
    node: string,
    request: UpstreamRequest,
    index: AuthorizationIndex,
  ) => Decision;
  return rule(node, request, index);
}

/** Whether a node may see an object that says itself who may: a PersistentVolume or a VolumeAttachment. Pure. */
export function authorizeRead(
  node: string,
  kind: "persistentvolume-query" | "volumeattachment-query",
  object: JsonObject,
  index: AuthorizationIndex,
): Decision {
  const spec = asOptionalObject(object.spec, "spec");
  if (kind === "volumeattachment-query") {
    return spec.nodeName === node ? ALLOWED : denied("the volume is attached to another node");
  }
  const { namespace, name } = asOptionalObject(spec.claimRef, "spec.claimRef");
  const claimed = typeof namespace === "string" && typeof name === "string" &&
    index.references(node, { type: "persistentvolumeclaim", namespace, name });
  return claimed ? ALLOWED : denied("no pod bound to the node uses a claim of this volume");
}

/** Whether a node may tell about the object of an event that is stored already. Pure. */
export function authorizeEvent(node: string, stored: Event, index: AuthorizationIndex): Decision {
  return ownEvent(node, stored.metadata?.namespace ?? "", stored, index);
}

/** That a node asked for what it may not do, told from what the API forbids. */
export class NodeRefusal extends StatusError {}

/** The refusal as the error that goes back to the edge. */
export function forbidden(
  request: Pick<UpstreamRequest, "kind" | "nodeName" | "namespace" | "name">,
  reason: string,
): NodeRefusal {
  const name = request.namespace === "null" ? request.name : `${request.namespace}/${request.name}`;
  return new NodeRefusal(
    "Forbidden",
    `Node "${request.nodeName}" may not do ${request.kind} on "${name}": ${reason}`,
    { details: { name: request.name, kind: request.kind.split("-")[0]! } },
  );
}

function ownName(node: string, name: string, what: string): Decision | undefined {
  return name === node ? undefined : denied(`a node can only access its own ${what}`);
}

function labels(metadata: unknown, stored: Readonly<Record<string, string>> | undefined): Decision {
  const keys = forbiddenLabels(readMetadataChange(metadata).labels, stored);
  return keys.length === 0 ? ALLOWED : denied(
    `a node cannot set label ${
      keys[0]
    } on itself; remove it from edgecore's configuration and use kubectl label`,
  );
}

function ownLease(
  node: string,
  request: RequestOf<"lease-query" | "lease-insert" | "lease-update">,
): Decision {
  const other = ownName(node, request.name, "Lease");
  if (other !== undefined) return other;
  if (request.namespace !== LEASE_NAMESPACE) return denied(`node leases are in namespace ${LEASE_NAMESPACE}`);
  if ("lease" in request && (request.lease.spec?.holderIdentity ?? node) !== node) {
    return denied("the lease would be held by someone else");
  }
  return ALLOWED;
}

function boundPod(
  node: string,
  { namespace, name }: { namespace: string; name: string },
  index: AuthorizationIndex,
): Decision | undefined {
  const pod = index.pod(namespace, name);
  if (pod === undefined || pod.spec?.nodeName === node) return undefined;
  return denied("the pod is not bound to the node");
}

function referenced(
  node: string,
  type: Reference["type"],
  { namespace, name }: { namespace: string; name: string },
  index: AuthorizationIndex,
): Decision {
  return index.references(node, { type, namespace, name })
    ? ALLOWED
    : denied(`no pod bound to the node refers to this ${type}`);
}

function podToken(
  node: string,
  { namespace, name, tokenRequest }: RequestOf<"token-query">,
  index: AuthorizationIndex,
): Decision {
  const { boundObjectRef, audiences = [] } = tokenRequest.spec ?? {};
  if (boundObjectRef?.kind !== "Pod" || boundObjectRef.apiVersion !== "v1" || !boundObjectRef.uid) {
    return denied("a token for a node must be bound to a pod by name and UID");
  }
  const pod = index.pod(namespace, boundObjectRef.name ?? "");
  if (pod === undefined || pod.spec?.nodeName !== node || pod.metadata?.uid !== boundObjectRef.uid) {
    return denied("the pod the token would be bound to is not bound to the node");
  }
  if ((pod.spec.serviceAccountName || "default") !== name) {
    return denied("the pod runs under another service account");
  }
  const projected = podTokenAudiences(pod);
  if (audiences.some((audience) => !projected.has(audience))) {
    return denied("the pod does not project a token for this audience");
  }
  return ALLOWED;
}

function mirrorPod(
  node: string,
  namespace: string,
  name: string,
  pod: Pod,
  nodeObject: Node | undefined,
): Decision {
  const { metadata = {}, spec } = pod;
  if ((metadata.name ?? name) !== name || (metadata.namespace ?? namespace) !== namespace) {
    return denied("the pod has another name than the message");
  }
  if (!metadata.annotations?.[MIRROR_ANNOTATION]) return denied("a node can only create mirror pods");
  if (spec?.nodeName !== node) return denied("a mirror pod must be bound to the node that creates it");
  if (spec.serviceAccountName || spec.serviceAccount) {
    return denied("a mirror pod may not use a service account");
  }
  if (podReferences({ ...pod, metadata: { ...metadata, namespace } }).length > 0) {
    return denied("a mirror pod may not refer to ConfigMaps, Secrets or PersistentVolumeClaims");
  }
  for (const { projected } of spec.volumes ?? []) {
    for (const source of projected?.sources ?? []) {
      if (source.serviceAccountToken) return denied("a mirror pod may not use service account tokens");
    }
  }
  for (const owner of metadata.ownerReferences ?? []) {
    const isNode = owner.apiVersion === "v1" && owner.kind === "Node" && owner.name === node;
    if (!isNode || (nodeObject !== undefined && owner.uid !== nodeObject.metadata?.uid)) {
      return denied("a mirror pod may only be owned by the node that creates it");
    }
  }
  return ALLOWED;
}

function ownEvent(node: string, namespace: string, event: Event, index: AuthorizationIndex): Decision {
  const { kind, name, namespace: of, uid } = event.involvedObject;
  if ((event.metadata?.namespace ?? namespace) !== namespace) {
    return denied("the event has another namespace than the message");
  }
  if (kind === "Node" && name === node) return ALLOWED;
  if (kind === "Pod" && of === namespace) {
    const pod = index.pod(namespace, name ?? "");
    // A kubelet names static pods after its node, and begins to tell about them before their mirrors are there.
    if (pod === undefined && name?.endsWith(`-${node}`)) return ALLOWED;
    const uids = [undefined, "", pod?.metadata?.uid, pod?.metadata?.annotations?.[MIRROR_ANNOTATION]];
    if (pod?.spec?.nodeName === node && uids.includes(uid)) return ALLOWED;
    // That a pod deleted with force, or while the edge was away, is stopped is told when the API has it no longer.
    if (index.nodeOfGone({ namespace, name: name ?? "", uid: uid ?? "" }) === node) return ALLOWED;
  }
  return denied("a node can only report events about itself and the pods bound to it");
}
