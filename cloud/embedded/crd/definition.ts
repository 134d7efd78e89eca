import { StatusError } from "../../../common/errors/mod.ts";
import { type ApiObject, isObject, type JsonObject, type Meta } from "../object.ts";
import { conform, type SchemaFindings } from "../schema/check.ts";
import { compareVersions } from "../api/discovery.ts";
import type { JsonSchema } from "./schema/json_schema.ts";

/** The names of a custom resource. */
export interface CrdNames {
  plural: string;
  singular: string;
  kind: string;
  listKind: string;
  shortNames?: string[];
  categories?: string[];
}

/** Where `…/scale` finds its numbers: paths such as `.spec.replicas`. */
export interface CrdScale {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
}

/** A column that a version prints. */
export interface CrdColumn {
  name: string;
  type: string;
  format?: string;
  description?: string;
  priority?: number;
  jsonPath: string;
}

/** One version of a custom resource. */
export interface CrdVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: JsonSchema };
  subresources?: { status?: JsonObject; scale?: CrdScale };
  additionalPrinterColumns?: CrdColumn[];
  selectableFields?: Array<{ jsonPath: string }>;
}

/** A condition of a CustomResourceDefinition. */
export interface CrdCondition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  lastTransitionTime: string;
}

/** A CustomResourceDefinition: what its type requires is there, possibly empty. */
export interface Crd {
  metadata: Meta;
  spec: {
    group: string;
    scope: string;
    names: CrdNames;
    versions: CrdVersion[];
    preserveUnknownFields?: boolean;
    conversion?: { strategy: string; webhook?: JsonObject };
  };
  status: { acceptedNames: CrdNames; conditions: CrdCondition[]; storedVersions: string[] };
}

/** The finalizer that holds a CRD until its objects are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

export const CRD_SCHEMA = "apiextensions.v1.CustomResourceDefinition";

const SCHEMA_PROPS = "@apiextensions.v1.JSONSchemaProps";
const EITHER = ["items", "additionalProperties", "additionalItems"] as const;

/** An object of a request as a CustomResourceDefinition, with the fields of its type only. */
export function conformCrd(given: JsonObject, found: SchemaFindings): JsonObject {
  const object = conform(given, `@${CRD_SCHEMA}`, "", found);
  if (!isObject(object)) return {};
  const { spec } = object;
  if (isObject(spec) && Array.isArray(spec.versions)) {
    spec.versions.forEach((version: unknown, i) => {
      if (!isObject(version) || !isObject(version.schema)) return;
      const { openAPIV3Schema: schema } = version.schema;
      if (isObject(schema)) conformInside(schema, `spec.versions[${i}].schema.openAPIV3Schema`, found);
    });
  }
  return object;
}

/** Brings the fields that take a schema or something else into form, at every depth. */
function conformInside(schema: JsonObject, path: string, found: SchemaFindings): void {
  for (const key of EITHER) {
    const value = schema[key];
    const at = `${path}.${key}`;
    if (Array.isArray(value) && key === "items") {
      schema[key] = value.map((one, i) => conform(one, SCHEMA_PROPS, `${at}[${i}]`, found));
    } else if (isObject(value)) {
      const part = conform(value, SCHEMA_PROPS, at, found);
      schema[key] = part;
      if (isObject(part)) conformInside(part, at, found);
    } else if (value !== undefined && (key === "items" || typeof value !== "boolean")) {
      found.errors.push(`json: cannot unmarshal ${typeof value} into Go struct field ${at}`);
    }
  }
  for (const key of ["allOf", "anyOf", "oneOf"]) {
    const value = schema[key];
    if (Array.isArray(value)) {
      value.forEach((part: unknown, i) => {
        if (isObject(part)) conformInside(part, `${path}.${key}[${i}]`, found);
      });
    }
  }
  if (isObject(schema.not)) conformInside(schema.not, `${path}.not`, found);
  for (const key of ["properties", "patternProperties", "definitions"]) {
    const value = schema[key];
    if (!isObject(value)) continue;
    for (const [name, part] of Object.entries(value)) {
      if (isObject(part)) conformInside(part, `${path}.${key}.${name}`, found);
    }
  }
}

/**
 * A stored or given object as a CustomResourceDefinition.
 * @throws {StatusError} BadRequest when it has not the form of one
 */
export function readCrd(object: ApiObject): Crd {
  const found: SchemaFindings = { unknown: [], errors: [] };
  const { metadata, spec, status } = conformCrd(object, found);
  if (found.errors.length > 0) {
    const name = object.metadata?.name ?? "";
    throw new StatusError(
      "BadRequest",
      `Cannot read CustomResourceDefinition "${name}": ${found.errors.join(", ")}`,
    );
  }
  // The types are those of the schema; what may be missing is filled in.
  const given = (spec ?? {}) as Partial<Crd["spec"]>;
  const told = (status ?? {}) as Partial<Crd["status"]>;
  return {
    metadata: (metadata ?? {}) as Meta,
    spec: {
      ...given,
      group: given.group ?? "",
      scope: given.scope ?? "",
      names: namesOf(given.names),
      versions: (given.versions ?? []).map((version) => ({
        ...version,
        name: version.name ?? "",
        served: version.served ?? false,
        storage: version.storage ?? false,
      })),
    },
    status: {
      acceptedNames: namesOf(told.acceptedNames),
      conditions: told.conditions ?? [],
      storedVersions: told.storedVersions ?? [],
    },
  };
}

function namesOf(names: Partial<CrdNames> = {}): CrdNames {
  const { plural = "", singular = "", kind = "", listKind = "" } = names;
  return { ...names, plural, singular, kind, listKind };
}

/** Whether a condition is true. */
export function hasCondition({ status }: Crd, type: string): boolean {
  return status.conditions.some((condition) => condition.type === type && condition.status === "True");
}

/** The schema of a version; one that allows everything below `spec` and the like does not exist without one. */
export function schemaOf(version: CrdVersion): JsonSchema | undefined {
  return version.schema?.openAPIV3Schema;
}

/** What a user of a deprecated version is told. */
export function warningOf(crd: Crd, version: CrdVersion): string | undefined {
  if (!version.deprecated) return undefined;
  const { group, names } = crd.spec;
  if (version.deprecationWarning !== undefined) return version.deprecationWarning;
  const better = crd.spec.versions
    .filter((one) => one.served && !one.deprecated && compareVersions(one.name, version.name) < 0)
    .sort((a, b) => compareVersions(a.name, b.name))[0];
  const told = `${group}/${version.name} ${names.kind} is deprecated`;
  return better === undefined ? told : `${told}; use ${group}/${better.name} ${names.kind}`;
}
