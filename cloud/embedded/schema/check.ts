import { isObject, type JsonObject, setField } from "../object.ts";
import { fieldOf, structOf, type StructSchema, type TypeSchema } from "./schema.ts";

type ScalarType = Extract<TypeSchema, string>;

/** What a check against the schema found. */
export interface SchemaFindings {
  /** Paths of fields the type does not have; they were left out. */
  unknown: string[];
  /** What cannot be read as the type, in words. */
  errors: string[];
}

const MAX_FINDINGS = 50;

/** Where a value is, as messages of Go's JSON decoder name it: the struct, and the fields down to it without indexes and keys. */
interface GoField {
  struct: string;
  path: string;
}

const TOP: GoField = { struct: "", path: "" };

/** A type as Go writes it. */
function goType(type: TypeSchema): string {
  if (typeof type === "object") {
    return "list" in type ? `[]${goType(type.list)}` : `map[string]${goType(type.map)}`;
  }
  if (type.startsWith("@")) return type.slice(1).split(".").slice(-2).join(".");
  return GO_TYPES[type] ?? type;
}

const GO_TYPES: Readonly<Record<string, string>> = {
  boolean: "bool",
  number: "float64",
  bytes: "[]uint8",
  intOrString: "intstr.IntOrString",
  quantity: "resource.Quantity",
  time: "v1.Time",
  microTime: "v1.MicroTime",
};

/**
 * A copy of a value with only the fields its type has, nulls left out, and what was wrong with it. Types are checked as Go's JSON
 * decoder would: a text for a number is an error, a missing field is not.
 */
export function conform(
  value: unknown,
  type: TypeSchema,
  path: string,
  found: SchemaFindings,
  at: GoField = TOP,
): unknown {
  if (value === null || value === undefined) return undefined;
  if (typeof type === "object") {
    if ("list" in type) {
      if (!Array.isArray(value)) return mismatch(type, value, at, found);
      return value.map((item, i) =>
        conform(item, type.list, `${path}[${i}]`, found, at) ?? zeroOf(type.list)
      );
    }
    if (!isObject(value)) return mismatch(type, value, at, found);
    const copy: JsonObject = {};
    for (const [key, item] of Object.entries(value)) {
      setField(
        copy,
        key,
        conform(item, type.map, path === "" ? key : `${path}.${key}`, found, at) ?? zeroOf(type.map),
      );
    }
    return copy;
  }
  if (type.startsWith("@")) {
    const struct = structOf(type);
    if (struct === undefined) return value;
    if (!isObject(value)) return mismatch(type, value, at, found);
    const name = type.split(".").at(-1)!;
    const copy: JsonObject = {};
    for (const [key, item] of Object.entries(value)) {
      const below = path === "" ? key : `${path}.${key}`;
      const field = fieldOf(type, key);
      if (field === undefined) {
        if (found.unknown.length < MAX_FINDINGS) found.unknown.push(below);
        continue;
      }
      const goPath = at.path === "" ? key : `${at.path}.${key}`;
      const kept = conform(item, field, below, found, { struct: name, path: goPath });
      if (kept !== undefined && !isLeftOut(kept, field, struct, key)) copy[key] = kept;
    }
    return copy;
  }
  return conformScalar(value, type, { path, at }, found);
}

/** Whether Go's JSON has no such field: an empty list or map that is not among the zeros. Types that are not Go's keep them. */
function isLeftOut(value: unknown, type: TypeSchema, struct: StructSchema, name: string): boolean {
  if (typeof type !== "object" || struct.wire === undefined) return false;
  if (struct.zeros !== undefined && Object.hasOwn(struct.zeros, name)) return false;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function conformScalar(
  value: unknown,
  type: ScalarType,
  { path, at }: { path: string; at: GoField },
  found: SchemaFindings,
): unknown {
  switch (type) {
    case "string":
    case "time":
    case "microTime":
      if (typeof value !== "string") return mismatch(type, value, at, found);
      if (type !== "string" && value !== "" && Number.isNaN(Date.parse(value))) {
        return fail(`${path}: parsing time ${JSON.stringify(value)}`, found);
      }
      return type !== "string" && value === "" ? undefined : value;
    case "bytes":
      if (typeof value !== "string") return mismatch(type, value, at, found);
      return /^[A-Za-z0-9+/\r\n]*={0,2}$/.test(value) && value.replace(/[\r\n]/g, "").length % 4 === 0
        ? value.replace(/[\r\n]/g, "")
        : fail(`illegal base64 data at input byte ${/^[A-Za-z0-9+/\r\n]*/.exec(value)![0].length}`, found);
    case "boolean":
      return typeof value === "boolean" ? value : mismatch(type, value, at, found);
    case "int32":
    case "int64": {
      if (typeof value !== "number" || !Number.isInteger(value)) return mismatch(type, value, at, found);
      return type === "int32" && (value > 2147483647 || value < -2147483648)
        ? mismatch(type, value, at, found)
        : value;
    }
    case "number":
      return typeof value === "number" ? value : mismatch(type, value, at, found);
    case "quantity": {
      const text = typeof value === "number" ? String(value) : value;
      if (typeof text !== "string") return mismatch(type, value, at, found);
      return QUANTITY.test(text) ? text : fail(
        `${path}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
        found,
      );
    }
    case "intOrString":
      return typeof value === "string" || (typeof value === "number" && Number.isInteger(value))
        ? value
        : mismatch(type, value, at, found);
    default:
      return value;
  }
}

const QUANTITY = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;

function zeroOf(type: TypeSchema): unknown {
  if (typeof type === "object") return "list" in type ? [] : {};
  if (type.startsWith("@")) return {};
  if (type === "boolean") return false;
  return type === "int32" || type === "int64" || type === "number" ? 0 : type === "object" ? null : "";
}

function mismatch(wanted: TypeSchema, value: unknown, at: GoField, found: SchemaFindings): undefined {
  const got = Array.isArray(value)
    ? "array"
    : typeof value === "boolean"
    ? "bool"
    : value === null
    ? "null"
    : typeof value;
  const field = at.path === "" ? "value" : `struct field ${at.struct}.${at.path}`;
  return fail(`json: cannot unmarshal ${got} into Go ${field} of type ${goType(wanted)}`, found);
}

function fail(text: string, found: SchemaFindings): undefined {
  if (found.errors.length < MAX_FINDINGS) found.errors.push(text);
  return undefined;
}
