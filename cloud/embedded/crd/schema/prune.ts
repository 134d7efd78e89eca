import { isObject, setField } from "../../object.ts";
import {
  fieldSchema,
  hasField,
  itemsOf,
  type JsonSchema,
  keepsUnknown,
  META_FIELDS,
  valuesOf,
} from "./json_schema.ts";

/** Paths of fields that were dropped. */
export type Unknown = string[];

const MAX_UNKNOWN = 50;

/**
 * Drops the fields of an object that its schema does not have, in place.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/pruning/algorithm.go @ v1.33
 * @param isResource whether the object is a resource, whose apiVersion, kind and metadata need no schema
 * @param unknown takes the paths of what was dropped
 */
export function prune(
  value: unknown,
  schema: JsonSchema | undefined,
  isResource: boolean,
  unknown: Unknown = [],
): void {
  pruneValue(value, isResource ? { ...schema, "x-kubernetes-embedded-resource": true } : schema, "", unknown);
}

function pruneValue(value: unknown, schema: JsonSchema | undefined, path: string, unknown: Unknown): void {
  if (keepsUnknown(schema)) return pruneKnown(value, schema!, path, unknown);
  if (Array.isArray(value)) {
    value.forEach((item, i) => pruneValue(item, itemsOf(schema), `${path}[${i}]`, unknown));
    return;
  }
  if (!isObject(value)) return;
  const open = schema?.additionalProperties !== undefined && schema.additionalProperties !== false;
  for (const key of Object.keys(value)) {
    if (schema?.["x-kubernetes-embedded-resource"] && META_FIELDS.has(key)) continue;
    const at = path === "" ? key : `${path}.${key}`;
    if (schema !== undefined && (hasField(schema, key) || open)) {
      pruneValue(value[key], fieldSchema(schema, key), at, unknown);
    } else {
      if ((!META_FIELDS.has(key) || path !== "") && unknown.length < MAX_UNKNOWN) unknown.push(at);
      delete value[key];
    }
  }
}

/** Prunes inside the fields that a schema which keeps the others has. */
function pruneKnown(value: unknown, schema: JsonSchema, path: string, unknown: Unknown): void {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items !== undefined) value.forEach((item, i) => pruneKnown(item, items, `${path}[${i}]`, unknown));
    return;
  }
  if (!isObject(value)) return;
  const open = schema.additionalProperties !== undefined && schema.additionalProperties !== false;
  for (const key of Object.keys(value)) {
    if (schema["x-kubernetes-embedded-resource"] && META_FIELDS.has(key)) continue;
    if (!hasField(schema, key) && !open) continue;
    pruneValue(value[key], fieldSchema(schema, key), path === "" ? key : `${path}.${key}`, unknown);
  }
}

/**
 * Drops nulls where the schema allows none and has no default for them, in place.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting/prunenulls.go @ v1.33
 */
export function dropNulls(value: unknown, schema: JsonSchema | undefined): void {
  if (Array.isArray(value)) { for (const item of value) dropNulls(item, itemsOf(schema)); }
  else if (isObject(value)) {
    for (const key of Object.keys(value)) {
      const field = fieldSchema(schema, key);
      if (value[key] === null && field !== undefined && !field.nullable && field.default === undefined) {
        delete value[key];
      } else dropNulls(value[key], field);
    }
  }
}

/**
 * Fills in the defaults of a schema, in place.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting/algorithm.go @ v1.33
 */
export function applyDefaults(value: unknown, schema: JsonSchema | undefined): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    if (items === undefined) return;
    for (let i = 0; i < value.length; i++) {
      if (value[i] === null && !items.nullable) value[i] = structuredClone(items.default ?? null);
      applyDefaults(value[i], items);
    }
    return;
  }
  if (!isObject(value)) return;
  const { properties = {} } = schema;
  for (const [key, field] of Object.entries(properties)) {
    if (field.default === undefined) continue;
    if (!Object.hasOwn(value, key) || (value[key] === null && !field.nullable)) {
      setField(value, key, structuredClone(field.default));
    }
  }
  const values = valuesOf(schema);
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) applyDefaults(value[key], properties[key]);
    else if (values !== undefined) {
      if (value[key] === null && !values.nullable) value[key] = structuredClone(values.default ?? null);
      applyDefaults(value[key], values);
    }
  }
}

/** Whether anything in a schema has a default. */
export function hasDefaults(schema: JsonSchema | undefined): boolean {
  if (schema === undefined) return false;
  return schema.default !== undefined || hasDefaults(itemsOf(schema)) || hasDefaults(valuesOf(schema)) ||
    Object.values(schema.properties ?? {}).some(hasDefaults);
}
