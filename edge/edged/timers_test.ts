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

Deno.test("Timers fires after as much time as was asked for, whatever the clock is set to", async (t) => {
  for (
    const [name, by, wanted] of [
      ["back by an hour", -3_600_000, [["set back", 3_600_000], "late"]],
      ["back by years, as after a time server that was wrong", -1e11, [["set back", 1e11], "late"]],
      ["back by a moment", -500, ["late"]],
      ["not at all", 0, ["late"]],
    ] as const
  ) {
    await t.step(name, async () => {
      const clock = new FakeClock();
      const timers = new Timers(clock);
      const controller = new AbortController();
      const fired: unknown[] = [];
      const run = timers.run(controller.signal, (ms) => fired.push(["set back", ms]));
      timers.after(20_000, () => fired.push("late"));
      await clock.advance(5_000);
      clock.set(clock.now() + by);
      await clock.advance(14_000);
      assert.ok(!fired.includes("late"));
      await clock.advance(2_000);
      assert.deepEqual(fired, wanted);
      controller.abort();
      await run;
    });
  }
});

Deno.test("Timers leaves a deadline alone that was made after the clock was set back", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const controller = new AbortController();
  const run = timers.run(controller.signal);
  const fired: string[] = [];
  timers.after(20_000, () => fired.push("before"));
  await clock.advance(5_000);
  clock.set(clock.now() - 3_600_000);
  timers.after(30_000, () => fired.push("after"));
  await clock.advance(16_000);
  assert.deepEqual(fired, ["before"]);
  await clock.advance(13_000);
  assert.deepEqual(fired, ["before"]);
  await clock.advance(2_000);
  assert.deepEqual(fired, ["before", "after"]);
  controller.abort();
  await run;
});

Deno.test("Timers fires what has become due when the clock is set forth", async () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const controller = new AbortController();
  const run = timers.run(controller.signal);
  const fired: string[] = [];
  timers.after(1_000, () => fired.push("soon"));
  timers.after(1_800_000, () => fired.push("late"));
  await clock.advance(0);
  clock.set(clock.now() + 1_700_000);
  await clock.advance(1_000);
  assert.deepEqual(fired, ["soon"]);
  await clock.advance(100_000);
  assert.deepEqual(fired, ["soon", "late"]);
  controller.abort();
  await run;
});
