import assert from "node:assert/strict";
import { StatusError } from "../errors/mod.ts";
import { FakeClock } from "../module/fake_clock.ts";
import { silentLogger } from "../module/mod.ts";
import { runWorkers, workQueue } from "./work_queue.ts";

function bench() {
  const clock = new FakeClock();
  return { clock, queue: workQueue({ name: "test", clock }), stop: new AbortController() };
}

Deno.test("workQueue() gives a key once however often it was added", async () => {
  const { queue, stop: { signal } } = bench();
  for (const key of ["a", "b", "a"]) queue.add(key);
  assert.equal(queue.length, 2);
  assert.equal(await queue.next({ signal }), "a");
  assert.equal(await queue.next({ signal }), "b");
  assert.equal(queue.length, 0);
});

Deno.test("workQueue() gives a key that was added meanwhile only after done()", async () => {
  const { queue, stop: { signal } } = bench();
  queue.add("a");
  await queue.next({ signal });
  queue.add("a");
  queue.add("a");
  assert.equal(queue.length, 0);
  queue.done("a");
  assert.equal(queue.length, 1);
});

Deno.test("workQueue() next() waits for a key and rejects when aborted", async () => {
  const { queue, stop } = bench();
  const first = queue.next({ signal: stop.signal });
  queue.add("a");
  assert.equal(await first, "a");
  const second = queue.next({ signal: stop.signal });
  stop.abort(new Error("stopped"));
  await assert.rejects(second, { message: "stopped" });
});

Deno.test("workQueue() wakes as many takers as there are keys", async () => {
  const { queue, stop: { signal } } = bench();
  const taken = Promise.all([queue.next({ signal }), queue.next({ signal })]);
  queue.add("a");
  queue.add("b");
  assert.deepEqual((await taken).sort(), ["a", "b"]);
});

Deno.test("workQueue() doubles the backoff of a key until it is forgotten", async () => {
  const { queue, clock, stop: { signal } } = bench();
  for (const delay of [5, 10, 20, 40]) {
    queue.addRateLimited("a");
    await clock.advance(delay - 1);
    assert.equal(queue.length, 0, `before ${delay} ms`);
    await clock.advance(1);
    assert.equal(queue.length, 1, `after ${delay} ms`);
    await queue.next({ signal });
    queue.done("a");
  }
  assert.equal(queue.retries("a"), 4);
  queue.forget("a");
  queue.addRateLimited("a");
  await clock.advance(5);
  assert.equal(queue.length, 1);
  queue.close();
});

Deno.test("workQueue() never waits longer than 1000 s", async () => {
  const { queue, clock } = bench();
  for (let i = 0; i < 80; i++) {
    queue.addRateLimited("a");
    queue.add("a");
    queue.next({ signal: new AbortController().signal });
    queue.done("a");
  }
  queue.addRateLimited("a");
  await clock.advance(1_000_000);
  assert.equal(queue.length, 1);
});

Deno.test("workQueue() keeps the earliest of several delays, and add() ends them", async () => {
  const { queue, clock } = bench();
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 200);
  assert.equal(clock.sleeping, 1);
  await clock.advance(50);
  assert.equal(queue.length, 1);
  queue.addAfter("b", 100);
  queue.add("b");
  assert.equal(clock.sleeping, 0);
});

Deno.test("workQueue() close() ends delays and takes nothing more", () => {
  const { queue, clock } = bench();
  queue.addAfter("a", 100);
  queue.add("b");
  queue.close();
  queue.add("c");
  assert.equal(clock.sleeping, 0);
  assert.equal(queue.length, 0);
});

Deno.test("runWorkers() retries what failed, waits as a server asks, and gives up after maxRetries", async () => {
  const { queue, clock, stop } = bench();
  const seen: string[] = [];
  const done = runWorkers(
    queue,
    (key) => {
      seen.push(`${key}@${clock.now() - Date.UTC(2026, 0, 1)}`);
      if (key === "busy" && seen.length === 1) {
        return Promise.reject(
          new StatusError("TooManyRequests", "slow down", { details: { retryAfterSeconds: 2 } }),
        );
      }
      return key === "broken" ? Promise.reject(new Error("no")) : Promise.resolve();
    },
    stop.signal,
    { log: silentLogger, maxRetries: 2 },
  );
  queue.add("busy");
  await clock.advance(3000);
  assert.deepEqual(seen, ["busy@0", "busy@2000"]);
  assert.equal(queue.retries("busy"), 0);
  seen.length = 0;
  queue.add("broken");
  await clock.advance(60_000);
  assert.deepEqual(seen, ["broken@3000", "broken@3005", "broken@3015"]);
  stop.abort();
  await done;
});

Deno.test("runWorkers() comes back when asked to", async () => {
  const { queue, clock, stop } = bench();
  let calls = 0;
  const done = runWorkers(
    queue,
    () => Promise.resolve(++calls < 3 ? { afterMs: 1000 } : undefined),
    stop.signal,
    { log: silentLogger },
  );
  queue.add("a");
  await clock.advance(10_000);
  assert.equal(calls, 3);
  stop.abort();
  await done;
});

Deno.test("runWorkers() works on as many keys at a time as it has workers, never twice on one", async () => {
  const { queue, clock, stop } = bench();
  let now = 0;
  let most = 0;
  const busy = new Set<string>();
  const done = runWorkers(
    queue,
    async (key) => {
      assert.ok(!busy.has(key));
      busy.add(key);
      most = Math.max(most, ++now);
      await clock.sleep(10);
      busy.delete(key);
      now--;
    },
    stop.signal,
    { log: silentLogger, workers: 3 },
  );
  for (const key of ["a", "b", "c", "d", "e"]) queue.add(key);
  await clock.advance(5);
  queue.add("a");
  await clock.advance(100);
  assert.equal(most, 3);
  assert.equal(now, 0);
  stop.abort();
  await done;
});
