import assert from "node:assert/strict";
import fc from "fast-check";
import { duplicateFields } from "./duplicate_fields.ts";

Deno.test("duplicateFields() names the fields that are there twice", () => {
  const rows: Array<[string, string[]]> = [
    ["{}", []],
    ["[]", []],
    ["5", []],
    ['{"a":1,"b":1}', []],
    ['{"a":1,"a":2}', ["a"]],
    ['{"a":1,"a":2,"a":3}', ["a"]],
    ['{"a":{"b":1},"c":{"b":1}}', []],
    ['{"a":{"b":1,"b":2}}', ["a.b"]],
    ['{"a":[{"b":1},{"b":1,"c":[],"b":2}]}', ["a[1].b"]],
    ['{"a":[[1,{"b":1,"b":1}]]}', ["a[0][1].b"]],
    ['{"a":"b","b":"a"}', []],
    ['{"a":"{\\"a\\":1,","b":"],a","c":1,"c":1}', ["c"]],
    ['{"\\u0061":1,"a":2}', ["a"]],
    ['{"a" : 1 , "a" : 2}', ["a"]],
    ['{"__proto__":1,"__proto__":2}', ["__proto__"]],
  ];
  for (const [text, expected] of rows) {
    JSON.parse(text);
    assert.deepEqual(duplicateFields(text), expected, text);
  }
});

Deno.test("duplicateFields() finds none in what JSON.stringify() writes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => assert.deepEqual(duplicateFields(JSON.stringify(value)), [])),
  );
});
