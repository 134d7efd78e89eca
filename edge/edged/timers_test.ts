import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { Timers } from "./timers.ts";

Deno.test("Timers fires in order, once, and not what was cancelled", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const controller = new AbortController();
  const run = timers.run(controller.signal);
  const fired: number[] = [];
  const delays = [50, 10, 40, 20, 30, 10];
  const cancels = delays.map((ms) => timers.after(ms, () => fired.push(ms)));
  cancels[2]!();
  await clock.advance(25);
  assert.deepEqual(fired, [10, 10, 20]);
  timers.after(1, () => fired.push(1));
  await clock.advance(100);
  assert.deepEqual(fired, [10, 10, 20, 1, 30, 50]);
  assert.equal(clock.sleeping, 1);
  controller.abort();
  await run;
  assert.equal(clock.sleeping, 0);
});
