import { isObject, jsonEqual } from "../../object.ts";
import type { FieldError } from "../../resources/field_error.ts";
import { StatusError } from "../../../../common/errors/mod.ts";
import { child, invalidAt, keyed } from "../schema/field_errors.ts";
import { coerceEmbedded, validateEmbedded } from "../schema/embedded.ts";
import { itemsOf, type JsonSchema, META_FIELDS } from "../schema/json_schema.ts";
import { prune } from "../schema/prune.ts";
import { validateValue } from "../schema/validate.ts";

/**
 * That the defaults of a schema are values which it allows. Defaults inside metadata cannot be at the root and are checked as plain values.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go @ v1.33
 */
export function validateDefaults(schema: JsonSchema, path: string): FieldError[] {
  return look({ ...schema, "x-kubernetes-embedded-resource": true }, path, false);
}

function look(schema: JsonSchema, path: string, insideMeta: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  if (schema.default !== undefined) errors.push(...checkDefault(schema, child(path, "default"), insideMeta));
  const items = itemsOf(schema);
  if (items !== undefined) errors.push(...look(items, child(path, "items"), insideMeta && !embedded));
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    const meta = embedded ? META_FIELDS.has(key) : insideMeta;
    errors.push(...look(field, keyed(child(path, "properties"), key), meta));
  }
  return errors;
}

function checkDefault(schema: JsonSchema, path: string, insideMeta: boolean): FieldError[] {
  const value = structuredClone(schema.default);
  const errors: FieldError[] = [];
  if (!insideMeta) {
    const pruned = structuredClone(value);
    prune(pruned, schema, schema["x-kubernetes-embedded-resource"] === true);
    if (!jsonEqual(pruned, value)) errors.push(invalidAt(path, value, "must not have unknown fields"));
    try {
      if (isObject(value)) coerceEmbedded(value, schema, []);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      return [...errors, invalidAt(path, schema.default, error.message)];
    }
    const inner = validateEmbedded(value, schema, path);
    if (inner.length > 0) return [...errors, ...inner];
  }
  return [...errors, ...validateValue(schema, value, path)];
}
