import assert from "node:assert/strict";
import type { CronJob, Job } from "../../../../common/api/batch_v1.ts";
import { FakeKubeClient } from "../../../../common/kubeclient/fake_client.ts";
import { CRON_JOBS, EVENTS, informer, JOBS } from "../../../../common/kubeclient/mod.ts";
import { FakeClock } from "../../../../common/module/fake_clock.ts";
import { silentLogger } from "../../../../common/module/mod.ts";
import { parseSchedule } from "../../cron/schedule.ts";
import { timestamp } from "../conditions.ts";
import { eventRecorder } from "../events.ts";
import { cronJobController } from "./cronjob.ts";
import { cronJobJobOf, dueStart, expiredJobs } from "./plan.ts";

const UTC = { offsetMs: () => 0 };
const NOW = Date.parse("2026-01-01T12:00:30Z");
const cronJob = (spec: Partial<NonNullable<CronJob["spec"]>> = {}, status = {}): CronJob => ({
  metadata: { name: "tick", namespace: "default", uid: "u", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { schedule: "* * * * *", jobTemplate: { spec: { template: { spec: { containers: [] } } } }, ...spec },
  status,
});

Deno.test("dueStart() makes up for the last start that was missed, and says when there were many", async (t) => {
  const iso = (at: number | undefined) => at === undefined ? undefined : timestamp(at);
  const rows: Array<[name: string, CronJob, at: string | undefined, many: boolean]> = [
    ["every minute since midnight", cronJob(), "2026-01-01T12:00:00Z", true],
    [
      "seen a minute ago",
      cronJob({}, { lastScheduleTime: "2026-01-01T11:59:00Z" }),
      "2026-01-01T12:00:00Z",
      false,
    ],
    ["done already", cronJob({}, { lastScheduleTime: "2026-01-01T12:00:00Z" }), undefined, false],
    [
      "a deadline that all but one miss",
      cronJob({ startingDeadlineSeconds: 60 }),
      "2026-01-01T12:00:00Z",
      false,
    ],
    ["a deadline that all miss", cronJob({ startingDeadlineSeconds: 10 }), undefined, false],
    ["nightly, not yet", cronJob({ schedule: "0 0 * * *" }), undefined, false],
    [
      "nightly, for years",
      {
        ...cronJob({ schedule: "0 0 1 * *" }),
        metadata: { name: "tick", creationTimestamp: "2006-01-01T00:00:30Z" },
      },
      "2026-01-01T00:00:00Z",
      true,
    ],
    ["every 90 seconds", cronJob({ schedule: "@every 90s" }), "2026-01-01T12:00:00Z", true],
  ];
  for (const [name, given, at, many] of rows) {
    await t.step(name, () => {
      const due = dueStart(given, parseSchedule(given.spec!.schedule), UTC, NOW);
      assert.deepEqual([iso(due.at), due.tooManyMissed], [at, many]);
      assert.ok(due.next! > NOW);
    });
  }
});

Deno.test("cronJobJobOf() names the Job after its start and says when that was, in the zone", () => {
  const job = cronJobJobOf(cronJob(), Date.parse("2026-01-01T12:00:00Z"), {
    offsetMs: () => 5.5 * 3_600_000,
  });
  assert.equal(job.metadata?.name, "tick-29454480");
  assert.deepEqual(job.metadata?.annotations, {
    "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T17:30:00+05:30",
  });
});

const ended = (name: string, type: "Complete" | "Failed", minute: number): Job => ({
  metadata: { name, namespace: "default" },
  status: { startTime: timestamp(NOW + minute * 60_000), conditions: [{ type, status: "True" }] },
});

Deno.test("expiredJobs() keeps the newest of each end", () => {
  const jobs = [
    ended("c3", "Complete", 3),
    ended("c1", "Complete", 1),
    ended("f1", "Failed", 1),
    ended("c2", "Complete", 2),
    { metadata: { name: "active" } },
  ];
  const names = (spec: object) => expiredJobs(cronJob(spec), jobs).map((job) => job.metadata?.name);
  assert.deepEqual(names({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 1 }), ["c1", "c2"]);
  assert.deepEqual(names({ successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 0 }), ["f1"]);
});

interface Cluster {
  kube: FakeKubeClient;
  pass(ms: number): Promise<void>;
  finish(job: Job, type: "Complete" | "Failed"): Promise<void>;
}

async function withCronJobs(body: (cluster: Cluster) => Promise<void>): Promise<void> {
  const clock = new FakeClock(Date.parse("2026-01-01T12:00:30Z"));
  await using kube = new FakeKubeClient({ now: () => clock.now() });
  const stop = new AbortController();
  const loop = { kube, clock, log: silentLogger };
  const cronJobs = informer(kube, CRON_JOBS, {}, loop);
  const jobs = informer(kube, JOBS, {}, loop);
  const events = eventRecorder(loop);
  const running = [cronJobs, jobs, events, cronJobController({ ...loop, cronJobs, jobs, events })]
    .map((part) => part.run(stop.signal));
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 100) await clock.advance(100);
  };
  const finish: Cluster["finish"] = async ({ metadata }, type) => {
    const time = timestamp(clock.now());
    const body = {
      status: { startTime: time, completionTime: time, conditions: [{ type, status: "True" }] },
    };
    const ref = { name: metadata?.name ?? "", namespace: "default" };
    await kube.patch(JOBS, ref, { type: "merge", body }, { subresource: "status" });
    await pass(200);
  };
  try {
    await body({ kube, pass, finish });
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}

const made = (spec: Partial<NonNullable<CronJob["spec"]>>): CronJob => {
  const { metadata, ...rest } = cronJob(spec);
  return { metadata: { name: metadata!.name!, namespace: "default" }, spec: rest.spec! };
};
const reasons = (kube: FakeKubeClient) => kube.peekAll(EVENTS).map((event) => event.reason);
const status = (kube: FakeKubeClient) => kube.peek(CRON_JOBS, "default/tick")?.status ?? {};

Deno.test("cronJobController() starts a Job every time, follows it to its end and forgets old ones", () =>
  withCronJobs(async ({ kube, pass, finish }) => {
    await kube.create(CRON_JOBS, made({ successfulJobsHistoryLimit: 1 }));
    await pass(29_000);
    assert.equal(kube.peekAll(JOBS).length, 0);
    await pass(2000);
    const [first] = kube.peekAll(JOBS);
    assert.equal(first?.metadata?.name, "tick-29454481");
    assert.equal(first?.metadata?.ownerReferences?.[0]?.kind, "CronJob");
    assert.deepEqual(status(kube).active?.map(({ name }) => name), ["tick-29454481"]);
    assert.equal(status(kube).lastScheduleTime, "2026-01-01T12:01:00Z");
    await finish(first!, "Complete");
    assert.equal(status(kube).active, undefined);
    assert.ok(status(kube).lastSuccessfulTime !== undefined);
    await pass(60_000);
    await finish(kube.peek(JOBS, "default/tick-29454482")!, "Complete");
    assert.deepEqual(kube.peekAll(JOBS).map((job) => job.metadata?.name), ["tick-29454482"]);
    for (const reason of ["SuccessfulCreate", "SawCompletedJob", "SuccessfulDelete"]) {
      assert.ok(reasons(kube).includes(reason), reason);
    }
  }));

Deno.test("cronJobController() keeps to the concurrency policy", async (t) => {
  for (
    const [policy, names] of [
      ["Allow", ["tick-29454481", "tick-29454482"]],
      ["Forbid", ["tick-29454481"]],
      ["Replace", ["tick-29454482"]],
    ] as const
  ) {
    await t.step(policy, () =>
      withCronJobs(async ({ kube, pass }) => {
        await kube.create(CRON_JOBS, made({ concurrencyPolicy: policy }));
        await pass(92_000);
        assert.deepEqual(kube.peekAll(JOBS).map((job) => job.metadata?.name).sort(), names);
        assert.deepEqual(status(kube).active?.map(({ name }) => name), names);
        assert.equal(reasons(kube).includes("JobAlreadyActive"), policy === "Forbid");
      }));
  }
});

Deno.test("cronJobController() starts nothing while suspended, nor by a schedule it cannot read", () =>
  withCronJobs(async ({ kube, pass }) => {
    await kube.create(CRON_JOBS, made({ suspend: true }));
    await pass(61_000);
    const ref = { name: "tick", namespace: "default" };
    await kube.patch(CRON_JOBS, ref, { type: "merge", body: { spec: { suspend: false, schedule: "soon" } } });
    await pass(61_000);
    assert.equal(kube.peekAll(JOBS).length, 0);
    assert.ok(reasons(kube).includes("UnparseableSchedule"));
    await kube.patch(CRON_JOBS, ref, {
      type: "merge",
      body: { spec: { schedule: "* * * * *", timeZone: "No/Where" } },
    });
    await pass(1000);
    assert.ok(reasons(kube).includes("UnknownTimeZone"));
  }));
