import type { CronJob, Job } from "../../../../common/api/batch_v1.ts";
import type { ObjectReference } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { errorText, isAlreadyExists, isNotFound } from "../../../../common/errors/mod.ts";
import {
  CRON_JOBS,
  equalJson,
  type Informer,
  JOBS,
  type KubeReader,
  type KubeWriter,
  type ReconcileResult,
} from "../../../../common/kubeclient/mod.ts";
import { parseSchedule, type Schedule } from "../../cron/schedule.ts";
import type { WallClock } from "../../cron/time_zone.ts";
import { parseTime, timestamp } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { controllerOf } from "../owners.ts";
import { clockOf, cronJobJobOf, dueStart, endOf, expiredJobs, jobNameOf } from "./plan.ts";

/** What the cron job controller works with. */
export interface CronJobComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "create" | "update" | "delete">;
  cronJobs: Informer<CronJob>;
  jobs: Informer<Job>;
  events: EventRecorder;
}

const COMPONENT = "cronjob-controller";
/** Later than the start itself, so that clocks that differ a little do not see it as yet to come. Upstream: nextScheduleDelta */
const LATE_MS = 100;
/** Longest wait: the timers of the runtime end at 24 days. */
const MAX_WAIT_MS = 86_400_000;

type Tell = (type: "Normal" | "Warning", reason: string, message: string) => void;
type Status = NonNullable<CronJob["status"]>;

/**
 * Makes a Job whenever a CronJob's schedule says so, and keeps as many ended ones as asked.
 * Upstream: k8s.io/kubernetes pkg/controller/cronjob/cronjob_controllerv2.go @ v1.33
 */
export function cronJobController(components: CronJobComponents): Controller {
  const { cronJobs, jobs, events } = components;
  return controller(components, {
    name: "cronjob",
    watch: (queue) => [
      cronJobs.subscribe(({ object }) => queue.add(keyOf(object))),
      jobs.subscribe(({ object }) => {
        const owner = controllerOf(object);
        if (owner?.kind === "CronJob") queue.add(`${object.metadata?.namespace}/${owner.name}`);
      }),
    ],
    reconcile: async (key, { signal }) => {
      const cronJob = cronJobs.get(key);
      if (cronJob === undefined) return;
      const tell: Tell = (type, reason, message) =>
        events.record(CRON_JOBS, cronJob, { component: COMPONENT, type, reason, message });
      const owned = jobs.list(cronJob.metadata?.namespace).filter((job) =>
        controllerOf(job)?.uid === cronJob.metadata?.uid
      );
      const status: Status = structuredClone(cronJob.status ?? {});
      const result = await sync({ ...components, cronJob, owned, status, tell, signal });
      if (status.active?.length === 0) delete status.active;
      if (!equalJson(status, cronJob.status ?? {})) {
        await components.kube.update(CRON_JOBS, { ...cronJob, status }, { subresource: "status", signal });
      }
      return result;
    },
  });
}

/** One look at a CronJob; `status` is what it comes to, and is written down whatever else happens. */
interface Look extends CronJobComponents {
  cronJob: CronJob;
  owned: readonly Job[];
  status: Status;
  tell: Tell;
  signal: AbortSignal;
}

async function sync(look: Look): Promise<ReconcileResult> {
  const { cronJob, owned, status, tell, clock } = look;
  for (const job of expiredJobs(cronJob, owned)) await deleteJob(look, job.metadata?.name ?? "");
  await followJobs(look);
  if (cronJob.metadata?.deletionTimestamp !== undefined) return;
  const parsed = parse(look);
  if (parsed === undefined || cronJob.spec?.suspend === true) return;
  const { schedule, wall } = parsed;
  const now = clock.now();
  const { at, next, tooManyMissed } = dueStart(cronJob, schedule, wall, now);
  const again = next === undefined ? undefined : { afterMs: Math.min(MAX_WAIT_MS, next + LATE_MS - now) };
  if (tooManyMissed) {
    tell(
      "Warning",
      "TooManyMissedTimes",
      "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
    );
  }
  if (at === undefined) return again;
  const deadline = cronJob.spec?.startingDeadlineSeconds;
  if (deadline !== undefined && at + deadline * 1000 < now) {
    tell("Warning", "MissSchedule", `Missed scheduled time to start a job: ${new Date(at).toUTCString()}`);
    return again;
  }
  const name = jobNameOf(cronJob, at);
  const done = (status.active ?? []).some((ref) => ref.name === name) ||
    parseTime(status.lastScheduleTime) === at;
  if (done) return again;
  if (cronJob.spec?.concurrencyPolicy === "Forbid" && (status.active ?? []).length > 0) {
    tell(
      "Normal",
      "JobAlreadyActive",
      "Not starting job because prior execution is running and concurrency policy is Forbid",
    );
    return again;
  }
  if (cronJob.spec?.concurrencyPolicy === "Replace") {
    for (const { name = "", uid } of [...status.active ?? []]) {
      await deleteJob(look, name);
      status.active = (status.active ?? []).filter((ref) => ref.uid !== uid);
    }
  }
  await start(look, at, wall);
  return again;
}

function parse({ cronJob, tell }: Look): { schedule: Schedule; wall: WallClock } | undefined {
  const text = cronJob.spec?.schedule ?? "";
  try {
    return { wall: clockOf(cronJob), schedule: parseSchedule(text) };
  } catch (error) {
    if (error instanceof RangeError) {
      const zone = JSON.stringify(cronJob.spec?.timeZone);
      tell("Warning", "UnknownTimeZone", `invalid timeZone: ${zone}: ${errorText(error)}`);
    } else if (error instanceof SyntaxError) {
      tell(
        "Warning",
        "UnparseableSchedule",
        `unparseable schedule: ${JSON.stringify(text)} : ${errorText(error)}`,
      );
    } else throw error;
    return undefined;
  }
}

/** Takes ended and missing Jobs off the active ones. */
async function followJobs(look: Look): Promise<void> {
  const { cronJob, owned, status, tell, kube, signal } = look;
  const forget = (uid: string | undefined) =>
    status.active = (status.active ?? []).filter((ref) => ref.uid !== uid);
  for (const job of owned) {
    const { name, uid } = job.metadata ?? {};
    const active = (status.active ?? []).some((ref) => ref.uid === uid);
    const end = endOf(job);
    if (!active && end === undefined) {
      // Just made, and the copy of the CronJob does not know yet; or made by someone else.
      const current = await get(() => kube.get(CRON_JOBS, refOf(cronJob), { signal }));
      if (current?.status?.active?.some((ref) => ref.uid === uid)) continue;
      tell("Warning", "UnexpectedJob", `Saw a job that the controller did not create or forgot: ${name}`);
    } else if (active && end !== undefined) {
      forget(uid);
      tell("Normal", "SawCompletedJob", `Saw completed job: ${name}, condition: ${end}`);
    }
    const completed = end === "Complete" ? parseTime(job.status?.completionTime) : undefined;
    if (completed !== undefined && completed > (parseTime(status.lastSuccessfulTime) ?? 0)) {
      status.lastSuccessfulTime = timestamp(completed);
    }
  }
  for (const ref of [...status.active ?? []]) {
    if (owned.some((job) => job.metadata?.uid === ref.uid)) continue;
    const namespace = cronJob.metadata?.namespace ?? "";
    const found = await get(() => kube.get(JOBS, { name: ref.name ?? "", namespace }, { signal }));
    if (found !== undefined) continue;
    tell("Normal", "MissingJob", `Active job went missing: ${ref.name}`);
    forget(ref.uid);
  }
}

async function get<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function refOf({ metadata }: CronJob): { name: string; namespace: string } {
  return { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
}

async function start(look: Look, at: number, wall: WallClock): Promise<void> {
  const { cronJob, status, tell, kube, signal } = look;
  const wanted = cronJobJobOf(cronJob, at, wall);
  let job: Job | undefined;
  try {
    job = await kube.create(JOBS, wanted, { signal });
    tell("Normal", "SuccessfulCreate", `Created job ${job.metadata?.name}`);
  } catch (error) {
    if (!isAlreadyExists(error)) {
      tell("Warning", "FailedCreate", `Error creating job: ${errorText(error)}`);
      throw error;
    }
    // Made before, when the status could not be written.
    const ref = { name: wanted.metadata?.name ?? "", namespace: wanted.metadata?.namespace ?? "" };
    job = await get(() => kube.get(JOBS, ref, { signal }));
    if (job === undefined || controllerOf(job)?.uid !== cronJob.metadata?.uid) throw error;
  }
  status.lastScheduleTime = timestamp(at);
  if (endOf(job) === undefined) status.active = [...status.active ?? [], referenceTo(job)];
}

function referenceTo({ metadata }: Job): ObjectReference {
  const { name = "", namespace = "", uid = "", resourceVersion = "" } = metadata ?? {};
  return { kind: "Job", namespace, name, uid, apiVersion: "batch/v1", resourceVersion };
}

async function deleteJob({ kube, cronJob, tell, signal }: Look, name: string): Promise<void> {
  const namespace = cronJob.metadata?.namespace ?? "";
  try {
    await kube.delete(JOBS, { name, namespace }, { propagationPolicy: "Background" }, { signal });
    tell("Normal", "SuccessfulDelete", `Deleted job ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    tell("Warning", "FailedDelete", `Deleted job: ${errorText(error)}`);
    throw error;
  }
}
