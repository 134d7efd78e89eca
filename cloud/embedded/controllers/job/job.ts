import type { Job, JobStatus } from "../../../../common/api/batch_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { isNotFound } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  JOBS,
  type KubeWriter,
  type ReconcileResult,
} from "../../../../common/kubeclient/mod.ts";
import { findCondition, parseTime, timestamp } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { type PodControl, podControl } from "../pod_control.ts";
import { isPodReady } from "../pod_state.ts";
import { Expectations } from "../replicaset/expectations.ts";
import { backoffMs, type FailureRecord, recordEnds } from "./backoff.ts";
import { countEnds, finishStatus, jobCondition, settleCounts } from "./count.ts";
import {
  deadlineMs,
  decideFinish,
  type Finish,
  isJobFinished,
  jobPodOf,
  planJobPods,
  reachedCompletions,
} from "./plan.ts";
import { Releases } from "./releases.ts";
import { isTracked, type JobView, TRACKING_FINALIZER, viewJob } from "./view.ts";

/** What the job controller works with. */
export interface JobComponents extends LoopComponents {
  kube: Pick<KubeWriter, "create" | "update" | "patch" | "delete">;
  jobs: Informer<Job>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

const COMPONENT = "job-controller";

/** What the controller remembers between looks at a Job. */
interface Memory {
  expectations: Expectations;
  releases: Releases;
  failures: Map<string, FailureRecord>;
}

/**
 * Runs the pods of Jobs to their end and counts them.
 * Upstream: k8s.io/kubernetes pkg/controller/job/job_controller.go, pkg/controller/ttlafterfinished @ v1.33
 */
export function jobController(components: JobComponents): Controller {
  const { jobs, pods } = components;
  const memory: Memory = {
    expectations: new Expectations(),
    releases: new Releases(components.kube),
    failures: new Map(),
  };
  const control = podControl(
    { ...components, expectations: memory.expectations },
    JOBS,
    COMPONENT,
    TRACKING_FINALIZER,
  );
  return controller(components, {
    name: "job",
    workers: 4,
    watch: (queue) => [
      jobs.subscribe(({ type, object }) => {
        if (type === "deleted") forget(memory, keyOf(object));
        queue.add(keyOf(object));
      }),
      control.watch(jobs, (key) => queue.add(key)),
      pods.subscribe(({ type, object }) => memory.releases.seen(object, type === "deleted")),
    ],
    reconcile: (key, { signal }) => reconcile(components, control, memory, key, signal),
  });
}

function forget({ expectations, failures }: Memory, key: string): void {
  expectations.forget(key);
  failures.delete(key);
}

async function reconcile(
  components: JobComponents,
  control: PodControl<Job>,
  memory: Memory,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const job = components.jobs.get(key);
  if (job === undefined) return forget(memory, key);
  const { managedBy } = job.spec as { managedBy?: string };
  if (managedBy !== undefined && managedBy !== "kubernetes.io/job-controller") return;
  if (isJobFinished(job)) {
    memory.failures.delete(key);
    return await expire(components, job, signal);
  }
  const owned = await control.claim(job, () => true, signal);
  return await sync(components, control, memory, viewJob(job, owned, memory.releases.uids), signal);
}

async function sync(
  components: JobComponents,
  control: PodControl<Job>,
  memory: Memory,
  view: JobView,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, clock, events } = components;
  let { job } = view;
  const key = keyOf(job);
  const now = clock.now();
  const suspended = job.spec?.suspend === true;
  let status: JobStatus = { ...job.status };
  if (status.startTime === undefined && !suspended) status.startTime = timestamp(now);
  const failures = recordEnds(memory.failures.get(key) ?? { failures: 0 }, view.newSucceeded, view.newFailed);
  const waits: number[] = [];
  const pendingMs = memory.expectations.pendingMs(key, now);
  if (pendingMs > 0) waits.push(pendingMs);
  let finish = decideFinish({ ...view, job: { ...job, status } }, now);
  const done: Done = { created: 0, deleted: 0, deletedReady: 0 };
  let failure: { error: unknown } | undefined;
  if (finish !== undefined) {
    if (view.active.length > 0) {
      // Written down before pods are deleted: a deletion alone would look like failures to who comes after.
      job = await announce(components, job, status, finish, signal);
      status = { ...job.status };
      view = { ...view, job };
    }
    failure = await attempt(() => deletePods(control, view, view.active, done, signal));
    if (done.deleted !== view.active.length || pendingMs > 0) finish = undefined;
  } else {
    const manages = pendingMs === 0 && job.metadata?.deletionTimestamp === undefined;
    if (manages) {
      const waitMs = backoffMs(failures, now);
      failure = await attempt(() => manage(control, memory, view, waitMs, done, signal));
      if (waitMs > 0) waits.push(waitMs);
    }
    if (reachedCompletions(view, view.active.length + done.created - done.deleted)) {
      finish = {
        type: "SuccessCriteriaMet",
        reason: "CompletionsReached",
        message: "Reached expected number of succeeded pods",
      };
    } else if (manages) status = tellSuspension(components, job, status, now);
  }
  const terminating = view.terminating + done.deleted;
  setCount(status, "active", view.active.length + done.created - done.deleted);
  status.ready = view.ready - done.deletedReady;
  status.terminating = terminating;
  const count = countEnds(view, status, finish, memory.releases.uids, now);
  let stored = job;
  if (!equalJson(count.status, job.status)) {
    stored = await kube.update(JOBS, { ...job, status: count.status }, { subresource: "status", signal });
    memory.failures.set(key, failures);
  }
  await memory.releases.release(count.release, signal);
  const tracked = new Set(
    view.pods.filter((pod) => isTracked(pod, memory.releases.uids)).map((pod) => pod.metadata?.uid ?? ""),
  );
  let last = settleCounts(stored.status ?? {}, tracked);
  const { succeeded = [], failed = [] } = last.uncountedTerminatedPods ?? {};
  const over = finish !== undefined && !count.more && succeeded.length + failed.length === 0 &&
    terminating === 0;
  if (over) last = finishStatus(last, finish!, now);
  if (!equalJson(last, stored.status)) {
    await kube.update(JOBS, { ...stored, status: last }, { subresource: "status", signal });
    if (over) tellFinished(events, job, last, finish!);
  }
  if (failure !== undefined) throw failure.error;
  const deadline = deadlineMs({ ...job, status: last }, now);
  if (deadline !== undefined && !over) waits.push(Math.max(deadline, 1));
  return waits.length > 0 ? { afterMs: Math.min(...waits) } : undefined;
}

/** Says in the status that the Job is to end, unless that is said already. */
async function announce(
  { kube, clock }: JobComponents,
  job: Job,
  status: JobStatus,
  finish: Finish,
  signal: AbortSignal,
): Promise<Job> {
  if (findCondition(status.conditions, finish.type)?.status === "True") return { ...job, status };
  const conditions = [...status.conditions ?? [], jobCondition(finish.type, "True", finish, clock.now())];
  return await kube.update(JOBS, { ...job, status: { ...status, conditions } }, {
    subresource: "status",
    signal,
  });
}

function setCount(status: JobStatus, field: "active", value: number): void {
  if (value > 0) status[field] = value;
  else delete status[field];
}

/** What was done to the pods of a Job in one look at it. */
interface Done {
  created: number;
  deleted: number;
  deletedReady: number;
}

async function attempt(work: () => Promise<void>): Promise<{ error: unknown } | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { error };
  }
}

async function deletePods(
  control: PodControl<Job>,
  { job }: JobView,
  pods: readonly Pod[],
  done: Done,
  signal: AbortSignal,
): Promise<void> {
  const results = await Promise.allSettled(pods.map(async (pod) => {
    await control.delete(job, pod, signal);
    done.deleted++;
    if (isPodReady(pod)) done.deletedReady++;
  }));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function manage(
  control: PodControl<Job>,
  { releases }: Memory,
  view: JobView,
  waitMs: number,
  done: Done,
  signal: AbortSignal,
): Promise<void> {
  const plan = planJobPods(view);
  if (plan.delete.length > 0) {
    // Their end is not the Job's failure, so nothing is to count it.
    await releases.release(plan.delete, signal);
    return await deletePods(control, view, plan.delete, done, signal);
  }
  if (waitMs > 0) return;
  let left = plan.create;
  for (let batch = 1; left.length > 0; batch *= 2) {
    const results = await Promise.allSettled(
      left.slice(0, batch).map(async (index) => {
        await control.create(view.job, jobPodOf(view.job, index), signal);
        done.created++;
      }),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    left = left.slice(batch);
  }
}

function tellSuspension(
  { events }: JobComponents,
  job: Job,
  status: JobStatus,
  now: number,
): JobStatus {
  const suspended = job.spec?.suspend === true;
  const before = findCondition(status.conditions, "Suspended");
  if ((before?.status === "True") === suspended) return status;
  const [reason, message] = suspended ? ["JobSuspended", "Job suspended"] : ["JobResumed", "Job resumed"];
  const others = (status.conditions ?? []).filter((one) => one.type !== "Suspended");
  const next = jobCondition("Suspended", suspended ? "True" : "False", { reason, message }, now);
  events.record(JOBS, job, {
    component: COMPONENT,
    type: "Normal",
    reason: suspended ? "Suspended" : "Resumed",
    message,
  });
  return {
    ...status,
    conditions: [...others, next],
    // The deadline of a Job does not run while it is suspended.
    ...(!suspended && { startTime: timestamp(now) }),
  };
}

function tellFinished(events: EventRecorder, job: Job, status: JobStatus, finish: Finish): void {
  const component = COMPONENT;
  if (finish.type === "FailureTarget") {
    const { reason, message } = finish;
    events.record(JOBS, job, { component, type: "Warning", reason, message });
    return;
  }
  const { completions } = job.spec ?? {};
  if (completions !== undefined && (status.succeeded ?? 0) > completions) {
    events.record(JOBS, job, {
      component,
      type: "Warning",
      reason: "TooManySucceededPods",
      message: "Too many succeeded pods running after completion count reached",
    });
  }
  events.record(JOBS, job, { component, type: "Normal", reason: "Completed", message: "Job completed" });
}

/** Deletes a Job whose time after its end is over. */
async function expire(
  { kube, clock }: JobComponents,
  job: Job,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const ttl = job.spec?.ttlSecondsAfterFinished;
  if (ttl === undefined || job.metadata?.deletionTimestamp !== undefined) return;
  const ends = ["Complete", "Failed"].map((type) => findCondition(job.status?.conditions, type))
    .filter((condition) => condition?.status === "True");
  const endedAt = parseTime(ends[0]?.lastTransitionTime);
  if (endedAt === undefined) return;
  const leftMs = endedAt + ttl * 1000 - clock.now();
  if (leftMs > 0) return { afterMs: leftMs };
  const { name = "", namespace = "", uid = "" } = job.metadata ?? {};
  const options = { propagationPolicy: "Foreground", preconditions: { uid } };
  try {
    await kube.delete(JOBS, { name, namespace }, options, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
