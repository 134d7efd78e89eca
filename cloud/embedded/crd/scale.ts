import { type ApiObject, isObject, type JsonObject, valueAt } from "../object.ts";
import type { ScalePaths } from "../resources/definition.ts";
import type { FieldError } from "../resources/field_error.ts";
import type { CrdScale } from "./definition.ts";
import { invalidAt } from "./schema/field_errors.ts";
import { goValue, jsonTypeOf } from "./schema/go_text.ts";

const MAX_REPLICAS = 2147483647;

function split(path: string): string[] {
  return path.replace(/^\./, "").split(".");
}

/** The paths of `…/scale` as names. */
export function readScalePaths(scale: CrdScale): ScalePaths {
  const { specReplicasPath, statusReplicasPath, labelSelectorPath = "" } = scale;
  return {
    replicas: split(specReplicasPath),
    statusReplicas: split(statusReplicasPath),
    ...(labelSelectorPath === "" ? {} : { selectorText: split(labelSelectorPath) }),
  };
}

/** What is wrong with the number of replicas wanted. */
export function validateScaleSpec(object: ApiObject, { specReplicasPath }: CrdScale): FieldError[] {
  return validateReplicas(object, specReplicasPath);
}

/** What is wrong with the number of replicas there are, and with the selector. */
export function validateScaleStatus(object: ApiObject, scale: CrdScale): FieldError[] {
  const errors = validateReplicas(object, scale.statusReplicasPath);
  const path = scale.labelSelectorPath;
  if (path !== undefined && path !== "") {
    const problem = typeProblem(object, path, "string");
    if (problem !== undefined) errors.push(invalidAt(path, "", problem));
  }
  return errors;
}

function validateReplicas(object: ApiObject, path: string): FieldError[] {
  const problem = typeProblem(object, path, "integer");
  if (problem !== undefined) return [invalidAt(path, 0, problem)];
  const value = valueAt(object, ...split(path)) ?? 0;
  if (typeof value !== "number") return [];
  if (value < 0) return [invalidAt(path, value, "should be a non-negative integer")];
  if (value <= MAX_REPLICAS) return [];
  return [invalidAt(path, value, `should be less than or equal to ${MAX_REPLICAS}`)];
}

/** Why the value at a path cannot be read; undefined when it can, or when there is none. */
function typeProblem(object: JsonObject, path: string, wanted: "integer" | "string"): string | undefined {
  const names = split(path);
  let at: unknown = object;
  for (const [i, name] of names.entries()) {
    if (!isObject(at)) {
      const text = `.${names.slice(0, i).join(".")}`;
      return `${text} accessor error: ${plain(at)} is of the type ${
        goType(at)
      }, expected map[string]interface{}`;
    }
    if (!Object.hasOwn(at, name)) return undefined;
    at = at[name];
  }
  if (jsonTypeOf(at) === wanted) return undefined;
  const expected = wanted === "integer" ? "int64" : "string";
  return `.${names.join(".")} accessor error: ${plain(at)} is of the type ${
    goType(at)
  }, expected ${expected}`;
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "<nil>" : goValue(value);
}

function goType(value: unknown): string {
  switch (jsonTypeOf(value)) {
    case "integer":
      return "int64";
    case "number":
      return "float64";
    case "boolean":
      return "bool";
    case "array":
      return "[]interface {}";
    case "object":
      return "map[string]interface {}";
    case "null":
      return "<nil>";
    default:
      return "string";
  }
}
