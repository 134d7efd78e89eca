import { StatusError } from "../../../common/errors/mod.ts";
import type { DeleteOptions } from "../deletion.ts";
import { type ApiObject, isObject, type JsonObject, objectAt, textAt } from "../object.ts";
import { applyJsonPatch } from "../patch/json_patch.ts";
import { applyMergePatch } from "../patch/merge_patch.ts";
import { applyStrategicPatch } from "../patch/strategic_patch.ts";
import { apiVersionOf, type ResourceDefinition } from "../resources/definition.ts";
import { conform, type SchemaFindings } from "../schema/check.ts";
import { invalid, invalidObject } from "../resources/field_error.ts";
import { requireObject, unsupported } from "./body.ts";

/** What to do about fields the type does not have. Upstream: k8s.io/apimachinery meta/v1 (FieldValidation…) @ v1.32 */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** Reads `fieldValidation`. @default "Warn" @throws {StatusError} */
export function readFieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  if (value === "") return "Warn";
  if (value === "Strict" || value === "Warn" || value === "Ignore") return value;
  throw new StatusError(
    "Invalid",
    `CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: ${
      JSON.stringify(value.slice(0, 100))
    }: supported values: "Ignore", "Strict", "Warn"`,
  );
}

/** Reads `dryRun`. @throws {StatusError} */
export function readDryRun(values: readonly unknown[]): boolean {
  if (values.length === 0) return false;
  if (values.every((value) => value === "All")) return true;
  throw new StatusError(
    "Invalid",
    `CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ${
      JSON.stringify(values).slice(0, 200)
    }: supported values: "All"`,
  );
}

/** A kind that a request body may have. */
export interface KindOf {
  apiVersion: string;
  kind: string;
  schema: string;
  /** Reads the object in place of the schema. */
  conform?(given: JsonObject, found: SchemaFindings): JsonObject;
  /** Whether it is a custom type: such an object must say of what kind it is. */
  custom?: true;
}

/** The kind of a resource. */
export function kindOf(definition: ResourceDefinition): KindOf {
  const conform = definition.custom?.conform ?? definition.conform;
  return {
    apiVersion: apiVersionOf(definition),
    kind: definition.kind,
    schema: definition.schema,
    ...(conform === undefined ? {} : { conform }),
    ...(definition.custom === undefined ? {} : { custom: true }),
  };
}

/**
 * An object out of a request: of the kind, with the fields of its type only.
 * @param warnings takes what the client should be told
 * @throws {StatusError} BadRequest
 */
export function decodeObject(
  value: unknown,
  wanted: KindOf,
  validation: FieldValidation,
  warnings: string[],
): ApiObject {
  const { custom } = wanted;
  const given = requireObject(value);
  if (custom && given.kind !== "" && given.apiVersion === wanted.apiVersion && given.kind !== wanted.kind) {
    const [group = ""] = wanted.apiVersion.split("/");
    throw invalidObject({ group, kind: given.kind.slice(0, 200) }, textAt(given, "metadata", "name"), [
      invalid("kind", given.kind.slice(0, 200), `must be ${wanted.kind}`),
    ]);
  }
  if (custom && (given.kind === "" || given.apiVersion === "")) {
    const what = given.kind === "" ? "Kind" : "apiVersion";
    const text = JSON.stringify(value);
    throw new StatusError(
      "BadRequest",
      `the object provided is unrecognized (must be of type ${wanted.kind}): Object '${what}' is missing in '${
        text.slice(0, 1000)
      }'`,
    );
  }
  if (given.apiVersion !== "" && given.apiVersion !== wanted.apiVersion) {
    throw new StatusError(
      "BadRequest",
      `the API version in the data (${
        given.apiVersion.slice(0, 200)
      }) does not match the expected API version (${wanted.apiVersion})`,
    );
  }
  if (given.kind !== "" && given.kind !== wanted.kind) {
    throw new StatusError(
      "BadRequest",
      `no kind ${JSON.stringify(given.kind.slice(0, 200))} is expected here: the request is for ${
        JSON.stringify(wanted.kind)
      }`,
    );
  }
  const found: SchemaFindings = { unknown: [], errors: [] };
  const checked = wanted.conform?.(given, found) ?? conform(given, `@${wanted.schema}`, "", found);
  if (found.errors.length > 0) {
    throw new StatusError(
      "BadRequest",
      `${wanted.kind} in version "${
        wanted.apiVersion.split("/").at(-1)
      }" cannot be handled as a ${wanted.kind}: ${found.errors.join(", ")}`,
    );
  }
  const texts = found.unknown.map((path) => `unknown field ${JSON.stringify(path)}`);
  if (texts.length > 0 && validation === "Strict") {
    throw new StatusError(
      "BadRequest",
      `${wanted.kind} in version "${
        wanted.apiVersion.split("/").at(-1)
      }" cannot be handled as a ${wanted.kind}: strict decoding error: ${texts.join(", ")}`,
    );
  }
  if (validation === "Warn") warnings.push(...texts);
  const object = isObject(checked) ? checked : {};
  return {
    ...object,
    apiVersion: wanted.apiVersion,
    kind: wanted.kind,
    metadata: objectAt(object, "metadata"),
  };
}

/** Media types of patches that are applied here. */
export const PATCH_TYPES = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
] as const;

/** Media types of patches that a resource takes: strategic ones need a type that says how. */
export function patchTypesOf({ custom }: Pick<ResourceDefinition, "custom">): readonly string[] {
  return custom === undefined ? PATCH_TYPES : PATCH_TYPES.filter((type) => !type.includes("strategic"));
}

/**
 * Applies a patch to an object.
 * @throws {StatusError} UnsupportedMediaType for another kind of patch
 */
export function applyPatch(current: ApiObject, patch: unknown, contentType: string, schema: string): unknown {
  switch (contentType) {
    case "application/json-patch+json":
      return applyJsonPatch(current, patch);
    case "application/merge-patch+json":
      return applyMergePatch(current, requirePatch(patch));
    case "application/strategic-merge-patch+json":
      return applyStrategicPatch(structuredClone(current), requirePatch(patch), `@${schema}`);
    default:
      throw unsupported(contentType, PATCH_TYPES);
  }
}

function requirePatch(patch: unknown): JsonObject {
  if (isObject(patch)) return patch;
  throw new StatusError("BadRequest", "error decoding patch: the patch must be an object");
}

/** Reads DeleteOptions out of the body and the query. @throws {StatusError} BadRequest, Invalid */
export function readDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const given = isObject(body) ? body : {};
  const kind = given.kind ?? "DeleteOptions";
  if (kind !== "DeleteOptions") {
    throw new StatusError(
      "BadRequest",
      `DeleteOptions are expected, not ${JSON.stringify(kind).slice(0, 100)}`,
    );
  }
  const options: DeleteOptions = {};
  const grace = given.gracePeriodSeconds ?? numberOf(query.get("gracePeriodSeconds"), "gracePeriodSeconds");
  if (grace !== undefined && grace !== null) {
    if (typeof grace !== "number" || !Number.isInteger(grace) || grace < 0 || grace > 1e9) {
      throw new StatusError(
        "Invalid",
        `DeleteOptions.meta.k8s.io "" is invalid: gracePeriodSeconds: Invalid value: ${
          JSON.stringify(grace).slice(0, 100)
        }: must be greater than or equal to 0`,
      );
    }
    options.gracePeriodSeconds = grace;
  }
  const orphan = given.orphanDependents ?? query.get("orphanDependents") ?? undefined;
  const policy = given.propagationPolicy ?? query.get("propagationPolicy") ??
    (orphan === undefined || orphan === null
      ? undefined
      : orphan === true || orphan === "true"
      ? "Orphan"
      : "Background");
  if (policy !== undefined && policy !== null && policy !== "") {
    if (policy !== "Background" && policy !== "Foreground" && policy !== "Orphan") {
      throw new StatusError(
        "Invalid",
        `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${
          JSON.stringify(policy).slice(0, 100)
        }: supported values: "Foreground", "Background", "Orphan", "nil"`,
      );
    }
    options.propagationPolicy = policy;
  }
  if (isObject(given.preconditions)) {
    const { uid, resourceVersion } = given.preconditions;
    options.preconditions = {
      ...(typeof uid === "string" ? { uid } : {}),
      ...(typeof resourceVersion === "string" ? { resourceVersion } : {}),
    };
  }
  const dryRun = Array.isArray(given.dryRun) ? given.dryRun : query.getAll("dryRun");
  options.dryRun = readDryRun(dryRun);
  return options;
}

function numberOf(text: string | null, field: string): number | undefined {
  if (text === null || text === "") return undefined;
  if (!/^\d{1,10}$/.test(text)) {
    throw new StatusError("BadRequest", `Invalid value for ${field}: ${JSON.stringify(text.slice(0, 100))}`);
  }
  return Number(text);
}
