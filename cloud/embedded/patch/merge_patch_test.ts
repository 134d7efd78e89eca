import assert from "node:assert/strict";
import { applyMergePatch } from "./merge_patch.ts";

Deno.test("applyMergePatch() gives what RFC 7386 appendix A says", () => {
  const rows: Array<[unknown, unknown, unknown]> = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a", "b"], ["c", "d"], ["c", "d"]],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of rows) assert.deepEqual(applyMergePatch(target, patch), expected);
});

Deno.test("applyMergePatch() leaves the prototype alone", () => {
  const merged = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":1}}'));
  assert.equal((merged as Record<string, unknown>).polluted, undefined);
});
