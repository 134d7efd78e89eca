import assert from "node:assert/strict";
import { structType } from "./builtin_types.ts";
import { setOf } from "./field_set.ts";
import { LAST_APPLIED, withLastApplied, withoutOwnConflicts } from "./last_applied.ts";

const TYPE = structType("core.v1.ConfigMap");
const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { x: "1", y: "1" } };
const live = (annotation: string) => ({
  ...config,
  metadata: { name: "a", annotations: { [LAST_APPLIED]: annotation } },
  data: { x: "1", y: "2" },
});
const conflict = {
  key: "k",
  manager: { manager: "m", operation: "Update", apiVersion: "v1", subresource: "" } as const,
  fields: setOf(["f:data", "f:x"], ["f:data", "f:y"]),
};

Deno.test("withoutOwnConflicts() counts as kubectl's what is as kubectl last set it", () => {
  const left = withoutOwnConflicts([conflict], live(JSON.stringify(config)), TYPE);
  assert.deepEqual(left.map(({ fields }) => fields), [setOf(["f:data", "f:y"])]);
});

Deno.test("withoutOwnConflicts() takes nothing from an annotation that cannot be read or is of another version", () => {
  const other = JSON.stringify({ ...config, apiVersion: "v2" });
  for (const text of ["", "{", "[]", "1", other, "[".repeat(500)]) {
    assert.deepEqual(withoutOwnConflicts([conflict], live(text), TYPE), [conflict], text.slice(0, 10));
  }
});

Deno.test("withLastApplied() keeps the annotation in step where there is one", () => {
  const object = live("{}");
  const given = { ...config, metadata: { name: "a", annotations: { a: "b", [LAST_APPLIED]: "old" } } };
  const { metadata } = withLastApplied(object, given);
  assert.deepEqual(metadata, {
    name: "a",
    annotations: {
      [LAST_APPLIED]:
        '{"apiVersion":"v1","data":{"x":"1","y":"1"},"kind":"ConfigMap","metadata":{"annotations":{"a":"b"},"name":"a"}}\n',
    },
  });
  const none = { ...object, metadata: { name: "a" } };
  assert.equal(withLastApplied(none, given), none);
});
