import assert from "node:assert/strict";
import fc from "fast-check";
import { LineSplitter } from "./lines.ts";
import { takeToken } from "./rate_limit.ts";

Deno.test("LineSplitter gives the same lines however the bytes are cut", () => {
  const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((s) =>
    s.trim() === s && !s.includes("\n")
  );
  fc.assert(fc.property(fc.array(line), fc.array(fc.nat(40)), (lines, cuts) => {
    const bytes = new TextEncoder().encode(lines.map((l) => l + "\n").join(""));
    const splitter = new LineSplitter(10_000);
    const found: string[] = [];
    let at = 0;
    for (const cut of [...cuts, bytes.length]) {
      found.push(...splitter.push(bytes.subarray(at, at + cut)));
      at += cut;
    }
    assert.deepEqual(found, lines);
  }));
});

Deno.test("LineSplitter holds no more than its limit", () => {
  const splitter = new LineSplitter(4);
  const push = (text: string) => [...splitter.push(new TextEncoder().encode(text))];
  assert.deepEqual(push("1234\n56"), ["1234"]);
  assert.deepEqual(push("78\n"), ["5678"]);
  assert.throws(() => push("12345"), RangeError);
});

Deno.test("LineSplitter refuses bytes that are not UTF-8", () => {
  assert.throws(() => [...new LineSplitter(10).push(new Uint8Array([0xff, 10]))], TypeError);
});

Deno.test("takeToken() lets a burst through, then spaces requests evenly, then fills again", () => {
  const limit = { qps: 10, burst: 2 };
  let bucket;
  const waits: number[] = [];
  for (const now of [0, 0, 0, 0, 10_000, 10_000, 10_000]) {
    const taken = takeToken(bucket, limit, now);
    bucket = taken.bucket;
    waits.push(taken.waitMs);
  }
  assert.deepEqual(waits, [0, 0, 100, 200, 0, 0, 100]);
});
