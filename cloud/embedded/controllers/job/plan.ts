import type { Job, JobCondition } from "../../../../common/api/batch_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import {
  countIndexes,
  countShared,
  firstFree,
  indexesOf,
  mergeIndexes,
  parseIndexes,
} from "../../indexes.ts";
import { findCondition, parseTime } from "../conditions.ts";
import { controllerReference } from "../owners.ts";
import { compareForDeletion } from "../pod_state.ts";
import { matchFailurePolicy } from "./failure_policy.ts";
import {
  INDEX_KEY,
  indexOf,
  isFailed,
  isIndexed,
  type JobView,
  replacesOnlyFailed,
  TRACKING_FINALIZER,
} from "./view.ts";

/** Pods made or deleted in one go at most. Upstream: job_controller.go (MaxPodCreateDeletePerSync) @ v1.33 */
export const MAX_PODS_PER_SYNC = 500;

/** That a Job is to end, and how. */
export interface Finish {
  type: "SuccessCriteriaMet" | "FailureTarget";
  reason: string;
  message: string;
}

/** Whether a Job has ended. */
export function isJobFinished({ status }: Job): boolean {
  return ["Complete", "Failed"].some((type) => findCondition(status?.conditions, type)?.status === "True");
}

function holds(job: Job, type: string): JobCondition | undefined {
  const condition = findCondition(job.status?.conditions, type);
  return condition?.status === "True" ? condition : undefined;
}

/**
 * Whether a Job is to end though it may have active pods: because it was decided before, failed, took too long, or met its
 * success policy. That all completions are there is for {@linkcode reachedCompletions} to say.
 * Upstream: k8s.io/kubernetes pkg/controller/job/job_controller.go (syncJob) @ v1.33
 */
export function decideFinish(view: JobView, now: number): Finish | undefined {
  const { job, pods } = view;
  const { spec } = job;
  for (const type of ["SuccessCriteriaMet", "FailureTarget"] as const) {
    const before = holds(job, type);
    if (before !== undefined) return { type, reason: before.reason ?? "", message: before.message ?? "" };
  }
  const failure = (reason: string, message: string): Finish => ({ type: "FailureTarget", reason, message });
  for (const pod of pods.filter((pod) => isFailed(pod, job))) {
    const { action, message } = matchFailurePolicy(spec?.podFailurePolicy, pod);
    if (action === "FailJob") return failure("PodFailurePolicy", message ?? "");
  }
  const limit = spec?.backoffLimit ?? 6;
  if (view.failed > limit || restartsExceed(job, pods, limit)) {
    return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  if (deadlineMs(job, now) === 0) {
    return failure("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  const rule = matchSuccessPolicy(view);
  return rule === undefined ? undefined : {
    type: "SuccessCriteriaMet",
    reason: "SuccessPolicy",
    message: `Matched rules at index ${rule}`,
  };
}

function restartsExceed({ spec }: Job, pods: readonly Pod[], limit: number): boolean {
  if (spec?.template?.spec?.restartPolicy !== "OnFailure") return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
    for (
      const { restartCount } of [...status.initContainerStatuses ?? [], ...status.containerStatuses ?? []]
    ) {
      restarts += restartCount;
    }
  }
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** Milliseconds until `activeDeadlineSeconds` is over; undefined when there is no such time. */
export function deadlineMs({ spec, status }: Job, now: number): number | undefined {
  const start = parseTime(status?.startTime);
  if (spec?.activeDeadlineSeconds === undefined || start === undefined || spec.suspend === true) {
    return undefined;
  }
  return Math.max(0, start + spec.activeDeadlineSeconds * 1000 - now);
}

function matchSuccessPolicy({ job, completed }: JobView): number | undefined {
  const rules = job.spec?.successPolicy?.rules ?? [];
  if (completed.length === 0) return undefined;
  const found = rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) {
      return succeededCount !== undefined && countIndexes(completed) >= succeededCount;
    }
    const wanted = parseIndexes(succeededIndexes, job.spec?.completions ?? 0);
    if (wanted.length === 0) return false;
    const shared = countShared(wanted, completed);
    return shared === countIndexes(wanted) || (succeededCount !== undefined && shared >= succeededCount);
  });
  return found < 0 ? undefined : found;
}

/** Whether all is done that the Job asked for. @param active pods that are active after what was just done */
export function reachedCompletions({ job, succeeded }: JobView, active: number): boolean {
  if (active > 0) return false;
  return job.spec?.completions === undefined ? succeeded > 0 : succeeded >= job.spec.completions;
}

/** What brings a Job to its number of pods. */
export interface PodPlan {
  /** In the order in which they go. */
  delete: Pod[];
  /** One for each pod to make: its completion index, undefined where the Job has none. */
  create: Array<number | undefined>;
}

/** Compares the active pods of a Job with what it wants. Upstream: job_controller.go (manageJob) @ v1.33 */
export function planJobPods(view: JobView): PodPlan {
  const { job, active, succeeded } = view;
  const { spec } = job;
  if (spec?.suspend === true) return { delete: surplusOf(view, active.length), create: [] };
  const parallelism = spec?.parallelism ?? 1;
  const wanted = spec?.completions === undefined
    ? (succeeded > 0 ? active.length : parallelism)
    : Math.max(0, Math.min(spec.completions - succeeded, parallelism));
  const surplus = surplusOf(view, Math.max(0, active.length - wanted));
  if (surplus.length > 0) return { delete: surplus.slice(0, MAX_PODS_PER_SYNC), create: [] };
  const ending = replacesOnlyFailed(job) ? view.terminating : 0;
  const missing = Math.min(MAX_PODS_PER_SYNC, wanted - ending - active.length);
  if (missing <= 0) return { delete: [], create: [] };
  if (!isIndexed(job)) return { delete: [], create: new Array(missing).fill(undefined) };
  const around = ending > 0 ? view.pods.filter((pod) => pod.metadata?.deletionTimestamp !== undefined) : [];
  const taken = mergeIndexes(
    view.completed,
    indexesOf([...active, ...around].map(indexOf).filter((index) => index !== undefined)),
  );
  return { delete: [], create: firstFree(taken, missing, spec?.completions ?? 0) };
}

/** Active pods that are too many: those without a place among the indexes, then whichever are missed least. */
function surplusOf({ job, active }: JobView, atLeast: number): Pod[] {
  const ordered = active.toSorted((a, b) => compareForDeletion(a, b, () => 0));
  if (!isIndexed(job)) return ordered.slice(0, atLeast);
  const completions = job.spec?.completions ?? 0;
  const kept = new Map<number, Pod>();
  // Of several pods with one index the one that got furthest stays.
  for (const pod of ordered.toReversed()) {
    const index = indexOf(pod);
    if (index !== undefined && index < completions && !kept.has(index)) kept.set(index, pod);
  }
  const stays = new Set(kept.values());
  const misplaced = ordered.filter((pod) => !stays.has(pod));
  const rest = ordered.filter((pod) => stays.has(pod));
  return [...misplaced, ...rest.slice(0, Math.max(0, atLeast - misplaced.length))];
}

const INDEX_VARIABLE = {
  name: "JOB_COMPLETION_INDEX",
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX_KEY}']` } },
};
/** Room that a generated suffix needs in a name. */
const MAX_PREFIX = 58;

/** A pod as a Job makes it from its template. Upstream: pkg/controller/job/indexed_job_utils.go @ v1.33 */
export function jobPodOf(job: Job, index: number | undefined): Pod {
  const { metadata, spec } = job;
  const { labels, annotations, finalizers = [] } = spec?.template?.metadata ?? {};
  const podSpec = structuredClone(spec?.template?.spec);
  const name = metadata?.name ?? "";
  const indexed: Record<string, string> = index === undefined ? {} : { [INDEX_KEY]: String(index) };
  if (podSpec !== undefined && index !== undefined) {
    for (const container of [...podSpec.initContainers ?? [], ...podSpec.containers]) {
      if (!container.env?.some((variable) => variable.name === INDEX_VARIABLE.name)) {
        container.env = [...container.env ?? [], structuredClone(INDEX_VARIABLE)];
      }
    }
    podSpec.hostname = `${name}-${index}`;
  }
  const suffix = index === undefined ? "-" : `-${index}-`;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: name.slice(0, MAX_PREFIX - suffix.length) + suffix,
      namespace: metadata?.namespace ?? "",
      labels: { ...labels, ...indexed },
      ...((annotations || index !== undefined) && { annotations: { ...annotations, ...indexed } }),
      finalizers: [...finalizers.filter((one) => one !== TRACKING_FINALIZER), TRACKING_FINALIZER],
      ownerReferences: [controllerReference(job, "batch/v1", "Job")],
    },
    ...(podSpec && { spec: podSpec }),
  };
}
