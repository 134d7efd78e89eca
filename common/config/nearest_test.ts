import assert from "node:assert/strict";
import { nearest } from "./nearest.ts";

Deno.test("nearest() finds what was probably meant", async (t) => {
  const known = ["heartbeat", "enable", "server", "nodeIP", "podCIDR"];
  const rows: Array<[string, string | undefined]> = [
    ["hartbeat", "heartbeat"],
    ["haertbeat", "heartbeat"],
    ["Enabled", "enable"],
    ["nodeip", "nodeIP"],
    ["sever", "server"],
    ["xyz", undefined],
    ["", undefined],
    ["h".repeat(100_000), undefined],
  ];
  for (const [name, expected] of rows) {
    await t.step(name.slice(0, 20), () => assert.equal(nearest(name, known), expected));
  }
});
