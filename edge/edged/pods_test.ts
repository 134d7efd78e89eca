import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { MemoryRuntime } from "./runtime/memory_runtime.ts";
import { RuntimeError } from "./runtime/types.ts";
import { MemoryKubeApi, MemoryVolumes, podsOn, testBench, testPod } from "./testing.ts";

Deno.test("Pods runs a pod, reports it Running and removes it when it is deleted", async () => {
  await using bench = testBench();
  const { pods, api, runtime, settle, status, volumes } = bench;
  await pods.load();
  pods.onEvent({ type: "pod", pod: testPod() });
  await settle();
  assert.equal(status()?.phase, "Running");
  const container = status()!.containerStatuses![0]!;
  assert.match(container.containerID!, /^memory:\/\/[0-9a-f]+$/);
  assert.equal(container.ready, true);
  assert.equal(status()!.conditions!.find((c) => c.type === "Ready")!.status, "True");
  assert.match(status()!.podIP!, /^10\.88\./);
  assert.deepEqual([...volumes.present], ["u1"]);

  pods.onEvent({
    type: "pod",
    pod: testPod({
      metadata: {
        resourceVersion: "5",
        deletionTimestamp: "2026-01-01T00:00:02Z",
        deletionGracePeriodSeconds: 2,
      },
    }),
  });
  await settle();
  assert.equal(status()?.phase, "Failed");
  assert.deepEqual(api.deletedPods, ["u1"]);
  assert.deepEqual(await runtime.listContainers(), []);
  assert.deepEqual(await runtime.listPodSandboxes(), []);
  assert.deepEqual([...volumes.present], []);

  pods.onEvent({ type: "pod-removed", namespace: "default", name: "web", uid: "u1" });
  await settle();
  assert.equal(pods.known.length, 0);
});

Deno.test("Pods adopts what runs after a restart and leaves it untouched", async () => {
  const clock = new FakeClock();
  using runtime = new MemoryRuntime({ clock, images: [{ reference: "busybox:1" }, { reference: "pause" }] });
  const first = podsOn(runtime, clock, new MemoryKubeApi(), new MemoryVolumes());
  await first.pods.load();
  first.pods.onEvent({ type: "pod", pod: testPod() });
  await first.settle();
  await first.stop();
  const before = await runtime.listContainers();
  assert.equal(before[0]!.state, "running");

  const api = new MemoryKubeApi();
  api.connected = false;
  api.pods = [{ type: "pod", pod: testPod() }];
  const second = podsOn(runtime, clock, api, new MemoryVolumes());
  runtime.calls.length = 0;
  await second.pods.load();
  await second.settle();
  assert.deepEqual(await runtime.listContainers(), before);
  assert.deepEqual(runtime.calls.filter((call) => /^(run|create|start|stop|remove)/.test(call)), []);
  assert.equal(second.pods.known[0]!.status!.phase, "Running");
  await second.stop();
});

const waitingOf = (status: ReturnType<ReturnType<typeof testBench>["status"]>) =>
  status?.containerStatuses?.[0]?.state?.waiting;

Deno.test("Pods starts a container that ended at once the first time, then in crash backoff", async () => {
  await using bench = testBench({ program: () => ({ runsForMs: 100, exitCode: 1 }) });
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  await bench.advance(100);
  const attempts = async () => Math.max(...(await bench.runtime.listContainers()).map((c) => c.attempt));
  assert.equal(await attempts(), 1);
  await bench.advance(100);
  assert.equal(waitingOf(bench.status())?.reason, "CrashLoopBackOff");
  assert.equal(await attempts(), 1);
  await bench.advance(9_000);
  assert.equal(await attempts(), 1);
  await bench.advance(1_000);
  assert.equal(await attempts(), 2);
  await bench.advance(15_000);
  assert.equal(await attempts(), 2);
  await bench.advance(6_000);
  assert.equal(await attempts(), 3);
  assert.equal(bench.status()!.containerStatuses![0]!.restartCount, 3);
  // One ended container of each name is kept beside the newest.
  assert.ok((await bench.runtime.listContainers()).length <= 2);
});

Deno.test("Pods keeps a crashed container waiting no longer when the clock is set back", async (t) => {
  const restarted = async (setBackMs: number, after: "the crash" | "a wait began") => {
    await using bench = testBench({ program: () => ({ runsForMs: 100, exitCode: 1 }) });
    const attempts = async () => Math.max(...(await bench.runtime.listContainers()).map((c) => c.attempt));
    await bench.pods.load();
    bench.pods.onEvent({ type: "pod", pod: testPod() });
    await bench.settle();
    await bench.advance(200);
    assert.equal(await attempts(), 1);
    if (after === "a wait began") await bench.advance(5_000);
    bench.clock.set(bench.clock.now() - setBackMs);
    await bench.advance(11_000);
    return await attempts();
  };
  for (const ms of [3_600_000, 60_000]) {
    for (const after of ["the crash", "a wait began"] as const) {
      await t.step(`by ${ms / 1000} s after ${after}`, async () => {
        const attempts = await restarted(ms, after);
        assert.ok(attempts === 2 || attempts === 3, `${attempts} attempts`);
      });
    }
  }
});

Deno.test("Pods goes on probing when the clock is set back", async () => {
  let probes = 0;
  await using bench = testBench({
    runHandler: () => {
      probes++;
      return Promise.resolve({ ok: true, output: "" });
    },
  });
  await bench.pods.load();
  const probe = { exec: { command: ["true"] }, periodSeconds: 5 };
  bench.pods.onEvent({
    type: "pod",
    pod: testPod({ spec: { containers: [{ name: "web", image: "busybox:1", livenessProbe: probe }] } }),
  });
  await bench.settle();
  await bench.advance(12_000);
  const before = probes;
  bench.clock.set(bench.clock.now() - 3_600_000);
  await bench.advance(20_000);
  assert.equal(probes - before, 4);
});

Deno.test("Pods names a ConfigMap that is missing and starts as soon as it comes", async () => {
  await using bench = testBench();
  bench.env.missing = 'configmap "settings" not found';
  await bench.pods.load();
  const spec = {
    containers: [{ name: "web", image: "busybox:1", envFrom: [{ configMapRef: { name: "settings" } }] }],
  };
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec }) });
  await bench.settle();
  assert.deepEqual(waitingOf(bench.status()), {
    reason: "CreateContainerConfigError",
    message: 'configmap "settings" not found',
  });
  await bench.advance(15_000);
  assert.ok(bench.events.filter((event) => event.includes("settings")).length > 1, "it is tried again");
  assert.deepEqual(bench.warnings, ["Container not started"]);
  bench.env.missing = undefined;
  bench.pods.onEvent({ type: "configmap", namespace: "default", name: "settings" });
  await bench.settle();
  assert.equal(bench.status()?.phase, "Running");
});

Deno.test("Pods waits for volumes as ContainerCreating and says what is missing", async () => {
  await using bench = testBench();
  bench.volumes.missing = 'MountVolume.SetUp failed for volume "www" : configmap "site" not found';
  await bench.pods.load();
  const spec = { volumes: [{ name: "www", configMap: { name: "site" } }] };
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec }) });
  await bench.settle();
  assert.equal(waitingOf(bench.status())?.reason, "ContainerCreating");
  assert.match(waitingOf(bench.status())!.message!, /FailedMount: .*configmap "site" not found/);
  bench.volumes.missing = undefined;
  bench.pods.onEvent({ type: "configmap", namespace: "default", name: "site" });
  await bench.settle();
  assert.equal(bench.status()?.phase, "Running");
});

Deno.test("Pods writes volumes again when their ConfigMap changes, and only then", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({
    type: "pod",
    pod: testPod({ spec: { volumes: [{ name: "www", configMap: { name: "site" } }] } }),
  });
  await bench.settle();
  assert.deepEqual(bench.volumes.refreshed, []);
  bench.pods.onEvent({ type: "configmap", namespace: "default", name: "other" });
  await bench.settle();
  assert.deepEqual(bench.volumes.refreshed, []);
  bench.pods.onEvent({ type: "configmap", namespace: "default", name: "site" });
  await bench.settle();
  assert.deepEqual(bench.volumes.refreshed, ["u1"]);
});

Deno.test("Pods writes volumes again for a change that comes while they are being written", async () => {
  await using bench = testBench();
  const { volumes, pods, settle } = bench;
  const change = { type: "configmap", namespace: "default", name: "site" } as const;
  const during = async (act: () => void) => {
    const gate = Promise.withResolvers<void>();
    volumes.gate = gate.promise;
    act();
    // Pods that wait for the gate are not at rest.
    for (let i = 0; i < 20; i++) await bench.clock.advance(0);
    pods.onEvent(change);
    gate.resolve();
    await settle();
  };
  await pods.load();
  const spec = { volumes: [{ name: "www", configMap: { name: "site" } }] };
  await during(() => pods.onEvent({ type: "pod", pod: testPod({ spec }) }));
  assert.equal(bench.status()?.phase, "Running");
  assert.deepEqual(volumes.refreshed, ["u1"], "while they were set up");
  await during(() => pods.onEvent(change));
  assert.deepEqual(volumes.refreshed, ["u1", "u1", "u1"], "while they were written again");
});

Deno.test("Pods warns once that volumes cannot be written again, and goes on trying", async () => {
  await using bench = testBench();
  await bench.pods.load();
  const spec = { volumes: [{ name: "key", secret: { secretName: "key" } }] };
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec }) });
  await bench.settle();
  const change = { type: "secret", namespace: "default", name: "key" } as const;
  const warned = () => bench.warnings.filter((message) => message === "Volumes not refreshed").length;
  bench.volumes.missing = 'secret "key" not found';
  bench.pods.onEvent(change);
  await bench.settle();
  await bench.advance(300_000);
  assert.ok(bench.volumes.refreshed.length > 4);
  assert.equal(warned(), 1);
  bench.volumes.missing = undefined;
  bench.pods.onEvent(change);
  await bench.settle();
  bench.volumes.missing = 'secret "key" not found';
  bench.pods.onEvent(change);
  await bench.settle();
  assert.equal(warned(), 2);
});

Deno.test("Pods tells what is wrong with an image, and goes on when it is there", async (t) => {
  const cases = [
    { name: "not to be pulled", image: "busybox:9", policy: "IfNotPresent", reason: "ErrImagePull" },
    { name: "never", image: "busybox:9", policy: "Never", reason: "ErrImageNeverPull" },
    { name: "no name", image: "--privileged", policy: "IfNotPresent", reason: "InvalidImageName" },
    { name: "path", image: "../../etc/passwd", policy: "IfNotPresent", reason: "InvalidImageName" },
    { name: "absent", image: "", policy: "IfNotPresent", reason: "InvalidImageName" },
  ];
  for (const { name, image, policy, reason } of cases) {
    await t.step(name, async () => {
      await using bench = testBench();
      await bench.pods.load();
      const containers = [{ name: "web", image, imagePullPolicy: policy }];
      bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { containers } }) });
      await bench.settle();
      assert.equal(waitingOf(bench.status())?.reason, reason);
      assert.equal(bench.pods.known[0]!.status!.phase, "Pending");
      assert.ok(!bench.runtime.calls.some((call) => call.startsWith("createContainer")));
    });
  }
  await t.step("backs off between pulls", async () => {
    await using bench = testBench();
    await bench.pods.load();
    bench.pods.onEvent({
      type: "pod",
      pod: testPod({ spec: { containers: [{ name: "web", image: "busybox:9" }] } }),
    });
    await bench.settle();
    await bench.advance(5_000);
    assert.equal(waitingOf(bench.status())?.reason, "ImagePullBackOff");
    bench.runtime.addImage({ reference: "busybox:9" });
    await bench.advance(5_000);
    assert.equal(bench.status()?.phase, "Running");
  });
});

Deno.test("Pods takes a start that failed back and tries again later", async () => {
  let broken = true;
  await using bench = testBench({ program: () => broken ? { startError: "exec: not found" } : {} });
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  assert.equal(waitingOf(bench.status())?.reason, "RunContainerError");
  assert.match(waitingOf(bench.status())!.message!, /exec: not found/);
  broken = false;
  await bench.advance(10_000);
  assert.equal(bench.status()?.phase, "Running");
});

Deno.test("Pods replaces a container whose image changed, without backoff", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  const spec = { containers: [{ name: "web", image: "busybox:2" }] };
  bench.pods.onEvent({ type: "pod", pod: testPod({ metadata: { resourceVersion: "2" }, spec }) });
  await bench.settle();
  const running = (await bench.runtime.listContainers()).filter((c) => c.state === "running");
  assert.deepEqual(running.map((c) => [c.image, c.attempt]), [["busybox:2", 1]]);
});

Deno.test("Pods does not go back to an older version of a pod", async () => {
  await using bench = testBench();
  await bench.pods.load();
  const spec = { containers: [{ name: "web", image: "busybox:2" }] };
  bench.pods.onEvent({ type: "pod", pod: testPod({ metadata: { resourceVersion: "10" }, spec }) });
  bench.pods.onEvent({ type: "pod", pod: testPod({ metadata: { resourceVersion: "9" } }) });
  await bench.settle();
  assert.deepEqual((await bench.runtime.listContainers()).map((c) => c.image), ["busybox:2"]);
});

Deno.test("Pods lets a completed pod be and keeps its containers for their logs", async () => {
  await using bench = testBench({ program: () => ({ runsForMs: 100, exitCode: 0 }) });
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { restartPolicy: "Never" } }) });
  await bench.settle();
  await bench.advance(100);
  assert.equal(bench.status()?.phase, "Succeeded");
  const [sandbox] = await bench.runtime.listPodSandboxes();
  assert.equal(sandbox!.state, "notready");
  assert.equal((await bench.runtime.listContainers()).length, 1);
  await bench.advance(600_000);
  assert.equal((await bench.runtime.listContainers()).length, 1);
});

Deno.test("Pods never runs again what the API says has ended", async () => {
  await using bench = testBench();
  bench.api.pods = [{
    type: "pod",
    pod: testPod({ spec: { restartPolicy: "Never" }, status: { phase: "Succeeded" } }),
  }];
  await bench.pods.load();
  await bench.settle();
  assert.deepEqual(await bench.runtime.listPodSandboxes(), []);
  assert.deepEqual(bench.api.podPatches, []);
});

Deno.test("Pods ends a pod that was active for too long", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { activeDeadlineSeconds: 30 } }) });
  await bench.settle();
  assert.equal(bench.status()?.phase, "Running");
  await bench.advance(31_000);
  assert.deepEqual([bench.status()?.phase, bench.status()?.reason], ["Failed", "DeadlineExceeded"]);
  assert.ok((await bench.runtime.listContainers()).every((c) => c.state === "exited"));
});

Deno.test("Pods brings everything back after the machine was cut off", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  bench.runtime.reboot();
  await bench.settle();
  const ready = (await bench.runtime.listPodSandboxes()).filter((s) => s.state === "ready");
  assert.deepEqual(ready.map((s) => s.attempt), [1]);
  assert.equal(bench.status()?.phase, "Running");
  assert.equal(bench.status()!.containerStatuses![0]!.restartCount, 1);
});

Deno.test("Pods gives a container its grace period, and the shorter one when two are given", async () => {
  await using bench = testBench({ program: () => ({ onTerm: "ignore" }) });
  await bench.pods.load();
  const spec = { terminationGracePeriodSeconds: 60 };
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec }) });
  await bench.settle();
  const deletionTimestamp = "2026-01-01T00:01:00Z";
  const metadata = { resourceVersion: "2", deletionTimestamp, deletionGracePeriodSeconds: 60 };
  bench.pods.onEvent({ type: "pod", pod: testPod({ metadata, spec }) });
  await bench.clock.advance(10_000);
  assert.equal((await bench.runtime.listContainers())[0]!.state, "running");
  bench.pods.onEvent({ type: "pod-removed", namespace: "default", name: "web", uid: "u1", graceSeconds: 0 });
  await bench.clock.advance(2_000);
  await bench.settle();
  assert.deepEqual(await bench.runtime.listPodSandboxes(), []);
  assert.equal(bench.pods.known.length, 0);
  assert.deepEqual(bench.api.deletedPods, []);
});

Deno.test("Pods keeps what a deleted pod left until the API knows how it ended", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  bench.api.connected = false;
  const metadata = {
    resourceVersion: "2",
    deletionTimestamp: "2026-01-01T00:00:02Z",
    deletionGracePeriodSeconds: 2,
  };
  bench.pods.onEvent({ type: "pod", pod: testPod({ metadata }) });
  await bench.settle();
  await bench.advance(60_000);
  assert.equal((await bench.runtime.listContainers()).length, 1);
  bench.api.connected = true;
  bench.statuses.retryNow();
  await bench.settle();
  assert.deepEqual(await bench.runtime.listContainers(), []);
  assert.deepEqual(bench.api.deletedPods, ["u1"]);
});

Deno.test("Pods leaves stray volumes alone while the engine does not answer, or they cannot be removed", async () => {
  await using bench = testBench();
  bench.volumes.present.add("u9");
  bench.runtime.stopEngine();
  bench.engine.lost(new Error("down"));
  await bench.pods.load();
  await bench.pods.removeStrayVolumes();
  assert.deepEqual([...bench.volumes.present], ["u9"]);
  bench.runtime.startEngine();
  await bench.advance(10_000);
  bench.volumes.tearDown = () => Promise.reject(new Error("busy"));
  await bench.pods.removeStrayVolumes();
  assert.deepEqual([...bench.volumes.present], ["u9"]);
});

Deno.test("Pods takes a pod of the same name for another one", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  bench.pods.onEvent({ type: "pod", pod: testPod({ metadata: { uid: "u2", resourceVersion: "7" } }) });
  await bench.settle();
  assert.deepEqual((await bench.runtime.listPodSandboxes()).map((s) => s.pod.uid), ["u2"]);
  bench.pods.onEvent({ type: "pod-removed", namespace: "default", name: "web", uid: "u1" });
  await bench.settle();
  assert.deepEqual((await bench.runtime.listPodSandboxes()).map((s) => s.pod.uid), ["u2"]);
});

Deno.test("Pods fails a pod that cannot be run as written and serves the others", async () => {
  await using bench = testBench();
  await bench.pods.load();
  const identity = { namespace: "default", name: "evil", uid: "u9" };
  bench.pods.onEvent({ type: "pod-invalid", identity, message: "spec.containers is not a list" });
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  assert.deepEqual([bench.status("u9")?.phase, bench.status("u9")?.message], [
    "Failed",
    "spec.containers is not a list",
  ]);
  assert.equal(bench.status()?.phase, "Running");
  bench.pods.onEvent({ type: "pod-invalid", identity, message: "x", deleting: true });
  await bench.settle();
  assert.deepEqual(bench.api.deletedPods, ["u9"]);
});

Deno.test("Pods is not held up by a pod that cannot be made", async () => {
  await using bench = testBench({ images: [{ reference: "busybox:1" }, { reference: "pause" }] });
  await bench.pods.load();
  const containers = [{ name: "web", image: "missing:1" }];
  for (let i = 0; i < 20; i++) {
    const metadata = { name: `bad-${i}`, uid: `bad-${i}` };
    bench.pods.onEvent({ type: "pod", pod: testPod({ metadata, spec: { containers } }) });
  }
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  assert.equal(bench.status()?.phase, "Running");
});

Deno.test("Pods tries a sandbox again that could not be made", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.runtime.failNext("runPodSandbox", new RuntimeError("failed", "address pool is used up"));
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  assert.match(waitingOf(bench.status())!.message!, /FailedCreatePodSandBox: address pool is used up/);
  await bench.advance(1_000);
  assert.equal(bench.status()?.phase, "Running");
});

Deno.test("Pods restarts a container that fails its liveness probe", async () => {
  let alive = true;
  await using bench = testBench({
    program: () => ({ exec: () => ({ exitCode: alive ? 0 : 1, output: "" }) }),
  });
  await bench.pods.load();
  const livenessProbe = { exec: { command: ["true"] }, periodSeconds: 5, failureThreshold: 2 };
  const containers = [{ name: "web", image: "busybox:1", livenessProbe }];
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { containers } }) });
  await bench.settle();
  await bench.advance(20_000);
  assert.equal(bench.status()!.containerStatuses![0]!.restartCount, 0);
  alive = false;
  await bench.advance(5_000);
  alive = false;
  await bench.advance(5_000);
  alive = true;
  await bench.settle();
  assert.equal(bench.status()!.containerStatuses![0]!.restartCount, 1);
  assert.ok(bench.status()!.containerStatuses![0]!.state!.running);
});

Deno.test("Pods takes nothing for unhealthy while the engine cannot run its probes", async () => {
  await using bench = testBench();
  await bench.pods.load();
  const probe = { exec: { command: ["true"] }, periodSeconds: 5, failureThreshold: 2 };
  const containers = [{ name: "web", image: "busybox:1", livenessProbe: probe, readinessProbe: probe }];
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { containers } }) });
  await bench.settle();
  await bench.advance(12_000);
  assert.equal(bench.status()!.containerStatuses![0]!.ready, true);
  bench.runtime.stopEngine();
  await bench.advance(60_000);
  bench.runtime.startEngine();
  await bench.advance(20_000);
  const [status] = bench.status()!.containerStatuses!;
  assert.deepEqual([status!.restartCount, status!.ready], [0, true]);
  assert.deepEqual(bench.events.filter((event) => event.includes("Killing")), []);
  assert.ok(bench.events.some((event) => event.startsWith("Warning Unhealthy Liveness probe errored: ")));
});

Deno.test("Pods is ready when the readiness probe says so, after the startup probe", async () => {
  const says = { startup: 1, ready: 1 };
  const exec = (command: readonly string[]) => ({
    exitCode: says[command[0] as "startup" | "ready"],
    output: "",
  });
  await using bench = testBench({ program: () => ({ exec }) });
  await bench.pods.load();
  const containers = [{
    name: "web",
    image: "busybox:1",
    startupProbe: { exec: { command: ["startup"] }, periodSeconds: 1, failureThreshold: 30 },
    readinessProbe: { exec: { command: ["ready"] }, periodSeconds: 1 },
  }];
  bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { containers } }) });
  await bench.settle();
  const state = () => {
    const { started, ready } = bench.status()!.containerStatuses![0]!;
    return [started, ready];
  };
  assert.deepEqual(state(), [false, false]);
  says.startup = 0;
  await bench.advance(1_000);
  assert.deepEqual(state(), [true, false]);
  says.ready = 0;
  await bench.advance(1_000);
  assert.deepEqual(state(), [true, true]);
  says.ready = 1;
  await bench.advance(3_000);
  assert.deepEqual(state(), [true, false]);
});

Deno.test("Pods runs the preStop hook before it stops a container", async () => {
  const ran: string[] = [];
  const exec = (command: readonly string[]) => {
    ran.push(command.join(" "));
    return { exitCode: 0, output: "" };
  };
  await using bench = testBench({ program: () => ({ exec }) });
  await bench.pods.load();
  const lifecycle = {
    postStart: { exec: { command: ["hello"] } },
    preStop: { exec: { command: ["bye", "$(x)"] } },
  };
  bench.pods.onEvent({
    type: "pod",
    pod: testPod({ spec: { containers: [{ name: "web", image: "busybox:1", lifecycle }] } }),
  });
  await bench.settle();
  assert.deepEqual(ran, ["hello"]);
  bench.pods.onEvent({ type: "pod-removed", namespace: "default", name: "web" });
  await bench.settle();
  assert.deepEqual(ran, ["hello", "bye $(x)"]);
  assert.deepEqual(await bench.runtime.listContainers(), []);
});

Deno.test("Pods asks the engine for nothing while nothing happens", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  await bench.advance(2_000);
  bench.runtime.calls.length = 0;
  await bench.advance(50_000);
  assert.deepEqual(bench.runtime.calls, []);
  await bench.advance(10_000);
  assert.deepEqual(bench.runtime.calls, ["listPodSandboxes", "listContainers"]);
});

Deno.test("Pods notices at the next list what no event told", async () => {
  await using bench = testBench();
  await bench.pods.load();
  bench.pods.onEvent({ type: "pod", pod: testPod() });
  await bench.settle();
  const [container] = await bench.runtime.listContainers();
  bench.engine.lost(new Error("the stream broke"));
  bench.runtime.exit(container!.id, 9);
  await bench.advance(10_000);
  assert.equal(bench.status()!.containerStatuses![0]!.restartCount, 1);
});

Deno.test("Pods ends at once while a container is stopped and an image is pulled", async () => {
  const clock = new FakeClock();
  using runtime = new MemoryRuntime({
    clock,
    images: [{ reference: "busybox:1" }, { reference: "pause" }],
    program: () => ({ onTerm: "ignore" }),
  });
  runtime.pullImage = (_reference, _auth, { signal } = {}) =>
    new Promise((_resolve, reject) =>
      signal!.addEventListener("abort", () => reject(signal!.reason), { once: true })
    );
  const edged = podsOn(runtime, clock, new MemoryKubeApi(), new MemoryVolumes());
  await edged.pods.load();
  edged.pods.onEvent({ type: "pod", pod: testPod({ spec: { terminationGracePeriodSeconds: 600 } }) });
  await clock.advance(0);
  edged.pods.onEvent({ type: "pod-removed", namespace: "default", name: "web" });
  const containers = [{ name: "web", image: "busybox:7" }];
  edged.pods.onEvent({
    type: "pod",
    pod: testPod({ metadata: { name: "other", uid: "u2" }, spec: { containers } }),
  });
  await clock.advance(1_000);
  assert.equal((await runtime.listContainers())[0]!.state, "running");
  const before = clock.now();
  await edged.stop();
  assert.equal(clock.now(), before);
  assert.equal((await runtime.listContainers())[0]!.state, "running");
});

Deno.test("Pods breaks off a pull when the pod is deleted", async () => {
  await using bench = testBench();
  bench.runtime.pullImage = (_reference, _auth, { signal } = {}) =>
    new Promise((_resolve, reject) =>
      signal!.addEventListener("abort", () => reject(signal!.reason), { once: true })
    );
  await bench.pods.load();
  bench.pods.onEvent({
    type: "pod",
    pod: testPod({ spec: { containers: [{ name: "web", image: "busybox:7" }] } }),
  });
  await bench.clock.advance(0);
  bench.pods.onEvent({ type: "pod-removed", namespace: "default", name: "web" });
  await bench.settle();
  assert.equal(bench.pods.known.length, 0);
  assert.deepEqual(await bench.runtime.listPodSandboxes(), []);
});
