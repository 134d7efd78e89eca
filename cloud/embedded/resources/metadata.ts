import { type ApiObject, jsonEqual, type Meta } from "../object.ts";
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
      return LABEL.test(name) ? undefined : LABEL_TEXT;
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
  definition: Pick<ResourceDefinition, "nameRule" | "namespaced">,
): FieldError[] {
  const meta = object.metadata;
  const errors: FieldError[] = [];
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
    const problem = qualifiedNameProblem(key.toLowerCase());
    if (problem !== undefined) errors.push(invalid("metadata.annotations", key, problem));
    bytes += key.length + value.length;
  }
  if (bytes > MAX_ANNOTATIONS_BYTES) errors.push(tooLong("metadata.annotations", MAX_ANNOTATIONS_BYTES));
  (meta.finalizers ?? []).forEach((finalizer, i) => {
    const problem = qualifiedNameProblem(finalizer);
    if (problem !== undefined) errors.push(invalid(`metadata.finalizers[${i}]`, finalizer, problem));
  });
  errors.push(...validateOwners(meta));
  return errors;
}

/** What is wrong with labels. */
export function validateLabels(labels: Record<string, string> | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    const problem = qualifiedNameProblem(key);
    if (problem !== undefined) errors.push(invalid(field, key, problem));
    if (value.length > 63) errors.push(invalid(field, value, "must be no more than 63 characters"));
    else if (value !== "" && !QUALIFIED.test(value)) errors.push(invalid(field, value, LABEL_VALUE_TEXT));
  }
  return errors;
}

function qualifiedNameProblem(key: string): string | undefined {
  const parts = key.split("/");
  const name = parts.at(-1)!;
  if (parts.length > 2) {
    return "a qualified name must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
  }
  if (parts.length === 2 && (parts[0] === "" || parts[0]!.length > 253 || !SUBDOMAIN.test(parts[0]!))) {
    return parts[0] === "" ? "prefix part must be non-empty" : `prefix part ${SUBDOMAIN_TEXT}`;
  }
  if (name === "") return "name part must be non-empty";
  if (name.length > 63) return "name part must be no more than 63 characters";
  return QUALIFIED.test(name) ? undefined : QUALIFIED_TEXT;
}

function validateOwners(meta: Meta): FieldError[] {
  const errors: FieldError[] = [];
  const owners = meta.ownerReferences ?? [];
  owners.forEach((owner, i) => {
    const field = `metadata.ownerReferences[${i}]`;
    for (const key of ["apiVersion", "kind", "name", "uid"] as const) {
      if (!owner[key]) errors.push(invalid(`${field}.${key}`, owner[key] ?? "", `${key} must not be empty`));
    }
  });
  if (owners.filter((owner) => owner.controller === true).length > 1) {
    errors.push(
      invalid(
        "metadata.ownerReferences",
        owners.map((o) => o.name),
        "Only one reference can have Controller set to true",
      ),
    );
  }
  const uids = owners.map((owner) => owner.uid);
  const twice = uids.find((uid, i) => uids.indexOf(uid) !== i);
  if (twice !== undefined) errors.push(duplicate("metadata.ownerReferences", twice));
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
