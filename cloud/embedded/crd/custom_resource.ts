import { type ApiObject, isObject, type JsonObject } from "../object.ts";
import type { ResourceDefinition, StoredAs, StoredEntry, Write } from "../resources/definition.ts";
import type { FieldError } from "../resources/field_error.ts";
import { conform, type SchemaFindings } from "../schema/check.ts";
import { columnsOf } from "./columns.ts";
import { type Crd, type CrdVersion, hasCondition, schemaOf, warningOf } from "./definition.ts";
import { followJsonPath, type JsonPath, parseJsonPath } from "./json_path.ts";
import { mergeTypeOf } from "./merge_type.ts";
import { customOpenApi } from "./openapi.ts";
import { readScalePaths, validateScaleSpec, validateScaleStatus } from "./scale.ts";
import { Correlated } from "./schema/correlated.ts";
import { coerceEmbedded, hasEmbedded, validateEmbedded } from "./schema/embedded.ts";
import { hasField, type JsonSchema } from "./schema/json_schema.ts";
import { validateListTypes } from "./schema/list_types.ts";
import { applyDefaults, dropNulls, hasDefaults, prune } from "./schema/prune.ts";
import { validateValue } from "./schema/validate.ts";

/**
 * The resources that an accepted CustomResourceDefinition stands for: one for each version that is served, all of the same objects.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apiserver/customresource_handler.go, pkg/registry/customresource @ v1.33
 */
export function customResources(crd: Crd): ResourceDefinition[] {
  const { versions } = crd.spec;
  const served = versions.filter((version) => version.served);
  const primary = served.find(({ storage }) => storage) ?? served[0];
  const fields = selectableFields(versions);
  return served.map((version) => definitionOf(crd, version, { fields, primary: version === primary }));
}

interface Shared {
  /** Paths of all versions' selectable fields: objects are indexed once for all of them. */
  fields: ReadonlyMap<string, JsonPath>;
  primary: boolean;
}

function definitionOf(crd: Crd, version: CrdVersion, { fields, primary }: Shared): ResourceDefinition {
  const { group, scope } = crd.spec;
  const { plural, singular, kind, listKind, shortNames, categories } = crd.status.acceptedNames;
  const schema = schemaOf(version);
  const scale = version.subresources?.scale;
  const status = version.subresources?.status !== undefined;
  const warning = warningOf(crd, version);
  const embedded = hasEmbedded(schema);
  const selectable = version.selectableFields ?? [];
  return {
    group,
    version: version.name,
    resource: plural,
    singular,
    kind,
    listKind,
    ...(shortNames === undefined ? {} : { shortNames }),
    ...(categories === undefined ? {} : { categories }),
    namespaced: scope === "Namespaced",
    schema: "",
    custom: {
      ...(hasCondition(crd, "Terminating") ? { terminating: true } : {}),
      ...(warning === undefined ? {} : { warning }),
      conform: (given, found) => conformCustom(given, schema, embedded, found),
      openApi: customOpenApi(crd, version),
    },
    mergeType: () => mergeTypeOf(schema),
    ...(status ? { status: "status" } : {}),
    ...(scale === undefined ? {} : { scale: readScalePaths(scale) }),
    generation: "content",
    needsVersion: true,
    anyFinalizers: true,
    storedAs: storedAs(crd, version, primary),
    selectableFields: selectable.map(({ jsonPath }) => jsonPath.slice(1)),
    ...(fields.size === 0 ? {} : { readFields: (object) => readFields(object, fields) }),
    ...columnsOf(version.additionalPrinterColumns),
    applyDefaults: (object) => applyDefaults(object, schema),
    validateWrite: (write) => [
      ...validateCustom(write, schema),
      ...(scale === undefined || write.subresource === "status"
        ? []
        : validateScaleSpec(write.object, scale)),
      ...(scale === undefined ? [] : validateScaleStatus(write.object, scale)),
      ...(embedded && write.subresource !== "status" ? validateEmbedded(write.object, schema) : []),
      ...listErrors(write, schema),
    ],
  };
}

/** An object of a request with the fields that the version has. @param found takes what it has beyond them */
function conformCustom(
  given: JsonObject,
  schema: JsonSchema | undefined,
  embedded: boolean,
  found: SchemaFindings,
): JsonObject {
  const metadata = conform(given.metadata ?? {}, "@meta.v1.ObjectMeta", "metadata", found);
  const unknown: string[] = [];
  prune(given, schema, true, unknown);
  dropNulls(given, schema);
  found.unknown.push(...unknown.sort());
  if (embedded) coerceEmbedded(given, schema, found.unknown);
  return { ...given, metadata: isObject(metadata) ? metadata : {} };
}

function validateCustom({ object, old, subresource }: Write, schema: JsonSchema | undefined): FieldError[] {
  if (schema === undefined) return [];
  const before = old === undefined ? undefined : new Correlated(object, old, schema);
  if (subresource !== "status") return validateValue(schema, object, "", before);
  const ofStatus = hasField(schema, "status") ? schema.properties!.status : undefined;
  if (ofStatus === undefined || object.status === undefined) return [];
  return validateValue(ofStatus, object.status, "status", before?.field("status"));
}

/** Lists that were not in order before may stay so. */
function listErrors({ object, old }: Write, schema: JsonSchema | undefined): FieldError[] {
  const errors = validateListTypes(schema, object);
  return errors.length > 0 && old !== undefined && validateListTypes(schema, old).length > 0 ? [] : errors;
}

/**
 * How objects are kept and read: under the version that is stored, with only the apiVersion changed between versions, and with the fields
 * of the version they are asked in.
 */
function storedAs(crd: Crd, version: CrdVersion, primary: boolean): StoredAs {
  const { group, versions } = crd.spec;
  const apiVersion = `${group}/${version.name}`;
  const storage = versions.find((one) => one.storage) ?? version;
  const storedVersion = `${group}/${storage.name}`;
  const schemas = new Map(versions.map((one) => [`${group}/${one.name}`, schemaOf(one)]));
  const defaulted = new Map([...schemas].filter(([, schema]) => hasDefaults(schema)));
  const head = `{"apiVersion":${JSON.stringify(apiVersion)},`;
  // What was written after the definition changed last was written in its form.
  const since = Number(crd.metadata.resourceVersion ?? Infinity);
  const current = new WeakSet<StoredEntry>();
  return {
    key: `${crd.spec.names.plural}.${group}`,
    primary,
    toStored: (object) => {
      if (storedVersion === apiVersion) return object;
      const converted: ApiObject = structuredClone({ ...object, apiVersion: storedVersion });
      prune(converted, schemas.get(storedVersion), true);
      return converted;
    },
    fromStored: (object) => {
      applyDefaults(object, defaulted.get(object.apiVersion));
      object.apiVersion = apiVersion;
      object.kind = crd.status.acceptedNames.kind;
      prune(object, schemas.get(apiVersion), true);
      dropNulls(object, schemas.get(apiVersion));
      return object;
    },
    isCurrent: (entry) => entry.text.startsWith(head) && (entry.version > since || current.has(entry)),
    foundCurrent: (entry) => current.add(entry),
  };
}

function selectableFields(versions: readonly CrdVersion[]): Map<string, JsonPath> {
  const fields = new Map<string, JsonPath>();
  for (const { selectableFields = [] } of versions) {
    for (const { jsonPath } of selectableFields) {
      const path = parseJsonPath(jsonPath);
      if (path !== undefined) fields.set(jsonPath.slice(1), path);
    }
  }
  return fields;
}

function readFields(object: JsonObject, fields: ReadonlyMap<string, JsonPath>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, path] of fields) {
    const value = followJsonPath(object, path)[0];
    found[name] = value === undefined || value === null ? "" : String(value);
  }
  return found;
}
