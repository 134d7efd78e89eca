import assert from "node:assert/strict";
import type { ApiObject } from "../object.ts";
import { trackWrite } from "./field_manager.ts";

const CONFIG_MAP = { group: "", version: "v1", kind: "ConfigMap", schema: "core.v1.ConfigMap" } as const;
const NOW = Date.parse("2026-01-01T00:00:00Z");
const entry = (change: object = {}) => ({
  manager: "q",
  operation: "Update",
  apiVersion: "v1",
  fieldsType: "FieldsV1",
  fieldsV1: { "f:data": { "f:x": {} } },
  ...change,
});
const object = (managedFields?: unknown[], data = { x: "1" }): ApiObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", ...(managedFields && { managedFields }) },
  data,
});

function tracked(live: ApiObject | undefined, wanted: ApiObject, subresource = ""): unknown[] | undefined {
  trackWrite(live, wanted, { definition: CONFIG_MAP, manager: "me", subresource, now: NOW });
  return wanted.metadata.managedFields;
}

Deno.test("trackWrite() begins with the object, and not later", () => {
  assert.deepEqual(tracked(undefined, object()), [{
    ...entry({ manager: "me", fieldsV1: { "f:data": { ".": {}, "f:x": {} } } }),
    time: "2026-01-01T00:00:00Z",
  }]);
  assert.equal(tracked(object(), object(undefined, { x: "2" })), undefined);
});

Deno.test("trackWrite() takes managers that a client sends, and lets it clear them", () => {
  const live = object([entry()]);
  assert.deepEqual(tracked(live, object([entry({ manager: "z" })])), [entry({ manager: "z" })]);
  for (const cleared of [[], [{}]]) assert.equal(tracked(live, object(cleared)), undefined);
});

Deno.test("trackWrite() keeps those there are where none are sent, they cannot be read, or a part is written", () => {
  const live = object([entry()]);
  for (const sent of [undefined, [entry({ operation: "Foo" })], [entry({ fieldsV1: { x: {} } })], [{}, {}]]) {
    assert.deepEqual(tracked(live, object(sent)), [entry()]);
  }
  assert.deepEqual(tracked(live, object([entry({ manager: "z" })]), "status"), [entry()]);
});

Deno.test("trackWrite() refuses names without bounds", () => {
  const long = entry({ manager: "x".repeat(129), subresource: "s".repeat(257) });
  assert.throws(() => tracked(object([entry()]), object([long])), {
    code: 422,
    message:
      'ConfigMap "a" is invalid: [metadata.managedFields[0].manager: Too long: may not be more than 128 bytes, metadata.managedFields[0].subresource: Too long: may not be more than 256 bytes]',
  });
});
