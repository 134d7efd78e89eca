import assert from "node:assert/strict";
import { nextBackoff, printSeconds, waitUntil } from "./crash_backoff.ts";

Deno.test("nextBackoff() doubles to five minutes and begins anew after ten quiet ones", () => {
  let backoff = nextBackoff(undefined, 0, 0);
  const delays = [backoff.delayMs];
  for (let i = 0; i < 6; i++) delays.push((backoff = nextBackoff(backoff, 0, 0)).delayMs);
  assert.deepEqual(delays.map((ms) => ms / 1000), [10, 20, 40, 80, 160, 300, 300]);
  assert.equal(nextBackoff(backoff, 600_001, 600_001).delayMs, 10_000);
  assert.equal(waitUntil(backoff, 1000, 2000), 301_000);
  assert.equal(waitUntil(backoff, 1000, 301_000), undefined);
  assert.equal(
    waitUntil(backoff, 1000, 999),
    undefined,
    "an end that lies ahead was before the clock was set back",
  );
  assert.deepEqual([10_000, 80_000, 300_000].map(printSeconds), ["10s", "1m20s", "5m0s"]);
});
