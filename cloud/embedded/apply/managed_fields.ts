import { isObject } from "../object.ts";
import { type FieldSet, parseFields, union } from "./field_set.ts";
import { compareText } from "./path_element.ts";

/** What a manager did: an applied configuration, or any other write. */
export type Operation = "Apply" | "Update";

/** Who a set of fields belongs to. */
export interface ManagerName {
  manager: string;
  operation: Operation;
  /** The version that the fields are named in. It tells managers that update apart; one that applies has one set. */
  apiVersion: string;
  /** "" for the object itself. */
  subresource: string;
}

/** A manager with its fields. */
export interface Manager extends ManagerName {
  /** When the fields became these, as Kubernetes writes times; undefined when that is not known. */
  time: string | undefined;
  fields: FieldSet;
}

/** Managers of an object by {@linkcode managerKey}; a value of its own, which is changed in place. */
export type Managers = Map<string, Manager>;

/**
 * What tells managers apart.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/managedfields.go (BuildManagerIdentifier)
 */
export function managerKey({ manager, operation, apiVersion, subresource }: ManagerName): string {
  return JSON.stringify({
    ...(manager === "" ? {} : { manager }),
    operation,
    ...(operation === "Apply" || apiVersion === "" ? {} : { apiVersion }),
    ...(subresource === "" ? {} : { subresource }),
  });
}

/**
 * Reads `metadata.managedFields` from outside.
 * @throws {SyntaxError} saying what is wrong
 */
export function parseManagedFields(value: unknown): Managers {
  const managers: Managers = new Map();
  if (value === undefined || value === null) return managers;
  if (!Array.isArray(value)) throw new SyntaxError("Cannot read managedFields: it is no list");
  value.forEach((entry: unknown, i) => {
    if (!isObject(entry)) throw new SyntaxError(`Cannot read managedFields[${i}]: it is no object`);
    const { operation, fieldsType } = entry;
    if (operation !== "Apply" && operation !== "Update") {
      throw new SyntaxError("operation must be `Apply` or `Update`");
    }
    const apiVersion = text(entry.apiVersion);
    if (apiVersion === "") throw new SyntaxError("apiVersion must not be empty");
    if (fieldsType !== "FieldsV1") {
      throw new SyntaxError(
        text(fieldsType) === ""
          ? `missing fieldsType in managed fields entry ${i}`
          : `invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${i}`,
      );
    }
    const name = {
      manager: text(entry.manager),
      operation,
      apiVersion,
      subresource: text(entry.subresource),
    } as const;
    const time = text(entry.time);
    managers.set(managerKey(name), {
      ...name,
      time: time === "" ? undefined : time,
      fields: parseFields(entry.fieldsV1),
    });
  });
  return managers;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** An entry of `metadata.managedFields`, in the order of Kubernetes' fields. */
interface Entry {
  manager?: string;
  operation: Operation;
  apiVersion: string;
  time?: string;
  fieldsType: "FieldsV1";
  fieldsV1: FieldSet;
  subresource?: string;
}

/** Managers out of `metadata.managedFields` as they are stored here. */
export function readManagedFields(value: readonly unknown[] | undefined): Managers {
  const managers: Managers = new Map();
  for (const entry of (value ?? []) as readonly Entry[]) {
    const { manager = "", operation, apiVersion, time, fieldsV1, subresource = "" } = entry;
    const read = { manager, operation, apiVersion, subresource, time, fields: fieldsV1 };
    managers.set(managerKey(read), read);
  }
  return managers;
}

/** `metadata.managedFields` of managers; undefined when there are none. */
export function printManagedFields(managers: Managers): unknown[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(compareManagers).map((
    { manager, operation, apiVersion, time, fields, subresource },
  ): Entry => ({
    ...(manager === "" ? {} : { manager }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: "FieldsV1",
    fieldsV1: fields,
    ...(subresource === "" ? {} : { subresource }),
  }));
}

/** The order of entries: what was applied first, then by time. */
function compareManagers(a: Manager, b: Manager): number {
  return compareText(a.operation, b.operation) || secondsOf(a) - secondsOf(b) ||
    compareText(a.manager, b.manager) || compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource);
}

function secondsOf({ time }: Manager): number {
  return time === undefined ? 0 : Math.floor(Date.parse(time) / 1000);
}

/** Most managers that updated an object. Upstream: managedfields/internal/fieldmanager.go (DefaultMaxUpdateManagers) */
const MAX_UPDATE_MANAGERS = 10;

/**
 * Joins the oldest updates where there are too many, into one entry for each version.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/capmanagers.go
 */
export function capManagers(managers: Managers): void {
  const updaters = [...managers].filter(([, { operation }]) => operation === "Update");
  if (updaters.length <= MAX_UPDATE_MANAGERS) return;
  updaters.sort(([a, x], [b, y]) => secondsOf(x) - secondsOf(y) || compareText(a, b));
  const firstOf = new Map<string, string>();
  let left = updaters.length;
  for (const [key, { apiVersion, fields, time }] of updaters) {
    if (left <= MAX_UPDATE_MANAGERS) return;
    const first = firstOf.get(apiVersion);
    if (first === undefined) {
      firstOf.set(apiVersion, key);
      continue;
    }
    const name = { manager: "ancient-changes", operation: "Update", apiVersion, subresource: "" } as const;
    const bucket = managerKey(name);
    let present = managers.get(bucket);
    if (present === undefined) {
      present = managers.get(first)!;
      managers.delete(first);
    }
    // The order matters when the bucket itself is among the oldest: it must not go with what is joined into it.
    managers.delete(key);
    managers.set(bucket, { ...name, time, fields: union(fields, present.fields) });
    left--;
  }
}
