import { jsonEqual } from "../../object.ts";
import { nameProblem } from "../../resources/metadata.ts";
import type { FieldError } from "../../resources/field_error.ts";
import type { Crd, CrdColumn, CrdNames, CrdScale, CrdVersion } from "../definition.ts";
import { hasCondition, schemaOf } from "../definition.ts";
import {
  child,
  duplicateAt,
  forbiddenAt,
  indexed,
  invalidAt,
  invalidPrinted,
  keyed,
  notSupportedAt,
  printTexts,
  requiredAt,
  tooManyAt,
} from "../schema/field_errors.ts";
import { hasField, type JsonSchema } from "../schema/json_schema.ts";
import { validateSchema } from "./schema.ts";

const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const MAX_SELECTABLE = 8;
const APPROVED = "api-approved.kubernetes.io";
const APPROVAL_URL = "see https://github.com/kubernetes/enhancements/pull/1111";

/**
 * What is wrong with a CustomResourceDefinition. Where all versions say the same of something, the real server tells of it once for all,
 * under the name that it has in its own form of the object.
 * Upstream: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go @ v1.33
 */
export function validateDefinition(crd: Crd, old?: Crd): FieldError[] {
  const { spec, status, metadata } = crd;
  const errors: FieldError[] = [];
  if (old === undefined && metadata.name !== `${spec.names.plural}.${spec.group}`) {
    errors.push(
      invalidAt("metadata.name", metadata.name ?? "", 'must be spec.names.plural+"."+spec.group'),
    );
  }
  errors.push(...validateSpec(crd, old));
  if (old !== undefined) errors.push(...immutable(crd, old));
  errors.push(...validateNames(status.acceptedNames, "status.acceptedNames"));
  errors.push(...validateStoredVersions(crd), ...validateApproval(crd, old));
  if (spec.preserveUnknownFields) {
    errors.push(
      invalidAt(
        "spec.preserveUnknownFields",
        true,
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ),
    );
  }
  return errors;
}

/** Whether all versions say the same. */
function shared(versions: readonly CrdVersion[], of: (version: CrdVersion) => unknown): boolean {
  return versions.every((version) => jsonEqual(of(version), of(versions[0]!)));
}

function validateSpec({ spec }: Crd, old: Crd | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const { group, scope, versions, names } = spec;
  if (group === "") errors.push(requiredAt("spec.group"));
  else {
    const problem = nameProblem(group);
    if (problem !== undefined) errors.push(invalidAt("spec.group", group, problem));
    else if (!group.includes(".")) {
      errors.push(invalidAt("spec.group", group, "should be a domain with at least one dot"));
    }
  }
  if (scope === "") errors.push(requiredAt("spec.scope"));
  else if (scope !== "Cluster" && scope !== "Namespaced") {
    errors.push(notSupportedAt("spec.scope", scope, ["Cluster", "Namespaced"]));
  }
  const oneSchema = shared(versions, schemaOf);
  if (!oneSchema || versions[0] === undefined || schemaOf(versions[0]) === undefined) {
    versions.forEach((version, i) => {
      if (schemaOf(version) !== undefined) return;
      errors.push(requiredAt(`spec.versions[${i}].schema.openAPIV3Schema`, "schemas are required"));
    });
  }
  const oneStatus = shared(versions, (v) => v.subresources);
  const oneColumns = shared(versions, (v) => v.additionalPrinterColumns ?? []);
  const oneSelectable = shared(versions, (v) => v.selectableFields ?? []);
  versions.forEach((version, i) => {
    const at = indexed("spec.versions", i);
    const problem = nameProblem(version.name, "dns1035");
    if (problem !== undefined) errors.push(invalidAt(child(at, "name"), version.name, problem));
    errors.push(...validateDeprecation(version, at));
    if (!oneSchema) {
      errors.push(...validateSchema(schemaOf(version), hasStatus(version), child(at, "schema")));
    }
    if (!oneStatus) errors.push(...validateScale(version.subresources?.scale, child(at, "subresources")));
    if (!oneColumns) errors.push(...validateColumns(version, at));
    if (!oneSelectable) errors.push(...validateSelectable(version, at));
  });
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    errors.push(
      invalidPrinted("spec.versions", printVersions(versions), "must contain unique version names"),
    );
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    const why = "must have exactly one version marked as storage version";
    errors.push(invalidPrinted("spec.versions", printVersions(versions), why));
  }
  const firstName = versions[0]?.name ?? "";
  const nameWrong = firstName === "" ? undefined : nameProblem(firstName, "dns1035");
  if (nameWrong !== undefined) errors.push(invalidAt("spec.version", firstName, nameWrong));
  for (const key of ["plural", "singular", "kind", "listKind"] as const) {
    if (names[key] === "") errors.push(requiredAt(`spec.names.${key}`));
  }
  errors.push(...validateNames(names, "spec.names"));
  const first = versions[0];
  if (first !== undefined) {
    if (oneSchema) {
      errors.push(...validateSchema(schemaOf(first), versions.some(hasStatus), "spec.validation"));
    }
    if (oneStatus) errors.push(...validateScale(first.subresources?.scale, "spec.subresources"));
    if (oneColumns) errors.push(...validateColumns(first, "spec"));
    if (oneSelectable) errors.push(...validateSelectable(first, "spec"));
  }
  errors.push(...validateConversion(spec, old));
  return errors;
}

/** The real server prints its own structs here; their names are what helps. */
function printVersions(versions: readonly CrdVersion[]): string {
  return printTexts(versions.map(({ name }) => name));
}

function hasStatus(version: CrdVersion): boolean {
  return version.subresources?.status !== undefined;
}

function validateDeprecation({ deprecated, deprecationWarning }: CrdVersion, path: string): FieldError[] {
  if (deprecationWarning === undefined) return [];
  const at = child(path, "deprecationWarning");
  if (!deprecated) return [invalidAt(at, deprecationWarning, "can only be set for deprecated versions")];
  const errors: FieldError[] = [];
  if (new TextEncoder().encode(deprecationWarning).length > 256) {
    errors.push(invalidAt(at, deprecationWarning, "must be <= 256 characters long"));
  }
  if (deprecationWarning === "") errors.push(invalidAt(at, "", "must not be an empty string"));
  const strange = deprecationWarning.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u);
  if (strange >= 0) {
    const index = new TextEncoder().encode(deprecationWarning.slice(0, strange)).length;
    const why =
      `must only contain printable UTF-8 characters; non-printable character found at index ${index}`;
    errors.push(invalidAt(at, deprecationWarning, why));
  }
  return errors;
}

/** What is wrong with the form of names that are there. */
export function validateNames(names: CrdNames, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const look = (at: string, value: string, mixedCase = false) => {
    const problem = nameProblem(mixedCase ? value.toLowerCase() : value, "dns1035");
    if (problem === undefined) return;
    const why = mixedCase ? `may have mixed case, but should otherwise match: ${problem}` : problem;
    errors.push(invalidAt(child(path, at), value, why));
  };
  for (const key of ["plural", "singular", "kind", "listKind"] as const) {
    if (names[key] !== "") look(key, names[key], key === "kind" || key === "listKind");
  }
  names.shortNames?.forEach((name, i) => look(indexed("shortNames", i), name));
  if (names.kind !== "" && names.kind === names.listKind) {
    errors.push(
      invalidAt(child(path, "listKind"), names.listKind, "kind and listKind may not be the same"),
    );
  }
  names.categories?.forEach((name, i) => look(indexed("categories", i), name));
  return errors;
}

function simplePath(path: string, at: string): FieldError[] {
  if (path.startsWith(".")) return [];
  return [invalidAt(at, path, "must be a simple json path starting with .")];
}

function validateScale(scale: CrdScale | undefined, path: string): FieldError[] {
  if (scale === undefined) return [];
  const errors: FieldError[] = [];
  for (const [key, root] of [["specReplicasPath", ".spec."], ["statusReplicasPath", ".status."]] as const) {
    const at = child(path, `scale.${key}`);
    const value = scale[key] ?? "";
    if (value === "") errors.push(requiredAt(at));
    else if (simplePath(value, at).length > 0) errors.push(...simplePath(value, at));
    else if (!value.startsWith(root)) {
      errors.push(invalidAt(at, value, `should be a json path under ${root.slice(0, -1)}`));
    }
  }
  const selector = scale.labelSelectorPath ?? "";
  if (selector !== "") {
    const at = child(path, "scale.labelSelectorPath");
    if (simplePath(selector, at).length > 0) errors.push(...simplePath(selector, at));
    else if (!selector.startsWith(".spec.") && !selector.startsWith(".status.")) {
      errors.push(invalidAt(at, selector, "should be a json path under either .spec or .status"));
    }
  }
  return errors;
}

function validateColumns({ additionalPrinterColumns = [] }: CrdVersion, path: string): FieldError[] {
  return additionalPrinterColumns.flatMap((column, i) =>
    validateColumn(column, indexed(child(path, "additionalPrinterColumns"), i))
  );
}

function validateColumn(column: CrdColumn, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { name = "", type = "", format = "", jsonPath = "" } = column;
  if (name === "") errors.push(requiredAt(child(path, "name")));
  const oneOf = `must be one of ${COLUMN_TYPES.join(",")}`;
  if (type === "") errors.push(requiredAt(child(path, "type"), oneOf));
  else if (!COLUMN_TYPES.includes(type)) errors.push(invalidAt(child(path, "type"), type, oneOf));
  if (format !== "" && !COLUMN_FORMATS.includes(format)) {
    errors.push(invalidAt(child(path, "format"), format, `must be one of ${COLUMN_FORMATS.join(",")}`));
  }
  const at = child(path, "JSONPath");
  errors.push(...(jsonPath === "" ? [requiredAt(at)] : simplePath(jsonPath, at)));
  return errors;
}

function validateSelectable(version: CrdVersion, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, { jsonPath = "" }] of (version.selectableFields ?? []).entries()) {
    const at = child(indexed(child(path, "selectableFields"), i), "jsonPath");
    if (jsonPath === "") {
      errors.push(requiredAt(at));
      continue;
    }
    const schema = schemaAt(schemaOf(version), jsonPath);
    if (typeof schema === "string") {
      errors.push(invalidAt(at, jsonPath, `is an invalid path: ${schema}`));
      continue;
    }
    if (jsonPath === ".metadata" || jsonPath.startsWith(".metadata.")) {
      errors.push(invalidAt(at, jsonPath, "must not point to fields in metadata"));
    }
    if (!["string", "boolean", "integer"].includes(schema.type ?? "")) {
      const why =
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
      errors.push(invalidAt(at, jsonPath, why));
    }
    if (seen.has(jsonPath)) errors.push(duplicateAt(at, jsonPath));
    seen.add(jsonPath);
  }
  if (seen.size > MAX_SELECTABLE) {
    errors.push(tooManyAt(child(path, "selectableFields"), seen.size, MAX_SELECTABLE));
  }
  return errors;
}

/** The schema of the field at a path of names, or why there is none. */
function schemaAt(schema: JsonSchema | undefined, path: string): JsonSchema | string {
  if (!/^(?:\.[A-Za-z_][A-Za-z0-9_-]*)+$/.test(path)) return `does not refer to a valid field`;
  let at = schema ?? {};
  for (const name of path.slice(1).split(".")) {
    if (!hasField(at, name)) return `does not refer to a valid field`;
    at = at.properties![name]!;
  }
  return at;
}

function validateConversion({ conversion }: Crd["spec"], old: Crd | undefined): FieldError[] {
  if (conversion === undefined) return [];
  const { strategy = "", webhook } = conversion;
  const at = "spec.conversion.strategy";
  if (strategy === "") return [requiredAt(at)];
  if (strategy === "Webhook") {
    // What another control plane took is kept, so that it can still be changed.
    if (old?.spec.conversion?.strategy === "Webhook") return [];
    const why =
      "the embedded control plane calls no webhooks: use None, or an API server that converts between versions";
    return [forbiddenAt(at, why)];
  }
  if (strategy !== "None") return [notSupportedAt(at, strategy, ["None", "Webhook"])];
  if (webhook === undefined) return [];
  const errors: FieldError[] = [];
  const why = "should not be set when strategy is not set to Webhook";
  if (webhook.clientConfig !== undefined) {
    errors.push(forbiddenAt("spec.conversion.webhookClientConfig", why));
  }
  if (Array.isArray(webhook.conversionReviewVersions) && webhook.conversionReviewVersions.length > 0) {
    errors.push(forbiddenAt("spec.conversion.conversionReviewVersions", why));
  }
  return errors;
}

function immutable({ spec }: Crd, old: Crd): FieldError[] {
  const errors: FieldError[] = [];
  const same = (path: string, value: string, before: string) => {
    if (value !== before) errors.push(invalidAt(path, value, "field is immutable"));
  };
  if (hasCondition(old, "Established")) {
    same("spec.scope", spec.scope, old.spec.scope);
    same("spec.names.kind", spec.names.kind, old.spec.names.kind);
  }
  same("spec.group", spec.group, old.spec.group);
  same("spec.names.plural", spec.names.plural, old.spec.names.plural);
  return errors;
}

function validateStoredVersions({ spec, status }: Crd): FieldError[] {
  const at = "status.storedVersions";
  const { storedVersions } = status;
  if (storedVersions.length === 0) {
    return [invalidPrinted(at, printTexts(undefined), "must have at least one stored version")];
  }
  const errors: FieldError[] = [];
  for (const { name, storage } of spec.versions) {
    if (storage && !storedVersions.includes(name)) {
      errors.push(invalidPrinted(at, printTexts(storedVersions), `must have the storage version ${name}`));
    }
  }
  storedVersions.forEach((stored, i) => {
    if (spec.versions.some(({ name }) => name === stored)) return;
    const why =
      `missing from spec.versions; ${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`;
    errors.push(invalidAt(indexed(at, i), stored, why));
  });
  return errors;
}

/** Groups that belong to Kubernetes may be used with an approval only. */
function validateApproval({ spec: { group }, metadata }: Crd, old: Crd | undefined): FieldError[] {
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group)) return [];
  const approval = metadata.annotations?.[APPROVED] ?? "";
  if (old !== undefined && (old.metadata.annotations?.[APPROVED] ?? "") === approval) return [];
  const at = keyed("metadata.annotations", APPROVED);
  const must = `protected groups must have approval annotation "${APPROVED}"`;
  if (approval === "") return [requiredAt(at, `${must}, ${APPROVAL_URL}`)];
  if (approval.startsWith("unapproved") || /^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(approval)) return [];
  const why = `${must} with either a URL or a reason starting with "unapproved", ${APPROVAL_URL}`;
  return [invalidAt(at, approval, why)];
}
