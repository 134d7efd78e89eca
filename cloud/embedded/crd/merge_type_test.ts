import assert from "node:assert/strict";
import type { MergeType } from "../apply/merge_type.ts";
import { mergeTypeOf } from "./merge_type.ts";

const TEXT = { type: "string" };
const TYPE = mergeTypeOf({
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        text: TEXT,
        list: { type: "array", items: TEXT },
        set: { type: "array", items: TEXT, "x-kubernetes-list-type": "set" },
        rows: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["k", "n"],
          items: {
            type: "object",
            properties: { k: TEXT, n: { type: "integer", default: 1 }, v: TEXT },
          },
        },
        whole: { type: "object", "x-kubernetes-map-type": "atomic", properties: { a: TEXT } },
        map: { type: "object", additionalProperties: TEXT },
        any: { "x-kubernetes-preserve-unknown-fields": true },
        open: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: TEXT } },
        pod: {
          type: "object",
          "x-kubernetes-embedded-resource": true,
          "x-kubernetes-preserve-unknown-fields": true,
        },
      },
    },
  },
});

function at(...path: string[]): MergeType | undefined {
  let type: MergeType | undefined = TYPE;
  for (const name of path) {
    type = type?.kind === "map" ? type.field(name) : type?.kind === "keyed" ? type.item : undefined;
  }
  return type;
}

Deno.test("mergeTypeOf() merges as the extensions of the schema say", async (t) => {
  const rows: Array<[path: string[], kind: MergeType["kind"] | undefined]> = [
    [["apiVersion"], "atomic"],
    [["metadata"], "map"],
    [["metadata", "labels", "x"], "atomic"],
    [["metadata", "finalizers"], "set"],
    [["metadata", "ownerReferences"], "keyed"],
    [["spec"], "map"],
    [["spec", "text"], "atomic"],
    [["spec", "list"], "atomic"],
    [["spec", "set"], "set"],
    [["spec", "rows"], "keyed"],
    [["spec", "rows", "", "v"], "atomic"],
    [["spec", "whole"], "atomic"],
    [["spec", "map", "anything"], "atomic"],
    [["spec", "any"], "deduced"],
    [["spec", "open", "a"], "atomic"],
    [["spec", "open", "b"], "deduced"],
    [["spec", "pod", "metadata", "labels"], "map"],
    [["spec", "nope"], undefined],
  ];
  for (const [path, kind] of rows) await t.step(path.join("."), () => assert.equal(at(...path)?.kind, kind));
  await t.step("keys and their defaults", () => {
    const found = at("spec", "rows");
    assert(found?.kind === "keyed");
    assert.deepEqual([found.keys, found.defaults], [["k", "n"], { n: 1 }]);
  });
});
