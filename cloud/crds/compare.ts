import type { Definition, Schema } from "./definition.ts";

/** What is to be done about a definition that the cluster has. Lists are bounded, sorted paths such as `v1beta1.spec.nodeName`. */
export type Verdict =
  | { kind: "fits" }
  /** It lacks what this program's definition has, and has nothing of its own. */
  | { kind: "older"; missing: string[] }
  /** An older cloudcore wrote it, and all that objects can say fits: descriptions, columns or bounds may be better here. */
  | { kind: "stale"; writer: string }
  /** It has what this program does not know: changing it could lose that. */
  | { kind: "foreign"; unknown: string[]; missing: string[] };

/** Which cloudcore wrote a definition last; one that another tool wrote has no such annotation. */
export const WRITER_ANNOTATION = "kubeedge.io/definition-version";

const MAX_PATHS = 50;
/** Schemas are finite, but who wrote one may be anybody. */
const MAX_DEPTH = 64;

/**
 * Compares by what objects can say: versions, fields, values of enums, which fields must be there. Descriptions, columns and
 * bounds make a difference only for what an older cloudcore wrote itself.
 * @param version this program's, for {@linkcode WRITER_ANNOTATION}
 */
export function compareDefinition(theirs: Definition, ours: Definition, version: string): Verdict {
  const unknown = new Set<string>();
  const missing = new Set<string>();
  if (theirs.spec.group !== ours.spec.group) unknown.add(`group ${theirs.spec.group}`);
  if (theirs.spec.scope !== ours.spec.scope) unknown.add(`scope ${theirs.spec.scope}`);
  if (theirs.spec.names.kind !== ours.spec.names.kind) unknown.add(`kind ${theirs.spec.names.kind}`);
  const known = new Map(ours.spec.versions.map((v) => [v.name, v]));
  const present = new Map(theirs.spec.versions.map((v) => [v.name, v]));
  for (const name of [...present.keys(), ...theirs.status?.storedVersions ?? []]) {
    if (!known.has(name)) unknown.add(`version ${name}`);
  }
  for (const [name, own] of known) {
    const other = present.get(name);
    if (other === undefined || (own.served && !other.served)) {
      missing.add(`version ${name}`);
      continue;
    }
    for (const part of ["status", "scale"] as const) {
      const [has, had] = [own.subresources?.[part], other.subresources?.[part]].map((s) => s !== undefined);
      if (has && !had) missing.add(`${name} subresource ${part}`);
      if (had && !has) unknown.add(`${name} subresource ${part}`);
    }
    compareSchema(
      name,
      ownFields(other.schema?.openAPIV3Schema),
      ownFields(own.schema?.openAPIV3Schema),
      { unknown, missing },
      0,
    );
  }
  const paths = (set: Set<string>) => [...set].sort().slice(0, MAX_PATHS);
  const writer = theirs.metadata?.annotations?.[WRITER_ANNOTATION];
  if (writer !== undefined && compareVersion(writer, version) > 0) {
    return missing.size === 0
      ? { kind: "fits" }
      : { kind: "foreign", unknown: [`written by cloudcore ${writer}`], missing: paths(missing) };
  }
  if (unknown.size > 0) return { kind: "foreign", unknown: paths(unknown), missing: paths(missing) };
  if (missing.size > 0) return { kind: "older", missing: paths(missing) };
  const isStale = writer !== undefined && compareVersion(writer, version) < 0;
  return isStale ? { kind: "stale", writer } : { kind: "fits" };
}

interface Differences {
  unknown: Set<string>;
  missing: Set<string>;
}

/** What either schema takes and the other does not. */
function compareSchema(path: string, theirs: Schema, ours: Schema, found: Differences, depth: number): void {
  const { unknown, missing } = found;
  if (depth > MAX_DEPTH) {
    unknown.add(`${path} deeper than ${MAX_DEPTH}`);
    return;
  }
  const [typeThere, typeHere] = [typeOf(theirs), typeOf(ours)];
  if (typeThere !== typeHere) {
    unknown.add(`${path} as ${typeThere}`);
    return;
  }
  for (const value of theirs.enum ?? []) {
    if (ours.enum !== undefined && !ours.enum.includes(value)) unknown.add(`${path} value ${String(value)}`);
  }
  for (const value of ours.enum ?? []) {
    if (theirs.enum !== undefined && !theirs.enum.includes(value)) {
      missing.add(`${path} value ${String(value)}`);
    }
  }
  if (theirs.enum !== undefined && ours.enum === undefined) missing.add(`${path} any value`);
  for (const name of theirs.required ?? []) {
    if (!ours.required?.includes(name)) missing.add(`${path} without ${name}`);
  }
  const anyThere = takesAnyField(theirs);
  const anyHere = takesAnyField(ours);
  if (anyThere && !anyHere) unknown.add(`${path}.*`);
  if (anyHere && !anyThere) missing.add(`${path}.*`);
  if (!anyThere && !anyHere) {
    for (const name of Object.keys(theirs.properties ?? {})) {
      if (ours.properties?.[name] === undefined) unknown.add(`${path}.${name}`);
    }
    for (const name of Object.keys(ours.properties ?? {})) {
      if (theirs.properties?.[name] === undefined) missing.add(`${path}.${name}`);
    }
  }
  for (const [name, own] of Object.entries(ours.properties ?? {})) {
    const other = theirs.properties?.[name];
    if (other !== undefined) compareSchema(`${path}.${name}`, other, own, found, depth + 1);
  }
  if (ours.items !== undefined && theirs.items !== undefined) {
    compareSchema(`${path}[]`, theirs.items, ours.items, found, depth + 1);
  }
  const [values, own] = [theirs.additionalProperties, ours.additionalProperties];
  if (typeof values === "object" && typeof own === "object") {
    compareSchema(`${path}{}`, values, own, found, depth + 1);
  }
}

/** The schema without what the API gives to every object, whether or not the schema names it. */
function ownFields(schema: Schema = {}): Schema {
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...properties } = schema.properties ??
    {};
  return { ...schema, properties };
}

function typeOf(schema: Schema): string {
  return schema["x-kubernetes-int-or-string"] === true ? "int-or-string" : schema.type ?? "anything";
}

function takesAnyField({ additionalProperties, ...schema }: Schema): boolean {
  return schema["x-kubernetes-preserve-unknown-fields"] === true || additionalProperties === true ||
    typeof additionalProperties === "object";
}

/** Orders versions such as 0.10.2; what is no number counts as 0. */
function compareVersion(a: string, b: string): number {
  const parts = (text: string) => text.split(".").map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A definition to be created. */
export function newDefinition(ours: Definition, version: string): Definition {
  const annotations = { ...ours.metadata?.annotations, [WRITER_ANNOTATION]: version };
  return { ...ours, metadata: { ...ours.metadata, annotations } };
}

/**
 * Their definition with our versions in it. Metadata and conversion are other people's business; stored versions are among ours,
 * or the verdict were another.
 */
export function upgradedDefinition(theirs: Definition, ours: Definition, version: string): Definition {
  const { conversion } = theirs.spec;
  const annotations = {
    ...theirs.metadata?.annotations,
    ...ours.metadata?.annotations,
    [WRITER_ANNOTATION]: version,
  };
  return {
    ...theirs,
    metadata: { ...theirs.metadata, annotations },
    spec: { ...ours.spec, ...(conversion === undefined ? {} : { conversion }) },
  };
}
