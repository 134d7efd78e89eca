import type { Pod } from "../../../../common/api/core_v1.ts";
import { findCondition, parseTime } from "../conditions.ts";

/** Upstream: k8s.io/kubernetes pkg/controller/job/job_controller.go (DefaultJobPodFailureBackOff, MaxJobPodFailureBackOff) @ v1.33 */
export const BACKOFF_MS = 10_000;
export const MAX_BACKOFF_MS = 600_000;

/** The failures of a Job since its last success. */
export interface FailureRecord {
  failures: number;
  /** Unix milliseconds. */
  lastFailureAt?: number;
}

/**
 * When a pod ended, by the best witness there is.
 * Upstream: k8s.io/kubernetes pkg/controller/job/backoff_utils.go (getFinishedTime) @ v1.33
 */
export function finishedAt({ metadata, spec, status }: Pod): number {
  const sidecars = new Set(
    (spec?.initContainers ?? []).filter((c) => c.restartPolicy === "Always").map(({ name }) => name),
  );
  const statuses = [
    ...status?.containerStatuses ?? [],
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.has(name)),
  ];
  const ends = statuses.map(({ state }) => parseTime(state?.terminated?.finishedAt));
  if (ends.length > 0 && ends.every((end) => end !== undefined)) return Math.max(...ends);
  const ready = findCondition(status?.conditions, "Ready");
  const since = ready?.status === "False" ? parseTime(ready.lastTransitionTime) : undefined;
  if (since !== undefined) return since;
  const deleted = parseTime(metadata?.deletionTimestamp);
  if (deleted !== undefined) return deleted - (metadata?.deletionGracePeriodSeconds ?? 0) * 1000;
  return parseTime(metadata?.creationTimestamp) ?? 0;
}

/** The record with the ends that are new. */
export function recordEnds(
  before: FailureRecord,
  succeeded: readonly Pod[],
  failed: readonly Pod[],
): FailureRecord {
  const failures = failed.map(finishedAt);
  if (succeeded.length === 0) {
    if (failures.length === 0) return before;
    return { failures: before.failures + failures.length, lastFailureAt: Math.max(...failures) };
  }
  const success = Math.max(...succeeded.map(finishedAt));
  const later = failures.filter((at) => at > success);
  return later.length === 0 ? { failures: 0 } : { failures: later.length, lastFailureAt: Math.max(...later) };
}

/** Milliseconds until the next pod may be made: ten seconds after a failure, twice as long after each further one. */
export function backoffMs({ failures, lastFailureAt }: FailureRecord, now: number): number {
  if (failures === 0 || lastFailureAt === undefined) return 0;
  const wait = Math.min(BACKOFF_MS * 2 ** Math.min(failures - 1, 20), MAX_BACKOFF_MS);
  return Math.max(0, lastFailureAt + wait - now);
}
