import type { ApiObject, JsonObject } from "../object.ts";
import type { MergeType } from "../apply/merge_type.ts";
import type { SchemaFindings } from "../schema/check.ts";
import type { CacheEntry } from "../storage/watch_cache.ts";
import type { FieldError } from "./field_error.ts";

/** A column of `kubectl get`. */
export interface Column {
  name: string;
  /** @default "string" */
  type?: "string" | "integer" | "number" | "date" | "boolean";
  /** "name" for the column that holds the name. */
  format?: string;
  /** Printed only with `-o wide`. */
  wide?: true;
  /** The same as a number: columns above 0 are printed only with `-o wide`. @default 0 */
  priority?: number;
  /** @default none */
  description?: string;
}

/** A cell of a table. */
export type Cell = string | number | boolean | null;

/** What decisions about an object may look at besides the object. */
export interface Surroundings {
  /** Unix milliseconds. */
  now: number;
  /** Reads another object, as stored; undefined when there is none. The result must not be changed. */
  read(resource: string, namespace: string, name: string): ApiObject | undefined;
  /** Names and fields of all objects of a resource, of those that its definition reads. */
  entries(resource: string): Iterable<Pick<CacheEntry, "namespace" | "name" | "fields">>;
}

/** How one resource is read and written through the group and version that it is stored in. */
export interface StoredAs {
  /** Key of the resource whose objects these are: `<resource>.<group>`. */
  key: string;
  toStored(object: ApiObject): ApiObject;
  fromStored(object: ApiObject): ApiObject;
  /** Whether this definition stands for the stored objects, as one without `storedAs` does. */
  primary?: boolean;
  /** Whether the text of an object is what `fromStored` would make of it, as far as is known. @default it is not */
  isCurrent?(entry: StoredEntry): boolean;
  /** Takes that it is. */
  foundCurrent?(entry: StoredEntry): void;
}

/** An object as it is stored. */
export interface StoredEntry {
  readonly text: string;
  readonly version: number;
}

/** A write that is to be checked: the object as it would be, and as it was if it was there. */
export interface Write {
  object: ApiObject;
  old: ApiObject | undefined;
  subresource?: "status" | "finalize" | "binding";
}

/** What is special about a resource whose type is a definition in the API itself. */
export interface CustomType {
  /** No objects can be made any more. */
  terminating?: true;
  /** What whoever uses this version is told. */
  warning?: string;
  /** An object of a request with the fields of its type only; may change what it is given. */
  conform(given: JsonObject, found: SchemaFindings): JsonObject;
  openApi: CustomOpenApi;
}

/** A type in OpenAPI documents. */
export interface CustomOpenApi {
  /** Name of the schema. */
  name: string;
  /** @param metadata what refers to the schema of metadata */
  schema(form: "v2" | "v3", metadata: JsonObject): JsonObject;
}

/**
 * What `…/scale` reads and writes: `spec.replicas` with a text made from the selector in `spec.selector`, or paths of names to the
 * numbers and to the text of a selector.
 */
export type ScalePaths = { selector: "labelSelector" } | {
  replicas: readonly string[];
  statusReplicas: readonly string[];
  selectorText?: readonly string[];
};

/** Everything the API knows of one resource: one row of the table. */
export interface ResourceDefinition {
  group: string;
  version: string;
  /** Lower-case plural. */
  resource: string;
  singular: string;
  kind: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  namespaced: boolean;
  /** Name of its struct in the schema; "" for a custom type. */
  schema: string;
  custom?: CustomType;
  /** Reads an object of a request where the struct in the schema does not tell all. */
  conform?(given: JsonObject, found: SchemaFindings): JsonObject;
  /** Kind of its lists. @default the kind with "List" after it */
  listKind?: string;
  /** Whether a CustomResourceDefinition may take its place. */
  replaceable?: true;
  /** How server-side apply merges its objects. @default as the struct in the schema says */
  mergeType?(): MergeType;
  /**
   * Whether it has a status that is written through `…/status` only, and whether that may change metadata as well.
   * Upstream: k8s.io/kubernetes pkg/registry (PrepareForUpdate of the status strategies) @ v1.32
   */
  status?: "status" | "statusAndMetadata";
  /** Whether a new object may bring its status. */
  keepsStatusOnCreate?: true;
  scale?: ScalePaths;
  /** Whether `metadata.generation` counts changes of the spec, or of all but apiVersion, kind and metadata. */
  generation?: true | "content";
  /** Whether an update makes an object that is not there. */
  createsOnUpdate?: true;
  /** Whether an update must name the resourceVersion that it changes. */
  needsVersion?: true;
  /** What a write survives. @default "power" */
  durability?: "power" | "process";
  storedAs?: StoredAs;
  /** Rule of its names. @default "subdomain" */
  nameRule?: "subdomain" | "label" | "dns1035" | "path";
  /** Whether finalizers need no prefix. */
  anyFinalizers?: true;
  /** Fields for selectors besides name and namespace. */
  selectableFields?: readonly string[];
  /** What selectors of this version call the fields that the entry has; they are selectable besides the above. */
  fieldNames?: Readonly<Record<string, string>>;
  readFields?(object: JsonObject): Record<string, string>;
  columns: readonly Column[];
  /** The cells of an object, one for each column. */
  row(object: ApiObject, now: number): Cell[];
  /** Fills defaults, as the real server does on every write. */
  applyDefaults?(object: ApiObject): void;
  /** What admission adds to a new object. */
  prepareForCreate?(object: ApiObject, around: Surroundings): void;
  /** What is kept from the old object whatever the request says. */
  prepareForUpdate?(object: ApiObject, old: ApiObject, around: Surroundings): void;
  validate?(object: ApiObject): FieldError[];
  validateUpdate?(object: ApiObject, old: ApiObject): FieldError[];
  /** Checks any write, in place of the two above. */
  validateWrite?(write: Write): FieldError[];
  /**
   * Set where dependents are left alone unless a deletion says otherwise; what whoever does not say is told.
   * Upstream: k8s.io/apiserver pkg/registry/rest/delete.go (GarbageCollectionDeleteStrategy) @ v0.33
   */
  orphansByDefault?: { warning: string };
  /** What a deletion adds to an object before it is decided whether anything holds it. */
  prepareForDelete?(object: ApiObject, now: number): void;
  /**
   * Seconds to wait for the object to end before it is removed; undefined when it is removed at once.
   * @param asked what the request asks for
   */
  gracePeriodSeconds?(object: ApiObject, asked: number | undefined): number | undefined;
}

/** Key of a resource in storage and caches: `<resource>.<group>`, or the bare resource of the core group. */
export function keyOfResource(definition: { group: string; resource: string }): string {
  return definition.group === "" ? definition.resource : `${definition.resource}.${definition.group}`;
}

/** `apiVersion` of a resource's objects. */
export function apiVersionOf(definition: { group: string; version: string }): string {
  return definition.group === "" ? definition.version : `${definition.group}/${definition.version}`;
}
