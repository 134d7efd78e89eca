import fc from "fast-check";
import assert from "node:assert/strict";
import { sameJson, strategicDiff } from "./strategic_patch.ts";

Deno.test("strategicDiff() makes one object into the other", () => {
  const keys = { conditions: "type" };
  assert.deepEqual(strategicDiff({ a: 1, b: { c: 1, d: 2 } }, { b: { c: 1, d: 3 }, e: [1] }, keys), {
    a: null,
    b: { d: 3 },
    e: [1],
  });
  const before = { conditions: [{ type: "A", status: "True", reason: "x" }, { type: "B", status: "True" }] };
  const after = { conditions: [{ type: "A", status: "False" }, { type: "C", status: "True" }] };
  assert.deepEqual(strategicDiff(before, after, keys), {
    "$setElementOrder/conditions": [{ type: "A" }, { type: "C" }],
    conditions: [
      { type: "A", status: "False", reason: null },
      { type: "C", status: "True" },
      { $patch: "delete", type: "B" },
    ],
  });
  fc.assert(fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
    const same = Object.keys(strategicDiff({ a }, { a: b }, {})).length === 0;
    assert.equal(same, sameJson(a, b));
  }));
});
