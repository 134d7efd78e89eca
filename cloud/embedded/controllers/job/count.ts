import type { JobCondition, JobStatus } from "../../../../common/api/batch_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { countIndexes, hasIndex, indexesOf, mergeIndexes, printIndexes } from "../../indexes.ts";
import { timestamp } from "../conditions.ts";
import { matchFailurePolicy } from "./failure_policy.ts";
import type { Finish } from "./plan.ts";
import { indexOf, isFailed, isIndexed, isTracked, type JobView } from "./view.ts";

/** Ended pods whose uids a status may carry. Upstream: job_controller.go (MaxUncountedPods) @ v1.33 */
const MAX_UNCOUNTED = 500;

/** A status with the ends that are new, and the pods that may go once it is stored. */
export interface Count {
  status: JobStatus;
  release: Pod[];
  /** Whether more ends remain to be counted than one status may carry. */
  more: boolean;
}

/** A condition of a Job. */
export function jobCondition(
  type: string,
  status: "True" | "False",
  { reason, message }: { reason: string; message: string },
  now: number,
): JobCondition {
  const time = timestamp(now);
  return { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
}

/** Moves ended pods out of the uncounted ones whose finalizer is off. */
export function settleCounts(status: JobStatus, tracked: ReadonlySet<string>): JobStatus {
  const settled: JobStatus = { ...status };
  const uncounted = { ...status.uncountedTerminatedPods };
  for (const outcome of ["succeeded", "failed"] as const) {
    const before = uncounted[outcome] ?? [];
    const left = before.filter((uid) => tracked.has(uid));
    if (before.length > left.length) settled[outcome] = (status[outcome] ?? 0) + before.length - left.length;
    if (left.length > 0) uncounted[outcome] = left;
    else delete uncounted[outcome];
  }
  settled.uncountedTerminatedPods = uncounted;
  return settled;
}

/**
 * Counts ends: first their uids are written down, then the finalizers go, then the counters move. So no end is counted twice or
 * lost, whenever this process ends.
 * Upstream: k8s.io/kubernetes pkg/controller/job/job_controller.go (trackJobStatusAndRemoveFinalizers) @ v1.33
 */
export function countEnds(
  view: JobView,
  given: JobStatus,
  finish: Finish | undefined,
  released: ReadonlySet<string>,
  now: number,
): Count {
  const { job } = view;
  const tracked = new Set(
    view.pods.filter((pod) => isTracked(pod, released)).map((pod) => pod.metadata?.uid ?? ""),
  );
  const status = settleCounts(given, tracked);
  const succeeded = [...status.uncountedTerminatedPods?.succeeded ?? []];
  const failed = [...status.uncountedTerminatedPods?.failed ?? []];
  const indexes: number[] = [];
  const release: Pod[] = [];
  const completions = job.spec?.completions ?? 0;
  const ordered = isIndexed(job)
    ? view.pods.toSorted((a, b) => (indexOf(a) ?? -1) - (indexOf(b) ?? -1))
    : view.pods;
  let more = false;
  for (const pod of ordered) {
    const uid = pod.metadata?.uid ?? "";
    if (!tracked.has(uid)) continue;
    // What a Job that has succeeded stops is no failure.
    const hasFailed = finish?.type === "SuccessCriteriaMet"
      ? pod.status?.phase === "Failed"
      : isFailed(pod, job);
    const hasSucceeded = pod.status?.phase === "Succeeded";
    const ends = job.metadata?.deletionTimestamp !== undefined || finish !== undefined || hasSucceeded ||
      hasFailed;
    if (!ends) continue;
    release.push(pod);
    const index = indexOf(pod);
    const placed = !isIndexed(job) || (index !== undefined && index < completions);
    if (hasSucceeded && !failed.includes(uid)) {
      if (isIndexed(job)) {
        if (placed && !hasIndex(view.completedBefore, index ?? 0)) indexes.push(index ?? 0);
      } else if (!succeeded.includes(uid)) succeeded.push(uid);
    } else if (hasFailed || finish?.type === "FailureTarget") {
      const ignored = matchFailurePolicy(job.spec?.podFailurePolicy, pod).action === "Ignore";
      if (placed && !ignored && !failed.includes(uid)) failed.push(uid);
    }
    if (indexes.length + succeeded.length + failed.length >= MAX_UNCOUNTED) {
      more = true;
      break;
    }
  }
  status.uncountedTerminatedPods = {
    ...(succeeded.length > 0 && { succeeded }),
    ...(failed.length > 0 && { failed }),
  };
  if (isIndexed(job)) {
    const completed = mergeIndexes(view.completedBefore, indexesOf(indexes));
    if (countIndexes(completed) > 0) {
      status.succeeded = countIndexes(completed);
      status.completedIndexes = printIndexes(completed);
    } else {
      delete status.succeeded;
      delete status.completedIndexes;
    }
  }
  if (
    finish !== undefined && !status.conditions?.some((c) => c.type === finish.type && c.status === "True")
  ) {
    status.conditions = [...status.conditions ?? [], jobCondition(finish.type, "True", finish, now)];
  }
  return { status, release, more };
}

/** A status that says that the Job is over. Upstream: job_controller.go (enactJobFinished) @ v1.33 */
export function finishStatus(status: JobStatus, finish: Finish, now: number): JobStatus {
  const type = finish.type === "FailureTarget" ? "Failed" : "Complete";
  const condition = jobCondition(type, "True", finish, now);
  const others = (status.conditions ?? []).filter((one) => one.type !== type);
  return {
    ...status,
    conditions: [...others, condition],
    ...(type === "Complete" && { completionTime: condition.lastTransitionTime }),
  };
}
