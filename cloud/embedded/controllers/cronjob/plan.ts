import type { CronJob, Job } from "../../../../common/api/batch_v1.ts";
import { nextTime } from "../../cron/next.ts";
import type { Schedule } from "../../cron/schedule.ts";
import { LOCAL_CLOCK, type WallClock, zoneClock } from "../../cron/time_zone.ts";
import { findCondition, parseTime, timestamp } from "../conditions.ts";
import { isJobFinished } from "../job/plan.ts";
import { controllerReference } from "../owners.ts";

/** More missed starts than these are told of. Upstream: pkg/controller/cronjob/utils.go (mostRecentScheduleTime) @ v1.33 */
const MANY_MISSED = 100;
/** Starts looked at one by one to find the last that was missed. */
const MAX_STEPS = 1000;

/** The clock of a CronJob's time zone. @throws {RangeError} when there is no such zone */
export function clockOf({ spec }: CronJob): WallClock {
  return spec?.timeZone === undefined ? LOCAL_CLOCK : zoneClock(spec.timeZone);
}

/** The start that is due, and when to look again. */
export interface Due {
  /** Unix milliseconds; undefined when none is. */
  at: number | undefined;
  /** Of the next start after now; undefined when there is none. */
  next: number | undefined;
  tooManyMissed: boolean;
}

/**
 * The latest start that a CronJob has missed. However many were missed, only one is made up for.
 * Upstream: k8s.io/kubernetes pkg/controller/cronjob/utils.go (mostRecentScheduleTime) @ v1.33
 */
export function dueStart(
  { metadata, spec, status }: CronJob,
  schedule: Schedule,
  clock: WallClock,
  now: number,
): Due {
  const next = nextTime(schedule, now, clock);
  let earliest = parseTime(status?.lastScheduleTime) ?? parseTime(metadata?.creationTimestamp) ?? now;
  if (spec?.startingDeadlineSeconds !== undefined) {
    earliest = Math.max(earliest, now - spec.startingDeadlineSeconds * 1000);
  }
  const first = nextTime(schedule, earliest, clock);
  const none = { at: undefined, next, tooManyMissed: false };
  if (first === undefined || first > now) return none;
  const second = nextTime(schedule, first, clock);
  if (second === undefined || second > now) return { at: first, next, tooManyMissed: false };
  const missed = Math.floor((now - first) / (second - first)) + 1;
  return { at: lastBefore(schedule, clock, first, now), next, tooManyMissed: missed > MANY_MISSED };
}

/** The last start up to now, searched from ever longer ago so that few are looked at one by one. */
function lastBefore(schedule: Schedule, clock: WallClock, first: number, now: number): number {
  if (schedule.kind === "every") return first + Math.floor((now - first) / schedule.ms) * schedule.ms;
  for (let back = 3_600_000;; back *= 4) {
    const from = Math.max(now - back, first - 1);
    let at = nextTime(schedule, from, clock);
    if (at === undefined || at > now) {
      if (from < first) return first;
      continue;
    }
    for (let step = 0; step < MAX_STEPS; step++) {
      const after = nextTime(schedule, at, clock);
      if (after === undefined || after > now) return at;
      at = after;
    }
    return at;
  }
}

/** Name of the Job of a start. Upstream: pkg/controller/cronjob/utils.go (getJobName) @ v1.33 */
export function jobNameOf({ metadata }: CronJob, start: number): string {
  return `${metadata?.name}-${Math.floor(start / 60_000)}`;
}

/** The Job of a start. Upstream: pkg/controller/cronjob/utils.go (getJobFromTemplate2) @ v1.33 */
export function cronJobJobOf(cronJob: CronJob, start: number, clock: WallClock): Job {
  const { metadata, spec } = cronJob;
  const { labels, annotations } = spec?.jobTemplate?.metadata ?? {};
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobNameOf(cronJob, start),
      namespace: metadata?.namespace ?? "",
      ...(labels && { labels: { ...labels } }),
      annotations: {
        ...annotations,
        "batch.kubernetes.io/cronjob-scheduled-timestamp": zonedText(start, clock.offsetMs(start)),
      },
      ownerReferences: [controllerReference(cronJob, "batch/v1", "CronJob")],
    },
    ...(spec?.jobTemplate?.spec && { spec: structuredClone(spec.jobTemplate.spec) }),
  };
}

/** RFC 3339 with the offset of a zone. */
function zonedText(at: number, offsetMs: number): string {
  if (offsetMs === 0) return timestamp(at);
  const minutes = Math.abs(Math.round(offsetMs / 60_000));
  const two = (n: number) => String(n).padStart(2, "0");
  const offset = `${offsetMs < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  return timestamp(at + offsetMs).replace("Z", offset);
}

/** How a Job ended; undefined while it has not. */
export function endOf(job: Job): "Complete" | "Failed" | undefined {
  if (!isJobFinished(job)) return undefined;
  return findCondition(job.status?.conditions, "Complete")?.status === "True" ? "Complete" : "Failed";
}

/** Ended Jobs beyond those that are kept, the oldest first. Upstream: cronjob_controllerv2.go (cleanupFinishedJobs) @ v1.33 */
export function expiredJobs({ spec }: CronJob, jobs: readonly Job[]): Job[] {
  const started = (job: Job) => parseTime(job.status?.startTime) ?? 0;
  const surplus = (end: "Complete" | "Failed", kept: number | undefined) => {
    if (kept === undefined) return [];
    const ended = jobs.filter((job) => endOf(job) === end).sort((a, b) =>
      started(a) - started(b) || ((a.metadata?.name ?? "") < (b.metadata?.name ?? "") ? -1 : 1)
    );
    return ended.slice(0, Math.max(0, ended.length - kept));
  };
  return [
    ...surplus("Complete", spec?.successfulJobsHistoryLimit),
    ...surplus("Failed", spec?.failedJobsHistoryLimit),
  ];
}
