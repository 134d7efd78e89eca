import { Scalar, stringify } from "yaml";
import { formatGoDuration } from "./duration.ts";
import type { Field, SectionField } from "./schema.ts";

/** Which rows are printed: those a beginner needs, or all. */
export type PrintWhich = "min" | "default";

/**
 * A configuration as YAML with a comment for every key, which loads unchanged. In "default" the rows that have no value are
 * there too, commented out.
 */
export function printConfig(schema: SectionField, value: unknown, which: PrintWhich): string {
  return printSection(schema, value, which, "");
}

function printSection(schema: SectionField, value: unknown, which: PrintWhich, indent: string): string {
  let out = "";
  for (const [name, row] of Object.entries(schema.fields)) {
    if (which === "min" && !row.min) continue;
    const given = isRecord(value) ? value[name] : undefined;
    out += printRow(name, row, given, which, indent);
  }
  return out;
}

function printRow(name: string, row: Field, value: unknown, which: PrintWhich, indent: string): string {
  const comment = row.comment === "" ? "" : ` # ${row.comment}`;
  if (row.kind === "section") {
    const body = printSection(row, value, which, `${indent}  `);
    return body === "" ? "" : `${indent}${name}:${comment}\n${body}`;
  }
  if (value === undefined) return which === "min" ? "" : `${indent}# ${name}: <${describe(row)}>${comment}\n`;
  const plain = toFile(row, value);
  const isFilled = Array.isArray(plain) ? plain.length > 0 : plain instanceof Map && plain.size > 0;
  if (isFilled) {
    const body = stringify(plain, YAML_OPTIONS).trimEnd().split("\n").map((line) => `${indent}  ${line}\n`);
    return `${indent}${name}:${comment}\n${body.join("")}`;
  }
  return `${indent}${name}: ${stringify(plain, YAML_OPTIONS).trimEnd()}${comment}\n`;
}

/** Quotes what a YAML 1.1 parser, such as upstream's, would take for something else. */
const YAML_OPTIONS = {
  compat: "yaml-1.1",
  lineWidth: 0,
  defaultStringType: "PLAIN",
  defaultKeyType: "PLAIN",
} as const;

/** A value as the file has it. */
function toFile(field: Field, value: unknown): unknown {
  if (field.kind === "duration") return formatGoDuration(Number(value));
  if (field.kind === "list" && Array.isArray(value)) return value.map((item) => toFile(field.item, item));
  if (field.kind === "map" && isRecord(value)) {
    return new Map(Object.entries(value).map(([name, item]) => [quoted(name), toFile(field.value, item)]));
  }
  if (field.kind === "section" && isRecord(value)) {
    const given = Object.entries(field.fields).filter(([name]) => value[name] !== undefined);
    return new Map(given.map(([name, row]) => [name, toFile(row, value[name])]));
  }
  return typeof value === "string" ? quoted(value) : value;
}

/** A text that a parser could take for something else, such as a merge key or trimmed space, in quotes. */
function quoted(text: string): string | Scalar<string> {
  if (text !== "<<" && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text)) return text;
  const scalar = new Scalar(text);
  scalar.type = "QUOTE_DOUBLE";
  return scalar;
}

function describe(field: Exclude<Field, SectionField>): string {
  switch (field.kind) {
    case "bool":
      return "true or false";
    case "int":
    case "float":
      return "number";
    case "duration":
      return "duration";
    case "text":
      return "text";
    case "list":
      return "list";
    case "map":
      return "name: value";
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value `--minconfig` prints: the default, except where the table has another for beginners. */
export function minimalOf(schema: SectionField, value: unknown): unknown {
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]): [string, unknown] => {
      const row = Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
      if (row?.kind === "section") return [name, minimalOf(row, item)];
      const own = row !== undefined && "minInitial" in row ? row.minInitial : undefined;
      return [name, own ?? item];
    }),
  );
}
