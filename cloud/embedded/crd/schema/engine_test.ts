import assert from "node:assert/strict";
import fc from "fast-check";
import { Correlated } from "./correlated.ts";
import type { JsonSchema } from "./json_schema.ts";
import { tooLargeSchema } from "./json_schema.ts";
import { applyDefaults, dropNulls, prune } from "./prune.ts";
import { validateListTypes } from "./list_types.ts";
import { validateValue } from "./validate.ts";

const scalar: fc.Arbitrary<JsonSchema> = fc.oneof(
  fc.constant<JsonSchema>({ type: "string" }),
  fc.constant<JsonSchema>({ type: "string", default: "x", pattern: "^[a-z]*$" }),
  fc.constant<JsonSchema>({ type: "integer", minimum: 0 }),
  fc.constant<JsonSchema>({ type: "boolean", nullable: true }),
  fc.constant<JsonSchema>({ "x-kubernetes-int-or-string": true }),
  fc.constant<JsonSchema>({ type: "object", "x-kubernetes-preserve-unknown-fields": true }),
);

const { schema } = fc.letrec<{ schema: JsonSchema }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.record({
      type: fc.constant("object"),
      properties: fc.dictionary(fc.constantFrom("a", "b", "c"), tie("schema"), { maxKeys: 3 }),
      required: fc.subarray(["a", "b"]),
    }),
    fc.record({
      type: fc.constant("array"),
      items: tie("schema"),
      "x-kubernetes-list-type": fc.constantFrom("atomic", "set"),
    }),
    fc.record({ type: fc.constant("object"), additionalProperties: tie("schema") }),
  ),
}));

const value = fc.jsonValue({ maxDepth: 4 }).map((v) => JSON.parse(JSON.stringify(v)));
const object = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "__proto__"), value, { maxKeys: 4 });
const root = (of: JsonSchema): JsonSchema => ({ type: "object", properties: { a: of, b: of } });
const copy = (v: unknown) => JSON.parse(JSON.stringify(v));

Deno.test("prune() leaves what is pruned already as it is, and nothing that the schema does not have", () => {
  fc.assert(fc.property(schema, object, (of, given) => {
    const once = copy(given);
    prune(once, root(of), false);
    const twice = copy(once);
    const unknown: string[] = [];
    prune(twice, root(of), false, unknown);
    assert.deepEqual(twice, once);
    assert.deepEqual(unknown, []);
    for (const key of Object.keys(once)) assert(key === "a" || key === "b", key);
  }));
});

Deno.test("applyDefaults() fills once, and what was there stays", () => {
  fc.assert(fc.property(schema, object, (of, given) => {
    const once = copy(given);
    dropNulls(once, root(of));
    const before = copy(once);
    applyDefaults(once, root(of));
    const twice = copy(once);
    applyDefaults(twice, root(of));
    assert.deepEqual(twice, once);
    for (const key of Object.keys(before)) assert(Object.hasOwn(once, key), key);
  }));
});

Deno.test("validateValue() complains of nothing that has not changed, however strict the schema", () => {
  fc.assert(fc.property(schema, object, (of, given) => {
    const same = new Correlated(given, copy(given), root(of));
    assert.deepEqual(validateValue(root(of), given, "", same), []);
  }));
});

Deno.test("validateValue() and validateListTypes() end without an exception, with few and short errors", () => {
  fc.assert(fc.property(schema, object, (of, given) => {
    const errors = [...validateValue(root(of), given), ...validateListTypes(root(of), given)];
    for (const { message } of errors) assert(message.length < 5000, message);
  }));
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, 1]));
  const errors = validateValue({ type: "object", additionalProperties: { type: "string" } }, many);
  assert.equal(errors.length, 100);
});

Deno.test("validateValue() refuses an object that would take too long, also inside what must not hold", () => {
  const costly: JsonSchema = {
    type: "object",
    properties: {
      a: {
        type: "array",
        items: { type: "string", anyOf: Array.from({ length: 5000 }, () => ({ minLength: 5 })) },
      },
    },
  };
  const value = { a: Array.from({ length: 20_000 }, () => "x") };
  for (const schema of [costly, { ...costly, properties: {}, not: { properties: costly.properties! } }]) {
    const errors = validateValue(schema, value);
    assert.equal(errors.length, 1);
    assert.match(errors[0]!.message, /more work than one object may/);
  }
  assert.equal(validateValue(costly, { a: ["long enough"] }).length, 0);
});

Deno.test("validateValue() forgives old faults only where they are the same", async (t) => {
  const strict: JsonSchema = {
    type: "object",
    properties: {
      a: { type: "string", pattern: "^x" },
      b: { type: "object", properties: { c: { type: "integer", minimum: 5 }, d: { type: "string" } } },
      l: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        items: { type: "object", properties: { k: { type: "string" }, v: { type: "integer", minimum: 5 } } },
      },
      s: { type: "array", items: { type: "integer", minimum: 5 } },
    },
  };
  const rows: Array<[name: string, old: object, now: object, fields: string[]]> = [
    ["the same", { a: "bad" }, { a: "bad", b: { c: 9 } }, []],
    ["another fault", { a: "bad" }, { a: "worse" }, ["a"]],
    ["beside a change", { b: { c: 1 } }, { b: { c: 1, d: "new" } }, []],
    ["a new field", {}, { a: "bad" }, ["a"]],
    ["an item found by its key", { l: [{ k: "p", v: 1 }] }, { l: [{ k: "q", v: 7 }, { k: "p", v: 1 }] }, []],
    ["an item with another key", { l: [{ k: "p", v: 1 }] }, { l: [{ k: "q", v: 1 }] }, ["l[0].v"]],
    ["an item of a plain list", { s: [1] }, { s: [9, 1] }, ["s[1]"]],
  ];
  for (const [name, old, now, fields] of rows) {
    await t.step(name, () => {
      const found = validateValue(strict, now, "", new Correlated(now, old, strict)).map(({ field }) =>
        field
      );
      assert.deepEqual(found, fields);
    });
  }
});

Deno.test("tooLargeSchema() bounds depth, size and patterns", () => {
  let deep: JsonSchema = { type: "string" };
  for (let i = 0; i < 70; i++) deep = { type: "array", items: deep };
  assert.match(tooLargeSchema(deep) ?? "", /nested/);
  const wide = Object.fromEntries(Array.from({ length: 20_001 }, (_, i) => [`f${i}`, { type: "string" }]));
  assert.match(tooLargeSchema({ type: "object", properties: wide }) ?? "", /parts/);
  assert.match(tooLargeSchema({ type: "string", pattern: "a".repeat(5000) }) ?? "", /patterns/);
  assert.equal(
    tooLargeSchema({ type: "object", properties: { a: deep.items as JsonSchema } })?.includes("nested"),
    true,
  );
  assert.equal(tooLargeSchema({ type: "string" }), undefined);
});
