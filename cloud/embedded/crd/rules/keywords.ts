import type { FieldError } from "../../resources/field_error.ts";
import { jsonEqual } from "../../object.ts";
import {
  child,
  forbiddenAt,
  indexed,
  invalidAt,
  invalidPrinted,
  keyed,
  notSupportedAt,
  printTexts,
  requiredAt,
} from "../schema/field_errors.ts";
import { hasField, itemsOf, type JsonSchema, META_FIELDS } from "../schema/json_schema.ts";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];

/** Where a schema stands, as far as it decides what it may say. */
interface Place {
  root: boolean;
  /** Why there may be no defaults. */
  noDefaults?: string;
  insideMeta?: true;
}

/**
 * What is wrong with the keywords of a schema.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go
 * (ValidateCustomResourceDefinitionOpenAPISchema) @ v1.33
 */
export function validateKeywords(
  schema: JsonSchema,
  path: string,
  place: Place = { root: true },
): FieldError[] {
  const errors = ownRules(schema, path, place);
  const inside: Place = { ...place, root: false };
  const { additionalProperties, properties = {} } = schema;
  if (schema.uniqueItems) {
    errors.push(
      forbiddenAt(
        child(path, "uniqueItems"),
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    );
  }
  if (additionalProperties !== undefined) {
    const at = child(path, "additionalProperties");
    if (Object.keys(properties).length > 0 && additionalProperties !== true) {
      errors.push(forbiddenAt(at, "additionalProperties and properties are mutual exclusive"));
    }
    if (typeof additionalProperties === "object") {
      const noDefaults = place.insideMeta
        ? { noDefaults: "inside additionalProperties applying to object metadata" }
        : {};
      errors.push(...validateKeywords(additionalProperties, at, { ...inside, ...noDefaults }));
    }
  }
  for (const [key, field] of Object.entries(properties)) {
    const within: Place = { ...inside };
    if ((place.root || schema["x-kubernetes-embedded-resource"]) && META_FIELDS.has(key)) {
      within.insideMeta = true;
      if (place.root) within.noDefaults = `in top-level ${key}`;
    }
    errors.push(...validateKeywords(field, keyed(child(path, "properties"), key), within));
  }
  if (schema.not !== undefined) errors.push(...validateKeywords(schema.not, child(path, "not"), inside));
  for (const key of ["allOf", "oneOf", "anyOf"] as const) {
    for (const [i, one] of (schema[key] ?? []).entries()) {
      errors.push(...validateKeywords(one, indexed(child(path, key), i), inside));
    }
  }
  const items = itemsOf(schema);
  if (items !== undefined) errors.push(...validateKeywords(items, child(path, "items"), inside));
  errors.push(...extensionRules(schema, path), ...mapListRules(schema, path), ...mapKeyRules(schema, path));
  return errors;
}

function ownRules(schema: JsonSchema, path: string, place: Place): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "" } = schema;
  const refuse = (key: string, found: boolean) => {
    if (found) errors.push(forbiddenAt(child(path, key), `${key} is not supported`));
  };
  if (type !== "" && !TYPES.includes(type)) errors.push(notSupportedAt(child(path, "type"), type, TYPES));
  if (schema.default !== undefined && place.noDefaults !== undefined) {
    errors.push(forbiddenAt(child(path, "default"), `must not be set ${place.noDefaults}`));
  }
  refuse("id", !!schema.id);
  refuse("additionalItems", schema.additionalItems !== undefined);
  refuse("patternProperties", !jsonEqual(schema.patternProperties ?? {}, {}));
  refuse("definitions", !jsonEqual(schema.definitions ?? {}, {}));
  refuse("dependencies", schema.dependencies !== undefined);
  refuse("$ref", schema.$ref !== undefined);
  if (type === "null") {
    errors.push(
      forbiddenAt(child(path, "type"), "type cannot be set to null, use nullable as an alternative"),
    );
  }
  if (Array.isArray(schema.items)) {
    errors.push(forbiddenAt(child(path, "items"), "items must be a schema object and not an array"));
  }
  if (place.insideMeta && schema["x-kubernetes-embedded-resource"]) {
    errors.push(
      forbiddenAt(child(path, "x-kubernetes-embedded-resource"), "must not be used inside of resource meta"),
    );
  }
  return errors;
}

function typeFor(path: string, type: string | undefined, wanted: string, keyword: string): FieldError {
  const why = `must be ${wanted} if ${keyword} is specified`;
  const at = child(path, "type");
  return type ? invalidAt(at, type, why) : requiredAt(at, why);
}

function extensionRules(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type } = schema;
  const mapType = schema["x-kubernetes-map-type"];
  const listType = schema["x-kubernetes-list-type"];
  const items = itemsOf(schema);
  if (schema["x-kubernetes-preserve-unknown-fields"] === false) {
    errors.push(
      invalidAt(child(path, "x-kubernetes-preserve-unknown-fields"), false, "must be true or undefined"),
    );
  }
  if (mapType !== undefined && type !== "object") {
    errors.push(typeFor(path, type, "object", "x-kubernetes-map-type"));
  }
  if (mapType !== undefined && !["atomic", "granular"].includes(mapType)) {
    errors.push(notSupportedAt(child(path, "x-kubernetes-map-type"), mapType, ["atomic", "granular"]));
  }
  if (listType !== undefined && type !== "array") {
    errors.push(typeFor(path, type, "array", "x-kubernetes-list-type"));
  } else if (listType === "set" && items !== undefined) {
    const own = items["x-kubernetes-list-type"];
    const why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    if (items.type === "array" && own !== undefined && own !== "atomic") {
      errors.push(invalidAt(child(child(path, "items"), "x-kubernetes-list-type"), own, why));
    } else if (items.type === "object" && items["x-kubernetes-map-type"] !== "atomic") {
      errors.push(invalidAt(child(child(path, "items"), "x-kubernetes-map-type"), own, why));
    }
  }
  if (listType !== undefined && !["atomic", "set", "map"].includes(listType)) {
    errors.push(notSupportedAt(child(path, "x-kubernetes-list-type"), listType, ["atomic", "set", "map"]));
  }
  return errors;
}

function mapListRules(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (keys.length > 0 && listType !== "map") {
    const at = child(path, "x-kubernetes-list-type");
    const why = "must be map if x-kubernetes-list-map-keys is non-empty";
    errors.push(listType === undefined ? requiredAt(at, why) : invalidAt(at, listType, why));
  }
  if (listType !== "map") return errors;
  const at = child(path, "x-kubernetes-list-map-keys");
  if (keys.length === 0) {
    errors.push(requiredAt(at, "must not be empty if x-kubernetes-list-type is map"));
  }
  if (schema.items === undefined) {
    errors.push(requiredAt(child(path, "items"), "must have a schema if x-kubernetes-list-type is map"));
  }
  const items = itemsOf(schema);
  if (items === undefined) return errors;
  const itemPath = child(path, "items");
  if (items.type !== "object") {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalidAt(child(itemPath, "type"), items.type ?? "", why));
    return errors;
  }
  for (const [i, key] of keys.entries()) {
    if (!hasField(items, key)) {
      errors.push(invalidPrinted(at, printTexts(keys), "entries must all be names of item properties"));
    } else if (["array", "object"].includes(items.properties![key]!.type ?? "")) {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      const where = child(keyed(child(itemPath, "properties"), key), "type");
      errors.push(invalidAt(where, items.type, why));
    }
    if (keys.indexOf(key) !== i) {
      errors.push(invalidPrinted(at, printTexts(keys), "must not contain duplicate entries"));
    }
  }
  return errors;
}

/** That every item of a set or map list is there, and that its keys are. */
function mapKeyRules(schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const listType = schema["x-kubernetes-list-type"];
  const items = itemsOf(schema);
  if (items === undefined || (listType !== "set" && listType !== "map")) return errors;
  if (items.nullable) {
    const why = `cannot be nullable when x-kubernetes-list-type is ${listType}`;
    errors.push(forbiddenAt(child(child(path, "items"), "nullable"), why));
  }
  if (listType === "set") return errors;
  for (const key of schema["x-kubernetes-list-map-keys"] ?? []) {
    if (!hasField(items, key)) continue;
    const field = items.properties![key]!;
    const at = keyed(child(child(path, "items"), "properties"), key);
    if (!(items.required ?? []).includes(key) && field.default === undefined) {
      const why =
        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
      errors.push(requiredAt(child(at, "default"), why));
    }
    if (field.nullable) {
      const why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
      errors.push(forbiddenAt(child(at, "nullable"), why));
    }
  }
  return errors;
}
