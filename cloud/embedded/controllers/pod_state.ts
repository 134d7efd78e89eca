import type { Pod } from "../../../common/api/core_v1.ts";
import { findCondition, parseTime } from "./conditions.ts";

/** Whether a pod has ended for good. */
export function isPodFinished({ status }: Pod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

/** Whether a pod counts as a replica: not ended, not being deleted. */
export function isPodActive(pod: Pod): boolean {
  return !isPodFinished(pod) && pod.metadata?.deletionTimestamp === undefined;
}

/** Whether a pod serves. */
export function isPodReady({ status }: Pod): boolean {
  return findCondition(status?.conditions, "Ready")?.status === "True";
}

/**
 * Milliseconds until a pod has been ready for `minReadySeconds`; 0 when it has, undefined when it is not ready.
 * Upstream: k8s.io/kubernetes pkg/api/v1/pod/util.go (IsPodAvailable) @ v1.32
 */
export function availableInMs(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  if (!isPodReady(pod)) return undefined;
  if (minReadySeconds <= 0) return 0;
  const since = parseTime(findCondition(pod.status?.conditions, "Ready")?.lastTransitionTime);
  return since === undefined ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * Orders pods by which goes first when there are too many: unscheduled, pending, not ready, lower deletion cost, more siblings on
 * the node, ready for a shorter time, more restarts, younger.
 * Upstream: k8s.io/kubernetes pkg/controller/controller_utils.go (ActivePodsWithRanks) @ v1.32
 * @param siblings how many pods of the same owner are on a node
 */
export function compareForDeletion(a: Pod, b: Pod, siblings: (nodeName: string) => number): number {
  const bound = (pod: Pod) => pod.spec?.nodeName ? 1 : 0;
  const phase = (pod: Pod) => PHASE_RANK[pod.status?.phase ?? ""] ?? 1;
  const ready = (pod: Pod) => isPodReady(pod) ? 1 : 0;
  const readySince = (pod: Pod) =>
    parseTime(findCondition(pod.status?.conditions, "Ready")?.lastTransitionTime) ?? 0;
  const created = (pod: Pod) => parseTime(pod.metadata?.creationTimestamp) ?? 0;
  const rank = (pod: Pod) => siblings(pod.spec?.nodeName ?? "");
  return bound(a) - bound(b) || phase(a) - phase(b) || ready(a) - ready(b) ||
    deletionCost(a) - deletionCost(b) || rank(b) - rank(a) ||
    (ready(a) === 1 ? readySince(b) - readySince(a) : 0) || restarts(b) - restarts(a) ||
    created(b) - created(a) ||
    (a.metadata?.name ?? "").localeCompare(b.metadata?.name ?? "");
}

function restarts({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map((container) => container.restartCount));
}

function deletionCost({ metadata }: Pod): number {
  const cost = Number(metadata?.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? 0);
  return Number.isInteger(cost) ? cost : 0;
}
