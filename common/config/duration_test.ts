import fc from "fast-check";
import assert from "node:assert/strict";
import { formatGoDuration, parseGoDuration } from "./duration.ts";

Deno.test("parseGoDuration() reads what Go reads and nothing else", async (t) => {
  const rows: Array<[string, number | undefined]> = [
    ["0", 0],
    ["0s", 0],
    ["10s", 10_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1000],
    ["100ms", 100],
    ["1us", 0.001],
    ["1µs", 0.001],
    ["5ns", 5 * 1e-6],
    ["-10s", -10_000],
    ["+10s", 10_000],
    ["4h0m0s", 14_400_000],
    ["", undefined],
    ["10", undefined],
    ["s", undefined],
    [".s", undefined],
    ["10 s", undefined],
    ["10d", undefined],
    ["1s ", undefined],
    ["--1s", undefined],
    ["9999999999h", undefined],
    ["1s".repeat(40), undefined],
  ];
  for (const [text, expected] of rows) {
    await t.step(JSON.stringify(text), () => assert.equal(parseGoDuration(text), expected));
  }
});

Deno.test("formatGoDuration() prints as Go does", async (t) => {
  const rows: Array<[number, string]> = [
    [0, "0s"],
    [10_000, "10s"],
    [60_000, "1m0s"],
    [14_400_000, "4h0m0s"],
    [100, "100ms"],
    [1500, "1.5s"],
    [90_061_001, "25h1m1.001s"],
    [0.0015, "1.5µs"],
    [5e-6, "5ns"],
    [-1500, "-1.5s"],
  ];
  for (const [milliseconds, expected] of rows) {
    await t.step(expected, () => assert.equal(formatGoDuration(milliseconds), expected));
  }
});

Deno.test("parseGoDuration() reads back what formatGoDuration() prints", () => {
  fc.assert(fc.property(fc.integer({ min: -8e9, max: 8e9 }), (milliseconds) => {
    assert.equal(parseGoDuration(formatGoDuration(milliseconds)), milliseconds);
  }));
});
