import { isObject, type JsonObject } from "../../object.ts";
import type { FieldError } from "../../resources/field_error.ts";
import { child, duplicateAt, indexed, invalidAt, keyed } from "./field_errors.ts";
import { hasField, itemsOf, type JsonSchema, valuesOf } from "./json_schema.ts";

/**
 * That sets have no item twice, and map lists no two items with the same keys.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go @ v1.33
 */
export function validateListTypes(
  schema: JsonSchema | undefined,
  object: JsonObject,
  path = "",
): FieldError[] {
  if (schema === undefined) return [];
  const errors: FieldError[] = [];
  const values = valuesOf(schema);
  for (const [key, value] of Object.entries(object)) {
    if (values !== undefined) errors.push(...validatePart(values, value, keyed(path, key)));
    if (hasField(schema, key)) {
      errors.push(...validatePart(schema.properties![key]!, value, child(path, key)));
    }
  }
  return errors;
}

function validatePart(schema: JsonSchema, value: unknown, path: string): FieldError[] {
  if (isObject(value)) return validateListTypes(schema, value, path);
  if (!Array.isArray(value)) return [];
  const errors: FieldError[] = [];
  switch (schema["x-kubernetes-list-type"]) {
    case "set":
      errors.push(...repeated(value).map((i) => duplicateAt(indexed(path, i), value[i])));
      break;
    case "map":
      errors.push(...validateMapList(schema["x-kubernetes-list-map-keys"] ?? [], value, path));
  }
  const items = itemsOf(schema);
  if (items !== undefined) {
    value.forEach((item, i) => errors.push(...validatePart(items, item, indexed(path, i))));
  }
  return errors;
}

function validateMapList(keys: readonly string[], value: readonly unknown[], path: string): FieldError[] {
  const strange = value.findIndex((item) => item !== null && !isObject(item));
  if (strange >= 0) {
    const why = "must be an object for an array of list-type map";
    return [invalidAt(indexed(path, strange), value[strange], why)];
  }
  const ids = value.map((item) =>
    Object.fromEntries(
      keys.filter((key) => isObject(item) && Object.hasOwn(item, key)).map((
        key,
      ) => [key, (item as JsonObject)[key]]),
    )
  );
  return repeated(ids).map((i) => duplicateAt(indexed(path, i), ids[i]));
}

/** Places of the second occurrences. */
function repeated(items: readonly unknown[]): number[] {
  if (items.length <= 1) return [];
  const times = new Map<string, number>();
  const found: number[] = [];
  for (const [i, item] of items.entries()) {
    const text = JSON.stringify(sorted(item));
    const before = times.get(text) ?? 0;
    times.set(text, before + 1);
    if (before === 1) found.push(i);
  }
  return found;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
