import assert from "node:assert/strict";
import { FakeClock } from "./fake_clock.ts";
import { throttle } from "./throttle.ts";

Deno.test("throttle() lets one through per interval and tells how many it held back", async () => {
  const clock = new FakeClock();
  const seen: number[] = [];
  const once = throttle(clock, 1000);
  for (let i = 0; i < 5; i++) once((held) => seen.push(held));
  await clock.advance(1000);
  once((held) => seen.push(held));
  assert.deepEqual(seen, [0, 4]);
});
