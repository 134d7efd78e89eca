import type { ApiObject, JsonObject } from "../object.ts";
import type { MergeType } from "../apply/merge_type.ts";
import type { FieldError } from "./field_error.ts";

/** A column of `kubectl get`. */
export interface Column {
  name: string;
  /** @default "string" */
  type?: "string" | "integer" | "date" | "boolean";
  /** "name" for the column that holds the name. */
  format?: string;
  /** Printed only with `-o wide`. */
  wide?: true;
}

/** A cell of a table. */
export type Cell = string | number | boolean | null;

/** What decisions about an object may look at besides the object. */
export interface Surroundings {
  /** Unix milliseconds. */
  now: number;
  /** Reads another object, as stored; undefined when there is none. The result must not be changed. */
  read(resource: string, namespace: string, name: string): ApiObject | undefined;
}

/** How one resource is read and written through the group and version that it is stored in. */
export interface StoredAs {
  /** Key of the resource whose objects these are: `<resource>.<group>`. */
  key: string;
  toStored(object: ApiObject): ApiObject;
  fromStored(object: ApiObject): ApiObject;
}

/** Paths that `…/scale` reads and writes. */
export interface ScalePaths {
  /** Of `spec.replicas`' selector: text of a label selector made from `spec.selector`. */
  selector: "labelSelector";
}

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
  /** Name of its struct in the schema. */
  schema: string;
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
  /** Whether `metadata.generation` counts changes of the spec. */
  generation?: true;
  /** What a write survives. @default "power" */
  durability?: "power" | "process";
  storedAs?: StoredAs;
  /** Rule of its names. @default "subdomain" */
  nameRule?: "subdomain" | "label" | "dns1035" | "path";
  /** Fields for selectors besides name and namespace. */
  selectableFields?: readonly string[];
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
