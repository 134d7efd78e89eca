import { isObject, type JsonObject } from "../../object.ts";

/** A schema of a custom resource: JSONSchemaProps as it was checked against its type. */
export interface JsonSchema {
  type?: string;
  description?: string;
  title?: string;
  format?: string;
  nullable?: boolean;
  default?: unknown;
  example?: unknown;
  enum?: unknown[];
  required?: string[];
  maximum?: number;
  exclusiveMaximum?: boolean;
  minimum?: number;
  exclusiveMinimum?: boolean;
  multipleOf?: number;
  maxLength?: number;
  minLength?: number;
  pattern?: string;
  maxItems?: number;
  minItems?: number;
  uniqueItems?: boolean;
  maxProperties?: number;
  minProperties?: number;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  items?: JsonSchema | JsonSchema[];
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  not?: JsonSchema;
  id?: string;
  $schema?: string;
  $ref?: string;
  additionalItems?: JsonSchema | boolean;
  patternProperties?: Record<string, JsonSchema>;
  definitions?: Record<string, JsonSchema>;
  dependencies?: Record<string, unknown>;
  externalDocs?: JsonObject;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: string;
  "x-kubernetes-validations"?: JsonObject[];
}

/** Schema of the items of a list; undefined where none, or one for each place, is given. */
export function itemsOf(schema: JsonSchema | undefined): JsonSchema | undefined {
  const items = schema?.items;
  return items === undefined || Array.isArray(items) ? undefined : items;
}

/** Schema of the values of a map; undefined where none is given. */
export function valuesOf(schema: JsonSchema | undefined): JsonSchema | undefined {
  const values = schema?.additionalProperties;
  return typeof values === "object" ? values : undefined;
}

/** Schema of a field: its own, or that of the values of a map. */
export function fieldSchema(schema: JsonSchema | undefined, name: string): JsonSchema | undefined {
  const { properties } = schema ?? {};
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : valuesOf(schema);
}

/** Whether a schema has a field of its own of that name. */
export function hasField(schema: JsonSchema, name: string): boolean {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name);
}

/** Whether unknown fields of an object are kept. */
export function keepsUnknown(schema: JsonSchema | undefined): boolean {
  return schema?.["x-kubernetes-preserve-unknown-fields"] === true;
}

/** Fields that every object has and no schema needs to describe. */
export const META_FIELDS: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** Schemas that a schema consists of, one level down, with the names that lead to them. */
export function* partsOf(schema: JsonSchema): Generator<[path: string, part: JsonSchema]> {
  for (const [name, part] of Object.entries(schema.properties ?? {})) yield [`properties[${name}]`, part];
  for (const key of ["items", "additionalProperties", "additionalItems", "not"] as const) {
    const part = schema[key];
    if (Array.isArray(part)) { for (const [i, one] of part.entries()) yield [`${key}[${i}]`, one]; }
    else if (isObject(part)) yield [key, part];
  }
  for (const key of ["allOf", "anyOf", "oneOf"] as const) {
    for (const [i, part] of (schema[key] ?? []).entries()) yield [`${key}[${i}]`, part];
  }
  for (const key of ["patternProperties", "definitions"] as const) {
    for (const [name, part] of Object.entries(schema[key] ?? {})) yield [`${key}[${name}]`, part];
  }
}

/** Bounds of one schema, so that checking an object against it takes bounded time and stack. */
export const SCHEMA_LIMITS = { depth: 60, parts: 20_000, patternChars: 4096 } as const;

/** What makes a schema too large to be served here; undefined when nothing does. */
export function tooLargeSchema(schema: JsonSchema): string | undefined {
  let parts = 0;
  const look = (one: JsonSchema, depth: number): string | undefined => {
    if (depth > SCHEMA_LIMITS.depth) return `must not be nested more than ${SCHEMA_LIMITS.depth} deep`;
    parts += 1 + (one.enum?.length ?? 0);
    if (parts > SCHEMA_LIMITS.parts) return `must not have more than ${SCHEMA_LIMITS.parts} parts`;
    if ((one.pattern?.length ?? 0) > SCHEMA_LIMITS.patternChars) {
      return `must not have patterns longer than ${SCHEMA_LIMITS.patternChars} characters`;
    }
    for (const [, part] of partsOf(one)) {
      const why = look(part, depth + 1);
      if (why !== undefined) return why;
    }
    return undefined;
  };
  return look(schema, 0);
}
