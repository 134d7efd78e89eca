/** What is put to the embedded control plane and to a real one, so that their answers can be compared; for tests. */
import type { JsonObject } from "../object.ts";

/** A definition that is fine. */
export function goodCrd(): JsonObject & { metadata: JsonObject; spec: JsonObject } {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.cases.example.com" },
    spec: {
      group: "cases.example.com",
      scope: "Namespaced",
      names: { plural: "things", kind: "Thing" },
      versions: [{
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: { type: "object", properties: { a: { type: "string" } } } },
          },
        },
      }],
    },
  };
}

/** A change to the good definition: the value that a JSON pointer names, undefined to take it away. */
export type CrdCase = readonly [name: string, ...changes: Array<readonly [pointer: string, value: unknown]>];

const SCHEMA = "/spec/versions/0/schema/openAPIV3Schema";
const A = `${SCHEMA}/properties/spec/properties/a`;
const second = (more: object = {}, a: object = { type: "integer" }) => ({
  name: "v2",
  served: true,
  storage: false,
  schema: {
    openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: { a } } } },
  },
  ...more,
});

export const CRD_CASES: readonly CrdCase[] = [
  ["good"],
  ["name is not plural and group", ["/metadata/name", "other.cases.example.com"]],
  ["no group", ["/spec/group", undefined]],
  ["group of one word", ["/spec/group", "example"]],
  ["group in capitals", ["/spec/group", "Cases.example.com"]],
  ["protected group", ["/spec/group", "cases.k8s.io"], ["/metadata/name", "things.cases.k8s.io"]],
  ["scope unknown", ["/spec/scope", "Global"]],
  ["no scope", ["/spec/scope", undefined]],
  ["no plural", ["/spec/names/plural", undefined]],
  ["no kind", ["/spec/names/kind", undefined]],
  ["plural in capitals", ["/spec/names/plural", "Things"]],
  ["kind with a space", ["/spec/names/kind", "A Thing"]],
  ["kind equals listKind", ["/spec/names/listKind", "Thing"]],
  ["short name in capitals", ["/spec/names/shortNames", ["T"]]],
  ["category with a dot", ["/spec/names/categories", ["a.b"]]],
  ["no storage version", ["/spec/versions/0/storage", false]],
  ["two storage versions", ["/spec/versions/1", second({ storage: true })]],
  ["the same version twice", ["/spec/versions/1", second({ name: "v1" })]],
  ["version name wrong", ["/spec/versions/0/name", "1"]],
  ["no schema", ["/spec/versions/0/schema", undefined]],
  ["no schema in one of two", ["/spec/versions/1", second({ schema: {} })]],
  ["preserveUnknownFields", ["/spec/preserveUnknownFields", true]],
  ["conversion unknown", ["/spec/conversion", { strategy: "Magic" }]],
  ["conversion without webhook has review versions", ["/spec/conversion", {
    strategy: "None",
    webhook: { conversionReviewVersions: ["v1"] },
  }]],
  ["warning without deprecation", ["/spec/versions/0/deprecationWarning", "old"]],
  ["empty warning", ["/spec/versions/0/deprecated", true], ["/spec/versions/0/deprecationWarning", ""]],
  ["column without name, type and path", ["/spec/versions/0/additionalPrinterColumns", [
    { name: "", type: "", jsonPath: "" },
  ]]],
  ["column of an unknown type and format", ["/spec/versions/0/additionalPrinterColumns", [
    { name: "A", type: "text", format: "wide", jsonPath: "spec.a" },
  ]]],
  ["columns differ between versions", [
    "/spec/versions/1",
    second({
      additionalPrinterColumns: [{ name: "A", type: "text", jsonPath: ".spec.a" }],
    }),
  ]],
  ["scale without paths", ["/spec/versions/0/subresources", {
    scale: { specReplicasPath: "", statusReplicasPath: "" },
  }]],
  ["scale with paths elsewhere", ["/spec/versions/0/subresources", {
    scale: { specReplicasPath: ".status.n", statusReplicasPath: "spec.n", labelSelectorPath: ".meta.s" },
  }]],
  ["selectable field that is none", ["/spec/versions/0/selectableFields", [{ jsonPath: ".spec.nope" }]]],
  ["selectable object", ["/spec/versions/0/selectableFields", [{ jsonPath: ".spec" }]]],
  ["selectable twice", ["/spec/versions/0/selectableFields", [
    { jsonPath: ".spec.a" },
    { jsonPath: ".spec.a" },
  ]]],
  ["root of type string", [`${SCHEMA}/type`, "string"]],
  ["root without type", [`${SCHEMA}/type`, undefined]],
  ["root nullable", [`${SCHEMA}/nullable`, true]],
  ["root additionalProperties", [`${SCHEMA}/additionalProperties`, true]],
  ["root with allOf beside a status", [`${SCHEMA}/allOf`, [{ required: ["spec"] }]], [
    "/spec/versions/0/subresources",
    { status: {} },
  ]],
  ["field without type", [A, {}]],
  ["field of unknown type", [A, { type: "text" }]],
  ["array without items", [A, { type: "array" }]],
  ["items without type", [A, { type: "array", items: {} }]],
  ["items as a list", [A, { type: "array", items: [{ type: "string" }] }]],
  ["type null", [A, { type: "null" }]],
  ["properties and additionalProperties", [A, {
    type: "object",
    properties: { b: { type: "string" } },
    additionalProperties: { type: "string" },
  }]],
  ["$ref", [A, { $ref: "#/definitions/x" }]],
  ["uniqueItems", [A, { type: "array", uniqueItems: true, items: { type: "string" } }]],
  ["patternProperties", [A, { type: "object", patternProperties: { "^a": { type: "string" } } }]],
  ["pattern that is none", [A, { type: "string", pattern: "a(" }]],
  ["pattern with look-ahead", [A, { type: "string", pattern: "(?=a)" }]],
  ["pattern with a class unended", [A, { type: "string", pattern: "[a" }]],
  ["pattern with nothing to repeat", [A, { type: "string", pattern: "*a" }]],
  ["pattern with an escape unknown", [A, { type: "string", pattern: "\\y" }]],
  ["type in anyOf", [A, { type: "string", anyOf: [{ type: "string" }] }]],
  ["much that is forbidden in allOf", [A, {
    type: "object",
    properties: { b: { type: "string" } },
    allOf: [{
      title: "t",
      description: "d",
      nullable: true,
      default: {},
      additionalProperties: true,
      "x-kubernetes-preserve-unknown-fields": true,
      properties: { b: { type: "string" }, c: { minLength: 1 } },
    }],
  }]],
  ["items in not without items", [A, { type: "string", not: { items: { minLength: 1 } } }]],
  ["int-or-string with anyOf", [A, {
    "x-kubernetes-int-or-string": true,
    anyOf: [{ type: "integer" }, { type: "string" }],
  }]],
  ["int-or-string in allOf", [A, {
    "x-kubernetes-int-or-string": true,
    allOf: [{ anyOf: [{ type: "integer" }, { type: "string" }] }, { pattern: "^a" }],
  }]],
  ["int-or-string that preserves", [A, {
    "x-kubernetes-int-or-string": true,
    "x-kubernetes-preserve-unknown-fields": true,
  }]],
  ["preserve false", [A, { type: "object", "x-kubernetes-preserve-unknown-fields": false }]],
  ["embedded without type", [A, { "x-kubernetes-embedded-resource": true }]],
  ["embedded of type string", [A, { type: "string", "x-kubernetes-embedded-resource": true }]],
  ["embedded with nothing", [A, { type: "object", "x-kubernetes-embedded-resource": true }]],
  ["embedded with metadata of type string", [A, {
    type: "object",
    "x-kubernetes-embedded-resource": true,
    properties: { metadata: { type: "string" }, kind: { type: "integer" } },
  }]],
  ["metadata with labels", [`${SCHEMA}/properties/metadata`, {
    type: "object",
    properties: { labels: { type: "object" } },
  }]],
  ["metadata with a pattern for the name", [`${SCHEMA}/properties/metadata`, {
    type: "object",
    properties: { name: { type: "string", pattern: "^a" } },
  }]],
  ["list type of a string", [A, { type: "string", "x-kubernetes-list-type": "set" }]],
  ["list type unknown", [A, { type: "array", "x-kubernetes-list-type": "bag", items: { type: "string" } }]],
  ["map type of a string", [A, { type: "string", "x-kubernetes-map-type": "atomic" }]],
  ["map type unknown", [A, { type: "object", "x-kubernetes-map-type": "loose" }]],
  ["set of objects", [A, { type: "array", "x-kubernetes-list-type": "set", items: { type: "object" } }]],
  ["map list without keys", [A, {
    type: "array",
    "x-kubernetes-list-type": "map",
    items: { type: "object" },
  }]],
  ["map list with an unknown key", [A, {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
    items: { type: "object", properties: { v: { type: "string" } } },
  }]],
  ["map list with an optional key, twice", [A, {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k", "k"],
    items: { type: "object", properties: { k: { type: "string" } } },
  }]],
  ["map list of strings", [A, {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
    items: { type: "string" },
  }]],
  ["keys without a map list", [A, {
    type: "array",
    "x-kubernetes-list-map-keys": ["k"],
    items: { type: "object", required: ["k"], properties: { k: { type: "string" } } },
  }]],
  ["default of another type", [A, { type: "string", default: 1 }]],
  ["default with an unknown field", [A, {
    type: "object",
    default: { b: 1 },
    properties: { c: { type: "string" } },
  }]],
  ["default out of range", [A, { type: "integer", default: 5, maximum: 3 }]],
  ["default in metadata", [`${SCHEMA}/properties/metadata`, {
    type: "object",
    properties: { name: { type: "string", default: "x" } },
  }]],
  ["default in an embedded resource without kind", [A, {
    type: "object",
    "x-kubernetes-embedded-resource": true,
    "x-kubernetes-preserve-unknown-fields": true,
    default: { apiVersion: "v1" },
  }]],
  ["unknown field", ["/spec/versions/0/schema/openAPIV3Schema/properties/spec/propertees", {}]],
  ["schema of different versions", ["/spec/versions/1", second({}, {})]],
];

/** A field of a custom resource: its schema and what is put into it. */
export type ValueCase = readonly [name: string, schema: JsonObject, ...values: unknown[]];

const text = { type: "string" };
const map = { type: "object", additionalProperties: text };
const rows = (extra: object = {}) => ({
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["k"],
  items: { type: "object", required: ["k"], properties: { k: text, v: { type: "integer" } } },
  ...extra,
});

export const VALUE_CASES: readonly ValueCase[] = [
  ["string", text, "a", 1, true, 1.5, {}, [], null],
  ["integer", { type: "integer" }, 1, 1.0, 1.5, "1", true, 1e30],
  ["int32", { type: "integer", format: "int32" }, 2147483648, "x"],
  ["number", { type: "number" }, 1, 1.5, "1.5"],
  ["boolean", { type: "boolean" }, true, "true", 0],
  ["array", { type: "array", items: text }, ["a"], ["a", 1], {}, "a", [null]],
  ["object", { type: "object", properties: { b: text } }, { b: "x" }, { b: 1 }, [], "x", { c: 1, b: "x" }],
  ["map", map, { x: "y" }, { x: 1 }, { "a.b": 1 }, { x: null }],
  ["nullable", { type: "string", nullable: true }, null, 1],
  ["required", { type: "object", required: ["b", "c"], properties: { b: text, c: text } }, {}, { b: "x" }],
  ["enum", { type: "string", enum: ["a", "b"] }, "a", "c"],
  ["enumNumbers", { type: "integer", enum: [1, 2] }, 1, 3],
  ["enumMixed", { "x-kubernetes-int-or-string": true, enum: [1, "a"] }, 1, "a", 2, "b"],
  ["minimum", { type: "integer", minimum: 1 }, 1, 0, -1],
  ["maximum", { type: "integer", maximum: 3 }, 3, 4],
  [
    "exclusive",
    {
      type: "number",
      minimum: 0,
      exclusiveMinimum: true,
      maximum: 1,
      exclusiveMaximum: true,
    },
    0.5,
    0,
    1,
    1.5,
  ],
  ["fraction", { type: "number", minimum: 0.5, maximum: 1.25 }, 0.25, 1.5, 0],
  ["multiple", { type: "integer", multipleOf: 5 }, 10, 11],
  ["multipleOfFraction", { type: "number", multipleOf: 0.1 }, 0.3, 0.35, 2],
  ["lengths", { type: "string", minLength: 2, maxLength: 3 }, "ab", "a", "abcd", "äöü", "💡💡💡", "💡"],
  ["pattern", { type: "string", pattern: "^[a-z]+$" }, "abc", "ABC", ""],
  ["patternFlags", { type: "string", pattern: "(?i)^a\\pL\\z" }, "AÄ", "ab", "abc"],
  ["items", { type: "array", items: text, minItems: 1, maxItems: 2 }, [], ["a"], ["a", "b", "c"]],
  ["properties", { ...map, minProperties: 1, maxProperties: 2 }, {}, { a: "1", b: "2", c: "3" }],
  [
    "anyOf",
    {
      type: "object",
      properties: { b: text, c: text },
      anyOf: [{ required: ["b"] }, { required: ["c"] }],
    },
    { b: "x" },
    {},
  ],
  [
    "oneOf",
    {
      type: "object",
      properties: { b: text, c: text },
      oneOf: [{ required: ["b"] }, { required: ["c"] }],
    },
    { b: "x" },
    {},
    { b: "x", c: "y" },
  ],
  [
    "allOf",
    {
      type: "string",
      allOf: [{ minLength: 2 }, { pattern: "^a" }],
    },
    "ab",
    "a",
    "b",
    "bc",
  ],
  ["not", { type: "string", not: { enum: ["x"] } }, "a", "x"],
  [
    "anyOfPatterns",
    {
      type: "object",
      properties: { b: text, c: { type: "integer" } },
      anyOf: [{ properties: { b: { pattern: "^a" }, c: { minimum: 1 } } }, {
        properties: { b: { pattern: "^b" } },
      }],
    },
    { b: "a", c: 1 },
    { b: "c", c: 1 },
    { b: "c", c: 0 },
  ],
  ["intOrString", { "x-kubernetes-int-or-string": true }, 1, "a", 1.5, true, {}],
  [
    "intOrStringLimited",
    {
      "x-kubernetes-int-or-string": true,
      allOf: [{ anyOf: [{ type: "integer" }, { type: "string" }] }, { pattern: "^a" }],
    },
    1,
    "a",
    "b",
    true,
  ],
  ["anything", { "x-kubernetes-preserve-unknown-fields": true }, 1, "a", { x: { y: [1] } }, null],
  [
    "openObject",
    {
      type: "object",
      "x-kubernetes-preserve-unknown-fields": true,
      properties: { b: { type: "object", properties: { c: text } } },
    },
    { x: 1, b: { c: "y", d: 1 } },
    { b: { c: 1 } },
  ],
  [
    "embedded",
    {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
    },
    { apiVersion: "v1", kind: "Pod", metadata: { name: "x" }, spec: { a: 1 } },
    {},
    {
      apiVersion: "v1",
      kind: "a pod",
      metadata: { name: "x/y", labels: { "a b": "c" } },
    },
    { apiVersion: "a/b/c", kind: "" },
    { apiVersion: "v1", kind: "Pod", metadata: { name: "x", nope: 1 } },
  ],
  ["set", { type: "array", items: text, "x-kubernetes-list-type": "set" }, ["a", "b"], ["a", "b", "a", "a"]],
  ["setOfNumbers", { type: "array", items: { type: "integer" }, "x-kubernetes-list-type": "set" }, [1, 1]],
  ["rows", rows(), [{ k: "a" }, { k: "b" }], [{ k: "a" }, { k: "a", v: 1 }], [{ v: 1 }]],
  [
    "rowsOfTwo",
    {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["k", "n"],
      items: {
        type: "object",
        required: ["k"],
        properties: { k: text, n: { type: "integer", default: 1 } },
      },
    },
    [{ k: "a" }, { k: "a", n: 2 }],
    [{ k: "a" }, { k: "a", n: 1 }],
  ],
  [
    "defaults",
    {
      type: "object",
      properties: {
        b: { type: "string", default: "x" },
        c: { type: "object", default: {}, properties: { d: { type: "integer", default: 5 } } },
        e: {
          type: "array",
          items: { type: "object", properties: { f: { type: "boolean", default: true } } },
        },
        g: { type: "string", nullable: true, default: "y" },
        h: {
          type: "object",
          additionalProperties: { type: "object", properties: { i: { type: "string", default: "z" } } },
        },
      },
    },
    {},
    { b: "q", e: [{}], h: { k: {} } },
    { b: null, g: null },
  ],
  ["nulls", {
    type: "object",
    properties: { b: text, c: { type: "array", items: text } },
  }, { b: null, c: ["x", null] }],
  ...[
    ["date-time", "2024-01-02T03:04:05Z", "2024-01-02 03:04", "2024-01-02T03:04:05.123+01:00"],
    ["date", "2024-02-29", "2023-02-29"],
    ["byte", "aGk=", "not base64", ""],
    ["email", "a@b.c", "a"],
    ["hostname", "a.example.com", "-a"],
    ["ipv4", "10.0.0.1", "10.0.0.256"],
    ["ipv6", "::1", "10.0.0.1", "1::2::3"],
    ["cidr", "10.0.0.0/8", "10.0.0.0/33"],
    ["mac", "00:11:22:33:44:55", "00:11"],
    ["uri", "http://a/b", "a b"],
    ["uuid", "123e4567-e89b-12d3-a456-426614174000", "123"],
    ["duration", "5m30s", "5 parsecs", "22 ns"],
    ["hexcolor", "#fff", "#ff"],
    ["creditcard", "4111111111111111", "4111"],
    ["isbn", "0321751043", "123"],
    ["ssn", "111-22-3333", "1"],
    ["rgbcolor", "rgb(1,2,3)", "rgb(1,2,300)"],
    ["password", "x"],
    ["unheard-of", "x"],
  ].map(([format = "", ...values]): ValueCase => [
    `format${format.replaceAll("-", "")}`,
    { type: "string", format },
    ...values,
    1,
  ]),
];

/** The definition that has all fields of the cases. */
export function valueCrd(): JsonObject {
  const crd = goodCrd();
  const properties = Object.fromEntries(VALUE_CASES.map(([name, schema]) => [name, schema]));
  crd.metadata.name = "values.cases.example.com";
  crd.spec.names = { plural: "values", kind: "Value" };
  crd.spec.versions = [{
    name: "v1",
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: "object",
        required: ["spec"],
        properties: { spec: { type: "object", properties } },
      },
    },
  }];
  return crd;
}

/** The good definition with changes. */
export function changedCrd([, ...changes]: CrdCase): JsonObject {
  const crd = goodCrd();
  for (const [pointer, value] of changes) {
    const parts = pointer.slice(1).split("/");
    const last = parts.pop()!;
    let at = crd as JsonObject;
    for (const part of parts) at = at[part] as JsonObject;
    if (value === undefined) delete at[last];
    else at[last] = value;
  }
  return crd;
}

/** An object of the definition with all fields, with one of them. */
export function valueObject(field: string, value: unknown): JsonObject {
  return {
    apiVersion: "cases.example.com/v1",
    kind: "Value",
    metadata: { name: "x" },
    spec: { [field]: value },
  };
}

/** What a server answered. */
export interface CaseAnswer {
  code: number;
  /** What is wrong, in order of text: `field: message`. */
  causes?: string[];
  /** Message of an error without causes. */
  message?: string;
  warnings?: string[];
  /** The object that was made: its spec. */
  spec?: unknown;
}

/** The answer to a request, as it is compared. */
export function answerOf(
  { status, headers, body }: { status: number; headers: Headers; body: JsonObject },
): CaseAnswer {
  const warnings = [...(headers.get("warning") ?? "").matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)].map((m) =>
    m[1]!
  );
  const told = warnings.length > 0 ? { warnings: warnings.sort() } : {};
  if (status < 300) return { code: status, ...told, spec: body.spec };
  const details = body.details as { causes?: Array<{ field?: string; message?: string }> } | undefined;
  // Where the real server prints its own structs, only what it says of them is compared.
  const comparable = (text: string) =>
    text.replace(
      /Invalid value: (?:\[\]apiextensions|apiextensions|\[\]string\{"v|\{").*: (?=must contain|must have exactly|only \[)/s,
      "Invalid value: …: ",
    );
  const causes = details?.causes?.map(({ field, message }) => comparable(`${field}: ${message}`)).sort();
  if (causes !== undefined && causes.length > 0) return { code: status, ...told, causes };
  return { code: status, ...told, message: String(body.message) };
}
