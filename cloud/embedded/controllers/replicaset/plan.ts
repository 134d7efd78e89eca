import type { ReplicaSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { type LabelSet, matchesLabels } from "../../../../common/kubeclient/mod.ts";
import { findCondition, setCondition } from "../conditions.ts";
import { controllerReference } from "../owners.ts";
import { availableInMs, compareForDeletion, isPodActive, isPodReady } from "../pod_state.ts";

/** Pods one reconcile makes or deletes at most. Upstream: pkg/controller/replicaset/replica_set.go (BurstReplicas) @ v1.32 */
export const BURST_REPLICAS = 500;

/** What brings a replica set to its number of pods. */
export interface ReplicaPlan {
  create: number;
  /** In the order in which they go. */
  delete: Pod[];
}

/**
 * Compares the pods a replica set has with the number it wants.
 * Upstream: k8s.io/kubernetes pkg/controller/replicaset/replica_set.go (manageReplicas) @ v1.32
 * @param related pods of the same owner's replica sets, which tell how crowded a node is
 */
export function planReplicas(
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  related: readonly Pod[] = owned,
): ReplicaPlan {
  if (replicaSet.metadata?.deletionTimestamp !== undefined) return { create: 0, delete: [] };
  const active = owned.filter(isPodActive);
  const missing = (replicaSet.spec?.replicas ?? 1) - active.length;
  if (missing >= 0) return { create: Math.min(missing, BURST_REPLICAS), delete: [] };
  const perNode = new Map<string, number>();
  for (const pod of related.filter(isPodActive)) {
    const node = pod.spec?.nodeName ?? "";
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  const ordered = active.toSorted((a, b) => compareForDeletion(a, b, (node) => perNode.get(node) ?? 0));
  return { create: 0, delete: ordered.slice(0, Math.min(-missing, BURST_REPLICAS)) };
}

/** The pod a replica set makes from its template. */
export function podOf(replicaSet: ReplicaSet): Pod {
  const { metadata, spec } = replicaSet;
  const template = spec?.template;
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${metadata?.name}-`,
      namespace: metadata?.namespace ?? "",
      ...(labels && { labels: { ...labels } }),
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(replicaSet, "apps/v1", "ReplicaSet")],
    },
    ...(template?.spec && { spec: structuredClone(template.spec) }),
  };
}

/**
 * The status of a replica set with these pods.
 * Upstream: k8s.io/kubernetes pkg/controller/replicaset/replica_set_utils.go (calculateStatus) @ v1.32
 * @param failure what kept pods from being made or deleted
 * @returns the status, and in how many milliseconds another pod counts as available, if any will
 */
export function replicaSetStatus(
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  failure: { reason: "FailedCreate" | "FailedDelete"; message: string } | undefined,
  now: number,
): { status: NonNullable<ReplicaSet["status"]>; againInMs: number | undefined } {
  const active = owned.filter(isPodActive);
  const templateLabels: LabelSet = replicaSet.spec?.template?.metadata?.labels ?? {};
  const requirements = Object.entries(templateLabels)
    .map(([key, value]) => ({ operator: "In" as const, key, values: [value] }));
  const waits = active.map((pod) => availableInMs(pod, replicaSet.spec?.minReadySeconds ?? 0, now));
  const pending = waits.filter((wait): wait is number => wait !== undefined && wait > 0);
  const status: NonNullable<ReplicaSet["status"]> = {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) => matchesLabels(requirements, pod.metadata?.labels)).length,
    readyReplicas: active.filter(isPodReady).length,
    availableReplicas: waits.filter((wait) => wait === 0).length,
    ...(replicaSet.metadata?.generation !== undefined &&
      { observedGeneration: replicaSet.metadata.generation }),
  };
  const old = replicaSet.status?.conditions ?? [];
  const conditions = failure === undefined
    ? old.filter((condition) => condition !== findCondition(old, "ReplicaFailure"))
    : setCondition(old, { type: "ReplicaFailure", status: "True", ...failure }, now);
  if (conditions.length > 0) status.conditions = conditions;
  return { status, againInMs: pending.length > 0 ? Math.min(...pending) : undefined };
}
