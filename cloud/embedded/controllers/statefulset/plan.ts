import type { StatefulSet } from "../../../../common/api/apps_v1.ts";
import type { Pod, PodTemplateSpec } from "../../../../common/api/core_v1.ts";
import { controllerReference } from "../owners.ts";
import { availableInMs, isPodFinished, isPodReady } from "../pod_state.ts";
import { REVISION_LABEL } from "../revisions.ts";

const POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name";
const POD_INDEX_LABEL = "apps.kubernetes.io/pod-index";
/** Pods one reconcile makes or deletes at most. */
const BURST_REPLICAS = 500;

/** Names of the revisions a stateful set is between. */
export interface Revisions {
  /** The one that was reached last. */
  current: string;
  /** The one of today's template. */
  update: string;
}

/** What brings a stateful set nearer to what it wants. */
export interface StatefulPlan {
  create: Array<{ ordinal: number; revision: string }>;
  delete: Array<{ pod: Pod; why: "ended" | "scale" | "update" }>;
  /** Pods that lack the labels of their identity, as those taken over from elsewhere. */
  relabel: Pod[];
}

/** The ordinal of a pod in a set; undefined when its name is not one of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const name = pod.metadata?.name ?? "", prefix = `${set.metadata?.name}-`;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^(?:0|[1-9]\d{0,8})$/.test(digits) ? Number(digits) : undefined;
}

/** The labels a pod of a set is known by. Upstream: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_utils.go (updateIdentity) @ v1.32 */
export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [POD_NAME_LABEL]: `${set.metadata?.name}-${ordinal}`, [POD_INDEX_LABEL]: String(ordinal) };
}

/** The pod of a set with an ordinal. Upstream: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_utils.go (newStatefulSetPod) @ v1.32 */
export function statefulPod(
  set: StatefulSet,
  ordinal: number,
  template: PodTemplateSpec,
  revision: string,
): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  const name = `${set.metadata?.name}-${ordinal}`;
  const subdomain = set.spec?.serviceName;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: set.metadata?.namespace ?? "",
      labels: { ...labels, ...identityLabels(set, ordinal), [REVISION_LABEL]: revision },
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(set, "apps/v1", "StatefulSet")],
    },
    spec: {
      ...structuredClone(template.spec ?? { containers: [] }),
      hostname: name,
      ...(subdomain && { subdomain }),
    },
  };
}

/**
 * The next move of a stateful set: one pod at a time and in order, or with Parallel all that are missing or too many; then, when all
 * are there and serve, the update of the highest ordinal that is out of date.
 * Upstream: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_control.go (updateStatefulSet) @ v1.32
 */
export function planStateful(
  set: StatefulSet,
  owned: readonly Pod[],
  revisions: Revisions,
  now: number,
): StatefulPlan {
  const plan: StatefulPlan = { create: [], delete: [], relabel: [] };
  if (set.metadata?.deletionTimestamp !== undefined) return plan;
  const byOrdinal = new Map(owned.map((pod) => [ordinalOf(set, pod), pod]));
  const [first, wanted] = [set.spec?.ordinals?.start ?? 0, set.spec?.replicas ?? 1];
  plan.relabel.push(...owned.filter((pod) => !hasIdentity(set, pod)));
  const inOrder = set.spec?.podManagementPolicy !== "Parallel";
  if (fill(set, plan, byOrdinal, revisions, inOrder, now)) return plan;
  const condemned = owned.filter((pod) => {
    const ordinal = ordinalOf(set, pod)!;
    return ordinal < first || ordinal >= first + wanted;
  }).sort((a, b) => ordinalOf(set, b)! - ordinalOf(set, a)!);
  if (shrink(set, plan, condemned, inOrder, now)) return plan;
  if (set.spec?.updateStrategy?.type === "OnDelete" || plan.create.length + plan.delete.length > 0) {
    return plan;
  }
  const partition = set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (let ordinal = first + wanted - 1; ordinal >= first + partition; ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || isGoing(pod)) break;
    if (pod.metadata?.labels?.[REVISION_LABEL] !== revisions.update) {
      plan.delete.push({ pod, why: "update" });
      break;
    }
    if (!serves(set, pod, now)) break;
  }
  return plan;
}

/** Plans what is missing; whether nothing else may be done before. */
function fill(
  set: StatefulSet,
  plan: StatefulPlan,
  byOrdinal: ReadonlyMap<number | undefined, Pod>,
  { current, update }: Revisions,
  inOrder: boolean,
  now: number,
): boolean {
  const [first, wanted] = [set.spec?.ordinals?.start ?? 0, set.spec?.replicas ?? 1];
  const partition = set.spec?.updateStrategy?.type === "OnDelete"
    ? 0
    : set.spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (let ordinal = first; ordinal < first + wanted; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) {
      plan.create.push({ ordinal, revision: ordinal < first + partition ? current : update });
      if (plan.create.length >= BURST_REPLICAS) return true;
    } else if (isPodFinished(pod)) {
      if (!isGoing(pod)) plan.delete.push({ pod, why: "ended" });
      if (plan.delete.length >= BURST_REPLICAS) return true;
    } else if (!inOrder || serves(set, pod, now)) continue;
    if (inOrder) return true;
  }
  return false;
}

/** Plans what is too many, the highest ordinal first; whether nothing else may be done before. */
function shrink(
  set: StatefulSet,
  plan: StatefulPlan,
  condemned: readonly Pod[],
  inOrder: boolean,
  now: number,
): boolean {
  // Without order, pods that cannot serve go as well; in order, only the lowest of them is not waited for.
  const unwell = condemned.findLast((pod) => !serves(set, pod, now));
  for (const pod of condemned) {
    if (!isGoing(pod) && (!inOrder || pod === unwell || serves(set, pod, now))) {
      plan.delete.push({ pod, why: "scale" });
    }
    if (inOrder || plan.delete.length >= BURST_REPLICAS) return true;
  }
  return false;
}

/**
 * The status of a stateful set with these pods.
 * Upstream: k8s.io/kubernetes pkg/controller/statefulset/stateful_set_control.go (updateStatus, completeRollingUpdate) @ v1.32
 * @returns the status, and in how many milliseconds another pod counts as available, if any will
 */
export function statefulSetStatus(
  set: StatefulSet,
  owned: readonly Pod[],
  { current, update }: Revisions,
  now: number,
): { status: NonNullable<StatefulSet["status"]>; againInMs: number | undefined } {
  const running = owned.filter((pod) => !isPodFinished(pod));
  const staying = running.filter((pod) => !isGoing(pod));
  const of = (revision: string) =>
    staying.filter(({ metadata }) => metadata?.labels?.[REVISION_LABEL] === revision).length;
  const ready = running.filter((pod) => pod.status?.phase === "Running" && isPodReady(pod));
  const waits = ready.map((pod) => availableInMs(pod, set.spec?.minReadySeconds ?? 0, now) ?? Infinity);
  const pending = waits.filter((wait) => wait > 0 && wait < Infinity);
  const wanted = set.spec?.replicas ?? 1;
  const done = set.spec?.updateStrategy?.type !== "OnDelete" && of(update) === wanted &&
    ready.length === wanted && owned.length === wanted;
  const reached = done ? update : current;
  const { conditions, collisionCount = 0 } = set.status ?? {};
  return {
    status: {
      ...(conditions && { conditions }),
      ...(set.metadata?.generation !== undefined && { observedGeneration: set.metadata.generation }),
      replicas: owned.length,
      readyReplicas: ready.length,
      availableReplicas: waits.filter((wait) => wait === 0).length,
      currentReplicas: of(reached),
      updatedReplicas: of(update),
      currentRevision: reached,
      updateRevision: update,
      collisionCount,
    },
    againInMs: pending.length > 0 ? Math.min(...pending) : undefined,
  };
}

function isGoing({ metadata }: Pod): boolean {
  return metadata?.deletionTimestamp !== undefined;
}

function serves({ spec }: StatefulSet, pod: Pod, now: number): boolean {
  return !isGoing(pod) && pod.status?.phase === "Running" &&
    availableInMs(pod, spec?.minReadySeconds ?? 0, now) === 0;
}

function hasIdentity(set: StatefulSet, pod: Pod): boolean {
  const labels = pod.metadata?.labels ?? {};
  return Object.entries(identityLabels(set, ordinalOf(set, pod)!)).every(([key, value]) =>
    labels[key] === value
  );
}
