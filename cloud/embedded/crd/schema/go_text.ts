import { isObject } from "../../object.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

/** A text in quotes, as Go's `%q` prints it. */
export function goQuote(text: string): string {
  const escaped = text.replace(
    // deno-lint-ignore no-control-regex
    /["\\\x00-\x1f\x7f]/g,
    (c) => ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}

/** A number as Go's `%v` prints it. */
export function goNumber(value: number): string {
  const text = String(value);
  const small = value !== 0 && Math.abs(value) < 1e-4;
  if (!small && !text.includes("e")) return text;
  return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

/** A JSON value as Go's `%#v` prints what its decoder makes of it. */
export function goValue(value: unknown): string {
  if (typeof value === "string") return goQuote(value);
  if (typeof value === "number") return goNumber(value);
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goValue).join(", ")}}`;
  if (isObject(value)) {
    const entries = Object.keys(value).sort().map((key) => `${goQuote(key)}:${goValue(value[key])}`);
    return `map[string]interface {}{${entries.join(", ")}}`;
  }
  return "interface {}(nil)";
}

/** Go's name for the JSON type of a value, as its validation tells it. */
export function jsonTypeOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  // What does not fit into 64 bits is a number with a fraction to Go.
  if (typeof value === "number") {
    return Number.isInteger(value) && Math.abs(value) < 2 ** 63 ? "integer" : "number";
  }
  return typeof value;
}
