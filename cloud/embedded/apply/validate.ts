import { StatusError } from "../../../common/errors/mod.ts";
import { isObject, type JsonObject, textAt } from "../object.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { fieldOf, structOf, type TypeSchema } from "../schema/schema.ts";
import { schemaType } from "./builtin_types.ts";
import type { MergeType } from "./merge_type.ts";
import { itemElement, printPathElement } from "./path_element.ts";

type ListType = Extract<MergeType, { kind: "set" | "keyed" }>;

/** What a value may look like; undefined for anything. */
type Shape =
  | { kind: "numeric" | "string" | "boolean" | "scalar" }
  | { kind: "map"; field(name: string): Shape | undefined | "unknown" }
  | { kind: "list"; item: Shape | undefined; by?: ListType }
  | undefined;

const MAX_PROBLEMS = 20;

/**
 * Checks that a configuration has the form of its type: what cannot be merged must not be half merged.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 typed/validate.go; the code of the answer is the real server's.
 * @param kind as messages name it
 * @throws {StatusError} InternalError
 */
export function checkApplied(
  config: JsonObject,
  definition: Pick<ResourceDefinition, "schema" | "mergeType">,
  kind: string,
): void {
  const type = definition.mergeType?.();
  const shape = type === undefined ? shapeOfSchema(`@${definition.schema}`) : shapeOfType(type);
  const problems: string[] = [];
  check(config, shape, "", problems);
  if (problems.length === 0) return;
  const name = `${textAt(config, "metadata", "namespace")}/${textAt(config, "metadata", "name")}`;
  const text = problems.length === 1 ? problems[0] : ["errors:", ...problems.map((p) => `  ${p}`)].join("\n");
  throw new StatusError("InternalError", `failed to create typed patch object (${name}; ${kind}): ${text}`);
}

function shapeOfSchema(schema: TypeSchema): Shape {
  if (typeof schema === "object") {
    if ("map" in schema) {
      const value = shapeOfSchema(schema.map);
      return { kind: "map", field: () => value };
    }
    const type = schemaType(schema);
    const by = type.kind === "set" || type.kind === "keyed" ? { by: type } : {};
    return { kind: "list", item: shapeOfSchema(schema.list), ...by };
  }
  switch (schema) {
    case "int32":
    case "int64":
    case "number":
      return { kind: "numeric" };
    case "boolean":
      return { kind: "boolean" };
    case "string":
    case "bytes":
    case "time":
    case "microTime":
      return { kind: "string" };
    case "quantity":
    case "intOrString":
      return { kind: "scalar" };
    case "object":
      return undefined;
    default:
      if (structOf(schema) === undefined) return undefined;
      return {
        kind: "map",
        field: (name) => {
          const field = fieldOf(schema, name);
          return field === undefined ? "unknown" : shapeOfSchema(field);
        },
      };
  }
}

/** The form of a type that only says how it is merged: scalars are checked with the schema of the resource. */
function shapeOfType(type: MergeType): Shape {
  switch (type.kind) {
    case "map":
      return {
        kind: "map",
        field: (name) => {
          const field = type.field(name);
          return field === undefined ? "unknown" : shapeOfType(field);
        },
      };
    case "set":
      return { kind: "list", item: undefined, by: type };
    case "keyed":
      return { kind: "list", item: shapeOfType(type.item), by: type };
    default:
      return undefined;
  }
}

function check(value: unknown, shape: Shape, path: string, problems: string[]): void {
  if (shape === undefined || value === null || problems.length >= MAX_PROBLEMS) return;
  const wrong = (text: string) => problems.push(path === "" ? text : `${path}: ${text}`);
  switch (shape.kind) {
    case "numeric":
      if (typeof value !== "number") wrong(`expected numeric (int or float), got ${goType(value)}`);
      return;
    case "string":
      if (typeof value !== "string") {
        wrong(`expected string, got &value.valueUnstructured{Value:${goValue(value)}}`);
      }
      return;
    case "boolean":
      if (typeof value !== "boolean") wrong(`expected boolean, got &{${goValue(value)}}`);
      return;
    case "scalar":
      if (typeof value === "object") wrong(`expected any scalar, got &{${goValue(value)}}`);
      return;
    case "map":
      if (!isObject(value)) {
        wrong(`expected map, got &{${goValue(value)}}`);
        return;
      }
      for (const [key, item] of Object.entries(value)) {
        const field = shape.field(key);
        if (field === "unknown") {
          problems.push(`${path}.${key}: field not declared in schema`);
          return;
        }
        check(item, field, `${path}.${key}`, problems);
      }
      return;
    case "list":
      checkList(value, shape, path, problems);
  }
}

function checkList(
  value: unknown,
  shape: Extract<Shape, { kind: "list" }>,
  path: string,
  problems: string[],
): void {
  if (!Array.isArray(value)) {
    problems.push(`${path}: expected list, got &{${goValue(value)}}`);
    return;
  }
  const seen = new Set<string>();
  for (const [i, item] of value.entries()) {
    let element = `i:${i}`;
    if (shape.by !== undefined) {
      const found = itemElement(item, shape.by);
      if ("problem" in found) {
        problems.push(`${path}: element ${i}: ${found.problem}`);
        return;
      }
      element = found.element;
      if (seen.has(element)) problems.push(`${path}: duplicate entries for key ${printPathElement(element)}`);
      seen.add(element);
    }
    check(item, shape.item, path + printPathElement(element), problems);
  }
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  return isObject(value) ? "map[string]interface {}" : typeof value === "boolean" ? "bool" : "string";
}

const MAX_VALUE_CHARS = 200;

/** A value as Go prints it. */
function goValue(value: unknown): string {
  const text = Array.isArray(value)
    ? `[${value.map(goValue).join(" ")}]`
    : isObject(value)
    ? `map[${Object.entries(value).map(([k, v]) => `${k}:${goValue(v)}`).join(" ")}]`
    : String(value);
  return text.slice(0, MAX_VALUE_CHARS);
}
