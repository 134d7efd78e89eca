import assert from "node:assert/strict";
import { clockDifference } from "./clock_difference.ts";

Deno.test("clockDifference() tells how far and which way, and nothing where clocks agree or are not known", async (t) => {
  const now = Date.UTC(2026, 0, 1);
  const rows: Array<[string, number | undefined, string | undefined]> = [
    ["unknown", undefined, undefined],
    ["59 s", now - 59_000, undefined],
    ["5 min", now - 300_000, "this machine's clock is 5 min ahead of the cloud's"],
    ["an hour", now + 3_600_000, "this machine's clock is 1 h 0 min behind the cloud's"],
    ["years", now + 800 * 86_400_000, "this machine's clock is 800 days behind the cloud's"],
  ];
  for (const [name, serverTime, text] of rows) {
    await t.step(name, () => assert.equal(clockDifference(now, serverTime), text));
  }
});
