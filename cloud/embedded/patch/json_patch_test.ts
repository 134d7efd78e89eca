import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../../common/errors/mod.ts";
import { applyJsonPatch } from "./json_patch.ts";

Deno.test("applyJsonPatch() does every operation of RFC 6902, as upstream does them", async (t) => {
  const rows: Array<[string, unknown, unknown, unknown]> = [
    ["add a member", { a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
    ["add in the middle of an array", { a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], {
      a: [1, 2, 3],
    }],
    ["append", { a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] }],
    ["replace", { a: 1 }, [{ op: "replace", path: "/a", value: { b: 1 } }], { a: { b: 1 } }],
    ["replace a missing member", { a: 1 }, [{ op: "replace", path: "/b", value: 2 }], { a: 1, b: 2 }],
    ["test and copy a missing member", {}, [
      { op: "test", path: "/a", value: null },
      { op: "copy", from: "/a", path: "/b" },
    ], { b: null }],
    ["replace the whole", { a: 1 }, [{ op: "replace", path: "", value: 7 }], 7],
    ["remove", { a: [1, 2] }, [{ op: "remove", path: "/a/0" }], { a: [2] }],
    ["move", { a: { b: 1 } }, [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: 1 }],
    ["copy", { a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
    ["test and go on", { a: 1 }, [{ op: "test", path: "/a", value: 1 }, { op: "remove", path: "/a" }], {}],
    ["escaped names", { "a/b": { "~": 1 } }, [{ op: "remove", path: "/a~1b/~0" }], { "a/b": {} }],
  ];
  for (const [name, target, patch, expected] of rows) {
    await t.step(name, () => {
      const before = structuredClone(target);
      assert.deepEqual(applyJsonPatch(target, patch), expected);
      assert.deepEqual(target, before);
    });
  }
});

Deno.test("applyJsonPatch() refuses what does not fit", async (t) => {
  const rows: Array<[string, unknown, string]> = [
    ["no array", { op: "add" }, "BadRequest"],
    ["an unknown operation", [{ op: "jump", path: "/a" }], "Invalid"],
    ["a path without a slash", [{ op: "remove", path: "a" }], "BadRequest"],
    ["no value", [{ op: "add", path: "/a" }], "BadRequest"],
    ["a missing member", [{ op: "remove", path: "/x" }], "Invalid"],
    ["replace in a missing member", [{ op: "replace", path: "/x/y", value: 1 }], "Invalid"],
    ["an index beyond the end", [{ op: "add", path: "/list/9", value: 1 }], "Invalid"],
    ["a leading zero", [{ op: "remove", path: "/list/00" }], "Invalid"],
    ["a failed test", [{ op: "test", path: "/a", value: 2 }], "Invalid"],
    ["a prototype", [{ op: "add", path: "/__proto__/polluted", value: 1 }], "Invalid"],
    ["a move into itself", [{ op: "move", from: "/o", path: "/o/b" }], "Invalid"],
  ];
  for (const [name, patch, reason] of rows) {
    await t.step(name, () => {
      assert.throws(
        () => applyJsonPatch({ a: 1, list: [1], o: {} }, patch),
        (e) => e instanceof StatusError && e.reason === reason,
      );
    });
  }
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("applyJsonPatch() makes no more than three megabytes by copying", () => {
  const copies = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ op: "copy", from: "/data", path: `/data/${i}` }));
  const target = { data: { text: "x".repeat(10_000) } };
  assert.equal(Object.keys((applyJsonPatch(target, copies(8)) as typeof target).data).length, 9);
  assert.throws(() => applyJsonPatch(target, copies(1000)), (error) => {
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, 422);
    assert.match(
      error.details!.causes![0]!.message!,
      /^Cannot copy "\/data\/\d+": copies make more than 3145728/,
    );
    return true;
  });
});

Deno.test("applyJsonPatch() throws nothing but StatusError, whatever the patch", () => {
  const operation = fc.record({
    op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x"),
    path: fc.oneof(fc.string(), fc.constantFrom("", "/", "/a", "/a/0", "/a/-", "/b/c")),
    from: fc.constantFrom("", "/a", "/b"),
    value: fc.jsonValue(),
  });
  fc.assert(fc.property(fc.array(operation), (patch) => {
    try {
      applyJsonPatch({ a: [1, 2], b: { c: 1 } }, patch);
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
    }
  }));
});
