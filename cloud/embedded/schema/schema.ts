import { APIEXTENSIONS_SCHEMA } from "./apiextensions.ts";
import { NEVER_MADE_SCHEMA } from "../resources/never_made.ts";
import { OBJECT_SYNC_SCHEMA } from "./reliablesyncs.ts";
import data from "./kubernetes_v1_32.json" with { type: "json" };

/** Type of a field. A text that begins with `@` names a struct of the {@linkcode SchemaData}. */
export type TypeSchema =
  | "string"
  | "boolean"
  | "int32"
  | "int64"
  | "number"
  | "bytes"
  | "quantity"
  | "intOrString"
  | "time"
  | "microTime"
  | "object"
  | `@${string}`
  | {
    list: TypeSchema;
    /** How server-side apply merges it. @default atomic */
    kind?: "map" | "set";
    /** Keys of the items of a map list. */
    keys?: string[];
    /** How a strategic merge patch merges it: "merge", "replace", "merge,retainKeys". @default replace */
    patch?: string;
    /** Key of the items for a strategic merge patch. */
    mergeKey?: string;
  }
  | { map: TypeSchema; atomic?: boolean };

/** A list among the types. */
export type ListSchema = Extract<TypeSchema, { list: TypeSchema }>;

/** Fields of an object. */
export interface StructSchema {
  fields: Record<string, TypeSchema>;
  required?: string[];
  /** Default values of scalar fields, as published. */
  defaults?: Record<string, unknown>;
  /** Patch strategies of fields that are not lists: "retainKeys", "replace". */
  patch?: Record<string, string>;
  /** Server-side apply takes it as a whole. */
  atomic?: boolean;
  /** Fields that server-side apply merges though their struct is atomic elsewhere. */
  granular?: string[];
  /** Fields that the real server's own JSON always has, with what they have when nothing was said; `{}` for a struct with zeros of its own. */
  zeros?: Record<string, unknown>;
  /** Fields by protobuf number; `*` follows one that tells zero from absent, `+` precedes a struct whose fields are inlined. */
  wire?: Record<string, string>;
}

/** Structs by name, such as "core.v1.Pod". */
export type SchemaData = Record<string, StructSchema>;

/** What is known of the fields of Kubernetes' types, out of the OpenAPI documents of release 1.32. */
export const SCHEMA: Readonly<SchemaData> = {
  ...(data as unknown as SchemaData),
  ...NEVER_MADE_SCHEMA,
  ...OBJECT_SYNC_SCHEMA,
  ...APIEXTENSIONS_SCHEMA,
};

/** The struct a type refers to; undefined for anything but a struct. */
export function structOf(type: TypeSchema | undefined): StructSchema | undefined {
  return typeof type === "string" && type.startsWith("@") ? SCHEMA[type.slice(1)] : undefined;
}

/** Type of a field within a type: field of a struct, value of a map; undefined when nothing is known. */
export function fieldOf(type: TypeSchema | undefined, name: string): TypeSchema | undefined {
  if (type === undefined) return undefined;
  if (typeof type === "object") return "map" in type ? type.map : undefined;
  const fields = structOf(type)?.fields;
  return fields !== undefined && Object.hasOwn(fields, name) ? fields[name] : undefined;
}
