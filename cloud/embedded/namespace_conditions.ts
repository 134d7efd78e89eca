import type { JsonObject } from "./object.ts";

/** What is left in a namespace that is being deleted: how many objects of each resource, and the finalizers that hold them. */
export type Remains = Map<string, { count: number; finalizers: string[] }>;

interface Finding {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
}

/**
 * The conditions of a namespace that is being deleted; a condition keeps its time while its status stays.
 * Upstream: k8s.io/kubernetes pkg/controller/namespace/deletion/status_condition_utils.go @ v1.33
 * @param before the conditions it has
 */
export function conditionsOf(left: Remains, before: readonly JsonObject[], now: string): JsonObject[] {
  return [...ALWAYS, remaining(left), held(left)].map(({ type, status, reason, message }) => {
    const present = before.find((condition) => condition.type === type);
    const lastTransitionTime = present?.status === status ? present.lastTransitionTime : now;
    return { type, status, lastTransitionTime, reason, message };
  });
}

const ALWAYS: readonly Finding[] = [
  {
    type: "NamespaceDeletionDiscoveryFailure",
    status: "False",
    reason: "ResourcesDiscovered",
    message: "All resources successfully discovered",
  },
  {
    type: "NamespaceDeletionGroupVersionParsingFailure",
    status: "False",
    reason: "ParsedGroupVersions",
    message: "All legacy kube types successfully parsed",
  },
  {
    type: "NamespaceDeletionContentFailure",
    status: "False",
    reason: "ContentDeleted",
    message: "All content successfully deleted, may be waiting on finalization",
  },
];

function remaining(left: Remains): Finding {
  const type = "NamespaceContentRemaining";
  if (left.size === 0) {
    return { type, status: "False", reason: "ContentRemoved", message: "All content successfully removed" };
  }
  const texts = [...left].map(([resource, { count }]) => {
    const named = resource.includes(".") ? resource : `${resource}.`;
    return `${named} has ${count} resource instances`;
  });
  return {
    type,
    status: "True",
    reason: "SomeResourcesRemain",
    message: `Some resources are remaining: ${texts.sort().join(", ")}`,
  };
}

function held(left: Remains): Finding {
  const type = "NamespaceFinalizersRemaining";
  const counts = new Map<string, number>();
  for (const { finalizers } of left.values()) {
    for (const finalizer of finalizers) counts.set(finalizer, (counts.get(finalizer) ?? 0) + 1);
  }
  if (counts.size === 0) {
    return {
      type,
      status: "False",
      reason: "ContentHasNoFinalizers",
      message: "All content-preserving finalizers finished",
    };
  }
  const texts = [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`);
  return {
    type,
    status: "True",
    reason: "SomeFinalizersRemain",
    message: `Some content in the namespace has finalizers remaining: ${
      texts.sort().slice(0, 20).join(", ")
    }`,
  };
}
