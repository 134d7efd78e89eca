import { StatusError } from "../../../common/errors/mod.ts";
import type { DeleteOptions } from "../deletion.ts";
import { type ApiObject, checkDepth, isObject, type JsonObject, objectAt, textAt } from "../object.ts";
import { applyJsonPatch } from "../patch/json_patch.ts";
import { applyMergePatch } from "../patch/merge_patch.ts";
import { applyStrategicPatch } from "../patch/strategic_patch.ts";
import { apiVersionOf, type ResourceDefinition } from "../resources/definition.ts";
import { conform, type SchemaFindings } from "../schema/check.ts";
import { invalid, invalidObject, notSupported } from "../resources/field_error.ts";
import { SCHEMA } from "../schema/schema.ts";
import { goKind, requireObject } from "./body.ts";
import type { WriteKind } from "./write_options.ts";

/** What to do about fields the type does not have. Upstream: k8s.io/apimachinery meta/v1 (FieldValidation…) @ v1.32 */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** Reads `fieldValidation`. @default "Warn" @throws {StatusError} */
export function readFieldValidation(
  query: URLSearchParams,
  options: WriteKind = "CreateOptions",
): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  if (value === "") return "Warn";
  if (value === "Strict" || value === "Warn" || value === "Ignore") return value;
  throw invalidObject({ group: "meta.k8s.io", kind: options }, "", [
    notSupported("fieldValidation", value.slice(0, 100), ["", "Ignore", "Strict", "Warn"]),
  ]);
}

/** Reads `dryRun`. @throws {StatusError} */
export function readDryRun(
  values: readonly unknown[],
  options: WriteKind | "DeleteOptions" = "CreateOptions",
): boolean {
  if (values.length === 0) return false;
  if (values.every((value) => value === "All")) return true;
  const given = values.slice(0, 10).map((value) => JSON.stringify(value)?.slice(0, 100)).join(", ");
  throw invalidObject({ group: "meta.k8s.io", kind: options }, "", [{
    reason: "FieldValueNotSupported",
    field: "dryRun",
    message: `Unsupported value: []string{${given}}: supported values: "All"`,
  }]);
}

/** A body that cannot be read as the kind it should be of. */
export class DecodeError extends StatusError {
  /** What is wrong, without what it was to be. */
  readonly why: string;

  constructor(kind: string, apiVersion: string, wanted: string, why: string) {
    const version = apiVersion.split("/").at(-1);
    super("BadRequest", `${kind} in version "${version}" cannot be handled as a ${wanted}: ${why}`);
    this.why = why;
  }
}

/** Where Kubernetes' own kinds are registered, as its messages say. */
const SCHEME = '"pkg/runtime/scheme.go:110"';

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
 * @param duplicates what is to be said of fields that the body has twice
 * @throws {StatusError} BadRequest
 */
export function decodeObject(
  value: unknown,
  wanted: KindOf,
  validation: FieldValidation,
  warnings: string[],
  duplicates: readonly string[] = [],
): ApiObject {
  const { custom } = wanted;
  const given = requireObject(value, wanted.kind);
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
  const [apiVersion, kind] = [given.apiVersion.slice(0, 200), given.kind.slice(0, 200)];
  if (apiVersion !== "" && apiVersion !== wanted.apiVersion) {
    const message = `no kind ${JSON.stringify(kind || wanted.kind)} is registered for version ${
      JSON.stringify(apiVersion)
    } in scheme ${SCHEME}`;
    throw custom
      ? new StatusError(
        "BadRequest",
        `the API version in the data (${apiVersion}) does not match the expected API version (${wanted.apiVersion})`,
      )
      : new DecodeError(wanted.kind, wanted.apiVersion, wanted.kind, message);
  }
  if (kind !== "" && kind !== wanted.kind) {
    const known = SCHEMA[wanted.schema.replace(/[^.]+$/, kind)] !== undefined;
    const version = wanted.apiVersion.split("/").at(-1);
    const group = wanted.schema.split(".")[0];
    throw new DecodeError(
      kind,
      wanted.apiVersion,
      wanted.kind,
      known
        ? `converting (${version}.${kind}) to (${group}.${wanted.kind}): unknown conversion`
        : `no kind ${JSON.stringify(kind)} is registered for version ${
          JSON.stringify(wanted.apiVersion)
        } in scheme ${SCHEME}`,
    );
  }
  const found: SchemaFindings = { unknown: [], errors: [] };
  const checked = wanted.conform?.(given, found) ?? conform(given, `@${wanted.schema}`, "", found);
  if (found.errors.length > 0) {
    throw new DecodeError(
      wanted.kind,
      wanted.apiVersion,
      wanted.kind,
      wanted.conform ? found.errors.join(", ") : found.errors[0]!,
    );
  }
  const texts = [
    ...duplicates,
    ...found.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
  if (texts.length > 0 && validation === "Strict") {
    throw new DecodeError(
      wanted.kind,
      wanted.apiVersion,
      wanted.kind,
      `strict decoding error: ${texts.join(", ")}`,
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
      return applyMergePatch(current, requirePatch(patch, "error decoding patch: "));
    case "application/strategic-merge-patch+json":
      return applyStrategicPatch(structuredClone(current), requirePatch(patch, ""), `@${schema}`);
    default:
      throw unsupportedPatch();
  }
}

/** The error for a patch of a type that is not known, or not for this resource. */
export function unsupportedPatch(): StatusError {
  return new StatusError("UnsupportedMediaType", "415: Unsupported Media Type", { details: {} });
}

/** Reads a patch. @throws {StatusError} BadRequest */
export function parsePatch(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StatusError(
      "BadRequest",
      `error decoding patch: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    );
  }
  checkDepth(value);
  return value;
}

/**
 * Reads what a patch made of an object. What is wrong with it is the patch's fault.
 * @throws {StatusError} Invalid
 */
export function decodePatched(
  patched: unknown,
  kind: KindOf,
  validation: FieldValidation,
  warnings: string[],
): ApiObject {
  try {
    return decodeObject(patched, kind, validation, warnings);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const value = JSON.stringify(JSON.stringify(patched).slice(0, MAX_SHOWN_CHARS));
    const message = `Invalid value: ${value}: ${error.why}`;
    throw new StatusError("Invalid", ` "" is invalid: patch: ${message}`, {
      cause: error,
      details: { causes: [{ reason: "FieldValueInvalid", message, field: "patch" }] },
    });
  }
}

/** Most characters of a patched object that a message shows. */
const MAX_SHOWN_CHARS = 10_000;

function requirePatch(patch: unknown, prefix: string): JsonObject {
  if (isObject(patch)) return patch;
  throw new StatusError(
    "BadRequest",
    `${prefix}json: cannot unmarshal ${goKind(patch)} into Go value of type map[string]interface {}`,
  );
}

/** Reads DeleteOptions out of the body and the query. @throws {StatusError} BadRequest, Invalid */
export function readDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const given = isObject(body) ? body : {};
  const { kind = "DeleteOptions", apiVersion = "v1" } = given;
  if (kind !== "DeleteOptions") {
    throw new StatusError(
      "BadRequest",
      `no kind ${JSON.stringify(kind).slice(0, 100)} is registered for version ${
        JSON.stringify(apiVersion).slice(0, 100)
      } in scheme ${SCHEME}`,
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
  const asked = given.propagationPolicy ?? query.get("propagationPolicy") ?? undefined;
  if (orphan !== undefined && asked !== undefined) {
    throw invalidObject({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", [
      invalid("propagationPolicy", asked, "orphanDependents and deletionPropagation cannot be both set"),
    ]);
  }
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
  options.dryRun = readDryRun(dryRun, "DeleteOptions");
  return options;
}

function numberOf(text: string | null, field: string): number | undefined {
  if (text === null || text === "") return undefined;
  if (!/^\d{1,10}$/.test(text)) {
    throw new StatusError("BadRequest", `Invalid value for ${field}: ${JSON.stringify(text.slice(0, 100))}`);
  }
  return Number(text);
}
