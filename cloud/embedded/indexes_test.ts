import assert from "node:assert/strict";
import fc from "fast-check";
import {
  countIndexes,
  countShared,
  firstFree,
  hasIndex,
  indexesOf,
  parseIndexes,
  printIndexes,
} from "./indexes.ts";

Deno.test("parseIndexes() reads what printIndexes() writes", async (t) => {
  for (const text of ["", "0", "0,1", "0-2", "1,3-5,7,8"]) {
    await t.step(text, () => assert.equal(printIndexes(parseIndexes(text, 100)), text));
  }
  await t.step("what is beyond the end is cut off", () => {
    assert.equal(printIndexes(parseIndexes("1,3-9,12", 6)), "1,3-5");
  });
  await t.step("what is no number is passed over", () => {
    assert.equal(printIndexes(parseIndexes("a,1,-3,2-,4-3", 100)), "1");
  });
});

Deno.test("indexes behave as sets of numbers", () => {
  const set = fc.uniqueArray(fc.nat(30));
  fc.assert(fc.property(set, set, fc.nat(40), (a, b, count) => {
    const [x, y] = [indexesOf(a), indexesOf(b)];
    assert.equal(countIndexes(x), a.length);
    for (let i = 0; i < 32; i++) assert.equal(hasIndex(x, i), a.includes(i));
    assert.equal(countShared(x, y), a.filter((i) => b.includes(i)).length);
    const free = Array.from({ length: 25 }, (_, i) => i).filter((i) => !a.includes(i)).slice(0, count);
    assert.deepEqual(firstFree(x, count, 25), free);
  }));
});
