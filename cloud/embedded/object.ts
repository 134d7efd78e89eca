import { StatusError } from "../../common/errors/mod.ts";

/** A JSON object whose fields are not known. */
export type JsonObject = Record<string, unknown>;

/** Owner of an object, as in `metadata.ownerReferences`. */
export interface Owner {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** `metadata` of an object. What comes from outside was checked against the schema before it gets this type. */
export interface Meta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: Owner[];
  managedFields?: unknown[];
  selfLink?: string;
}

/** Any object of the API. */
export interface ApiObject {
  apiVersion: string;
  kind: string;
  metadata: Meta;
  [field: string]: unknown;
}

/** Whether a value is an object and not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object; an empty one when it is none. */
export function objectAt(value: unknown, ...path: string[]): JsonObject {
  let at = value;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return isObject(at) ? at : {};
}

/** The value at a path as a list of objects; what is not an object is left out. */
export function objectsAt(value: unknown, ...path: string[]): JsonObject[] {
  const list = valueAt(value, ...path);
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** The value at a path; undefined where the path ends early. */
export function valueAt(value: unknown, ...path: string[]): unknown {
  let at = value;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return at;
}

/** The text at a path, "" for anything else. */
export function textAt(value: unknown, ...path: string[]): string {
  const at = valueAt(value, ...path);
  return typeof at === "string" ? at : "";
}

/** The number at a path, 0 for anything else. */
export function numberAt(value: unknown, ...path: string[]): number {
  const at = valueAt(value, ...path);
  return typeof at === "number" ? at : 0;
}

/** Whether two JSON values are equal; the order of keys does not count, undefined equals a missing key. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => jsonEqual(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  for (const key in a) {
    if (!jsonEqual(a[key], Object.hasOwn(b, key) ? b[key] : undefined)) return false;
  }
  for (const key in b) if (b[key] !== undefined && !Object.hasOwn(a, key)) return false;
  return true;
}

/** Sets a field that an object from outside could use to reach its prototype like any other. */
export function setField(object: JsonObject, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  } else object[key] = value;
}

/** Time as Kubernetes writes it: seconds, UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

const MAX_DEPTH = 100;

/**
 * Reads JSON text from outside.
 * @param kind what it should be, for the message
 * @throws {StatusError} BadRequest when it is not JSON or nested too deeply
 */
export function parseJsonBody(text: string, kind = "Object"): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StatusError(
      "BadRequest",
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${
        cause instanceof Error ? cause.message : String(cause)
      }`,
      { cause },
    );
  }
  checkDepth(value);
  return value;
}

/** @throws {StatusError} BadRequest when a value is nested too deeply */
export function checkDepth(value: unknown, depth = 0): void {
  if (depth > MAX_DEPTH) {
    throw new StatusError("BadRequest", `the object provided is nested more than ${MAX_DEPTH} deep`);
  }
  if (Array.isArray(value)) { for (const item of value) checkDepth(item, depth + 1); }
  else if (isObject(value)) { for (const key of Object.keys(value)) checkDepth(value[key], depth + 1); }
}
