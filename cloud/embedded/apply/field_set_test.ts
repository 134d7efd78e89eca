import assert from "node:assert/strict";
import fc from "fast-check";
import {
  difference,
  type FieldSet,
  hasField,
  intersection,
  isEmptySet,
  NO_FIELDS,
  parseFields,
  pathsOf,
  recursiveDifference,
  setOf,
  union,
} from "./field_set.ts";
import { compareRanks, parsePathElement, printPath, rankOf } from "./path_element.ts";

const ELEMENTS = ["f:a", "f:b", "f:c", 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"s"', "v:1", "i:0"];

/** Any set. */
const sets = fc.array(fc.array(fc.constantFrom(...ELEMENTS), { minLength: 1, maxLength: 4 }), {
  maxLength: 12,
})
  .map((paths) => setOf(...paths));

/** The paths of a set as text, for comparing sets as sets. */
function members(set: FieldSet): Set<string> {
  return new Set([...pathsOf(set)].map((path) => path.join(" ")));
}

function assertSet(actual: FieldSet, expected: Set<string>): void {
  assert.deepEqual([...members(actual)].sort(), [...expected].sort());
  // However it was made, a set has one text.
  const paths = [...pathsOf(actual)];
  assert.equal(JSON.stringify(actual), JSON.stringify(setOf(...paths)));
}

Deno.test("union(), intersection() and difference() are those of sets", () => {
  fc.assert(fc.property(sets, sets, (a, b) => {
    const [x, y] = [members(a), members(b)];
    assertSet(union(a, b), x.union(y));
    assertSet(intersection(a, b), x.intersection(y));
    assertSet(difference(a, b), x.difference(y));
  }));
});

Deno.test("recursiveDifference() takes away what is below as well", () => {
  fc.assert(fc.property(sets, sets, (a, b) => {
    const gone = members(b);
    const under = (path: string) => {
      const parts = path.split(" ");
      return parts.some((_, i) => gone.has(parts.slice(0, i + 1).join(" ")));
    };
    assertSet(recursiveDifference(a, b), new Set([...members(a)].filter((path) => !under(path))));
  }));
});

Deno.test("sets that do not change are handed back as they are", () => {
  fc.assert(fc.property(sets, sets, (a, b) => {
    assert.equal(union(a, intersection(a, b)), a);
    assert.equal(difference(a, difference(b, a)), a);
    assert.equal(difference(a, a), NO_FIELDS);
  }));
});

Deno.test("hasField() tells members from what only has members below", () => {
  fc.assert(fc.property(sets, fc.array(fc.constantFrom(...ELEMENTS), { maxLength: 4 }), (set, path) => {
    assert.equal(hasField(set, path), members(set).has(path.join(" ")));
  }));
});

Deno.test("parseFields() reads what is printed, in whatever order it comes", () => {
  const shuffled = (value: unknown): unknown =>
    Object.fromEntries(
      Object.entries(value as FieldSet).reverse().map(([key, item]) => [key, shuffled(item)]),
    );
  fc.assert(fc.property(sets, (set) => {
    assert.equal(JSON.stringify(parseFields(shuffled(JSON.parse(JSON.stringify(set))))), JSON.stringify(set));
  }));
});

Deno.test("parseFields() throws nothing but SyntaxError, and what it reads it reads again", () => {
  const keys = fc.oneof(
    fc.constantFrom(...ELEMENTS, ".", "f:", "x:1", "k:{", "v:", "i:x", "a", ""),
    fc.string(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(fc.constant({}), fc.jsonValue({ maxDepth: 1 })),
      fc.dictionary(keys, tie("tree"), { maxKeys: 4 }),
    ),
  }));
  fc.assert(fc.property(tree, (value) => {
    try {
      const set = parseFields(value);
      assert.deepEqual(parseFields(JSON.parse(JSON.stringify(set))), set);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }));
});

Deno.test("parseFields() keeps what the real server would", async (t) => {
  const rows: Array<[string, unknown, string]> = [
    ["nothing", undefined, "{}"],
    ["an empty set", {}, "{}"],
    ["the root is no member", { ".": {}, "f:a": {} }, '{"f:a":{}}'],
    ["a member with members below", { "f:a": { "f:b": {}, ".": {} } }, '{"f:a":{".":{},"f:b":{}}}'],
    ["kinds that are not known are left out", { "x:y": {}, "f:a": {} }, '{"f:a":{}}'],
    ["keys in their order", { 'k:{"b":2, "a":1}': {} }, '{"k:{\\"a\\":1,\\"b\\":2}":{}}'],
    [
      "two ways to write one key",
      { 'k:{"a":1}': { "f:x": {} }, 'k:{"a": 1}': { "f:y": {} } },
      '{"k:{\\"a\\":1}":{"f:x":{},"f:y":{}}}',
    ],
    [
      "fields before keys before values before indexes",
      { "i:0": {}, "v:1": {}, 'k:{"a":1}': {}, "f:z": {} },
      '{"f:z":{},"k:{\\"a\\":1}":{},"v:1":{},"i:0":{}}',
    ],
    [
      "a name that objects have anyway",
      { "f:__proto__": {}, "f:constructor": {} },
      '{"f:__proto__":{},"f:constructor":{}}',
    ],
  ];
  for (const [name, given, expected] of rows) {
    await t.step(name, () => assert.equal(JSON.stringify(parseFields(given)), expected));
  }
  for (const bad of [1, "x", [], { a: {} }, { "f:a": 1 }, { "v:": {} }, { "k:1": {} }, { "i:x": {} }]) {
    await t.step(JSON.stringify(bad), () => assert.throws(() => parseFields(bad), SyntaxError));
  }
});

Deno.test("path elements are in the order of the real server", () => {
  const sorted = [
    "f:",
    "f:a",
    "f:b",
    "f:\uffff",
    "f:\u{1f600}",
    'k:{"containerPort":80,"protocol":"TCP"}',
    'k:{"containerPort":80,"protocol":"UDP"}',
    'k:{"containerPort":443,"protocol":"TCP"}',
    'k:{"name":"a"}',
    "v:2",
    "v:10",
    'v:"a"',
    "v:true",
    "i:2",
    "i:10",
  ];
  for (const [i, a] of sorted.entries()) {
    for (const [j, b] of sorted.entries()) {
      assert.equal(Math.sign(compareRanks(rankOf(a), rankOf(b))), Math.sign(i - j), `${a} ${b}`);
    }
    assert.equal(parsePathElement(a), a);
  }
});

Deno.test("printPath() prints as the real server's messages do", () => {
  const path = ["f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"', "i:3", "f:a.b/c"];
  assert.equal(printPath(path), '.spec[containerPort=80,protocol="TCP"][="x"][3].a.b/c');
});

Deno.test("pathsOf() names a level before what is below it", () => {
  const set = setOf(["f:a", "f:b"], ["f:c"], ["f:a"], ["f:a", "f:a", "f:z"]);
  assert.deepEqual([...pathsOf(set)].map(printPath), [".a", ".c", ".a.b", ".a.a.z"]);
  assert.equal(isEmptySet(set), false);
});
