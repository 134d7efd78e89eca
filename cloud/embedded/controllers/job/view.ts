import type { Job } from "../../../../common/api/batch_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { countIndexes, indexesOf, type Interval, mergeIndexes, parseIndexes } from "../../indexes.ts";
import { isPodActive, isPodFinished, isPodReady } from "../pod_state.ts";
import { matchFailurePolicy } from "./failure_policy.ts";

/** Keeps a pod until its end is counted. Upstream: k8s.io/api batch/v1 (JobTrackingFinalizer) */
export const TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking";
/** Index of a pod of an Indexed Job: an annotation, and a label. */
export const INDEX_KEY = "batch.kubernetes.io/job-completion-index";

/** A Job and its pods as one look at them finds them. */
export interface JobView {
  job: Job;
  /** All that the Job owns. */
  pods: readonly Pod[];
  active: readonly Pod[];
  /** Being deleted and not ended. */
  terminating: number;
  ready: number;
  /** Ended pods that nothing has counted yet. */
  newSucceeded: readonly Pod[];
  newFailed: readonly Pod[];
  succeeded: number;
  failed: number;
  /** Of an Indexed Job: what its status says, and that with what has ended since. */
  completedBefore: readonly Interval[];
  completed: readonly Interval[];
}

/** Whether every completion of a Job has a number of its own. */
export function isIndexed({ spec }: Job): boolean {
  return spec?.completionMode === "Indexed";
}

/** The completion index of a pod; undefined when it has none that is valid. */
export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata?.annotations?.[INDEX_KEY];
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

/** Whether a pod's end is still to be counted. */
export function isTracked(pod: Pod, released: ReadonlySet<string>): boolean {
  return (pod.metadata?.finalizers ?? []).includes(TRACKING_FINALIZER) &&
    !released.has(pod.metadata?.uid ?? "");
}

/** Whether pods are replaced only once they have ended, not already while they end. */
export function replacesOnlyFailed({ spec }: Job): boolean {
  return spec?.podReplacementPolicy === "Failed" || spec?.podFailurePolicy !== undefined;
}

/** Whether a pod counts as failed. Upstream: pkg/controller/job/job_controller.go (isPodFailed) @ v1.33 */
export function isFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === "Failed") return true;
  if (replacesOnlyFailed(job)) return false;
  return pod.metadata?.deletionTimestamp !== undefined && pod.status?.phase !== "Succeeded";
}

/**
 * Looks at a Job and its pods.
 * Upstream: k8s.io/kubernetes pkg/controller/job/job_controller.go (syncJob) @ v1.33
 * @param released uids of pods whose finalizer is off, though the copy does not show it yet
 */
export function viewJob(job: Job, pods: readonly Pod[], released: ReadonlySet<string>): JobView {
  const completions = job.spec?.completions ?? 0;
  const uncounted = job.status?.uncountedTerminatedPods ?? {};
  const active = pods.filter(isPodActive);
  const counts = (pod: Pod, known: readonly string[] | undefined) => {
    if (!isTracked(pod, released) || known?.includes(pod.metadata?.uid ?? "")) return false;
    if (!isIndexed(job)) return true;
    const index = indexOf(pod);
    return index !== undefined && index < completions;
  };
  const newSucceeded = pods.filter((pod) =>
    counts(pod, uncounted.succeeded) && pod.status?.phase === "Succeeded"
  );
  const newFailed = pods.filter((pod) => counts(pod, uncounted.failed) && isFailed(pod, job));
  const counted = newFailed.filter((pod) =>
    matchFailurePolicy(job.spec?.podFailurePolicy, pod).action !== "Ignore"
  );
  const completedBefore = isIndexed(job) ? parseIndexes(job.status?.completedIndexes ?? "", completions) : [];
  const completed = mergeIndexes(
    completedBefore,
    isIndexed(job) ? indexesOf(newSucceeded.map((pod) => indexOf(pod) ?? 0)) : [],
  );
  return {
    job,
    pods,
    active,
    terminating: pods.filter((pod) => pod.metadata?.deletionTimestamp !== undefined && !isPodFinished(pod))
      .length,
    ready: active.filter(isPodReady).length,
    newSucceeded,
    newFailed,
    succeeded: isIndexed(job)
      ? countIndexes(completed)
      : (job.status?.succeeded ?? 0) + newSucceeded.length + (uncounted.succeeded?.length ?? 0),
    failed: (job.status?.failed ?? 0) + counted.length + (uncounted.failed?.length ?? 0),
    completedBefore,
    completed,
  };
}
