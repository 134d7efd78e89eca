import assert from "node:assert/strict";
import { pathsOf, setOf } from "./field_set.ts";
import {
  capManagers,
  managerKey,
  type Managers,
  parseManagedFields,
  printManagedFields,
  readManagedFields,
} from "./managed_fields.ts";

const good = {
  manager: "m",
  operation: "Update",
  apiVersion: "v1",
  time: "2026-01-01T00:00:00Z",
  fieldsType: "FieldsV1",
  fieldsV1: { "f:data": { "f:a": {} } },
};

Deno.test("parseManagedFields() refuses what the real server takes as unreadable", async (t) => {
  const rows: Array<[string, object, RegExp]> = [
    ["an operation that there is not", { operation: "Foo" }, /^operation must be `Apply` or `Update`$/],
    ["no version", { apiVersion: "" }, /^apiVersion must not be empty$/],
    ["no type", { fieldsType: undefined }, /^missing fieldsType in managed fields entry 0$/],
    ["another type", { fieldsType: "FieldsV2" }, /^invalid fieldsType "FieldsV2" in managed fields entry 0$/],
    ["fields that are none", { fieldsV1: { a: {} } }, /has no colon/],
  ];
  for (const [name, change, message] of rows) {
    await t.step(name, () => {
      assert.throws(() => parseManagedFields([{ ...good, ...change }]), { name: "SyntaxError", message });
    });
  }
  assert.throws(() => parseManagedFields([1]), SyntaxError);
  assert.throws(() => parseManagedFields({}), SyntaxError);
  assert.deepEqual(printManagedFields(parseManagedFields([good])), [good]);
});

Deno.test("managers are told apart by name, operation and subresource, and by version when they update", () => {
  const name = { manager: "m", operation: "Apply", apiVersion: "v1", subresource: "" } as const;
  assert.equal(managerKey(name), managerKey({ ...name, apiVersion: "v2" }));
  assert.notEqual(managerKey(name), managerKey({ ...name, subresource: "status" }));
  const update = { ...name, operation: "Update" } as const;
  assert.notEqual(managerKey(update), managerKey({ ...update, apiVersion: "v2" }));
});

Deno.test("printManagedFields() prints what was applied first, then the oldest, then by name", () => {
  const entries = [
    { ...good, manager: "z", operation: "Apply", time: undefined },
    { ...good, manager: "b", operation: "Apply" },
    { ...good, manager: "a", time: undefined },
    { ...good, manager: "b", subresource: "status" },
    { ...good, manager: "c" },
    { ...good, manager: "0", time: "2026-01-02T00:00:00Z" },
  ];
  const printed = printManagedFields(readManagedFields([...entries].reverse()));
  assert.deepEqual(
    JSON.parse(JSON.stringify(printed)).map((e: typeof good) =>
      `${e.manager} ${e.operation} ${e.time ?? "-"}`
    ),
    [
      "z Apply -",
      "b Apply 2026-01-01T00:00:00Z",
      "a Update -",
      "b Update 2026-01-01T00:00:00Z",
      "c Update 2026-01-01T00:00:00Z",
      "0 Update 2026-01-02T00:00:00Z",
    ],
  );
  assert.equal(
    JSON.stringify(printManagedFields(readManagedFields([{ ...good, subresource: "status" }]))?.[0]),
    '{"manager":"m","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{"f:a":{}}},"subresource":"status"}',
  );
  assert.equal(printManagedFields(new Map()), undefined);
});

function updates(count: number, apiVersion = (_: number) => "v1"): Managers {
  const managers: Managers = new Map();
  for (let i = 0; i < count; i++) {
    const second = String(i).padStart(2, "0");
    const manager = {
      manager: `m${second}`,
      operation: "Update",
      apiVersion: apiVersion(i),
      subresource: i % 2 === 0 ? "" : "status",
      time: `2026-01-01T00:00:${second}Z`,
      fields: setOf(["f:data", `f:${second}`]),
    } as const;
    managers.set(managerKey(manager), manager);
  }
  return managers;
}

Deno.test("capManagers() joins the oldest updates until there are ten", () => {
  const ten = updates(10);
  capManagers(ten);
  assert.equal(ten.size, 10);
  const twelve = updates(12);
  capManagers(twelve);
  assert.equal(twelve.size, 10);
  const bucket = [...twelve.values()].find(({ manager }) => manager === "ancient-changes");
  assert.deepEqual([...pathsOf(bucket!.fields)].map((path) => path[1]), ["f:00", "f:01", "f:02"]);
  assert.deepEqual([bucket?.subresource, bucket?.time], ["", "2026-01-01T00:00:02Z"]);
  // The bucket grows with the next one.
  const next = { ...bucket!, manager: "new", time: "2026-01-01T00:01:00Z", fields: setOf(["f:x"]) };
  twelve.set(managerKey(next), next);
  capManagers(twelve);
  const names = [...twelve.values()].map(({ manager }) => manager).sort();
  assert.deepEqual([names.length, names[0], names[1]], [10, "ancient-changes", "m04"]);
});

Deno.test("capManagers() keeps versions apart, and loses no field", () => {
  const managers = updates(14, (i) => i < 6 ? `v${i % 2}` : "v1");
  const before = [...managers.values()].flatMap(({ fields }) => [...pathsOf(fields)]).length;
  capManagers(managers);
  assert.equal(managers.size, 10);
  assert.equal([...managers.values()].flatMap(({ fields }) => [...pathsOf(fields)]).length, before);
  for (const { apiVersion, fields, manager } of managers.values()) {
    if (manager !== "ancient-changes") continue;
    assert.ok(fields !== undefined && ["v0", "v1"].includes(apiVersion));
  }
});
