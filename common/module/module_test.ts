import assert from "node:assert/strict";
import { aborted, backoffMs, defineModule, Mailbox, MailboxClosedError, type Module, runAll } from "./mod.ts";
import { FakeClock } from "./fake_clock.ts";

function recorder(name: string, journal: string[], behaviour: "wait" | "fail" | "end" = "wait"): Module {
  return defineModule(name, async ({ signal, ready }) => {
    journal.push(`start ${name}`);
    await Promise.resolve();
    if (behaviour === "fail") throw new Error(`${name} broke`);
    ready();
    if (behaviour === "wait") await aborted(signal);
    journal.push(`stop ${name}`);
  });
}

Deno.test("runAll() starts in order and stops in reverse", async () => {
  const journal: string[] = [];
  const controller = new AbortController();
  const c = recorder("c", journal);
  const running = runAll([recorder("a", journal), recorder("b", journal), c], controller.signal);
  await c.ready;
  controller.abort();
  await running;
  assert.deepEqual(journal, ["start a", "start b", "start c", "stop c", "stop b", "stop a"]);
});

Deno.test("runAll() stops the rest at the first failure and throws it", async () => {
  const journal: string[] = [];
  await assert.rejects(
    runAll(
      [recorder("a", journal), recorder("b", journal, "fail"), recorder("c", journal)],
      new AbortController().signal,
    ),
    (error: Error) => error.message === "Module b failed" && (error.cause as Error).message === "b broke",
  );
  assert.deepEqual(journal, ["start a", "start b", "stop a"]);
});

Deno.test("runAll() starts nothing when it is stopped already, and ends when all modules have ended", async () => {
  const journal: string[] = [];
  await runAll([recorder("a", journal)], AbortSignal.abort());
  assert.deepEqual(journal, []);
  await runAll([recorder("a", journal, "end"), recorder("b", journal, "end")], new AbortController().signal);
  assert.deepEqual(journal, ["start a", "stop a", "start b", "stop b"]);
});

Deno.test("Mailbox keeps order, waits when full, drains when closed", async () => {
  const box = new Mailbox<number>("box", 2);
  await box.send(1);
  await box.send(2);
  assert.equal(box.trySend(3), false);
  let accepted = false;
  const third = box.send(3).then(() => accepted = true);
  await Promise.resolve();
  assert.equal(accepted, false);
  assert.equal(await box.receive(), 1);
  await third;
  box.close();
  await assert.rejects(box.send(4), MailboxClosedError);
  const rest: number[] = [];
  for await (const item of box) rest.push(item);
  assert.deepEqual(rest, [2, 3]);
});

Deno.test("Mailbox.receive() and send() stop waiting when their signal aborts", async () => {
  const box = new Mailbox<number>("box", 1);
  const controller = new AbortController();
  const receiving = box.receive({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(receiving, /enough/);
  await box.send(1);
  await assert.rejects(box.send(2, { signal: controller.signal }), /enough/);
  assert.equal(await box.receive(), 1);
});

Deno.test("backoffMs() grows to its bound and stays within its jitter", () => {
  const options = { baseMs: 1000, maxMs: 30_000, jitter: 0.5 };
  assert.equal(backoffMs(0, options, 0), 500);
  assert.equal(backoffMs(0, options, 0.999999) < 1000, true);
  assert.equal(backoffMs(3, { ...options, jitter: 0 }, 0.5), 8000);
  assert.equal(backoffMs(500, { ...options, jitter: 0 }, 0.5), 30_000);
});

Deno.test("FakeClock wakes sleepers in order of time", async () => {
  const clock = new FakeClock(0);
  const order: string[] = [];
  const both = Promise.all([
    clock.sleep(20).then(() => order.push(`late ${clock.now()}`)),
    clock.sleep(10).then(() => order.push(`early ${clock.now()}`)),
  ]);
  await clock.advance(30);
  await both;
  assert.deepEqual(order, ["early 10", "late 20"]);
  assert.equal(clock.now(), 30);
});
