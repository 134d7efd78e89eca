import { StatusError } from "../../../common/errors/mod.ts";
import {
  type ApiObject,
  isObject,
  jsonEqual,
  type JsonObject,
  objectAt,
  textAt,
  timeText,
} from "../object.ts";
import { apiVersionOf, type ResourceDefinition } from "../resources/definition.ts";
import { type FieldError, invalidObject, tooLong } from "../resources/field_error.ts";
import { mergeTypeOf } from "./builtin_types.ts";
import { conflictError } from "./conflict.ts";
import { type FieldSet, NO_FIELDS, setOf } from "./field_set.ts";
import { KUBECTL, withLastApplied, withoutOwnConflicts } from "./last_applied.ts";
import {
  type Managers,
  type Operation,
  parseManagedFields,
  printManagedFields,
  readManagedFields,
} from "./managed_fields.ts";
import { applyFields, noteUpdate, type Writing } from "./ownership.ts";
import { checkApplied } from "./validate.ts";
import { withWholes } from "./walk.ts";

/** What is to be known of a kind to keep track of its fields. */
export type TrackedKind = Pick<
  ResourceDefinition,
  "group" | "version" | "kind" | "schema" | "status" | "mergeType"
>;

/** Who writes an object, and how. */
export interface FieldWrite {
  definition: TrackedKind;
  /** Name of the field manager. */
  manager: string;
  /** "" for the object itself. */
  subresource: string;
  /** Unix milliseconds. */
  now: number;
}

const STATUS = setOf(["f:status"]);
const ALL_BUT_STATUS = setOf(["f:spec"], ["f:metadata"]);
const SPEC_AND_OWNERS = setOf(
  ["f:spec"],
  ["f:metadata", "f:deletionTimestamp"],
  ["f:metadata", "f:ownerReferences"],
);

/** Fields that a write of the resource cannot change, so that nobody gets them by it. */
function resetFields({ status }: TrackedKind, subresource: string): FieldSet {
  if (subresource === "status") return status === "statusAndMetadata" ? SPEC_AND_OWNERS : ALL_BUT_STATUS;
  return status === undefined ? NO_FIELDS : STATUS;
}

function writingOf(write: FieldWrite, operation: Operation): Writing {
  const { definition, subresource } = write;
  const manager = write.manager === "" ? "unknown" : write.manager;
  return {
    type: mergeTypeOf(definition),
    reset: resetFields(definition, subresource),
    by: { manager, operation, apiVersion: apiVersionOf(definition), subresource },
    now: timeText(write.now),
  };
}

/**
 * Sets `metadata.managedFields` of an object that is about to be written as a whole. An object that exists and has none gets none:
 * keeping track begins with the object, or when it is first applied.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/fieldmanager.go (Update), skipnonapplied.go
 * @param live undefined for an object that is being made
 */
export function trackWrite(live: ApiObject | undefined, object: ApiObject, write: FieldWrite): void {
  const sent = write.subresource === "" ? object.metadata.managedFields : undefined;
  const managers = managersOf(sent, live?.metadata.managedFields);
  if (managers.size > 0 || live === undefined) {
    followType(managers, write.definition);
    noteUpdate(
      managers,
      live && withoutManagedFields(live),
      withoutManagedFields(object),
      writingOf(write, "Update"),
    );
  }
  setManagedFields(object, managers);
  if (sent !== undefined) refuseLongNames(object, write.definition);
}

/** Longest names, bytes. Upstream: k8s.io/apimachinery pkg/apis/meta/v1/validation (ValidateManagedFields) @ v1.33 */
const LONGEST = { manager: 128, subresource: 256 } as const;

/** A client may send managers of its own, but none without bounds. @throws {StatusError} Invalid */
function refuseLongNames({ metadata }: ApiObject, definition: TrackedKind): void {
  const errors: FieldError[] = [];
  for (const [i, entry] of (metadata.managedFields ?? []).entries()) {
    for (const name of ["manager", "subresource"] as const) {
      if (new TextEncoder().encode(textAt(entry, name)).length <= LONGEST[name]) continue;
      errors.push(tooLong(`metadata.managedFields[${i}].${name}`, LONGEST[name]));
    }
  }
  if (errors.length > 0) throw invalidObject(definition, metadata.name ?? "", errors.slice(0, 100));
}

/** Brings what managers have in line with a type that may have changed since: that of a definition in the API. */
function followType(managers: Managers, definition: TrackedKind): void {
  const type = definition.mergeType?.();
  if (type === undefined) return;
  for (const [key, manager] of managers) {
    const fields = withWholes(manager.fields, type);
    if (fields !== manager.fields) managers.set(key, { ...manager, fields });
  }
}

/** The managers that a write begins with: those it sends, if it sends any that can be read. */
function managersOf(sent: unknown[] | undefined, live: unknown[] | undefined): Managers {
  if (sent === undefined || jsonEqual(sent, live)) return readManagedFields(live);
  const [first] = sent;
  const cleared = sent.length === 0 ||
    (sent.length === 1 && isObject(first) && Object.keys(first).length === 0);
  if (cleared) return new Map();
  try {
    const managers = parseManagedFields(sent);
    if (managers.size > 0) return managers;
  } catch (error) {
    // Clients that know nothing of them must not lose them, so the real server takes those it has.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return readManagedFields(live);
}

function withoutManagedFields(object: ApiObject): JsonObject {
  return { ...object, metadata: { ...object.metadata, managedFields: undefined } };
}

function setManagedFields(object: ApiObject, managers: Managers): void {
  const managedFields = printManagedFields(managers);
  if (managedFields === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = managedFields;
}

/**
 * An object with an applied configuration merged into it, and `metadata.managedFields` as they are then. Its other fields are yet to
 * be checked against the schema.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/fieldmanager.go (Apply)
 * @param live undefined when there is no such object
 * @throws {StatusError} BadRequest for a configuration of another kind, Conflict when it takes fields of others and is not forced
 */
export function applyConfiguration(
  live: ApiObject | undefined,
  config: JsonObject,
  write: FieldWrite,
  force: boolean,
): JsonObject {
  const { definition } = write;
  const kind = printKind(config);
  if (kind !== printKind({ apiVersion: apiVersionOf(definition), kind: definition.kind })) {
    throw new StatusError("BadRequest", `invalid object type: ${kind}`);
  }
  const { managedFields, ...metadata } = objectAt(config, "metadata");
  if (managedFields !== undefined && managedFields !== null) {
    throw new StatusError("BadRequest", "metadata.managedFields must be nil");
  }
  const applied = isObject(config.metadata) ? { ...config, metadata } : config;
  checkApplied(applied, definition, kind);
  const writing = writingOf(write, "Apply");
  const managers = readManagedFields(live?.metadata.managedFields);
  followType(managers, definition);
  const present = live === undefined ? {} : withoutManagedFields(live);
  if (managers.size === 0 && live !== undefined) {
    noteUpdate(
      managers,
      undefined,
      present,
      writingOf({ ...write, manager: "before-first-apply" }, "Update"),
    );
  }
  let result = applyFields(managers, present, applied, writing, force);
  if (result.kind === "conflicts" && write.manager === KUBECTL) {
    const conflicts = withoutOwnConflicts(result.conflicts, present, writing.type);
    if (conflicts.length > 0) throw conflictError(conflicts);
    result = applyFields(managers, present, applied, writing, true);
  }
  if (result.kind === "conflicts") throw conflictError(result.conflicts);
  let object: JsonObject = { ...objectAt(result.object ?? present) };
  if (write.manager === KUBECTL) object = withLastApplied(object, applied);
  object.metadata = { ...objectAt(object, "metadata"), managedFields: printManagedFields(managers) };
  return object;
}

/** A kind as messages name it: `apps/v1, Kind=Deployment`, `/v1, Kind=Pod`. */
function printKind(config: JsonObject): string {
  const apiVersion = textAt(config, "apiVersion");
  const parts = apiVersion.split("/");
  const version = parts.length > 2
    ? "/"
    : parts.length === 2 || apiVersion === ""
    ? apiVersion || "/"
    : `/${apiVersion}`;
  return `${version}, Kind=${textAt(config, "kind")}`;
}

/** Whether managers differ by nothing but the times of their entries. */
export function differInTimesOnly(a: readonly unknown[] = [], b: readonly unknown[] = []): boolean {
  const timeless = (entry: unknown) => ({ ...objectAt(entry), time: undefined });
  return a.length === b.length && a.every((entry, i) => jsonEqual(timeless(entry), timeless(b[i])));
}
