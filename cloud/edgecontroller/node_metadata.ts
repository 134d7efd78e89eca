import type { Node, Taint } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { asOptionalObject, asTextMap, type JsonObject } from "./content.ts";

/** Says that the node is an edge node; its value is empty. */
export const EDGE_ROLE_LABEL = "node-role.kubernetes.io/edge";

/** Names the cloudcore that serves the node; the router reads it, so only cloudcore writes it. */
export const CLOUDCORE_ANNOTATION = "cloudcore";

/**
 * Labels under `kubernetes.io` and `k8s.io` that a node may put on itself.
 * Upstream: k8s.io/kubernetes pkg/util/kubelet/kubelet_labels.go (kubeletLabels) @ v1.32, and the two roles edgecore takes
 */
const ALLOWED_LABELS: ReadonlySet<string> = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "node.kubernetes.io/instance-type",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/windows-build",
  EDGE_ROLE_LABEL,
  "node-role.kubernetes.io/agent",
]);

/** Label namespaces a node may use freely. Upstream: kubelet_labels.go (kubeletLabelNamespaces) */
const ALLOWED_NAMESPACES: readonly string[] = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/** Whether a node may put a label with this key on itself. */
export function isNodeLabelAllowed(key: string): boolean {
  if (ALLOWED_LABELS.has(key)) return true;
  const slash = key.indexOf("/");
  const namespace = slash < 0 ? "" : key.slice(0, slash);
  if (ALLOWED_NAMESPACES.some((allowed) => namespace === allowed || namespace.endsWith(`.${allowed}`))) {
    return true;
  }
  return !["kubernetes.io", "k8s.io"].some((own) => namespace === own || namespace.endsWith(`.${own}`));
}

/** Changes of labels and annotations; null removes. */
export interface MetadataChange {
  labels: Record<string, string | null>;
  annotations: Record<string, string | null>;
}

/** The labels and annotations in metadata from outside. @throws {StatusError} BadRequest */
export function readMetadataChange(metadata: unknown): MetadataChange {
  const { labels, annotations } = asOptionalObject(metadata, "metadata");
  const change = {
    labels: asTextMap(labels, "metadata.labels"),
    annotations: asTextMap(annotations, "metadata.annotations"),
  };
  delete change.annotations[CLOUDCORE_ANNOTATION];
  return change;
}

/** The labels of a change that differ from what is stored and that a node may not set or remove. */
export function forbiddenLabels(
  change: Record<string, string | null>,
  stored: Readonly<Record<string, string>> = {},
): string[] {
  return Object.entries(change)
    .filter(([key, value]) => (stored[key] ?? null) !== value && !isNodeLabelAllowed(key))
    .map(([key]) => key);
}

/**
 * The Node to create for a registration: only what a node may say about itself is taken over.
 * @param advertiseAddress this cloudcore's address, for the annotation
 * @throws {StatusError} BadRequest
 */
export function nodeToCreate(name: string, sent: Node, advertiseAddress: string): Node {
  const { labels, annotations } = readMetadataChange(sent.metadata);
  const spec = (sent.spec ?? {}) as JsonObject;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: withoutNull(labels),
      annotations: { ...withoutNull(annotations), [CLOUDCORE_ANNOTATION]: advertiseAddress },
    },
    spec: {
      ...(spec.taints ? { taints: readTaints(spec.taints) } : {}),
      ...(spec.unschedulable === true ? { unschedulable: true } : {}),
      ...(typeof spec.providerID === "string" && spec.providerID !== ""
        ? { providerID: spec.providerID }
        : {}),
    },
    ...(sent.status === undefined ? {} : { status: sent.status }),
  };
}

function withoutNull(map: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== null)) as Record<
    string,
    string
  >;
}

const MAX_TAINTS = 100;

function readTaints(value: unknown): Taint[] {
  if (!Array.isArray(value) || value.length > MAX_TAINTS) {
    throw new StatusError(
      "BadRequest",
      `Cannot read spec.taints: a list of at most ${MAX_TAINTS} is expected`,
    );
  }
  return value as Taint[];
}
