import assert from "node:assert/strict";
import type { Job } from "../../../../common/api/batch_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { StatusError } from "../../../../common/errors/mod.ts";
import { type FakeCall, FakeKubeClient } from "../../../../common/kubeclient/fake_client.ts";
import { EVENTS, informer, JOBS, PODS } from "../../../../common/kubeclient/mod.ts";
import { FakeClock } from "../../../../common/module/fake_clock.ts";
import { silentLogger } from "../../../../common/module/mod.ts";
import { findCondition, timestamp } from "../conditions.ts";
import { eventRecorder } from "../events.ts";
import { jobController } from "./job.ts";
import { jobOrphansController } from "./orphans.ts";
import { INDEX_KEY, TRACKING_FINALIZER } from "./view.ts";

interface Cluster {
  kube: FakeKubeClient;
  clock: FakeClock;
  until(what: string, condition: () => boolean): Promise<void>;
  /** Lets so many milliseconds pass, a little at a time. */
  pass(ms: number): Promise<void>;
  end(pod: Pod, phase: "Succeeded" | "Failed", exitCode?: number): Promise<void>;
}

const ref = { name: "work", namespace: "default" };
const job = (spec: Partial<NonNullable<Job["spec"]>> = {}): Job => ({
  metadata: { ...ref },
  spec: {
    parallelism: 1,
    backoffLimit: 6,
    completionMode: "NonIndexed",
    selector: { matchLabels: { job: "work" } },
    template: {
      metadata: { labels: { job: "work" } },
      spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] },
    },
    ...spec,
  },
});

async function withJobs(
  body: (cluster: Cluster) => Promise<void>,
  intercept?: (call: FakeCall) => void,
): Promise<void> {
  const clock = new FakeClock();
  await using kube = new FakeKubeClient({ now: () => clock.now(), ...(intercept && { intercept }) });
  const stop = new AbortController();
  const loop = { kube, clock, log: silentLogger };
  const jobs = informer(kube, JOBS, {}, loop);
  const pods = informer(kube, PODS, {}, loop);
  const events = eventRecorder(loop);
  const parts = [
    jobs,
    pods,
    events,
    jobController({ ...loop, jobs, pods, events }),
    jobOrphansController({ ...loop, jobs, pods }),
  ];
  const running = parts.map((part) => part.run(stop.signal));
  const pass = async (ms: number) => {
    for (let at = 0; at < ms; at += 50) await clock.advance(50);
  };
  const until = async (what: string, condition: () => boolean) => {
    for (let i = 0; i < 2000; i++) {
      if (condition()) return;
      await clock.advance(10);
    }
    assert.fail(`${what} did not come about: ${JSON.stringify(kube.peek(JOBS, "default/work")?.status)}`);
  };
  const end: Cluster["end"] = async (pod, phase, exitCode = phase === "Failed" ? 1 : 0) => {
    const finishedAt = timestamp(clock.now());
    const containerStatuses = [{ name: "c", state: { terminated: { exitCode, finishedAt } } }];
    const { name = "", namespace = "" } = pod.metadata ?? {};
    const body = { status: { phase, containerStatuses } };
    await kube.patch(PODS, { name, namespace }, { type: "merge", body }, { subresource: "status" });
  };
  try {
    await body({ kube, clock, until, pass, end });
  } finally {
    stop.abort();
    await Promise.allSettled(running);
  }
}

const status = (kube: FakeKubeClient) => kube.peek(JOBS, "default/work")?.status ?? {};
const holds = (kube: FakeKubeClient, type: string) =>
  findCondition(status(kube).conditions, type)?.status === "True";
const running = (kube: FakeKubeClient) =>
  kube.peekAll(PODS).filter((p) => !["Succeeded", "Failed"].includes(p.status?.phase ?? ""));
const reasons = (kube: FakeKubeClient) => kube.peekAll(EVENTS).map((event) => event.reason);

Deno.test("jobController() makes pods until there are enough completions, and counts them", () =>
  withJobs(async ({ kube, until, end }) => {
    await kube.create(JOBS, job({ completions: 3, parallelism: 2 }));
    await until("two pods", () => running(kube).length === 2);
    await until("a status", () => status(kube).active === 2);
    assert.ok(status(kube).startTime !== undefined);
    const [pod] = kube.peekAll(PODS);
    assert.deepEqual(pod?.metadata?.finalizers, [TRACKING_FINALIZER]);
    assert.equal(pod?.metadata?.ownerReferences?.[0]?.apiVersion, "batch/v1");
    for (const one of running(kube)) await end(one, "Succeeded");
    await until("the third pod", () => running(kube).length === 1);
    await until("two counted", () => status(kube).succeeded === 2);
    await end(running(kube)[0]!, "Succeeded");
    await until("the end", () => holds(kube, "Complete"));
    const { succeeded, active, conditions, completionTime, uncountedTerminatedPods } = status(kube);
    assert.deepEqual({ succeeded, active, uncountedTerminatedPods }, {
      succeeded: 3,
      active: undefined,
      uncountedTerminatedPods: {},
    });
    assert.deepEqual(conditions?.map(({ type, reason }) => [type, reason]), [
      ["SuccessCriteriaMet", "CompletionsReached"],
      ["Complete", "CompletionsReached"],
    ]);
    assert.ok(completionTime !== undefined);
    assert.ok(kube.peekAll(PODS).every((one) => (one.metadata?.finalizers ?? []).length === 0));
    assert.equal(kube.peekAll(PODS).length, 3);
    await until("the event", () => reasons(kube).includes("Completed"));
  }));

Deno.test("jobController() waits longer after each failure, and gives up at the limit", () =>
  withJobs(async ({ kube, until, pass, end }) => {
    await kube.create(JOBS, job({ completions: 1, backoffLimit: 1 }));
    await until("a pod", () => running(kube).length === 1);
    await end(running(kube)[0]!, "Failed");
    await until("the failure", () => status(kube).failed === 1);
    await pass(8000);
    assert.equal(running(kube).length, 0);
    await pass(4000);
    assert.equal(running(kube).length, 1);
    await end(running(kube)[0]!, "Failed");
    await until("the end", () => holds(kube, "Failed"));
    assert.equal(status(kube).failed, 2);
    assert.deepEqual(status(kube).conditions?.map(({ type, reason }) => [type, reason]), [
      ["FailureTarget", "BackoffLimitExceeded"],
      ["Failed", "BackoffLimitExceeded"],
    ]);
    await pass(60_000);
    assert.equal(kube.peekAll(PODS).length, 2);
  }));

Deno.test("jobController() gives each pod of an Indexed Job an index, and a failed index a new pod", () =>
  withJobs(async ({ kube, until, pass, end }) => {
    await kube.create(JOBS, job({ completionMode: "Indexed", completions: 3, parallelism: 3 }));
    await until("three pods", () => running(kube).length === 3);
    const indexes = () => running(kube).map((p) => p.metadata?.annotations?.[INDEX_KEY]).sort();
    assert.deepEqual(indexes(), ["0", "1", "2"]);
    const [zero, one, two] = ["0", "1", "2"].map((index) =>
      running(kube).find((p) => p.metadata?.labels?.[INDEX_KEY] === index)!
    );
    assert.equal(one?.spec?.hostname, "work-1");
    assert.equal(
      one?.spec?.containers[0]?.env?.[0]?.valueFrom?.fieldRef?.fieldPath,
      `metadata.labels['${INDEX_KEY}']`,
    );
    await end(zero!, "Succeeded");
    await end(two!, "Succeeded");
    await until("two completed", () => status(kube).completedIndexes === "0,2");
    await end(one!, "Failed");
    await pass(11_000);
    assert.deepEqual(indexes(), ["1"]);
    await end(running(kube)[0]!, "Succeeded");
    await until("the end", () => holds(kube, "Complete"));
    assert.equal(status(kube).completedIndexes, "0-2");
    assert.equal(status(kube).succeeded, 3);
    assert.equal(status(kube).failed, 1);
  }));

Deno.test("jobController() takes pods away while the Job is suspended, and counts none of them as failed", () =>
  withJobs(async ({ kube, until, clock }) => {
    await kube.create(JOBS, job({ completions: 2, parallelism: 2 }));
    await until("two pods", () => running(kube).length === 2);
    await until("the start", () => status(kube).startTime !== undefined);
    const first = status(kube).startTime;
    await kube.patch(JOBS, ref, { type: "merge", body: { spec: { suspend: true } } });
    await until("no pods", () => kube.peekAll(PODS).length === 0);
    await until("the condition", () => holds(kube, "Suspended"));
    await clock.advance(5000);
    await kube.patch(JOBS, ref, { type: "merge", body: { spec: { suspend: false } } });
    await until("two pods again", () => running(kube).length === 2);
    await until("the condition gone", () => !holds(kube, "Suspended"));
    assert.equal(findCondition(status(kube).conditions, "Suspended")?.reason, "JobResumed");
    assert.notEqual(status(kube).startTime, first);
    assert.equal(status(kube).failed, undefined);
  }));

Deno.test("jobController() ends a Job that takes too long, and deletes it when its time is over", () =>
  withJobs(async ({ kube, until, pass }) => {
    await kube.create(JOBS, job({ completions: 1, activeDeadlineSeconds: 30, ttlSecondsAfterFinished: 60 }));
    await until("a pod", () => running(kube).length === 1);
    await pass(31_000);
    await until("the end", () => holds(kube, "Failed"));
    assert.equal(findCondition(status(kube).conditions, "Failed")?.reason, "DeadlineExceeded");
    assert.equal(running(kube).length, 0);
    await pass(50_000);
    assert.ok(kube.peek(JOBS, "default/work") !== undefined);
    await pass(12_000);
    const left = kube.peek(JOBS, "default/work");
    assert.ok(left === undefined || left.metadata?.deletionTimestamp !== undefined);
  }));

Deno.test("jobController() follows the pod failure policy", async (t) => {
  const rules = (action: string) => ({
    podReplacementPolicy: "Failed",
    podFailurePolicy: {
      rules: [{ action, onExitCodes: { operator: "In", values: [42] }, onPodConditions: [] }],
    },
  });
  await t.step("FailJob", () =>
    withJobs(async ({ kube, until, end }) => {
      await kube.create(JOBS, job({ completions: 1, ...rules("FailJob") }));
      await until("a pod", () => running(kube).length === 1);
      const pod = running(kube)[0]!;
      await end(pod, "Failed", 42);
      await until("the end", () => holds(kube, "Failed"));
      const failed = findCondition(status(kube).conditions, "Failed");
      assert.equal(failed?.reason, "PodFailurePolicy");
      assert.equal(
        failed?.message,
        `Container c for pod default/${pod.metadata?.name} failed with exit code 42 matching FailJob rule at index 0`,
      );
    }));
  await t.step("Ignore", () =>
    withJobs(async ({ kube, until, pass, end }) => {
      await kube.create(JOBS, job({ completions: 1, backoffLimit: 0, ...rules("Ignore") }));
      await until("a pod", () => running(kube).length === 1);
      await end(running(kube)[0]!, "Failed", 42);
      await pass(11_000);
      assert.equal(running(kube).length, 1);
      assert.equal(status(kube).failed, undefined);
    }));
});

Deno.test("jobController() ends a Job whose success policy is met, and counts what it stops as nothing", () =>
  withJobs(async ({ kube, until, pass, end }) => {
    const successPolicy = { rules: [{ succeededIndexes: "0,2" }] };
    await kube.create(
      JOBS,
      job({ completionMode: "Indexed", completions: 4, parallelism: 4, successPolicy }),
    );
    await until("four pods", () => running(kube).length === 4);
    const at = (index: string) => running(kube).find((p) => p.metadata?.labels?.[INDEX_KEY] === index)!;
    await end(at("0"), "Succeeded");
    await end(at("2"), "Succeeded");
    await until("the end", () => holds(kube, "Complete"));
    assert.equal(findCondition(status(kube).conditions, "Complete")?.message, "Matched rules at index 0");
    await pass(1000);
    assert.deepEqual([status(kube).succeeded, status(kube).failed, running(kube).length], [2, undefined, 0]);
  }));

Deno.test("jobController() counts every end once though the server fails now and then", () => {
  let calls = 0;
  return withJobs(async ({ kube, until, end }) => {
    await kube.create(JOBS, job({ completions: 12, parallelism: 4 }));
    for (let ended = 0; ended < 12; ended++) {
      await until(`pod ${ended}`, () => running(kube).length > 0);
      await end(running(kube)[0]!, "Succeeded");
    }
    await until("the end", () => holds(kube, "Complete"));
    assert.equal(status(kube).succeeded, 12);
    assert.equal(kube.peekAll(PODS).length, 12);
  }, ({ verb, resource, subresource }) => {
    const mine = resource === "jobs" && subresource === "status" ||
      resource === "pods" && verb === "patch" && subresource === undefined;
    if (mine && ++calls % 3 === 0) throw new StatusError("ServiceUnavailable", "not now");
  });
});

Deno.test("jobOrphansController() lets go of pods whose Job is gone", () =>
  withJobs(async ({ kube, until }) => {
    const owner = { apiVersion: "batch/v1", kind: "Job", name: "gone", uid: "g", controller: true };
    kube.seed(PODS, {
      metadata: {
        name: "left",
        namespace: "default",
        finalizers: [TRACKING_FINALIZER],
        ownerReferences: [owner],
      },
      spec: { containers: [] },
    });
    await until(
      "the finalizer off",
      () => (kube.peek(PODS, "default/left")?.metadata?.finalizers ?? []).length === 0,
    );
  }));
