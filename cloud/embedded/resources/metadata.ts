import { type ApiObject, jsonEqual, type Meta, type Owner } from "../object.ts";
import type { ResourceDefinition } from "./definition.ts";
import { duplicate, type FieldError, forbidden, invalid, required, tooLong } from "./field_error.ts";

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const DNS1035 = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_TEXT =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const PREFIXED_TEXT =
  "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
const LABEL_VALUE_TEXT =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const MAX_ANNOTATIONS_BYTES = 256 * 1024;

/** What is wrong with a name under a rule; undefined when nothing is. */
export function nameProblem(
  name: string,
  rule: ResourceDefinition["nameRule"] = "subdomain",
): string | undefined {
  switch (rule) {
    case "label":
      if (name.length > 63) return "must be no more than 63 characters";
      if (LABEL.test(name)) return undefined;
      return SUBDOMAIN.test(name) ? "must not contain dots" : LABEL_TEXT;
    case "dns1035":
      if (name.length > 63) return "must be no more than 63 characters";
      return DNS1035.test(name) ? undefined : DNS1035_TEXT;
    case "path":
      if (name === "." || name === "..") return `may not be '${name}'`;
      if (name.length > 253) return "must be no more than 253 characters";
      if (name.includes("/")) return "may not contain '/'";
      return name.includes("%") ? "may not contain '%'" : undefined;
    default:
      if (name.length > 253) return "must be no more than 253 characters";
      return SUBDOMAIN.test(name) ? undefined : SUBDOMAIN_TEXT;
  }
}

/** What is wrong with the metadata of an object about to be stored. */
export function validateMetadata(
  object: ApiObject,
  definition: Pick<ResourceDefinition, "nameRule" | "namespaced" | "anyFinalizers">,
): FieldError[] {
  const meta = object.metadata;
  const errors: FieldError[] = [];
  const prefix = meta.generateName ?? "";
  if (prefix !== "") {
    // It is only the beginning of a name, so that it may end in what a name may not end in.
    const problem = nameProblem(prefix.replace(/-$/, "a"), definition.nameRule);
    if (problem !== undefined) errors.push(invalid("metadata.generateName", prefix, problem));
  }
  if (meta.name === undefined || meta.name === "") {
    errors.push(required("metadata.name", "name or generateName is required"));
  } else {
    const problem = nameProblem(meta.name, definition.nameRule);
    if (problem !== undefined) errors.push(invalid("metadata.name", meta.name, problem));
  }
  if (definition.namespaced) {
    const problem = nameProblem(meta.namespace ?? "", "label");
    if (problem !== undefined) errors.push(invalid("metadata.namespace", meta.namespace ?? "", problem));
  }
  errors.push(...validateLabels(meta.labels, "metadata.labels"));
  let bytes = 0;
  for (const [key, value] of Object.entries(meta.annotations ?? {})) {
    for (const problem of qualifiedNameProblems(key.toLowerCase())) {
      errors.push(invalid("metadata.annotations", key, problem));
    }
    bytes += key.length + value.length;
  }
  if (bytes > MAX_ANNOTATIONS_BYTES) errors.push(tooLong("metadata.annotations", MAX_ANNOTATIONS_BYTES));
  errors.push(...validateFinalizers(meta.finalizers ?? [], definition.anyFinalizers === true));
  errors.push(...validateOwners(meta));
  return errors;
}

/** What is wrong with labels. */
export function validateLabels(labels: Record<string, string> | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of qualifiedNameProblems(key)) errors.push(invalid(field, key, problem));
    const problem = labelValueProblem(value);
    if (problem !== undefined) errors.push(invalid(field, value, problem));
  }
  return errors;
}

/** What is wrong with a qualified name. Upstream: k8s.io/apimachinery pkg/util/validation (IsQualifiedName) @ v1.32 */
export function qualifiedNameProblems(key: string): string[] {
  const parts = key.split("/");
  const name = parts.at(-1)!;
  const problems: string[] = [];
  if (parts.length > 2) return [PREFIXED_TEXT];
  if (parts.length === 2) {
    const prefix = parts[0]!;
    if (prefix === "") problems.push("prefix part must be non-empty");
    else if (prefix.length > 253) problems.push("prefix part must be no more than 253 characters");
    else if (!SUBDOMAIN.test(prefix)) problems.push(`prefix part ${SUBDOMAIN_TEXT}`);
  }
  if (name === "") problems.push("name part must be non-empty");
  else if (name.length > 63) problems.push("name part must be no more than 63 characters");
  if (!QUALIFIED.test(name)) problems.push(QUALIFIED_TEXT);
  return problems;
}

/** What is wrong with the value of a label; undefined when nothing is. */
export function labelValueProblem(value: string): string | undefined {
  if (value.length > 63) return "must be no more than 63 characters";
  return value === "" || QUALIFIED.test(value) ? undefined : LABEL_VALUE_TEXT;
}

/** Finalizers that need no prefix. Upstream: k8s.io/kubernetes pkg/apis/core/helper (standardFinalizers) @ v1.32 */
const STANDARD_FINALIZERS: ReadonlySet<string> = new Set(["kubernetes", "orphan", "foregroundDeletion"]);

function validateFinalizers(finalizers: readonly string[], anyName: boolean): FieldError[] {
  return finalizers.flatMap((finalizer, i) => {
    const errors = qualifiedNameProblems(finalizer).map((why) =>
      invalid("metadata.finalizers", finalizer, why)
    );
    if (!anyName && !finalizer.includes("/") && !STANDARD_FINALIZERS.has(finalizer)) {
      const why = "name is neither a standard finalizer name nor is it fully qualified";
      errors.push(invalid(`metadata.finalizers[${i}]`, finalizer, why));
    }
    return errors;
  });
}

/** An owner as messages show it. */
function printOwner({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: Owner): string {
  const text = (value: string) => JSON.stringify(value.slice(0, 200));
  const flag = (value: boolean | undefined) => value === undefined ? "(*bool)(nil)" : `(*bool)(${value})`;
  return `v1.OwnerReference{APIVersion:${text(apiVersion)}, Kind:${text(kind)}, Name:${text(name)}, UID:${
    text(uid)
  }, Controller:${flag(controller)}, BlockOwnerDeletion:${flag(blockOwnerDeletion)}}`;
}

const NO_OWNER = { apiVersion: "", kind: "", name: "", uid: "" } as const;

function validateOwners(meta: Meta): FieldError[] {
  const errors: FieldError[] = [];
  // A client may leave fields out, or give null for an owner.
  const owners = (meta.ownerReferences ?? []).map((owner): Owner => ({
    ...NO_OWNER,
    ...owner,
  }));
  for (const owner of owners) {
    const field = "metadata.ownerReferences";
    const version = owner.apiVersion.split("/").at(-1);
    if (version === "") {
      errors.push(invalid(`${field}.apiVersion`, owner.apiVersion, "version must not be empty"));
    }
    for (const key of ["kind", "name", "uid"] as const) {
      if (!owner[key]) errors.push(invalid(`${field}.${key}`, owner[key] ?? "", `${key} must not be empty`));
    }
    if (
      owner.kind === "Event" && (owner.apiVersion === "v1" || owner.apiVersion.startsWith("events.k8s.io/"))
    ) {
      const gvk = `${owner.apiVersion === "v1" ? "/v1" : owner.apiVersion}, Kind=Event`;
      const message = `Invalid value: ${printOwner(owner)}: ${gvk} is disallowed from being an owner`;
      errors.push({ reason: "FieldValueInvalid", field, message });
    }
  }
  const [first, second] = owners.filter((owner) => owner.controller === true);
  if (first !== undefined && second !== undefined) {
    const found = `"true" in references for ${first.kind}/${first.name} and ${second.kind}/${second.name}`;
    errors.push({
      reason: "FieldValueInvalid",
      field: "metadata.ownerReferences",
      message: `Invalid value: []v1.OwnerReference{${
        owners.map(printOwner).join(", ")
      }}: Only one reference can have Controller set to true. Found ${found}`,
    });
  }
  const uids = new Set<string>();
  for (const { uid } of owners) {
    if (uids.has(uid)) {
      errors.push(duplicate("metadata.ownerReferences", uid));
      break;
    }
    uids.add(uid);
  }
  return errors;
}

/** What an update may not change in the metadata. */
export function validateMetadataUpdate(object: ApiObject, old: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const [meta, before] = [object.metadata, old.metadata];
  for (const key of ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"] as const) {
    if (meta[key] !== before[key]) {
      errors.push(invalid(`metadata.${key}`, meta[key] ?? null, "field is immutable"));
    }
  }
  if (before.deletionTimestamp !== undefined) {
    const had = new Set(before.finalizers);
    const added = (meta.finalizers ?? []).filter((finalizer) => !had.has(finalizer));
    if (added.length > 0) {
      errors.push(
        forbidden(
          "metadata.finalizers",
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${
            added.map((a) => JSON.stringify(a)).join(", ")
          }}`,
        ),
      );
    }
  }
  if (!jsonEqual(meta.deletionGracePeriodSeconds, before.deletionGracePeriodSeconds)) {
    errors.push(
      invalid(
        "metadata.deletionGracePeriodSeconds",
        meta.deletionGracePeriodSeconds ?? null,
        "field is immutable",
      ),
    );
  }
  return errors;
}
