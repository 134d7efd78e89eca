import assert from "node:assert/strict";
import { parseQuantity } from "./quantity.ts";

Deno.test("parseQuantity() reads numbers with suffixes and exponents", () => {
  const table: Array<[unknown, number | undefined]> = [
    ["100m", 0.1],
    ["2", 2],
    [2, 2],
    ["1.5Gi", 1.5 * 2 ** 30],
    ["1e3", 1000],
    ["1E", 1e18],
    ["128M", 128e6],
    ["x", undefined],
    ["1kk", undefined],
    ["", undefined],
    [null, undefined],
  ];
  for (const [text, expected] of table) assert.equal(parseQuantity(text), expected);
});
