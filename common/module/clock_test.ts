import assert from "node:assert/strict";
import { systemClock } from "./clock.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;

/** Runs with timers that end as soon as `fire` allows, and tells which there were. */
async function withTimers(
  run: () => Promise<void>,
  fire: (count: number) => boolean = () => true,
): Promise<number[]> {
  const delays: number[] = [];
  const real = globalThis.setTimeout;
  globalThis.setTimeout = ((wake: () => void, ms: number) => {
    delays.push(ms);
    return real(wake, fire(delays.length) ? 0 : 3_600_000);
  }) as typeof setTimeout;
  try {
    await run();
  } finally {
    globalThis.setTimeout = real;
  }
  return delays;
}

Deno.test("systemClock.sleep() waits in steps that timers can wait, and all of them", async (t) => {
  const rows: Array<[name: string, ms: number, steps: number[]]> = [
    ["nothing", 0, [0]],
    ["a second", 1000, [1000]],
    ["the longest timer", MAX_TIMER_MS, [MAX_TIMER_MS]],
    ["one more", MAX_TIMER_MS + 1, [MAX_TIMER_MS, 1]],
    ["100 days", 8_640_000_000, [MAX_TIMER_MS, MAX_TIMER_MS, MAX_TIMER_MS, MAX_TIMER_MS, 50_065_412]],
  ];
  for (const [name, ms, steps] of rows) {
    await t.step(name, async () => {
      assert.deepEqual(await withTimers(() => systemClock.sleep(ms)), steps);
      assert.equal(steps.reduce((sum, step) => sum + step), ms);
    });
  }
});

Deno.test("systemClock.sleep() ends in any of its steps when the signal aborts", async () => {
  const controller = new AbortController();
  const reason = new Error("stop");
  const second = Promise.withResolvers<void>();
  const delays = await withTimers(async () => {
    const stopped = assert.rejects(
      systemClock.sleep(3 * MAX_TIMER_MS, { signal: controller.signal }),
      reason,
    );
    await second.promise;
    controller.abort(reason);
    await stopped;
  }, (count) => {
    if (count === 2) second.resolve();
    return count === 1;
  });
  assert.deepEqual(delays, [MAX_TIMER_MS, MAX_TIMER_MS]);
});
