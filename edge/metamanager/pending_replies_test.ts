import assert from "node:assert/strict";
import { newMessage } from "../../common/model/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { NoReplyError, PendingReplies } from "./pending_replies.ts";

const reply = newMessage({ source: "c", group: "resource", operation: "response", resource: "a/b/c" }, "OK");
const because = (why: string) => (error: unknown) => error instanceof NoReplyError && error.why === why;

Deno.test("PendingReplies joins a reply to its request, once", async () => {
  const pending = new PendingReplies(new FakeClock(), { timeoutMs: 1000 });
  const { promise } = pending.wait("a");
  assert.equal(pending.settle("b", reply), false);
  assert.equal(pending.settle("a", reply), true);
  assert.equal(await promise, reply);
  assert.equal(pending.settle("a", reply), false);
  assert.equal(pending.size, 0);
});

Deno.test("PendingReplies ends each wait at its own time", async () => {
  const clock = new FakeClock();
  const pending = new PendingReplies(clock, { timeoutMs: 1000 });
  const controller = new AbortController();
  const running = pending.run(controller.signal);
  const ended: string[] = [];
  const wait = (id: string) =>
    void pending.wait(id).promise.catch((error) => ended.push(`${id} ${error.why}`));
  wait("a");
  await clock.advance(600);
  wait("b");
  await clock.advance(399);
  assert.deepEqual(ended, []);
  await clock.advance(1);
  assert.deepEqual(ended, ["a timeout"]);
  await clock.advance(600);
  assert.deepEqual(ended, ["a timeout", "b timeout"]);
  wait("c");
  controller.abort();
  await running;
  await clock.advance(0);
  assert.deepEqual(ended, ["a timeout", "b timeout", "c stopped"]);
});

Deno.test("PendingReplies takes no wait once it has ended", async () => {
  const pending = new PendingReplies(new FakeClock(), { timeoutMs: 1000 });
  await pending.run(AbortSignal.abort());
  const { promise, admitted } = pending.wait("a");
  await assert.rejects(promise, because("stopped"));
  assert.equal(admitted, false);
});

Deno.test("PendingReplies ends a wait in its time when the clock is set back", async () => {
  const clock = new FakeClock();
  const pending = new PendingReplies(clock, { timeoutMs: 1000 });
  const controller = new AbortController();
  const running = pending.run(controller.signal);
  const ended = assert.rejects(pending.wait("a").promise, because("timeout"));
  await clock.advance(500);
  clock.set(clock.now() - 3_600_000);
  await clock.advance(500);
  assert.equal(pending.size, 0);
  await ended;
  controller.abort();
  await running;
});

Deno.test("PendingReplies refuses more than its limit, and a request that already waits", async () => {
  const pending = new PendingReplies(new FakeClock(), { timeoutMs: 1000, limit: 2 });
  const first = pending.wait("a");
  const twice = pending.wait("a");
  assert.equal(twice.admitted, false);
  await assert.rejects(twice.promise, because("busy"));
  const second = pending.wait("b");
  await assert.rejects(pending.wait("c").promise, because("busy"));
  pending.failAll(new NoReplyError("disconnected", "gone"));
  await assert.rejects(first.promise, because("disconnected"));
  await assert.rejects(second.promise, because("disconnected"));
});
