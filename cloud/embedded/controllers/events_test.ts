import assert from "node:assert/strict";
import { StatusError } from "../../../common/errors/mod.ts";
import { type FakeCall, FakeKubeClient } from "../../../common/kubeclient/fake_client.ts";
import { EVENTS, NODES, PODS } from "../../../common/kubeclient/mod.ts";
import { FakeClock } from "../../../common/module/fake_clock.ts";
import { createLogger } from "../../../common/module/mod.ts";
import { eventRecorder } from "./events.ts";

const NOTE = { component: "scheduler", type: "Warning", reason: "Failed", message: "no room" } as const;
const pod = { metadata: { name: "p", namespace: "shop", uid: "u" } };

async function withRecorder(
  body: (
    bench: {
      kube: FakeKubeClient;
      clock: FakeClock;
      recorder: ReturnType<typeof eventRecorder>;
      logged: string[];
    },
  ) => Promise<void>,
  intercept?: (call: FakeCall) => void,
): Promise<void> {
  const clock = new FakeClock();
  await using kube = new FakeKubeClient({ now: () => clock.now(), ...(intercept && { intercept }) });
  const logged: string[] = [];
  const log = createLogger("events", { level: "warning", write: (line) => logged.push(line) });
  const recorder = eventRecorder({ kube, clock, log });
  const stop = new AbortController();
  const running = recorder.run(stop.signal);
  try {
    await body({ kube, clock, recorder, logged });
  } finally {
    stop.abort();
    await running;
  }
}

Deno.test("eventRecorder() counts repeats in the event that is there", () =>
  withRecorder(async ({ kube, clock, recorder }) => {
    recorder.record(PODS, pod, NOTE);
    await clock.advance(5000);
    recorder.record(PODS, pod, NOTE);
    recorder.record(PODS, pod, { ...NOTE, message: "still no room" });
    await clock.advance(0);
    const events = kube.peekAll(EVENTS);
    assert.deepEqual(events.map((e) => [e.message, e.count]), [["no room", 2], ["still no room", 1]]);
    assert.equal(events[0]?.firstTimestamp, "2026-01-01T00:00:00Z");
    assert.equal(events[0]?.lastTimestamp, "2026-01-01T00:00:05Z");
    assert.deepEqual(events[0]?.involvedObject, {
      apiVersion: "v1",
      kind: "Pod",
      name: "p",
      namespace: "shop",
      uid: "u",
    });
    assert.equal(events[0]?.metadata.namespace, "shop");
  }));

Deno.test("eventRecorder() begins anew when the event has expired, and keeps nodes' events in default", () =>
  withRecorder(async ({ kube, clock, recorder }) => {
    recorder.record(NODES, { metadata: { name: "n" } }, NOTE);
    await clock.advance(0);
    const [first] = kube.peekAll(EVENTS);
    assert.equal(first?.metadata.namespace, "default");
    await kube.delete(EVENTS, { name: first!.metadata.name!, namespace: "default" });
    recorder.record(NODES, { metadata: { name: "n" } }, NOTE);
    await clock.advance(0);
    assert.deepEqual(kube.peekAll(EVENTS).map((e) => e.count), [1]);
  }));

Deno.test("eventRecorder() drops what cannot be written and goes on", async () => {
  let failing = true;
  await withRecorder(async ({ kube, clock, recorder, logged }) => {
    recorder.record(PODS, pod, NOTE);
    await clock.advance(0);
    assert.match(logged.join(), /no events/);
    failing = false;
    recorder.record(PODS, pod, { ...NOTE, reason: "Later" });
    await clock.advance(0);
    assert.deepEqual(kube.peekAll(EVENTS).map((e) => e.reason), ["Later"]);
  }, () => {
    if (failing) throw new StatusError("Forbidden", "no events");
  });
});

Deno.test("eventRecorder() tells now and then that it drops events, and how many", async () => {
  const lines: string[] = [];
  const log = createLogger("events", { write: (line) => lines.push(line) });
  const clock = new FakeClock();
  await using kube = new FakeKubeClient();
  const recorder = eventRecorder({ kube, clock, log });
  for (let i = 0; i < 1005; i++) recorder.record(PODS, pod, NOTE);
  assert.equal(lines.length, 1);
  await clock.advance(10_000);
  recorder.record(PODS, pod, NOTE);
  assert.match(lines[1]!, /Dropping an event, too many wait" reason="Failed" held=4\n$/);
});

Deno.test("eventRecorder() says nothing of events about what goes with its namespace", () =>
  withRecorder(async ({ kube, clock, recorder, logged }) => {
    recorder.record(PODS, pod, NOTE);
    await clock.advance(0);
    assert.equal(kube.peekAll(EVENTS).length, 0);
    assert.deepEqual(logged, []);
  }, () => {
    const text = "unable to create new content in namespace shop because it is being terminated";
    const causes = [{ reason: "NamespaceTerminating", message: "namespace shop is being terminated" }];
    throw new StatusError("Forbidden", text, { details: { causes } });
  }));
