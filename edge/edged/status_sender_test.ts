import assert from "node:assert/strict";
import type { PodStatus } from "../../common/api/core_v1.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { silentLogger } from "../../common/module/mod.ts";
import { StatusSender } from "./status_sender.ts";
import { Timers } from "./timers.ts";

const POD = { namespace: "default", name: "web", uid: "u1" };
const status = (phase: string, ready = "True"): PodStatus => ({
  phase,
  conditions: [{ type: "Ready", status: ready }],
});

/** A sender whose requests are answered by the test. */
function start() {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const sent: Array<{ name: string; status: PodStatus; answer: (result: number | StatusError) => void }> = [];
  const settled: string[] = [];
  const sender = new StatusSender({
    api: {
      patchPodStatus: (_namespace, name, patch) => {
        const { promise, resolve, reject } = Promise.withResolvers<
          { metadata: { resourceVersion: string } }
        >();
        sent.push({
          name,
          status: patch.status as PodStatus,
          answer: (result) =>
            typeof result === "number"
              ? resolve({ metadata: { resourceVersion: String(result) } })
              : reject(result),
        });
        return promise;
      },
    },
    timers,
    log: silentLogger,
    onSettled: (uid) => settled.push(uid),
    random: () => 1,
  });
  const controller = new AbortController();
  const run = timers.run(controller.signal);
  return {
    sender,
    sent,
    settled,
    clock,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await clock.advance(0);
      await run;
    },
  };
}

Deno.test("StatusSender sends one patch at a time per pod, and after it only the newest status", async () => {
  await using bench = start();
  const { sender, sent, clock } = bench;
  sender.set(POD, status("Pending"), {});
  sender.set(POD, status("Running", "False"), {});
  sender.set(POD, status("Running"), {});
  assert.equal(sent.length, 1);
  assert.equal(sender.isSettled("u1"), false);
  sent[0]!.answer(1);
  await clock.advance(0);
  assert.equal(sent.length, 2);
  assert.deepEqual(sent[1]!.status, { phase: "Running" });
  sent[1]!.answer(2);
  await clock.advance(0);
  assert.equal(sender.isSettled("u1"), true);
  assert.deepEqual(bench.settled, ["u1"]);
  sender.set(POD, status("Running"), {});
  assert.equal(sent.length, 2);
});

Deno.test("StatusSender does not let one pod wait for another", async () => {
  await using bench = start();
  bench.sender.set(POD, status("Running"), {});
  bench.sender.set({ ...POD, name: "other", uid: "u2" }, status("Running"), {});
  assert.deepEqual(bench.sent.map(({ name }) => name), ["web", "other"]);
  for (const { answer } of bench.sent) answer(1);
  await bench.clock.advance(0);
});

Deno.test("StatusSender tries again after a failure, later each time, and at once when the link comes back", async () => {
  await using bench = start();
  const { sender, sent, clock } = bench;
  sender.set(POD, status("Running"), {});
  const away = new StatusError("ServiceUnavailable", "connection lost");
  sent[0]!.answer(away);
  await clock.advance(499);
  assert.equal(sent.length, 1);
  await clock.advance(1);
  assert.equal(sent.length, 2);
  sent[1]!.answer(away);
  await clock.advance(999);
  assert.equal(sent.length, 2);
  sender.retryNow();
  assert.equal(sent.length, 3);
  sent[2]!.answer(1);
  await clock.advance(60_000);
  assert.equal(sent.length, 3);
});

for (const reason of ["Invalid", "RequestEntityTooLarge"] as const) {
  Deno.test(`StatusSender gives up what the API refuses for good as ${reason}, until it changes`, async () => {
    await using bench = start();
    const { sender, sent, clock } = bench;
    sender.set(POD, status("Running"), {});
    sent[0]!.answer(new StatusError(reason, "no"));
    await clock.advance(60_000);
    assert.equal(sent.length, 1);
    assert.equal(sender.isSettled("u1"), true);
    sender.set(POD, status("Failed"), {});
    assert.equal(sent.length, 2);
    sent[1]!.answer(1);
    await clock.advance(0);
  });
}

Deno.test("StatusSender puts right what others changed, but not its own change on its way", async () => {
  await using bench = start();
  const { sender, sent, clock } = bench;
  sender.set(POD, status("Running"), {});
  sent[0]!.answer(10);
  await clock.advance(0);
  sender.observe("u1", status("Pending", "False"), 9);
  assert.equal(sent.length, 1);
  sender.observe("u1", status("Running", "False"), 11);
  assert.equal(sent.length, 2);
  assert.deepEqual(sent[1]!.status.conditions, [{ status: "True", type: "Ready" }]);
  sent[1]!.answer(12);
  await clock.advance(0);
  sender.observe("u1", { ...status("Running"), qosClass: "BestEffort" }, 13);
  assert.equal(sent.length, 2);
});

Deno.test("StatusSender puts right what others changed before its own request was answered", async () => {
  await using bench = start();
  const { sender, sent, clock } = bench;
  sender.set(POD, status("Running"), {});
  sender.observe("u1", status("Running", "False"), 9);
  sender.observe("u1", status("Running", "False"), 12);
  sender.observe("u1", status("Running", "False"), 11);
  sent[0]!.answer(10);
  await clock.advance(0);
  assert.equal(sent.length, 2, "version 12 came after its own, which is 10");
  assert.deepEqual(sent[1]!.status.conditions, [{ status: "True", type: "Ready" }]);
  assert.equal(sender.isSettled("u1"), false);
  sender.observe("u1", status("Running"), 13);
  sent[1]!.answer(13);
  await clock.advance(60_000);
  assert.equal(sent.length, 2, "what was seen meanwhile was its own");
  assert.deepEqual(bench.settled, ["u1"]);
});

Deno.test("StatusSender does not fight without pause", async () => {
  await using bench = start();
  const { sender, sent, clock } = bench;
  sender.set(POD, status("Running"), {});
  sent[0]!.answer(1);
  await clock.advance(0);
  for (let version = 2; version < 40; version += 2) {
    sender.observe("u1", status("Running", "False"), version);
    sent.at(-1)!.answer(version + 1);
    await clock.advance(100);
  }
  assert.equal(sent.length, 2);
  await clock.advance(10_000);
  assert.equal(sent.length, 3);
  sent[2]!.answer(100);
  await clock.advance(0);
});

Deno.test("StatusSender does not repeat a refused status when a pod comes to the same one again", async () => {
  await using bench = start();
  const { sender, sent, settled, clock } = bench;
  sender.set(POD, status("Running"), {});
  sent[0]!.answer(new StatusError("NotFound", 'pods "web" not found'));
  await clock.advance(0);
  assert.deepEqual(settled, ["u1"]);
  sender.set(POD, status("Running"), {});
  await clock.advance(60_000);
  assert.equal(sent.length, 1);
  assert.ok(sender.isSettled("u1"));
  sender.set(POD, status("Failed"), {});
  assert.equal(sent.length, 2, "another status is tried");
  sent[1]!.answer(7);
  await sender.drain();
});
