import type { FieldError } from "../../resources/field_error.ts";
import { goQuote, goValue } from "./go_text.ts";

const MAX_VALUE_CHARS = 1000;

/** Path of a field below another; "" is the whole object. */
export function child(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** Path of an entry of a map. */
export function keyed(path: string, key: string): string {
  return `${path}[${key}]`;
}

/** Path of an item of a list. */
export function indexed(path: string, index: number): string {
  return `${path}[${index}]`;
}

/** The name of a path in a message: Go prints a missing one so. */
function named(path: string): string {
  return path === "" ? "<nil>" : path;
}

/** A value in a message; what is long is cut. */
export function printValue(value: unknown): string {
  const text = value === null || value === undefined ? '"null"' : goValue(value);
  return text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text;
}

/** A list of texts in a message. */
export function printTexts(texts: readonly string[] | undefined): string {
  return texts === undefined ? "[]string(nil)" : `[]string{${texts.map(goQuote).join(", ")}}`;
}

/** A field whose value is wrong. @param value as {@linkcode printValue} prints it, unless it is printed already */
export function invalidAt(path: string, value: unknown, why: string): FieldError {
  return invalidPrinted(path, printValue(value), why);
}

/** A field whose value is wrong, the value as it is to be printed. */
export function invalidPrinted(path: string, value: string, why: string): FieldError {
  return {
    reason: "FieldValueInvalid",
    field: named(path),
    message: `Invalid value: ${value}${why === "" ? "" : `: ${why}`}`,
  };
}

/** A field whose value is of another type. */
export function typeInvalidAt(path: string, value: unknown, why: string): FieldError {
  return { ...invalidAt(path, value, why), reason: "FieldValueTypeInvalid" };
}

/** A field that must have a value. */
export function requiredAt(path: string, why = ""): FieldError {
  return {
    reason: "FieldValueRequired",
    field: named(path),
    message: why === "" ? "Required value" : `Required value: ${why}`,
  };
}

/** A field that must not be there. */
export function forbiddenAt(path: string, why: string): FieldError {
  return { reason: "FieldValueForbidden", field: named(path), message: `Forbidden: ${why}` };
}

/** A value that is none of those there are. */
export function notSupportedAt(path: string, value: unknown, supported: readonly string[]): FieldError {
  return {
    reason: "FieldValueNotSupported",
    field: named(path),
    message: `Unsupported value: ${printValue(value)}: supported values: ${
      supported.map(goQuote).join(", ")
    }`,
  };
}

/** A value that occurs twice. */
export function duplicateAt(path: string, value: unknown): FieldError {
  return {
    reason: "FieldValueDuplicate",
    field: named(path),
    message: `Duplicate value: ${printValue(value)}`,
  };
}

/** A text that is too long. */
export function tooLongAt(path: string, max: number): FieldError {
  return {
    reason: "FieldValueTooLong",
    field: named(path),
    message: `Too long: may not be more than ${max} bytes`,
  };
}

/** A list or map that has too many entries. */
export function tooManyAt(path: string, actual: number, max: number): FieldError {
  return {
    reason: "FieldValueTooMany",
    field: named(path),
    message: `Too many: ${actual}: must have at most ${max} items`,
  };
}
