import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { MemoryRuntime } from "./runtime/memory_runtime.ts";
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
