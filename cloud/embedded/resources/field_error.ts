import { StatusError } from "../../../common/errors/mod.ts";

/** One field that is wrong: a cause in a Status with reason Invalid. */
export interface FieldError {
  reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueNotFound"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid";
  field: string;
  message: string;
}

/** A field that must have a value. */
export function required(field: string, why = ""): FieldError {
  return {
    reason: "FieldValueRequired",
    field,
    message: why === "" ? "Required value" : `Required value: ${why}`,
  };
}

/** A field whose value is wrong. */
export function invalid(field: string, value: unknown, why: string): FieldError {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${printValue(value)}: ${why}` };
}

/** A field that may not be set, or changed. */
export function forbidden(field: string, why: string): FieldError {
  return { reason: "FieldValueForbidden", field, message: `Forbidden: ${why}` };
}

/** A field whose value is not one of those there are. */
export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map((s) => JSON.stringify(s)).join(", ");
  return {
    reason: "FieldValueNotSupported",
    field,
    message: `Unsupported value: ${printValue(value)}: supported values: ${list}`,
  };
}

/** A value that occurs twice. */
export function duplicate(field: string, value: unknown): FieldError {
  return { reason: "FieldValueDuplicate", field, message: `Duplicate value: ${printValue(value)}` };
}

/** A value that is longer than it may be. */
export function tooLong(field: string, maxBytes: number): FieldError {
  return { reason: "FieldValueTooLong", field, message: `Too long: may not be more than ${maxBytes} bytes` };
}

function printValue(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > 1000 ? `${text.slice(0, 1000)}…` : text;
}

/** The error of a write whose object is wrong, in Kubernetes' words. */
export function invalidObject(
  { group, kind }: { group: string; kind: string },
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const qualified = group === "" ? kind : `${kind}.${group}`;
  const texts = errors.map(({ field, message }) => `${field}: ${message}`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new StatusError("Invalid", `${qualified} ${JSON.stringify(name)} is invalid: ${list}`, {
    details: {
      ...(name === "" ? {} : { name }),
      ...(group === "" ? {} : { group }),
      kind,
      causes: errors.map(({ reason, field, message }) => ({ reason, field, message })),
    },
  });
}
