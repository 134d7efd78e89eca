import assert from "node:assert/strict";
import type { Message } from "../../common/model/mod.ts";
import { Mailbox, silentLogger } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { EventRecorder, type EventSubject } from "./events.ts";
import { testBench, testPod } from "./testing.ts";

const POD: EventSubject = {
  kind: "Pod",
  pod: { namespace: "default", name: "web", uid: "u1" },
  container: "main",
};

function start(connected = true) {
  const clock = new FakeClock();
  const box = new Mailbox<Message>("metamanager", 1024);
  const recorder = new EventRecorder({ nodeName: "edge-1", metaManager: box.send, clock, log: silentLogger });
  recorder.setConnected(connected);
  const controller = new AbortController();
  const run = recorder.run(controller.signal);
  return {
    clock,
    recorder,
    sent: async () => {
      const all: Message[] = [];
      for (let before = -1; before !== all.length;) {
        before = all.length;
        await clock.advance(0);
        while (box.length > 0) all.push((await box.receive())!);
      }
      return all;
    },
    async [Symbol.asyncDispose]() {
      controller.abort();
      await run;
    },
  };
}

type Sent = { metadata: { name: string }; count: number };

Deno.test("EventRecorder sends an event as client-go makes it, and counts on when it happens again", async () => {
  await using bench = start();
  bench.recorder.record(POD, "Normal", "Started", "Started container main");
  const [first, ...more] = await bench.sent();
  assert.deepEqual(more, []);
  const { name } = (first!.content as Sent).metadata;
  assert.match(name, /^web\.[0-9a-f]{16}$/);
  assert.deepEqual(first!.route, {
    source: "edged",
    group: "meta",
    operation: "insert",
    resource: `default/event/${name}`,
  });
  assert.deepEqual(first!.content, {
    metadata: { name, namespace: "default" },
    involvedObject: {
      kind: "Pod",
      namespace: "default",
      name: "web",
      uid: "u1",
      apiVersion: "v1",
      fieldPath: "spec.containers{main}",
    },
    reason: "Started",
    message: "Started container main",
    source: { component: "kubelet", host: "edge-1" },
    firstTimestamp: "2026-01-01T00:00:00Z",
    lastTimestamp: "2026-01-01T00:00:00Z",
    count: 1,
    type: "Normal",
    reportingComponent: "kubelet",
    reportingInstance: "edge-1",
  });
  await bench.clock.advance(5000);
  bench.recorder.record(POD, "Normal", "Started", "Started container main");
  const [again] = await bench.sent();
  assert.deepEqual([again!.route.operation, again!.route.resource], ["patch", `default/event/${name}`]);
  const { event, patchData } = again!.content as { event: Sent; patchData: string };
  assert.equal(event.count, 2);
  assert.equal(patchData, '{"count":2,"lastTimestamp":"2026-01-01T00:00:05Z"}');
  bench.recorder.record({ kind: "Node", name: "edge-1" }, "Normal", "Starting", "Starting kubelet.");
  const [node] = await bench.sent();
  assert.match(node!.route.resource, /^default\/event\/edge-1\./);
  assert.notEqual((node!.content as Sent).metadata.name, name);
});

Deno.test("EventRecorder keeps what happens without a link, counted, and no more than a bound", async () => {
  await using bench = start(false);
  for (let i = 0; i < 3; i++) bench.recorder.record(POD, "Warning", "BackOff", "again");
  for (let i = 0; i < 400; i++) {
    bench.recorder.record(
      { ...POD, pod: { namespace: "default", name: "p", uid: `u${i + 2}` } },
      "Normal",
      "Pulled",
      "x",
    );
  }
  assert.deepEqual(await bench.sent(), []);
  bench.recorder.setConnected(true);
  const sent = await bench.sent();
  assert.equal(sent.length, 256);
  assert.ok(sent.every(({ route }) => route.operation === "insert"));
});

Deno.test("EventRecorder says of one object at most 25 things at once, and one more in five minutes", async () => {
  await using bench = start();
  for (let i = 0; i < 40; i++) bench.recorder.record(POD, "Warning", "Unhealthy", `probe ${i}`);
  assert.equal((await bench.sent()).length, 25);
  await bench.clock.advance(299_000);
  bench.recorder.record(POD, "Warning", "Unhealthy", "too early");
  assert.equal((await bench.sent()).length, 0);
  await bench.clock.advance(2000);
  bench.recorder.record(POD, "Warning", "Unhealthy", "x".repeat(5000));
  const [long] = await bench.sent();
  assert.equal((long!.content as { message: string }).message.length, 1024);
});

Deno.test("Pods reports the life of a pod as the kubelet does", async (t) => {
  await t.step("it starts, fails its probe, is killed", async () => {
    await using bench = testBench({ program: () => ({ exec: () => ({ exitCode: 1, output: "no" }) }) });
    const probe = { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 2, successThreshold: 1 };
    const containers = [{ name: "web", image: "busybox:1", livenessProbe: probe }];
    bench.pods.onEvent({ type: "pod", pod: testPod({ spec: { containers } }) });
    await bench.settle();
    await bench.advance(2500);
    assert.deepEqual(bench.events.slice(0, 6), [
      'Normal Pulled Container image "busybox:1" already present on machine',
      "Normal Created Created container: web",
      "Normal Started Started container web",
      "Warning Unhealthy Liveness probe failed: exit code 1: no",
      "Warning Unhealthy Liveness probe failed: exit code 1: no",
      "Normal Killing Container web failed liveness probe, will be restarted",
    ]);
  });
  await t.step("its image cannot be had", async () => {
    await using bench = testBench();
    bench.pods.onEvent({
      type: "pod",
      pod: testPod({ spec: { containers: [{ name: "web", image: "none:1" }] } }),
    });
    await bench.settle();
    assert.equal(bench.events[0], 'Normal Pulling Pulling image "none:1"');
    assert.match(bench.events[1]!, /^Warning Failed Failed to pull image "none:1": /);
    assert.equal(bench.events[2], "Warning Failed Error: ErrImagePull");
  });
  await t.step("it crashes again and again", async () => {
    await using bench = testBench({ program: () => ({ runsForMs: 10, exitCode: 1 }) });
    bench.pods.onEvent({ type: "pod", pod: testPod() });
    await bench.settle();
    await bench.advance(5000);
    await bench.advance(15_000);
    const backOffs = bench.events.filter((line) => line.startsWith("Warning BackOff"));
    assert.ok(backOffs.length > 0);
    assert.equal(
      backOffs[0],
      "Warning BackOff Back-off restarting failed container web in pod web_default(u1)",
    );
  });
});
