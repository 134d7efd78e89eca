import { jsonEqual } from "../../object.ts";
import type { FieldError } from "../../resources/field_error.ts";
import { child, forbiddenAt, indexed, invalidAt, keyed, requiredAt } from "../schema/field_errors.ts";
import { hasField, itemsOf, type JsonSchema, keepsUnknown, valuesOf } from "../schema/json_schema.ts";
import { compilePattern } from "../schema/pattern.ts";
import { PatternError } from "../schema/pattern_syntax.ts";

type Level = "root" | "item" | "field";

const JUNCTORS = ["anyOf", "allOf", "oneOf"] as const;
const INT_OR_STRING: readonly JsonSchema[] = [{ type: "integer" }, { type: "string" }];

/**
 * What keeps a schema from being structural: every field has one type, said outside of anyOf, allOf, oneOf and not.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/schema/{validation,complete}.go @ v1.33
 */
export function validateStructural(schema: JsonSchema, path: string): FieldError[] {
  const errors = [...invariants(schema, "root", path), ...completeness(schema, schema, path, path)];
  const text = ({ field, message }: FieldError) => `${field}: ${message}`;
  return errors.sort((a, b) => text(a) < text(b) ? -1 : 1);
}

function invariants(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "", properties = {}, additionalProperties } = schema;
  const items = itemsOf(schema);
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  if (type === "array" && schema.items === undefined) {
    errors.push(requiredAt(child(path, "items"), "must be specified"));
  }
  if (items !== undefined) errors.push(...invariants(items, "item", child(path, "items")));
  for (const [key, field] of Object.entries(properties)) {
    errors.push(...invariants(field, "field", keyed(child(path, "properties"), key)));
  }
  if (additionalProperties !== undefined) {
    const at = child(path, "additionalProperties");
    if (level === "root") errors.push(forbiddenAt(at, "must not be used at the root"));
    const values = valuesOf(schema);
    if (values !== undefined) errors.push(...invariants(values, "field", at));
    if (embedded) {
      errors.push(forbiddenAt(at, "must not be used if x-kubernetes-embedded-resource is set"));
    }
  }
  for (const key of ["preserve-unknown-fields", "embedded-resource"]) {
    const name = `x-kubernetes-${key}` as "x-kubernetes-embedded-resource";
    if (intOrString && schema[name]) {
      errors.push(invalidAt(child(path, name), true, "must be false if x-kubernetes-int-or-string is true"));
    }
  }
  errors.push(
    ...valueRules(schema, isIntOrString(schema.anyOf), isIntOrString(schema.allOf?.[0]?.anyOf), path),
  );
  errors.push(...typeRules(schema, level, path));
  if (level === "root" || embedded) {
    for (const key of ["kind", "apiVersion"]) {
      if (!hasField(schema, key)) continue;
      const { type: own = "" } = properties[key]!;
      if (own === "string") continue;
      errors.push(invalidAt(child(keyed(child(path, "properties"), key), "type"), own, "must be string"));
    }
  }
  if (hasField(schema, "metadata")) {
    const at = keyed(child(path, "properties"), "metadata");
    errors.push(...metadataRules(properties.metadata!, level === "root" || embedded, level, at));
  }
  if (embedded && !keepsUnknown(schema) && Object.keys(properties).length === 0) {
    errors.push(
      requiredAt(
        child(path, "properties"),
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  }
  return errors;
}

function typeRules(schema: JsonSchema, level: Level, path: string): FieldError[] {
  const { type = "" } = schema;
  const at = child(path, "type");
  const errors: FieldError[] = [];
  if (schema["x-kubernetes-embedded-resource"] && type !== "object") {
    const why = "must be object if x-kubernetes-embedded-resource is true";
    errors.push(type === "" ? requiredAt(at, why) : invalidAt(at, type, why));
  } else if (type === "" && !schema["x-kubernetes-int-or-string"] && !keepsUnknown(schema)) {
    const where = {
      root: "at the root",
      item: "for specified array items",
      field: "for specified object fields",
    };
    errors.push(requiredAt(at, `must not be empty ${where[level]}`));
  }
  if (level === "root" && type !== "" && type !== "object") {
    errors.push(invalidAt(at, type, "must be object at the root"));
  }
  return errors;
}

/** The schema of metadata at the root may restrict the names and say nothing else. */
function metadataRules(schema: JsonSchema, check: boolean, level: Level, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (check && schema.type !== "object") {
    errors.push(invalidAt(child(path, "type"), schema.type ?? "", "must be object"));
  }
  if (level !== "root") return errors;
  const { type: _, properties = {}, default: _default, example: _example, externalDocs: _docs, ...rest } =
    schema;
  const others = Object.keys(properties).filter((key) => key !== "name" && key !== "generateName");
  if (others.length > 0 || !jsonEqual(rest, {})) {
    errors.push(
      forbiddenAt(
        path,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    );
  }
  return errors;
}

function isIntOrString(schemas: readonly JsonSchema[] | undefined): boolean {
  return schemas !== undefined && jsonEqual(schemas, INT_OR_STRING);
}

function valueRules(
  schema: JsonSchema,
  skipAnyOf: boolean,
  skipInAllOf: boolean,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const junctor of JUNCTORS) {
    if (junctor === "anyOf" && skipAnyOf) continue;
    for (const [i, one] of (schema[junctor] ?? []).entries()) {
      const skip = junctor === "allOf" && skipInAllOf && i === 0;
      errors.push(...nestedRules(one, skip, indexed(child(path, junctor), i)));
    }
  }
  if (schema.not !== undefined) errors.push(...nestedRules(schema.not, false, child(path, "not")));
  if (schema.pattern) {
    try {
      compilePattern(schema.pattern);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      errors.push(
        invalidAt(
          child(path, "pattern"),
          schema.pattern,
          `must be a valid regular expression, but isn't: ${error.message}`,
        ),
      );
    }
  }
  return errors;
}

/** What may not be said inside anyOf, allOf, oneOf and not. */
function nestedRules(schema: JsonSchema, skipAnyOf: boolean, path: string): FieldError[] {
  const errors = valueRules(schema, skipAnyOf, false, path);
  const items = itemsOf(schema);
  if (items !== undefined) errors.push(...nestedRules(items, false, child(path, "items")));
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    errors.push(...nestedRules(field, false, keyed(child(path, "properties"), key)));
  }
  const refuse = (key: string, found: boolean, how: string) => {
    if (found) errors.push(forbiddenAt(child(path, key), `must be ${how} to be structural`));
  };
  refuse("type", !!schema.type, "empty");
  refuse(
    "additionalProperties",
    schema.additionalProperties !== undefined && schema.additionalProperties !== false,
    "undefined",
  );
  refuse("default", schema.default !== undefined, "undefined");
  refuse("title", !!schema.title, "empty");
  refuse("description", !!schema.description, "empty");
  refuse("nullable", schema.nullable === true, "false");
  for (const key of ["preserve-unknown-fields", "embedded-resource", "int-or-string"] as const) {
    refuse(`x-kubernetes-${key}`, schema[`x-kubernetes-${key}`] === true, "false");
  }
  refuse("x-kubernetes-list-map-keys", (schema["x-kubernetes-list-map-keys"] ?? []).length > 0, "empty");
  refuse("x-kubernetes-list-type", schema["x-kubernetes-list-type"] !== undefined, "undefined");
  refuse("x-kubernetes-map-type", schema["x-kubernetes-map-type"] !== undefined, "undefined");
  refuse("x-kubernetes-validations", (schema["x-kubernetes-validations"] ?? []).length > 0, "empty");
  if (hasField(schema, "metadata")) {
    errors.push(
      forbiddenAt(keyed(child(path, "properties"), "metadata"), "must not be specified in a nested context"),
    );
  }
  return errors;
}

/** That what is checked inside anyOf, allOf, oneOf and not is described outside as well. */
function completeness(
  value: JsonSchema,
  schema: JsonSchema | undefined,
  path: string,
  valuePath: string,
): FieldError[] {
  if (schema === undefined) return [requiredAt(path, `because it is defined in ${valuePath}`)];
  const errors: FieldError[] = [];
  if (value.not !== undefined) errors.push(...nested(value.not, schema, path, child(valuePath, "not")));
  for (const junctor of JUNCTORS) {
    for (const [i, one] of (value[junctor] ?? []).entries()) {
      errors.push(...nested(one, schema, path, indexed(child(valuePath, junctor), i)));
    }
  }
  return errors;
}

function nested(
  value: JsonSchema,
  schema: JsonSchema | undefined,
  path: string,
  valuePath: string,
): FieldError[] {
  if (schema === undefined) return [requiredAt(path, `because it is defined in ${valuePath}`)];
  const errors = completeness(value, schema, path, valuePath);
  const items = itemsOf(value);
  if (items !== undefined) {
    errors.push(...nested(items, itemsOf(schema), child(path, "items"), child(valuePath, "items")));
  }
  for (const [key, field] of Object.entries(value.properties ?? {})) {
    const [at, from] = [path, valuePath].map((p) => keyed(child(p, "properties"), key)) as [string, string];
    const own = hasField(schema, key) ? schema.properties![key] : undefined;
    errors.push(...nested(field, own, at, from));
  }
  return errors;
}
