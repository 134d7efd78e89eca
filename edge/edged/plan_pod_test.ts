import assert from "node:assert/strict";
import { hashContainer } from "./container_hash.ts";
import type { Backoff } from "./crash_backoff.ts";
import { planEnd, planRemoval } from "./plan_end.ts";
import { backoffKey, planPod, type PodPlanInput, type PodStep } from "./plan_pod.ts";
import type { ContainerRuntimeStatus, PodSandboxStatus } from "./runtime/types.ts";
import { testPod } from "./testing.ts";

const NOW = 1_000_000_000;
const POD = { namespace: "default", name: "web", uid: "u1" };

const sandbox = (change: Partial<PodSandboxStatus> = {}): PodSandboxStatus => ({
  id: "s0",
  pod: POD,
  attempt: 0,
  state: "ready",
  createdAt: NOW,
  labels: {},
  annotations: {},
  ips: ["10.0.0.2"],
  ...change,
});

const container = (change: Partial<ContainerRuntimeStatus> = {}): ContainerRuntimeStatus => ({
  id: "c0",
  sandboxId: "s0",
  pod: POD,
  name: "web",
  attempt: 0,
  state: "running",
  image: "busybox:1",
  imageId: "sha256:1",
  createdAt: NOW - 60_000,
  startedAt: NOW - 60_000,
  labels: {},
  annotations: {},
  ...change,
});
const exited = (exitCode: number, change: Partial<ContainerRuntimeStatus> = {}) =>
  container({ state: "exited", exitCode, finishedAt: NOW - 1000, ...change });

const input = (change: Partial<PodPlanInput> & { spec?: Record<string, unknown> } = {}): PodPlanInput => ({
  pod: testPod({ spec: change.spec ?? {} }),
  runtime: { sandboxes: [sandbox()], containers: [] },
  backoffs: new Map(),
  holds: new Map(),
  health: { started: () => true, unhealthy: () => undefined },
  now: NOW,
  ...change,
});

const print = (stages: readonly PodStep[][]) =>
  stages.map((stage) =>
    stage.map((step) =>
      "name" in step
        ? `${step.do} ${step.name}${"attempt" in step ? ` ${step.attempt}` : ""}`
        : `${step.do} ${"attempt" in step ? step.attempt : step.id}`
    ).join(" + ")
  );

const two = { containers: [{ name: "a", image: "busybox:1" }, { name: "b", image: "busybox:1" }] };
const withInit = { initContainers: [{ name: "i1", image: "busybox:1" }, { name: "i2", image: "busybox:1" }] };
const withSidecar = {
  initContainers: [{ name: "s", image: "busybox:1", restartPolicy: "Always" }, {
    name: "i",
    image: "busybox:1",
  }],
};

const TABLE: Array<{ name: string; given: PodPlanInput; steps: string[]; finished?: boolean }> = [
  {
    name: "nothing there: the sandbox first",
    given: input({ runtime: { sandboxes: [], containers: [] } }),
    steps: ["create-sandbox 0"],
  },
  { name: "sandbox ready: the container", given: input(), steps: ["start-container web 0"] },
  {
    name: "all containers in order",
    given: input({ spec: two }),
    steps: ["start-container a 0", "start-container b 0"],
  },
  {
    name: "running: nothing",
    given: input({ runtime: { sandboxes: [sandbox()], containers: [container()] } }),
    steps: [],
  },
  {
    name: "running with the same hash: nothing",
    given: input({
      runtime: {
        sandboxes: [sandbox()],
        containers: [
          container({
            annotations: {
              "io.kubernetes.container.hash": hashContainer({ name: "web", image: "busybox:1" }),
            },
          }),
        ],
      },
    }),
    steps: [],
  },
  {
    name: "running with another image: stopped and started at once",
    given: input({
      runtime: {
        sandboxes: [sandbox()],
        containers: [container({ annotations: { "io.kubernetes.container.hash": "other" } })],
      },
    }),
    steps: ["stop-container web", "start-container web 1"],
  },
  {
    name: "ended, Always: again",
    given: input({ runtime: { sandboxes: [sandbox()], containers: [exited(0)] } }),
    steps: ["start-container web 1"],
  },
  {
    name: "ended well, OnFailure: finished, the sandbox stops",
    given: input({
      spec: { restartPolicy: "OnFailure" },
      runtime: { sandboxes: [sandbox()], containers: [exited(0)] },
    }),
    steps: ["stop-sandbox s0"],
  },
  {
    name: "ended badly, OnFailure: again",
    given: input({
      spec: { restartPolicy: "OnFailure" },
      runtime: { sandboxes: [sandbox()], containers: [exited(1)] },
    }),
    steps: ["start-container web 1"],
  },
  {
    name: "ended badly, Never: finished",
    given: input({
      spec: { restartPolicy: "Never" },
      runtime: { sandboxes: [sandbox({ state: "notready" })], containers: [exited(1)] },
    }),
    steps: [],
    finished: true,
  },
  {
    name: "one of two ended, Never: the other goes on",
    given: input({
      spec: { ...two, restartPolicy: "Never" },
      runtime: {
        sandboxes: [sandbox()],
        containers: [exited(0, { id: "a0", name: "a" }), container({ id: "b0", name: "b" })],
      },
    }),
    steps: [],
  },
  {
    name: "sandbox gone: a new one, before it what still runs is stopped",
    given: input({
      runtime: { sandboxes: [sandbox({ state: "notready" })], containers: [container()] },
    }),
    steps: ["stop-container web", "create-sandbox 1"],
  },
  {
    name: "sandbox gone, Never and the container was begun: finished, nothing is begun again",
    given: input({
      spec: { restartPolicy: "Never" },
      runtime: { sandboxes: [sandbox({ state: "notready" })], containers: [exited(137)] },
    }),
    steps: [],
    finished: true,
  },
  {
    name: "sandbox gone, Never and nothing was begun: a new one",
    given: input({
      spec: { restartPolicy: "Never" },
      runtime: { sandboxes: [sandbox({ state: "notready" })], containers: [] },
    }),
    steps: ["create-sandbox 1"],
  },
  {
    name: "two ready sandboxes: both go",
    given: input({ runtime: { sandboxes: [sandbox({ id: "s1", attempt: 1 }), sandbox()], containers: [] } }),
    steps: ["stop-sandbox s1 + stop-sandbox s0", "create-sandbox 2"],
  },
  {
    name: "new sandbox: the next attempt of a container of the old one",
    given: input({
      runtime: {
        sandboxes: [sandbox({ id: "s1", attempt: 1 }), sandbox({ state: "notready" })],
        containers: [exited(255)],
      },
    }),
    steps: ["start-container web 1"],
  },
  {
    name: "new sandbox, OnFailure: one that ended well before is not begun again",
    given: input({
      spec: { ...two, restartPolicy: "OnFailure" },
      runtime: {
        sandboxes: [sandbox({ id: "s1", attempt: 1 }), sandbox({ state: "notready" })],
        containers: [exited(0, { name: "a" }), exited(1, { name: "b", id: "b0" })],
      },
    }),
    steps: ["start-container b 1"],
  },
  { name: "the first init container", given: input({ spec: withInit }), steps: ["start-container i1 0"] },
  {
    name: "an init container runs: wait",
    given: input({
      spec: withInit,
      runtime: { sandboxes: [sandbox()], containers: [container({ name: "i1" })] },
    }),
    steps: [],
  },
  {
    name: "an init container ended well: the next",
    given: input({
      spec: withInit,
      runtime: { sandboxes: [sandbox()], containers: [exited(0, { name: "i1" })] },
    }),
    steps: ["start-container i2 0"],
  },
  {
    name: "an init container failed: again",
    given: input({
      spec: withInit,
      runtime: { sandboxes: [sandbox()], containers: [exited(3, { name: "i1" })] },
    }),
    steps: ["start-container i1 1"],
  },
  {
    name: "an init container failed, Never: finished",
    given: input({
      spec: { ...withInit, restartPolicy: "Never" },
      runtime: { sandboxes: [sandbox()], containers: [exited(3, { name: "i1" })] },
    }),
    steps: ["stop-sandbox s0"],
  },
  {
    name: "all init containers ended well: the containers",
    given: input({
      spec: withInit,
      runtime: {
        sandboxes: [sandbox()],
        containers: [exited(0, { name: "i2", id: "i2" }), exited(0, { name: "i1", id: "i1" })],
      },
    }),
    steps: ["start-container web 0"],
  },
  {
    name: "init containers removed since: not run again beside what runs",
    given: input({ spec: withInit, runtime: { sandboxes: [sandbox()], containers: [container()] } }),
    steps: [],
  },
  {
    name: "new sandbox: init containers from the beginning",
    given: input({
      spec: withInit,
      runtime: {
        sandboxes: [sandbox({ id: "s1", attempt: 1 }), sandbox({ state: "notready" })],
        containers: [exited(0, { name: "i1", id: "i1" }), exited(0, { name: "i2", id: "i2" }), exited(255)],
      },
    }),
    steps: ["start-container i1 1"],
  },
  { name: "a sidecar first", given: input({ spec: withSidecar }), steps: ["start-container s 0"] },
  {
    name: "a sidecar that is not started yet: wait",
    given: input({
      spec: withSidecar,
      runtime: { sandboxes: [sandbox()], containers: [container({ name: "s" })] },
      health: { started: () => false, unhealthy: () => undefined },
    }),
    steps: [],
  },
  {
    name: "a started sidecar: the next init container",
    given: input({
      spec: withSidecar,
      runtime: { sandboxes: [sandbox()], containers: [container({ name: "s" })] },
    }),
    steps: ["start-container i 0"],
  },
  {
    name: "a sidecar that ended beside running containers: again",
    given: input({
      spec: withSidecar,
      runtime: { sandboxes: [sandbox()], containers: [container(), exited(1, { name: "s", id: "s" })] },
    }),
    steps: ["start-container s 1"],
  },
  {
    name: "all containers ended, Never: the sidecar is stopped",
    given: input({
      spec: { ...withSidecar, restartPolicy: "Never" },
      runtime: {
        sandboxes: [sandbox()],
        containers: [exited(0), container({ name: "s", id: "s" }), exited(0, { name: "i", id: "i" })],
      },
    }),
    steps: ["stop-container s", "stop-sandbox s0"],
  },
  {
    name: "unhealthy: stopped, not started before it ended",
    given: input({
      runtime: { sandboxes: [sandbox()], containers: [container()] },
      health: { started: () => true, unhealthy: () => ({ reason: "liveness" }) },
    }),
    steps: ["stop-container web"],
  },
  {
    name: "made but never started: removed and made again",
    given: input({ runtime: { sandboxes: [sandbox()], containers: [container({ state: "created" })] } }),
    steps: ["remove-container c0", "start-container web 1"],
  },
  {
    name: "more ended containers than the last of each name: removed, an empty old sandbox too",
    given: input({
      runtime: {
        sandboxes: [sandbox({ id: "s1", attempt: 1 }), sandbox({ state: "notready" })],
        containers: [
          container({ id: "c2", attempt: 2, sandboxId: "s1" }),
          exited(1, { id: "c1", attempt: 1, sandboxId: "s1" }),
          exited(1),
        ],
      },
    }),
    steps: ["remove-container c0 + remove-sandbox s0"],
  },
  {
    name: "nothing left of a container the API has seen run: counted as a restart",
    given: input({
      pod: testPod({
        status: { containerStatuses: [{ name: "web", containerID: "docker://x", restartCount: 4 }] },
      }),
    }),
    steps: ["start-container web 5"],
  },
];

Deno.test("planPod() plans what is to be done", async (t) => {
  for (const { name, given, steps, finished = false } of TABLE) {
    await t.step(name, () => {
      const plan = planPod(given);
      assert.deepEqual(print(plan.stages), steps);
      assert.equal(plan.finished, finished);
    });
  }
});

Deno.test("planPod() waits in crash backoff and says so as the kubelet does", () => {
  const key = backoffKey(testPod().spec.containers[0]!);
  const backoffs = new Map<string, Backoff>([[key, { delayMs: 20_000, updatedAt: NOW - 30_000 }]]);
  const runtime = { sandboxes: [sandbox()], containers: [exited(1)] };
  const plan = planPod(input({ backoffs, runtime }));
  assert.deepEqual(plan.stages, []);
  assert.deepEqual(plan.waiting.get("web"), {
    reason: "CrashLoopBackOff",
    message: "back-off 20s restarting failed container=web pod=web_default(u1)",
  });
  assert.equal(plan.wakeAt, NOW - 1000 + 20_000);
  assert.deepEqual(print(planPod(input({ backoffs, runtime, now: NOW + 19_000 })).stages), [
    "start-container web 1",
  ]);
});

Deno.test("planPod() leaves a container alone while it is held, and changes what it says of it", () => {
  const holds = new Map([["web", {
    untilMs: NOW + 10_000,
    waiting: { reason: "ErrImagePull" },
    later: { atMs: NOW + 5000, waiting: { reason: "ImagePullBackOff" } },
  }]]);
  const first = planPod(input({ holds }));
  assert.deepEqual([first.stages.length, first.waiting.get("web")?.reason, first.wakeAt], [
    0,
    "ErrImagePull",
    NOW + 5000,
  ]);
  const then = planPod(input({ holds, now: NOW + 5000 }));
  assert.deepEqual([then.waiting.get("web")?.reason, then.wakeAt], ["ImagePullBackOff", NOW + 10_000]);
  assert.deepEqual(print(planPod(input({ holds, now: NOW + 10_000 })).stages), ["start-container web 0"]);
});

Deno.test("planEnd() stops containers together, then sidecars in reverse order, then the sandbox", () => {
  const pod = testPod({
    spec: {
      ...two,
      initContainers: ["s1", "s2"].map((name) => ({ name, image: "busybox:1", restartPolicy: "Always" })),
    },
  });
  const containers = ["a", "b", "s1", "s2"].map((name) => container({ name, id: name }));
  const { stages, finished } = planEnd(pod, { sandboxes: [sandbox()], containers }, 7);
  assert.deepEqual(print(stages), [
    "stop-container a + stop-container b",
    "stop-container s2",
    "stop-container s1",
    "stop-sandbox s0",
  ]);
  assert.equal(finished, false);
  const step = stages[0]![0]!;
  assert.equal(step.do === "stop-container" && step.graceSeconds, 7);
});

Deno.test("planRemoval() removes containers before sandboxes", () => {
  assert.deepEqual(
    print(planRemoval({ sandboxes: [sandbox()], containers: [exited(0)] })),
    ["remove-container c0", "remove-sandbox s0"],
  );
});
