import { StatusError } from "../../common/errors/mod.ts";

/** Looks at a value from outside; throws when it is not what was expected. Absent values pass unless required. */
export type Check = (value: unknown, path: string) => void;

function refuse(path: string, expected: string): never {
  throw new StatusError("Invalid", `${path} is not ${expected}`);
}

/** Longest text of a field that names no bound of its own. */
const MAX_TEXT_CHARS = 1024 * 1024;

/** Text without NUL, which neither a path nor an argument can hold. */
export function text(maxChars = MAX_TEXT_CHARS): Check {
  return (value, path) => {
    if (value === undefined) return;
    if (typeof value !== "string") refuse(path, "a string");
    if (value.length > maxChars) refuse(path, `at most ${maxChars} characters long`);
    if (value.includes("\0")) refuse(path, "free of NUL characters");
  };
}

/** Text of a pattern; `what` is said when it does not match. */
export function pattern(expression: RegExp, what: string, maxChars = 253): Check {
  const isText = text(maxChars);
  return (value, path) => {
    if (value === undefined) return;
    isText(value, path);
    if (!expression.test(value as string)) refuse(path, what);
  };
}

/** One of a few words. */
export function oneOf(...words: readonly string[]): Check {
  return (value, path) => {
    if (value !== undefined && !words.includes(value as string)) refuse(path, `one of ${words.join(", ")}`);
  };
}

/** A whole number within bounds. */
export function integer(min: number, max: number): Check {
  return (value, path) => {
    if (value === undefined) return;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      refuse(path, `a whole number from ${min} to ${max}`);
    }
  };
}

/** True or false. */
export const bool: Check = (value, path) => {
  if (value !== undefined && typeof value !== "boolean") refuse(path, "true or false");
};

/** Accepts what either of two checks accepts. */
export function either(a: Check, b: Check): Check {
  return (value, path) => {
    try {
      a(value, path);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      b(value, path);
    }
  };
}

/** A value that must be there. */
export function required(check: Check): Check {
  return (value, path) => {
    if (value === undefined) throw new StatusError("Invalid", `${path} is missing`);
    check(value, path);
  };
}

/** An object; fields that are not named are not looked at. */
export function object(fields: Readonly<Record<string, Check>> = {}): Check {
  const checks = Object.entries(fields);
  return (value, path) => {
    if (value === undefined) return;
    if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(path, "an object");
    for (const [name, check] of checks) {
      check((value as Record<string, unknown>)[name], path === "" ? name : `${path}.${name}`);
    }
  };
}

/** An object whose keys are free and whose values are alike. */
export function mapOf(check: Check, maxEntries = 4096): Check {
  const isObject = object();
  return (value, path) => {
    if (value === undefined) return;
    isObject(value, path);
    const entries = Object.entries(value as Record<string, unknown>);
    if (entries.length > maxEntries) refuse(path, `at most ${maxEntries} entries`);
    for (const [key, item] of entries) check(item, `${path}[${JSON.stringify(key.slice(0, 80))}]`);
  };
}

/** A list; with `key`, no two items have the same value under it. */
export function listOf(check: Check, options: { max?: number; min?: number; key?: string } = {}): Check {
  const { max = 4096, min = 0, key } = options;
  return (value, path) => {
    if (value === undefined && min === 0) return;
    if (!Array.isArray(value)) refuse(path, "a list");
    if (value.length < min) refuse(path, `at least ${min} long`);
    if (value.length > max) refuse(path, `at most ${max} long`);
    const seen = new Set<unknown>();
    value.forEach((item, i) => {
      check(item, `${path}[${i}]`);
      if (key === undefined) return;
      const id = (item as Record<string, unknown>)[key];
      if (seen.has(id)) throw new StatusError("Invalid", `${path}[${i}].${key} is there twice`);
      seen.add(id);
    });
  };
}
