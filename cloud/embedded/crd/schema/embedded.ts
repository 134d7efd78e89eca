import { StatusError } from "../../../../common/errors/mod.ts";
import { isObject, type JsonObject, type Meta } from "../../object.ts";
import { nameProblem, validateMetadata } from "../../resources/metadata.ts";
import type { FieldError } from "../../resources/field_error.ts";
import { conform, type SchemaFindings } from "../../schema/check.ts";
import { child, indexed, invalidAt, keyed, requiredAt } from "./field_errors.ts";
import { fieldSchema, hasField, itemsOf, type JsonSchema, valuesOf } from "./json_schema.ts";

/** Whether a schema has objects inside that are resources themselves. */
export function hasEmbedded(schema: JsonSchema | undefined): boolean {
  if (schema === undefined) return false;
  return schema["x-kubernetes-embedded-resource"] === true || hasEmbedded(itemsOf(schema)) ||
    hasEmbedded(valuesOf(schema)) || Object.values(schema.properties ?? {}).some(hasEmbedded);
}

/** Calls back for each resource inside a value. */
function forEachEmbedded(
  value: unknown,
  schema: JsonSchema | undefined,
  path: string,
  found: (object: JsonObject, path: string) => void,
): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => forEachEmbedded(item, itemsOf(schema), indexed(path, i), found));
  } else if (isObject(value)) {
    if (schema["x-kubernetes-embedded-resource"]) found(value, path);
    for (const [key, item] of Object.entries(value)) {
      const at = hasField(schema, key) ? child(path, key) : keyed(path, key);
      forEachEmbedded(item, fieldSchema(schema, key), at, found);
    }
  }
}

/**
 * Brings the metadata of resources inside an object into form, in place.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/objectmeta/algorithm.go @ v1.33
 * @throws {StatusError} BadRequest when one has another type
 */
export function coerceEmbedded(object: JsonObject, schema: JsonSchema | undefined, unknown: string[]): void {
  forEachEmbedded(object, schema, "", (resource, path) => {
    for (const key of ["apiVersion", "kind"]) {
      if (Object.hasOwn(resource, key) && typeof resource[key] !== "string") {
        const { field, message } = invalidAt(child(path, key), resource[key], "must be a string");
        throw new StatusError("BadRequest", `${field}: ${message}`);
      }
    }
    if (resource.metadata === undefined || resource.metadata === null) return;
    const findings: SchemaFindings = { unknown: [], errors: [] };
    const at = child(path, "metadata");
    const metadata = conform(resource.metadata, "@meta.v1.ObjectMeta", at, findings);
    if (findings.errors.length > 0) {
      const { field, message } = invalidAt(at, resource.metadata, findings.errors.join(", "));
      throw new StatusError("BadRequest", `${field}: ${message}`);
    }
    unknown.push(...findings.unknown);
    resource.metadata = metadata;
  });
}

/**
 * What is wrong with apiVersion, kind and metadata of resources inside an object.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/objectmeta/validation.go @ v1.33
 */
export function validateEmbedded(object: unknown, schema: JsonSchema | undefined, at = ""): FieldError[] {
  const errors: FieldError[] = [];
  forEachEmbedded(object, schema, at, (resource, path) => {
    for (const key of ["apiVersion", "kind"] as const) {
      const value = resource[key];
      const where = child(path, key);
      if (!Object.hasOwn(resource, key)) errors.push(requiredAt(where, "must not be empty"));
      else if (typeof value !== "string") errors.push(invalidAt(where, value, "must be a string"));
      else if (value === "") errors.push(invalidAt(where, value, "must not be empty"));
      else if (key === "apiVersion" && value.split("/").length > 2) {
        errors.push(invalidAt(where, value, `unexpected GroupVersion string: ${value}`));
      } else if (key === "kind") {
        const problem = nameProblem(value.toLowerCase(), "dns1035");
        if (problem !== undefined) {
          errors.push(invalidAt(where, value, `may have mixed case, but should otherwise match: ${problem}`));
        }
      }
    }
    if (!isObject(resource.metadata)) return;
    const metadata: Meta = { ...resource.metadata, name: String(resource.metadata.name || "fakename") };
    const rules = {
      namespaced: metadata.namespace !== undefined && metadata.namespace !== "",
      nameRule: "path",
      anyFinalizers: true,
    } as const;
    errors.push(
      ...validateMetadata({ apiVersion: "", kind: "", metadata }, rules).map((error) => ({
        ...error,
        field: child(path, error.field),
      })),
    );
  });
  return errors;
}
