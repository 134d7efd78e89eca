import assert from "node:assert/strict";
import { equalJson, jsonPatch, mergePatch } from "./patches.ts";

Deno.test("mergePatch() merges as RFC 7396", async (t) => {
  const rows: Array<[unknown, unknown, unknown]> = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a"], { b: 1 }, { b: 1 }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, expected] of rows) {
    await t.step(JSON.stringify(patch), () => assert.deepEqual(mergePatch(target, patch), expected));
  }
});

Deno.test("mergePatch() does not let a patch reach the prototype", () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
  assert.equal((merged as { polluted?: boolean }).polluted, undefined);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

Deno.test("jsonPatch() applies steps in order and leaves the target alone", () => {
  const target = { a: [1, 2], "x/y": 1 };
  const patched = jsonPatch(target, [
    { op: "test", path: "/a/0", value: 1 },
    { op: "add", path: "/a/1", value: 9 },
    { op: "add", path: "/a/-", value: 3 },
    { op: "remove", path: "/a/0" },
    { op: "replace", path: "/x~1y", value: 2 },
  ]);
  assert.deepEqual(patched, { a: [9, 2, 3], "x/y": 2 });
  assert.deepEqual(target, { a: [1, 2], "x/y": 1 });
});

Deno.test("jsonPatch() refuses what does not fit", () => {
  assert.throws(() => jsonPatch({}, {}), SyntaxError);
  assert.throws(() => jsonPatch({}, [{ op: "frob", path: "/a", value: 1 }]), RangeError);
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: "frob", path: "/a", value: 1 }]), SyntaxError);
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: "test", path: "/a", value: 2 }]), RangeError);
  assert.throws(() => jsonPatch({ a: [] }, [{ op: "remove", path: "/a/0" }]), RangeError);
  assert.throws(() => jsonPatch({ a: [] }, [{ op: "add", path: "/a/1", value: 0 }]), RangeError);
});

Deno.test("equalJson() looks at values, not at their order or at undefined members", () => {
  assert.ok(equalJson({ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1, d: undefined }));
  assert.ok(!equalJson({ a: 1 }, { a: "1" }));
  assert.ok(!equalJson([1, 2], [2, 1]));
  assert.ok(!equalJson({}, null));
});
