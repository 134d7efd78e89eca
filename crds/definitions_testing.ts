/** The definitions in this folder, read for tests. */
import { parse } from "yaml";

/** A schema, with the keywords that the definitions use and no others. */
export interface Schema {
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  description?: string;
  format?: "int32" | "int64" | "byte";
  enum?: Array<string | number>;
  required?: string[];
  default?: unknown;
  minimum?: number;
  pattern?: string;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema;
  items?: Schema;
  "x-kubernetes-preserve-unknown-fields"?: true;
  "x-kubernetes-int-or-string"?: true;
  "x-kubernetes-list-type"?: "atomic" | "map";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: "atomic";
}

export interface Column {
  name: string;
  type: "string" | "integer" | "boolean" | "date";
  jsonPath: string;
  description?: string;
  priority?: number;
}

export interface Version {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: true;
  /** Told to whoever uses the version. */
  deprecationWarning?: string;
  subresources?: { status?: Record<never, never>; scale?: unknown };
  additionalPrinterColumns: Column[];
  schema: { openAPIV3Schema: Schema };
}

export interface Definition {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: {
    group: string;
    scope: "Namespaced" | "Cluster";
    names: {
      kind: string;
      listKind: string;
      plural: string;
      singular: string;
      shortNames?: string[];
      categories: string[];
    };
    conversion: { strategy: string };
    versions: Version[];
  };
}

/** The folder of the definitions. */
export const DIRECTORY = new URL("./", import.meta.url);

/** Every definition, by file name, in the order of the names. */
export async function readDefinitions(): Promise<Map<string, Definition>> {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(DIRECTORY)) if (name.endsWith(".yaml")) files.push(name);
  const definitions = new Map<string, Definition>();
  for (const file of files.sort()) {
    definitions.set(file, parse(await Deno.readTextFile(new URL(file, DIRECTORY))) as Definition);
  }
  return definitions;
}

/** The definition and version that an object with this apiVersion and kind is of. @throws when there is none */
export function versionOf(
  definitions: Iterable<Definition>,
  { apiVersion, kind }: { apiVersion: string; kind: string },
): { definition: Definition; version: Version } {
  for (const definition of definitions) {
    const { group, names, versions } = definition.spec;
    const version = versions.find(({ name }) => `${group}/${name}` === apiVersion);
    if (names.kind === kind && version !== undefined) return { definition, version };
  }
  throw new Error(`No definition is of ${kind} ${apiVersion}`);
}

/** A schema inside another, with the path to it: `.name` for a field, `[]` for the items of a list, `{}` for the values of a map. */
export type Located = readonly [path: string, schema: Schema];

/** A schema and all that it consists of, the insides of anyOf excepted. */
export function* walk(schema: Schema, path = ""): Generator<Located> {
  yield [path, schema];
  for (const [name, field] of Object.entries(schema.properties ?? {})) yield* walk(field, `${path}.${name}`);
  if (schema.items !== undefined) yield* walk(schema.items, `${path}[]`);
  if (schema.additionalProperties !== undefined) yield* walk(schema.additionalProperties, `${path}{}`);
}

/** Paths of all that an object consists of, as {@linkcode walk} writes them; what is inside any object counts as part of it. */
export function* pathsOf(value: unknown, schema: Schema | undefined, path = ""): Generator<string> {
  yield path;
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    for (const item of value) yield* pathsOf(item, schema.items, `${path}[]`);
  } else if (typeof value === "object" && value !== null) {
    for (const [name, field] of Object.entries(value)) {
      const known = schema.properties?.[name];
      if (known !== undefined) yield* pathsOf(field, known, `${path}.${name}`);
      else if (schema.additionalProperties !== undefined) {
        yield* pathsOf(field, schema.additionalProperties, `${path}{}`);
      } else if (!schema["x-kubernetes-preserve-unknown-fields"] && path !== ".metadata") {
        yield `${path}.${name}`;
      }
    }
  }
}

/** What the API server keeps of an object that it stores in the version with this schema. */
export function prune(value: unknown, schema: Schema): unknown {
  const keepsAll = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (Array.isArray(value)) return value.map((item) => prune(item, schema.items ?? {}));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).flatMap(([name, field]) => {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    if (known !== undefined) return [[name, prune(field, known)]];
    return keepsAll ? [[name, field]] : [];
  });
  return Object.fromEntries(kept);
}
