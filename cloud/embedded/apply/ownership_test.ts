import assert from "node:assert/strict";
import fc from "fast-check";
import { changedFields, compareFields } from "./compare.ts";
import { NO_FIELDS, pathsOf, setOf } from "./field_set.ts";
import { type ManagerName, type Managers, printManagedFields, readManagedFields } from "./managed_fields.ts";
import { mergeApplied } from "./merge.ts";
import { ATOMIC, DEDUCED, type MergeType } from "./merge_type.ts";
import { applyFields, noteUpdate, type Writing } from "./ownership.ts";
import { printPath } from "./path_element.ts";
import { fieldsOf, removeFields, withWholes } from "./walk.ts";

const MAP: MergeType = { kind: "map", field: () => ATOMIC, isEntry: () => true };
const ITEM: MergeType = {
  kind: "map",
  field: (name) =>
    ({ name: ATOMIC, port: ATOMIC, value: ATOMIC, labels: MAP, tags: { kind: "set" } } as Record<
      string,
      MergeType
    >)[name],
};
const FIELDS: Record<string, MergeType> = {
  number: ATOMIC,
  whole: ATOMIC,
  labels: MAP,
  tags: { kind: "set" },
  items: { kind: "keyed", keys: ["name", "port"], defaults: { port: 1 }, item: ITEM },
  unknown: DEDUCED,
};
const TYPE: MergeType = {
  kind: "map",
  field: (name) => Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined,
};

function by(manager: string, operation: ManagerName["operation"] = "Apply"): Writing {
  return {
    type: TYPE,
    reset: NO_FIELDS,
    by: { manager, operation, apiVersion: "v1", subresource: "" },
    now: "2026-01-01T00:00:00Z",
  };
}

/** An object and who has what of it, as applying and updating leave it. */
class Applied {
  object: unknown = {};
  managers: Managers = new Map();

  apply(manager: string, config: unknown, force = false): "applied" | "conflicts" {
    const result = applyFields(this.managers, this.object, config, by(manager), force);
    // A whole object is never without fields, as these are.
    if (result.kind === "applied" && result.object !== undefined) this.object = result.object ?? {};
    return result.kind;
  }

  update(manager: string, object: unknown): void {
    noteUpdate(this.managers, this.object, object, by(manager, "Update"));
    this.object = object;
  }

  paths(manager: string): string[] {
    const found = [...this.managers.values()].find((m) => m.manager === manager);
    return found === undefined ? [] : [...pathsOf(found.fields)].map(printPath).sort();
  }

  copy(): Applied {
    const copy = new Applied();
    copy.object = structuredClone(this.object);
    copy.managers = readManagedFields(printManagedFields(this.managers));
    return copy;
  }
}

const word = fc.constantFrom("a", "b", "c");
const labels = fc.dictionary(word, word, { maxKeys: 3, noNullPrototype: true });
const tags = fc.uniqueArray(word, { maxLength: 3 });
const item = fc.record({ name: word, port: fc.constantFrom(1, 2), value: word, labels, tags }, {
  requiredKeys: ["name"],
});
const keyOf = ({ name, port }: { name: string; port?: number }) => `${name} ${port ?? 1}`;
const configs = fc.record({
  number: fc.integer(),
  whole: fc.jsonValue({ maxDepth: 1 }),
  labels,
  tags,
  items: fc.uniqueArray(item, { selector: keyOf, maxLength: 4 }),
  unknown: fc.dictionary(word, fc.oneof(word, labels, fc.array(word)), { maxKeys: 3, noNullPrototype: true }),
}, { requiredKeys: [] });

Deno.test("applying again changes nothing", () => {
  fc.assert(fc.property(configs, configs, (first, second) => {
    const one = new Applied();
    one.apply("a", first);
    one.apply("b", second, true);
    const two = one.copy();
    two.apply("b", second, true);
    assert.deepEqual(two.object, one.object);
    assert.deepEqual(printManagedFields(two.managers), printManagedFields(one.managers));
  }));
});

Deno.test("what is applied is what there is then, and it belongs to who applied it", () => {
  fc.assert(fc.property(configs, configs, (first, second) => {
    const applied = new Applied();
    applied.apply("a", first);
    applied.apply("b", second, true);
    const { added, modified } = compareFields(
      applied.object,
      mergeApplied(applied.object, second, TYPE),
      TYPE,
    );
    assert.deepEqual([added, modified], [{}, {}]);
    assert.deepEqual(applied.paths("b"), [...pathsOf(fieldsOf(second, TYPE))].map(printPath).sort());
  }));
});

Deno.test("who applies nothing any more takes along what nobody else has, and only that", () => {
  fc.assert(fc.property(configs, configs, (first, second) => {
    const applied = new Applied();
    applied.apply("a", first);
    const alone = JSON.stringify(applied.object);
    assert.equal(applied.apply("b", first), "applied");
    applied.apply("b", {});
    assert.equal(JSON.stringify(applied.object), alone);
    applied.apply("b", second, true);
    applied.apply("b", {});
    assert.deepEqual(applied.paths("b"), []);
    // What nobody else has is gone: nothing is left but fields of the other, and those above them.
    applied.apply("a", {});
    assert.deepEqual([...pathsOf(fieldsOf(applied.object, TYPE))].map(printPath), []);
  }));
});

Deno.test("configurations that have no field in common come to the same in either order", () => {
  const named = (prefix: string) =>
    fc.record({
      labels: fc.dictionary(word.map((w) => prefix + w), word, { maxKeys: 3, noNullPrototype: true }),
      items: fc.uniqueArray(item.map((i) => ({ ...i, name: prefix + i.name })), {
        selector: keyOf,
        maxLength: 3,
      }),
    }, { requiredKeys: [] });
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted).sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
      : typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).sort().map(([k, v]) => [k, sorted(v)]))
      : value;
  fc.assert(fc.property(named("x"), named("y"), (x, y) => {
    const [one, two] = [new Applied(), new Applied()];
    assert.equal(one.apply("a", x), "applied");
    assert.equal(one.apply("b", y), "applied");
    assert.equal(two.apply("b", y), "applied");
    assert.equal(two.apply("a", x), "applied");
    assert.deepEqual(sorted(one.object), sorted(two.object));
    assert.deepEqual([one.paths("a"), one.paths("b")], [two.paths("a"), two.paths("b")]);
  }));
});

Deno.test("a comparison names each field once, and adding is the reverse of removing", () => {
  fc.assert(fc.property(configs, configs, (a, b) => {
    const [there, back] = [compareFields(a, b, TYPE), compareFields(b, a, TYPE)];
    assert.deepEqual(there.added, back.removed);
    assert.deepEqual(there.modified, back.modified);
    const paths = [there.added, there.removed, there.modified].flatMap((set) =>
      [...pathsOf(set)].map(printPath)
    );
    assert.equal(new Set(paths).size, paths.length);
    assert.deepEqual(changedFields(compareFields(a, structuredClone(a), TYPE)), {});
  }));
});

Deno.test("updates take fields from whoever had them", () => {
  const applied = new Applied();
  applied.apply("a", { number: 1, labels: { x: "1", y: "1" }, tags: ["s", "t"] });
  applied.update("u", { number: 2, labels: { x: "1", z: "1" }, tags: ["t"] });
  assert.deepEqual(applied.paths("a"), [".labels.x", '.tags[="t"]']);
  assert.deepEqual(applied.paths("u"), [".labels.z", ".number"]);
  assert.equal(applied.apply("a", { number: 1 }), "conflicts");
  assert.equal(applied.apply("a", { number: 2 }), "applied");
  assert.deepEqual(applied.object, { number: 2, labels: { z: "1" } });
});

Deno.test("mergeApplied() keeps the order that is applied, and the others where they were", async (t) => {
  const list = (...names: string[]) => ({ tags: names });
  const rows: Array<[string, string[], string[], string[]]> = [
    ["nothing in common", ["a", "b"], ["c", "d"], ["a", "b", "c", "d"]],
    ["the same", ["a", "b"], ["a", "b"], ["a", "b"]],
    ["the reverse", ["a", "b", "c"], ["c", "b", "a"], ["c", "b", "a"]],
    ["one in the middle", ["a", "b", "c"], ["a", "x", "c"], ["a", "b", "x", "c"]],
    ["one before", ["b"], ["a", "b"], ["a", "b"]],
    ["others between", ["1", "a", "2", "b", "3"], ["b", "a"], ["1", "2", "b", "3", "a"]],
  ];
  for (const [name, live, applied, expected] of rows) {
    await t.step(
      name,
      () => assert.deepEqual(mergeApplied(list(...live), list(...applied), TYPE), list(...expected)),
    );
  }
});

Deno.test("mergeApplied() takes nulls and types that are not known as the real server does", async (t) => {
  const rows: Array<[string, unknown, unknown, unknown]> = [
    ["a null for a scalar", { number: 1 }, { number: null }, { number: null }],
    ["a null for a map changes nothing", { labels: { a: "1" } }, { labels: null }, { labels: { a: "1" } }],
    ["a null for no map", {}, { labels: null }, { labels: null }],
    ["an empty map", {}, { labels: {} }, { labels: {} }],
    ["unknown maps are merged", { unknown: { a: 1, b: { c: 1 } } }, { unknown: { b: { d: 2 } } }, {
      unknown: { a: 1, b: { c: 1, d: 2 } },
    }],
    ["unknown lists are replaced", { unknown: { a: [1, 2] } }, { unknown: { a: [3] } }, {
      unknown: { a: [3] },
    }],
    ["an unknown scalar becomes a map", { unknown: 1 }, { unknown: { a: 1 } }, { unknown: { a: 1 } }],
    ["an unknown map becomes a scalar", { unknown: { a: 1 } }, { unknown: 1 }, { unknown: 1 }],
    [
      "a name that objects have anyway",
      { labels: {} },
      JSON.parse('{"labels":{"__proto__":"1"}}'),
      JSON.parse('{"labels":{"__proto__":"1"}}'),
    ],
  ];
  for (const [name, live, applied, expected] of rows) {
    await t.step(name, () => assert.deepEqual(mergeApplied(live, applied, TYPE), expected));
  }
});

Deno.test("fieldsOf() names what an object has", async (t) => {
  const rows: Array<[string, unknown, string[]]> = [
    ["scalars and wholes", { number: 1, whole: { a: [1] } }, [".number", ".whole"]],
    ["entries of maps", { labels: { a: "1" } }, [".labels.a"]],
    ["an empty map, but no empty list", { labels: {}, tags: [] }, [".labels"]],
    ["nulls", { number: null, tags: null, unknown: null }, [".number", ".tags", ".unknown"]],
    ["items with their keys", { items: [{ name: "x", value: 1 }] }, [
      '.items[name="x",port=1]',
      '.items[name="x",port=1].name',
      '.items[name="x",port=1].value',
    ]],
    ["items of one key together", { items: [{ name: "x" }, { name: "x", port: 1 }] }, [
      '.items[name="x",port=1]',
    ]],
    ["what is not known", { unknown: { a: { b: 1 }, c: [1] } }, [
      ".unknown.a",
      ".unknown.a.b",
      ".unknown.c",
    ]],
  ];
  for (const [name, value, expected] of rows) {
    await t.step(name, () => {
      assert.deepEqual([...pathsOf(fieldsOf(value, TYPE))].map(printPath).sort(), expected);
    });
  }
});

Deno.test("removeFields() takes fields out, and leaves null where nothing is left", () => {
  const object = {
    number: 1,
    labels: { a: "1" },
    items: [{ name: "x", value: 1 }, { name: "y" }],
    tags: ["s"],
  };
  const fields = setOf(
    ["f:number"],
    ["f:labels", "f:a"],
    ["f:items", 'k:{"name":"y","port":1}'],
    ["f:items", 'k:{"name":"x","port":1}', "f:value"],
  );
  assert.deepEqual(removeFields(object, fields, TYPE), { labels: null, items: [{ name: "x" }], tags: ["s"] });
});

Deno.test("withWholes() joins the fields of what has one owner by now", () => {
  const fields = setOf(["f:whole"], ["f:whole", "f:a"], ["f:labels", "f:x"], [
    "f:items",
    'k:{"name":"x","port":1}',
    "f:value",
    "f:deep",
  ], ["f:gone", "f:x"]);
  assert.deepEqual([...pathsOf(withWholes(fields, TYPE))].map(printPath).sort(), [
    ".gone.x",
    '.items[name="x",port=1].value',
    ".labels.x",
    ".whole",
  ]);
  const same = setOf(["f:whole"], ["f:labels"], ["f:labels", "f:x"], ["f:unknown", "f:a", "f:b"]);
  assert.equal(withWholes(same, TYPE), same);
});

Deno.test("applyFields() applies lists of very many items in one go", () => {
  // Making the sets of fields item by item would take minutes.
  const items = (value: number) => ({
    items: Array.from({ length: 9000 }, (_, i) => ({ name: `i${i}`, port: 1, value })),
  });
  const applied = new Applied();
  applied.apply("a", items(1));
  assert.equal(applied.apply("a", items(2)), "applied");
  assert.deepEqual(applied.object, items(2));
});
