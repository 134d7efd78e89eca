import { StatusError } from "../../../common/errors/mod.ts";
import { type JsonObject, setField } from "../object.ts";
import { SCHEMA, structOf, type StructSchema, type TypeSchema } from "./schema.ts";

/** What every object in Kubernetes' protobuf form begins with: `k8s` and a zero byte. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00] as const;
const MAX_DEPTH = 60;
const decoder = new TextDecoder("utf-8", { fatal: true });

interface Field {
  number: number;
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  wire: number;
  value: bigint;
  bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Reads an object in Kubernetes' protobuf form into what its JSON would be: client-go sends its built-in types so.
 *
 *     body    = "k8s" %x00 Unknown
 *     Unknown = { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: raw, 3: contentEncoding, 4: contentType }
 *
 * Upstream: k8s.io/apimachinery pkg/runtime/serializer/protobuf/protobuf.go @ v1.32
 * @param schemaOf the struct of a kind; undefined for a kind that has no such form here
 * @throws {StatusError} BadRequest
 */
export function decodeProtobuf(
  body: Uint8Array<ArrayBuffer>,
  schemaOf: (apiVersion: string, kind: string) => string | undefined,
): JsonObject {
  if (!MAGIC.every((byte, i) => body[i] === byte)) throw bad("it does not begin with the magic bytes");
  let apiVersion = "", kind = "";
  let raw: Uint8Array<ArrayBuffer> = new Uint8Array();
  for (const { number, bytes } of fieldsOf(body.subarray(MAGIC.length))) {
    if (number === 2) raw = bytes;
    else if (number === 3 && bytes.length > 0) throw bad("content encodings are not read");
    else if (number === 1) {
      for (const field of fieldsOf(bytes)) {
        if (field.number === 1) apiVersion = textOf(field.bytes);
        else if (field.number === 2) kind = textOf(field.bytes);
      }
    }
  }
  const name = schemaOf(apiVersion, kind);
  const struct = name === undefined ? undefined : SCHEMA[name];
  if (struct?.wire === undefined) {
    throw bad(`no kind ${JSON.stringify(kind)} in version ${JSON.stringify(apiVersion)} is read`);
  }
  return { apiVersion, kind, ...decodeStruct(raw, struct, 0) };
}

function decodeStruct(bytes: Uint8Array<ArrayBuffer>, struct: StructSchema, depth: number): JsonObject {
  if (depth > MAX_DEPTH) throw bad(`it is nested more than ${MAX_DEPTH} deep`);
  const object: JsonObject = {};
  for (const field of fieldsOf(bytes)) {
    const entry = struct.wire?.[field.number];
    if (entry === undefined) continue;
    if (entry.startsWith("+")) {
      const inlined = SCHEMA[entry.slice(1)];
      if (inlined !== undefined) Object.assign(object, decodeStruct(field.bytes, inlined, depth + 1));
      continue;
    }
    const pointer = entry.endsWith("*");
    const name = pointer ? entry.slice(0, -1) : entry;
    const type = struct.fields[name];
    if (type === undefined) continue;
    if (typeof type === "object") decodeInto(object, name, type, field, depth);
    else {
      const value = decodeValue(type, field, depth);
      // Go writes the zero of a field that cannot be absent; in JSON it is left out.
      if (value !== undefined && (pointer || !isZero(value))) setField(object, name, value);
    }
  }
  return object;
}

function decodeInto(
  object: JsonObject,
  name: string,
  type: Exclude<TypeSchema, string>,
  field: Field,
  depth: number,
): void {
  if ("list" in type) {
    const list = object[name];
    const item = decodeValue(type.list, field, depth) ?? null;
    if (Array.isArray(list)) list.push(item);
    else object[name] = [item];
    return;
  }
  const map = (object[name] ??= {}) as JsonObject;
  let key = "";
  let value: unknown = zeroOf(type.map);
  for (const part of fieldsOf(field.bytes)) {
    if (part.number === 1) key = textOf(part.bytes);
    else if (part.number === 2) {
      // A list as the value of a map is a message with the items in field 1.
      value = typeof type.map === "object" && "list" in type.map
        ? listOf(type.map.list, part.bytes, depth)
        : decodeValue(type.map, part, depth);
    }
  }
  setField(map, key, value);
}

function listOf(type: TypeSchema, bytes: Uint8Array<ArrayBuffer>, depth: number): unknown[] {
  return [...fieldsOf(bytes)].filter(({ number }) => number === 1).map((item) =>
    decodeValue(type, item, depth)
  );
}

function decodeValue(type: TypeSchema, field: Field, depth: number): unknown {
  if (typeof type === "object") throw bad("it has a list of lists");
  if (type.startsWith("@")) {
    const struct = structOf(type);
    return struct === undefined ? undefined : decodeStruct(field.bytes, struct, depth + 1);
  }
  switch (type) {
    case "boolean":
      return field.value !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, field.value));
    case "int64":
      return Number(BigInt.asIntN(64, field.value));
    case "string":
      return textOf(field.bytes);
    case "bytes":
      return field.bytes.toBase64();
    case "quantity":
      return textOf(first(field.bytes, 1)?.bytes);
    case "intOrString": {
      const number = Number(BigInt.asIntN(32, first(field.bytes, 2)?.value ?? 0n));
      return (first(field.bytes, 1)?.value ?? 0n) === 1n ? textOf(first(field.bytes, 3)?.bytes) : number;
    }
    case "time":
    case "microTime":
      return timeOf(field.bytes, type);
    case "object": {
      const text = textOf(first(field.bytes, 1)?.bytes);
      return text === "" ? undefined : parseRaw(text);
    }
    default:
      throw bad(`it has a ${type}, which is not read`);
  }
}

function parseRaw(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw bad("a raw object in it is not JSON", cause);
  }
}

function timeOf(bytes: Uint8Array<ArrayBuffer>, type: "time" | "microTime"): string | undefined {
  const seconds = Number(BigInt.asIntN(64, first(bytes, 1)?.value ?? 0n));
  const nanos = Number(BigInt.asIntN(32, first(bytes, 2)?.value ?? 0n));
  // Go's zero time is the year 1; an empty message is Unix time 0, which nobody means.
  if (bytes.length === 0 || seconds <= -62135596800 || Math.abs(seconds) > 253402300799) return undefined;
  const text = new Date(seconds * 1000).toISOString().slice(0, 19);
  return type === "time" ? `${text}Z` : `${text}.${String(Math.trunc(nanos / 1000)).padStart(6, "0")}Z`;
}

function first(bytes: Uint8Array<ArrayBuffer>, number: number): Field | undefined {
  for (const field of fieldsOf(bytes)) if (field.number === number) return field;
  return undefined;
}

function isZero(value: unknown): boolean {
  if (value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.keys(value).length === 0;
}

function zeroOf(type: TypeSchema): unknown {
  if (typeof type === "object") return "list" in type ? [] : {};
  return type.startsWith("@") ? {} : type === "int32" || type === "int64" ? 0 : "";
}

const NOTHING = new Uint8Array();

/** The fields of a message: `( varint(number << 3 | wire) value )*`. */
function* fieldsOf(bytes: Uint8Array<ArrayBuffer>): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw bad("it ends within a number");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw bad("a number in it is too long");
  };
  const take = (length: number): Uint8Array<ArrayBuffer> => {
    if (length > bytes.length - at) throw bad("it ends within a field");
    return bytes.subarray(at, at += length);
  };
  while (at < bytes.length) {
    const tag = Number(BigInt.asUintN(32, varint()));
    const [number, wire] = [tag >>> 3, tag & 7];
    switch (wire) {
      case 0:
        yield { number, wire, value: varint(), bytes: NOTHING };
        break;
      case 1:
      case 5:
        yield { number, wire, value: 0n, bytes: take(wire === 1 ? 8 : 4) };
        break;
      case 2: {
        const length = varint();
        yield { number, wire, value: 0n, bytes: take(length > 0x7fffffffn ? 0x7fffffff : Number(length)) };
        break;
      }
      default:
        throw bad(`wire type ${wire} is not read`);
    }
  }
}

function textOf(bytes: Uint8Array<ArrayBuffer> | undefined): string {
  if (bytes === undefined) return "";
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw bad("a text in it is not UTF-8", cause);
  }
}

function bad(why: string, cause?: unknown): StatusError {
  return new StatusError("BadRequest", `the protobuf body cannot be read: ${why}`, { cause });
}
