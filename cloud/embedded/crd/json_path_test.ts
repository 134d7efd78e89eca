import assert from "node:assert/strict";
import fc from "fast-check";
import { followJsonPath, parseJsonPath } from "./json_path.ts";

const OBJECT = {
  spec: { a: 1, "x.y": 2, list: [{ k: "p", v: 1 }, { k: "q", v: 5 }, "s"], map: { b: 2, a: 1 } },
  status: { conditions: [{ type: "Ready", status: "True" }, { type: "Other", status: "False" }] },
};

Deno.test("followJsonPath() finds what kubectl's paths lead to", async (t) => {
  const rows: Array<[path: string, found: unknown[]]> = [
    [".spec.a", [1]],
    [".spec.nope.a", []],
    [".spec['x.y']", [2]],
    [".spec.x\\.y", [2]],
    [".spec.list[0].k", ["p"]],
    [".spec.list[-1]", ["s"]],
    [".spec.list[7]", []],
    [".spec.list[0:2].k", ["p", "q"]],
    [".spec.list[*].v", [1, 5]],
    [".spec.map.*", [1, 2]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type != 'Ready')].status", ["False"]],
    [".spec.list[?(@.v > 2)].k", ["q"]],
    [".spec.list[?(@.v)].k", ["p", "q"]],
    ["..status", [OBJECT.status, "True", "False"]],
    [".", [OBJECT]],
  ];
  for (const [text, found] of rows) {
    await t.step(text, () => {
      const path = parseJsonPath(text);
      assert(path !== undefined, text);
      assert.deepEqual(followJsonPath(OBJECT, path).slice(0, 3), found);
    });
  }
});

Deno.test("parseJsonPath() refuses what it does not read", () => {
  for (const text of ["a b", ".a[", ".a[]", ".a[?(@.b==)]", ".a[?(", ".a]", "." + "a".repeat(2000)]) {
    assert.equal(parseJsonPath(text), undefined, text);
  }
});

Deno.test("parseJsonPath() and followJsonPath() end, whatever they are given", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab.[]*?()@='\"\\:-1 <>!"), maxLength: 30 }), (text) => {
      const path = parseJsonPath(text);
      if (path !== undefined) assert(followJsonPath(OBJECT, path).length <= 1000);
    }),
    { numRuns: 2000 },
  );
});
