import assert from "node:assert/strict";
import type { PodStatus } from "../../common/api/core_v1.ts";
import { type CheckedPod, parsePod } from "./parse_pod.ts";
import { podStatus, type PodStatusInput } from "./pod_status.ts";
import type { ContainerRuntimeStatus, PodSandboxStatus } from "./runtime/types.ts";
import { podStatusPatch } from "./status_sender.ts";
import { testPod } from "./testing.ts";

const at = (text: string) => Date.parse(text);
const identity = { namespace: "default", name: "web", uid: "u1" };

const sandbox = (change: Partial<PodSandboxStatus> = {}): PodSandboxStatus => ({
  id: "s0",
  pod: identity,
  attempt: 0,
  state: "ready",
  createdAt: 0,
  labels: {},
  annotations: {},
  ips: ["10.88.0.86"],
  ...change,
});
const container = (change: Partial<ContainerRuntimeStatus> = {}): ContainerRuntimeStatus => ({
  id: "466da52e027b6c93b58d1f9ef8a73f1c7acef5bcb89466a666530a36d8daa02c",
  sandboxId: "s0",
  pod: identity,
  name: "web",
  attempt: 0,
  state: "running",
  image: "docker.io/local/busybox:1",
  imageId: "sha256:0f7a01a9c9c4d7c8ef0bf9d171bb0a6783fc82ea7e144bad240160bae635f740",
  createdAt: at("2026-11-20T15:27:34Z"),
  startedAt: at("2026-11-20T15:27:34Z"),
  labels: {},
  annotations: {},
  ...change,
});
const exited = (exitCode: number, change: Partial<ContainerRuntimeStatus> = {}) =>
  container({ state: "exited", exitCode, finishedAt: at("2026-11-20T15:30:14Z"), ...change });

const input = (pod: CheckedPod, change: Partial<PodStatusInput> = {}): PodStatusInput => ({
  pod,
  runtime: { sandboxes: [], containers: [] },
  previous: pod.status ?? {},
  waiting: new Map(),
  health: { started: () => true, ready: () => true },
  messages: new Map(),
  hostIPs: ["192.0.2.2"],
  runtimeName: "containerd",
  now: at("2026-11-20T15:27:33Z"),
  ...change,
});

/** The recorded frames of a resource in one direction. */
async function recorded(operation: string, resource: string): Promise<unknown[]> {
  const url = new URL("../../tests/testdata/upstream/v1.23.1/session.jsonl", import.meta.url);
  const frames = (await Deno.readTextFile(url)).trim().split("\n").map((line) => JSON.parse(line).json);
  return frames.filter((frame) => frame?.route?.operation === operation && frame.route.resource === resource)
    .map((frame) => frame.content);
}

Deno.test("podStatusPatch() writes the very texts that upstream sent for the same life of a pod", async (t) => {
  const [first] = await recorded("update", "default/pod/web-7bdbcccf4b-tpnls");
  const patches = await recorded("patch", "default/podpatch/web-7bdbcccf4b-tpnls") as string[];
  const reading = parsePod(first);
  assert.ok(reading.type === "pod");
  const { pod } = reading;
  const running = { sandboxes: [sandbox()], containers: [container()] };
  const unready = { started: () => true, ready: () => false };
  const lives: Array<{ name: string; change: Partial<PodStatusInput> }> = [
    { name: "accepted", change: {} },
    {
      name: "running, not ready",
      change: { runtime: running, health: unready, now: at("2026-11-20T15:27:34Z") },
    },
    { name: "ready", change: { runtime: running, now: at("2026-11-20T15:27:36Z") } },
    {
      name: "not ready again",
      change: { runtime: running, health: unready, now: at("2026-11-20T15:27:36Z") },
    },
    { name: "ready again", change: { runtime: running, now: at("2026-11-20T15:27:37Z") } },
    {
      name: "deleted",
      change: {
        runtime: { sandboxes: [sandbox({ state: "notready", ips: [] })], containers: [exited(137)] },
        ended: {},
        now: at("2026-11-20T15:30:14Z"),
      },
    },
  ];
  assert.equal(patches.length, lives.length);
  let previous: PodStatus = pod.status!;
  for (const [i, { name, change }] of lives.entries()) {
    await t.step(name, () => {
      const status = podStatus(input(pod, { ...change, previous }));
      assert.equal(JSON.stringify(podStatusPatch(pod.metadata.uid, previous, status)), patches[i]);
      previous = status;
    });
  }
});

Deno.test("podStatusPatch() has nothing to send when nothing changed", () => {
  const pod = testPod();
  const status = podStatus(input(pod));
  const again = podStatus(input(pod, { previous: status, now: at("2027-01-01T00:00:00Z") }));
  assert.equal(podStatusPatch("u1", status, again), undefined);
});

Deno.test("podStatusPatch() replaces an address by taking the old one out", () => {
  const pod = testPod();
  const runtime = (ip: string) => ({ sandboxes: [sandbox({ ips: [ip] })], containers: [container()] });
  const before = podStatus(input(pod, { runtime: runtime("10.0.0.1") }));
  const after = podStatus(input(pod, { runtime: runtime("10.0.0.2"), previous: before }));
  assert.deepEqual(podStatusPatch("u1", before, after)!.status, {
    "$setElementOrder/podIPs": [{ ip: "10.0.0.2" }],
    podIP: "10.0.0.2",
    podIPs: [{ ip: "10.0.0.2" }, { $patch: "delete", ip: "10.0.0.1" }],
  });
});

const inits = { initContainers: [{ name: "i", image: "busybox:1" }] };
const crash = new Map([["web", { reason: "CrashLoopBackOff", message: "back-off" }]]);
const up = [sandbox()];

const PHASES: Array<
  { name: string; spec?: Record<string, unknown>; change: Partial<PodStatusInput>; phase: string }
> = [
  { name: "nothing there", change: {}, phase: "Pending" },
  { name: "running", change: { runtime: { sandboxes: up, containers: [container()] } }, phase: "Running" },
  {
    name: "ended, Always",
    change: { runtime: { sandboxes: up, containers: [exited(0)] } },
    phase: "Running",
  },
  {
    name: "crash loop",
    change: { runtime: { sandboxes: up, containers: [exited(1)] }, waiting: crash },
    phase: "Running",
  },
  {
    name: "ended well, OnFailure",
    spec: { restartPolicy: "OnFailure" },
    change: { runtime: { sandboxes: [], containers: [exited(0)] } },
    phase: "Succeeded",
  },
  {
    name: "ended badly, OnFailure",
    spec: { restartPolicy: "OnFailure" },
    change: { runtime: { sandboxes: up, containers: [exited(1)] } },
    phase: "Running",
  },
  {
    name: "ended badly, Never",
    spec: { restartPolicy: "Never" },
    change: { runtime: { sandboxes: [], containers: [exited(1)] }, ended: {} },
    phase: "Failed",
  },
  {
    name: "ended well, Never",
    spec: { restartPolicy: "Never" },
    change: { runtime: { sandboxes: [], containers: [exited(0)] }, ended: {} },
    phase: "Succeeded",
  },
  {
    name: "init runs",
    spec: inits,
    change: { runtime: { sandboxes: up, containers: [container({ name: "i" })] } },
    phase: "Pending",
  },
  {
    name: "init failed, Never",
    spec: { ...inits, restartPolicy: "Never" },
    change: { runtime: { sandboxes: [], containers: [exited(1, { name: "i" })] }, ended: {} },
    phase: "Failed",
  },
  {
    name: "deadline",
    change: {
      runtime: { sandboxes: [], containers: [exited(0)] },
      ended: { reason: "DeadlineExceeded", failed: true },
    },
    phase: "Failed",
  },
  { name: "deleted before anything ran", change: { ended: {} }, phase: "Failed" },
];

Deno.test("podStatus() decides on the phase", async (t) => {
  for (const { name, spec, change, phase } of PHASES) {
    await t.step(
      name,
      () => assert.equal(podStatus(input(testPod({ spec: spec ?? {} }), change)).phase, phase),
    );
  }
});

Deno.test("podStatus() shows a crash loop as waiting, with the end before it", () => {
  const runtime = {
    sandboxes: up,
    containers: [exited(3, { id: "c2", attempt: 2 }), exited(1, { id: "c1", attempt: 1 })],
  };
  const [status] = podStatus(input(testPod(), { runtime, waiting: crash })).containerStatuses!;
  assert.equal(status!.restartCount, 2);
  assert.equal(status!.state!.waiting!.reason, "CrashLoopBackOff");
  assert.equal(status!.lastState!.terminated!.exitCode, 3);
  assert.equal(status!.containerID, "containerd://c2");
});

Deno.test("podStatus() shows the end before as lastState of what runs again", () => {
  const runtime = {
    sandboxes: up,
    containers: [container({ id: "c2", attempt: 1 }), exited(3, { id: "c1" })],
  };
  const messages = new Map([["c1", "out of luck"]]);
  const [status] = podStatus(input(testPod(), { runtime, messages })).containerStatuses!;
  assert.ok(status!.state!.running);
  assert.equal(status!.lastState!.terminated!.message, "out of luck");
  assert.equal(status!.lastState!.terminated!.reason, "Error");
});

Deno.test("podStatus() keeps conditions of others and the times of those that did not change", () => {
  const scheduled = { type: "PodScheduled", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" };
  const gate = { type: "example.com/gate", status: "False", lastTransitionTime: "2026-01-01T00:00:00Z" };
  const pod = testPod({
    spec: { readinessGates: [{ conditionType: "example.com/gate" }] },
    status: { conditions: [scheduled, gate] },
  });
  const runtime = { sandboxes: up, containers: [container()] };
  const first = podStatus(input(pod, { runtime }));
  const later = podStatus(input(pod, { runtime, previous: first, now: at("2027-01-01T00:00:00Z") }));
  assert.deepEqual(later.conditions, first.conditions);
  assert.deepEqual(first.conditions!.map(({ type, status }) => `${type} ${status}`), [
    "PodReadyToStartContainers True",
    "Initialized True",
    "Ready False",
    "ContainersReady True",
    "PodScheduled True",
    "example.com/gate False",
  ]);
  assert.equal(first.conditions![2]!.reason, "ReadinessGatesNotReady");
});

Deno.test("podStatus() says of a pod that succeeded why it is initialized, whether it has init containers or not", () => {
  for (const spec of [{}, inits]) {
    const pod = testPod({ spec: { ...spec, restartPolicy: "Never" } });
    const containers = [
      exited(0),
      ...pod.spec.initContainers === undefined ? [] : [exited(0, { name: "i" })],
    ];
    const status = podStatus(input(pod, { runtime: { sandboxes: up, containers }, ended: {} }));
    const initialized = status.conditions!.find(({ type }) => type === "Initialized")!;
    assert.deepEqual([initialized.status, initialized.reason], ["True", "PodCompleted"]);
  }
});

Deno.test("podStatus() names the init containers that are not done", () => {
  const pod = testPod({ spec: inits });
  const status = podStatus(input(pod, { runtime: { sandboxes: up, containers: [] } }));
  const initialized = status.conditions!.find(({ type }) => type === "Initialized")!;
  assert.deepEqual([initialized.status, initialized.reason, initialized.message], [
    "False",
    "ContainersNotInitialized",
    "containers with incomplete status: [i]",
  ]);
  assert.equal(status.containerStatuses![0]!.state!.waiting!.reason, "PodInitializing");
});
