import { isObject, type JsonObject } from "../../object.ts";
import type { FieldError } from "../../resources/field_error.ts";
import type { Correlated } from "./correlated.ts";
import {
  child,
  invalidAt,
  notSupportedAt,
  requiredAt,
  tooLongAt,
  tooManyAt,
  typeInvalidAt,
} from "./field_errors.ts";
import { formatCheck } from "./formats.ts";
import { goNumber, goQuote, jsonTypeOf } from "./go_text.ts";
import { itemsOf, type JsonSchema } from "./json_schema.ts";
import { compilePattern, type Pattern, patternWork, type Work } from "./pattern.ts";

/** What does not hold: the path as it is in the message, and how the error is printed. */
interface Failure {
  /** Path of the value; undefined for a failure of the whole object. */
  name: string | undefined;
  print(path: string): FieldError;
}

/** Failures by their message, and how many checks were passed on the way: that tells which of several schemas was meant. */
class Result {
  failures: Map<string, Failure> | undefined;
  matches = 0;
  /** Shared by all results for one object. */
  readonly work: Work;

  constructor(work: Work = patternWork()) {
    this.work = work;
  }

  get valid(): boolean {
    return this.failures === undefined;
  }

  fail(message: string, failure: Failure): void {
    this.work.left -= FAILURE_WORK;
    this.failures ??= new Map();
    if (this.failures.size < MAX_FAILURES && !this.failures.has(message)) this.failures.set(message, failure);
  }

  merge(other: Result): void {
    this.matches += other.matches;
    for (const [message, failure] of other.failures ?? []) this.fail(message, failure);
  }
}

const MAX_FAILURES = 100;
/** What a failure costs, in checks that are passed. */
const FAILURE_WORK = 10;
const patterns = new WeakMap<JsonSchema, Pattern>();
const enums = new WeakMap<JsonSchema, ReadonlySet<unknown>>();

/**
 * Checks a value against a schema, in the real server's words and order, quirks included: what is wrong with one of several schemas is
 * told for the whole object.
 * Upstream: k8s.io/kube-openapi pkg/validation/validate; k8s.io/apiextensions-apiserver pkg/apiserver/validation @ v1.33
 * @param at path of the value in the object
 * @param correlated what it was before: what is as it was is not complained of
 */
export function validateValue(
  schema: JsonSchema,
  value: unknown,
  at = "",
  correlated?: Correlated,
): FieldError[] {
  const result = new Result();
  check(schema, value, "", correlated, result);
  if (correlated?.unchanged()) return [];
  if (result.work.left < 0) {
    // What was not looked at may be wrong, and inside "not" what is wrong would count as right.
    return [
      invalidAt(
        at,
        "",
        "checking it against the schema takes more work than one object may: make it smaller",
      ),
    ];
  }
  if (result.failures === undefined) return [];
  return [...result.failures.values()].map(({ name, print }) =>
    print(name === undefined || name === "" || name === "." ? at : child(at, name.replace(/^\./, "")))
  );
}

function typesOf(schema: JsonSchema): readonly string[] {
  if (schema["x-kubernetes-int-or-string"]) return ["integer", "string"];
  return schema.type === undefined || schema.type === "" ? [] : [schema.type];
}

function check(
  schema: JsonSchema,
  value: unknown,
  path: string,
  correlated: Correlated | undefined,
  result: Result,
): void {
  if (--result.work.left < 0) return;
  const types = typesOf(schema);
  if (value === null || value === undefined) {
    result.matches++;
    if (types.length > 0 && !schema.nullable) wrongType(path, types.join(","), "null", result);
    checkEnum(schema, null, path, result);
    return;
  }
  if (types.length > 0 || formatCheck(schema.format) !== undefined) {
    checkType(schema, types, value, path, result);
    result.matches++;
  }
  checkJunctors(schema, value, path, correlated, result);
  result.matches++;
  if (typeof value === "string") {
    checkText(schema, value, path, result);
    result.matches++;
    const isFormat = formatCheck(schema.format);
    if (isFormat !== undefined) {
      if (!isFormat(value)) wrongType(path, schema.format!, value, result);
      result.matches++;
    }
  } else if (typeof value === "number") {
    checkNumber(schema, value, path, result);
    result.matches += 2;
  } else if (Array.isArray(value)) {
    checkList(schema, value, path, correlated, result);
    result.matches += 2;
  }
  checkEnum(schema, value, path, result);
  result.matches++;
  if (isObject(value)) {
    checkObject(schema, value, path, correlated, result);
    result.matches++;
  }
  result.matches++;
}

function wrongType(path: string, wanted: string, got: string, result: Result): void {
  const message = `${path} in body must be of type ${wanted}: ${goQuote(got)}`;
  result.fail(message, { name: path, print: (at) => typeInvalidAt(at, got, message) });
}

function fail(path: string, value: unknown, message: string, result: Result): void {
  result.fail(message, { name: path, print: (at) => invalidAt(at, value ?? "", message) });
}

/** A failure that has no field: only the message tells where. */
function failWhole(message: string, result: Result): void {
  result.fail(message, { name: undefined, print: (at) => invalidAt(at, "", message) });
}

function checkType(
  schema: JsonSchema,
  types: readonly string[],
  value: unknown,
  path: string,
  result: Result,
): void {
  const type = jsonTypeOf(value);
  const numeric = types.includes("number") || types.includes("integer");
  const formatted = formatCheck(schema.format) !== undefined;
  const fits = types.includes(type) || (type === "integer" && types.includes("number"));
  const textOrList = typeof value === "string" || Array.isArray(value);
  if (!textOrList && formatted && !fits) {
    wrongType(
      path,
      schema.format!,
      type === "integer" ? "int64" : type === "number" ? "float64" : "",
      result,
    );
  } else if (!numeric && formatted && textOrList) result.matches++;
  else if (!fits) wrongType(path, types.join(","), type, result);
  else result.matches++;
}

function checkText(schema: JsonSchema, value: string, path: string, result: Result): void {
  const { maxLength, minLength, pattern } = schema;
  if (maxLength !== undefined || minLength !== undefined) {
    const length = lengthOf(value);
    if (maxLength !== undefined && length > maxLength) {
      const message = `${path} in body should be at most ${maxLength} chars long`;
      result.fail(message, { name: path, print: (at) => tooLongAt(at, maxLength) });
      return;
    }
    if (minLength !== undefined && length < minLength) {
      fail(path, value, `${path} in body should be at least ${minLength} chars long`, result);
      return;
    }
  }
  if (pattern === undefined || pattern === "") return;
  let compiled = patterns.get(schema);
  if (compiled === undefined) patterns.set(schema, compiled = compilePattern(pattern));
  const found = compiled.found(value, result.work);
  if (found === undefined) {
    fail(path, value.slice(0, 100), `${path} in body is too long to be checked for '${pattern}'`, result);
  } else if (!found) fail(path, value, `${path} in body should match '${pattern}'`, result);
}

/** Code points of a text. */
function lengthOf(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; length++) i += text.codePointAt(i)! > 0xffff ? 2 : 1;
  return length;
}

function checkNumber(schema: JsonSchema, value: number, path: string, result: Result): void {
  const { multipleOf, maximum, exclusiveMaximum = false, minimum, exclusiveMinimum = false } = schema;
  // A whole number is compared with whole bounds, as the real server does.
  const bound = (limit: number) => Number.isInteger(value) ? Math.trunc(limit) : limit;
  if (multipleOf !== undefined) {
    const factor = bound(multipleOf);
    if (factor <= 0) {
      fail(
        path,
        factor,
        `factor MultipleOf declared for ${path} must be positive: ${goNumber(factor)}`,
        result,
      );
    } else {
      const times = factor < 1 ? (1 / factor) * value : value / factor;
      if (!nearlyWhole(times)) {
        fail(path, value, `${path} in body should be a multiple of ${goNumber(factor)}`, result);
      }
    }
  }
  if (minimum !== undefined) {
    const limit = bound(minimum);
    if (exclusiveMinimum ? value <= limit : value < limit) {
      const how = exclusiveMinimum ? "greater than" : "greater than or equal to";
      fail(path, value, `${path} in body should be ${how} ${goNumber(limit)}`, result);
    }
  }
  if (maximum !== undefined) {
    const limit = bound(maximum);
    if (exclusiveMaximum ? value >= limit : value > limit) {
      const how = exclusiveMaximum ? "less than" : "less than or equal to";
      fail(path, value, `${path} in body should be ${how} ${goNumber(limit)}`, result);
    }
  }
}

/** Upstream: github.com/go-openapi/swag convert.go (IsFloat64AJSONInteger) @ v0.23 */
function nearlyWhole(value: number): boolean {
  if (!Number.isFinite(value)) return false;
  const whole = Math.trunc(value);
  const difference = Math.abs(value - whole);
  if (value === whole) return true;
  return difference / Math.max(Math.abs(value), Number.EPSILON) < 1e-9;
}

function checkList(
  schema: JsonSchema,
  value: readonly unknown[],
  path: string,
  correlated: Correlated | undefined,
  result: Result,
): void {
  const items = itemsOf(schema);
  if (items !== undefined) {
    for (let i = 0; i < value.length; i++) {
      checkPart(items, value[i], `${path}[${i}]`, correlated?.item(i), result);
    }
  }
  const { minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems) {
    fail(path, value.length, `${path} in body should have at least ${minItems} items`, result);
  }
  if (maxItems !== undefined && value.length > maxItems) {
    const message = `${path} in body should have at most ${maxItems} items`;
    result.fail(message, { name: path, print: (at) => tooManyAt(at, value.length, maxItems) });
  }
}

function checkEnum(schema: JsonSchema, value: unknown, path: string, result: Result): void {
  const { enum: allowed } = schema;
  if (allowed === undefined || allowed.length === 0) return;
  if (typeof value === "string") {
    let texts = enums.get(schema);
    if (texts === undefined) enums.set(schema, texts = new Set(allowed));
    if (texts.has(value)) return;
  } else {
    result.work.left -= allowed.length;
    if (value !== null && allowed.some((one) => sameValue(value, one))) return;
  }
  result.fail(`${path} in body should be one of ${JSON.stringify(allowed)}`, {
    name: path,
    print: (at) =>
      notSupportedAt(at, value, allowed.map((v) => typeof v === "string" ? v : JSON.stringify(v))),
  });
}

function sameValue(value: unknown, allowed: unknown): boolean {
  if (value === allowed) return true;
  // A number is converted to the type of the allowed one before they are compared.
  if (typeof value === "number" && typeof allowed === "number") {
    return Number.isInteger(allowed) && Math.trunc(value) === allowed;
  }
  return typeof value === "object" && JSON.stringify(value) === JSON.stringify(allowed);
}

function checkObject(
  schema: JsonSchema,
  value: JsonObject,
  path: string,
  correlated: Correlated | undefined,
  result: Result,
): void {
  const { minProperties, maxProperties, properties = {}, additionalProperties, required } = schema;
  if (minProperties !== undefined || maxProperties !== undefined) {
    const count = Object.keys(value).length;
    if (minProperties !== undefined && count < minProperties) {
      fail(path, count, `${path} in body should have at least ${minProperties} properties`, result);
    }
    if (maxProperties !== undefined && count > maxProperties) {
      const message = `${path} in body should have at most ${maxProperties} properties`;
      result.fail(message, { name: path, print: (at) => tooManyAt(at, count, maxProperties) });
    }
  }
  if (additionalProperties === false) {
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(properties, key)) continue;
      fail(path, key, `${path}.${key} in body is a forbidden property`, result);
    }
  } else if (typeof additionalProperties === "object") {
    for (const [key, item] of Object.entries(value)) {
      if (Object.hasOwn(properties, key)) continue;
      checkPart(additionalProperties, item, `${path}.${key}`, correlated?.field(key), result);
    }
  }
  for (const [key, field] of Object.entries(properties)) {
    if (!Object.hasOwn(value, key)) continue;
    // Both objects were brought to one version, so that a change of their type is not seen.
    const before = path === "" && (key === "kind" || key === "apiVersion")
      ? undefined
      : correlated?.field(key);
    checkPart(field, value[key], path === "" ? key : `${path}.${key}`, before, result);
  }
  for (const key of required ?? []) {
    if (Object.hasOwn(value, key)) continue;
    const name = `${path}.${key}`;
    result.fail(`${name} in body is required`, { name, print: (at) => requiredAt(at) });
  }
}

/** A part that is as it was before is not complained of. */
function checkPart(
  schema: JsonSchema,
  value: unknown,
  path: string,
  correlated: Correlated | undefined,
  result: Result,
): void {
  if (correlated === undefined) return check(schema, value, path, undefined, result);
  const own = new Result(result.work);
  check(schema, value, path, correlated, own);
  if (own.failures !== undefined && correlated.unchanged()) own.failures = undefined;
  result.merge(own);
}

function tried(
  schema: JsonSchema,
  value: unknown,
  path: string,
  correlated: Correlated | undefined,
  work: Work,
): Result {
  const result = new Result(work);
  check(schema, value, path, correlated, result);
  return result;
}

function checkJunctors(
  schema: JsonSchema,
  value: unknown,
  path: string,
  correlated: Correlated | undefined,
  result: Result,
): void {
  const { anyOf = [], oneOf = [], allOf = [], not } = schema;
  if (anyOf.length > 0) {
    let best: Result | undefined;
    for (const one of anyOf) {
      const attempt = tried(one, value, path, correlated, result.work);
      if (attempt.valid || best === undefined || attempt.matches > best.matches) best = attempt;
      if (attempt.valid) break;
    }
    if (best !== undefined) {
      if (!best.valid) failWhole(`${goQuote(path)} must validate at least one schema (anyOf)`, result);
      result.merge(best);
    }
  }
  if (oneOf.length > 0) {
    const attempts = oneOf.map((one) => tried(one, value, path, correlated, result.work));
    const good = attempts.filter(({ valid }) => valid);
    if (good.length === 1) result.merge(good[0]!);
    else {
      const found = good.length === 0 ? "Found none valid" : `Found ${good.length} valid alternatives`;
      failWhole(`${goQuote(path)} must validate one and only one schema (oneOf). ${found}`, result);
      if (good.length === 0) result.merge(attempts.reduce((a, b) => b.matches > a.matches ? b : a));
    }
  }
  if (allOf.length > 0) {
    let good = 0;
    for (const one of allOf) {
      const attempt = tried(one, value, path, correlated, result.work);
      if (attempt.valid) good++;
      result.merge(attempt);
    }
    if (good < allOf.length) {
      failWhole(
        `${goQuote(path)} must validate all the schemas (allOf)${good === 0 ? ". None validated" : ""}`,
        result,
      );
    }
  }
  if (not !== undefined && tried(not, value, path, correlated, result.work).valid) {
    failWhole(`${goQuote(path)} must not validate the schema (not)`, result);
  }
  result.matches++;
}
