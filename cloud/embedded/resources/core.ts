import { type ApiObject, objectAt, textAt } from "../object.ts";
import type { Column, ResourceDefinition } from "./definition.ts";
import { type FieldError, forbidden, invalid, invalidObject, required, tooLong } from "./field_error.ts";
import { ageOf } from "./printing.ts";
import { jsonEqual } from "../object.ts";

/** The first column of nearly every table. */
export const NAME: Column = { name: "Name", format: "name" };
/** The last column of nearly every table. */
export const AGE: Column = { name: "Age" };

const MAX_DATA_BYTES = 1024 * 1024;
const DATA_KEY = /^[-._a-zA-Z0-9]{1,253}$/;

function validateData(object: ApiObject, fields: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const field of fields) {
    for (const [key, value] of Object.entries(objectAt(object, field))) {
      if (!DATA_KEY.test(key) || key === "." || key.startsWith("..")) {
        errors.push(
          invalid(
            `${field}[${key.slice(0, 300)}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        );
      }
      const text = String(value);
      bytes += field === "data" && object.kind === "ConfigMap"
        ? new TextEncoder().encode(text).length
        : text.length * 0.75;
    }
  }
  if (bytes > MAX_DATA_BYTES) {
    errors.push(tooLong(object.kind === "ConfigMap" ? "[]" : "data", MAX_DATA_BYTES));
  }
  return errors;
}

function validateConfigMap(object: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const binary = objectAt(object, "binaryData");
  for (const key of Object.keys(objectAt(object, "data"))) {
    if (Object.hasOwn(binary, key)) {
      errors.push(invalid(`data[${key.slice(0, 300)}]`, key, "duplicate of key present in binaryData"));
    }
  }
  return [...errors, ...validateData(object, ["data", "binaryData"])];
}

function validateImmutable(object: ApiObject, old: ApiObject, fields: readonly string[]): FieldError[] {
  if (old.immutable !== true) return [];
  const errors: FieldError[] = [];
  if (object.immutable !== true) {
    errors.push(forbidden("immutable", "field is immutable when `immutable` is set"));
  }
  for (const field of fields) {
    if (!jsonEqual(object[field], old[field])) {
      errors.push(forbidden(field, "field is immutable when `immutable` is set"));
    }
  }
  return errors;
}

function countData(object: ApiObject, fields: readonly string[]): number {
  return fields.reduce((sum, field) => sum + Object.keys(objectAt(object, field)).length, 0);
}

/** Values of Secrets of the types that need certain keys. Upstream: k8s.io/kubernetes pkg/apis/core/validation (ValidateSecret) */
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

function validateSecret(object: ApiObject): FieldError[] {
  const errors = validateData(object, ["data"]);
  const data = objectAt(object, "data");
  for (const key of SECRET_KEYS[textAt(object, "type")] ?? []) {
    if (!Object.hasOwn(data, key)) errors.push(required(`data[${key}]`));
    else if (key.startsWith(".docker")) errors.push(...jsonProblems(`data[${key}]`, String(data[key])));
  }
  if (
    object.type === "kubernetes.io/basic-auth" && !Object.hasOwn(data, "username") &&
    !Object.hasOwn(data, "password")
  ) {
    errors.push(required("data[username]"), required("data[password]"));
  }
  if (object.type === "kubernetes.io/service-account-token") {
    const name = object.metadata.annotations?.["kubernetes.io/service-account.name"] ?? "";
    if (name === "") errors.push(required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  return errors;
}

/** A node could pull no image with what is no JSON. What is in it is not told. */
function jsonProblems(field: string, base64: string): FieldError[] {
  try {
    JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(base64)));
    return [];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [invalid(field, "<secret contents redacted>", "it is no JSON")];
  }
}

/** Nothing here fills in the token, and whoever waits for it would wait for ever. */
function refuseTokens(secret: ApiObject): void {
  if (secret.type !== "kubernetes.io/service-account-token") return;
  const problems = validateSecret(secret);
  const why =
    "the embedded control plane makes no tokens that last for ever; use the token volume of a pod, kubectl create token, or a full Kubernetes control plane";
  throw invalidObject(
    { group: "", kind: "Secret" },
    secret.metadata.name ?? "",
    problems.length > 0 ? problems : [forbidden("type", why)],
  );
}

function defaultSecret(object: ApiObject): void {
  if (textAt(object, "type") === "") object.type = "Opaque";
  const plain = Object.entries(objectAt(object, "stringData"));
  if (plain.length > 0) {
    const data = { ...objectAt(object, "data") };
    for (const [key, value] of plain) data[key] = encodeBase64(String(value));
    object.data = data;
  }
  delete object.stringData;
}

function encodeBase64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

/** Namespaces, ConfigMaps, Secrets, ServiceAccounts. */
export const CORE: readonly ResourceDefinition[] = [
  {
    group: "",
    version: "v1",
    resource: "configmaps",
    singular: "configmap",
    kind: "ConfigMap",
    shortNames: ["cm"],
    namespaced: true,
    schema: "core.v1.ConfigMap",
    columns: [NAME, { name: "Data", type: "string" }, AGE],
    row: (o, now) => [o.metadata.name ?? "", countData(o, ["data", "binaryData"]), ageOf(o, now)],
    validate: validateConfigMap,
    validateUpdate: (o, old) => validateImmutable(o, old, ["data", "binaryData"]),
  },
  {
    group: "",
    version: "v1",
    resource: "namespaces",
    singular: "namespace",
    kind: "Namespace",
    shortNames: ["ns"],
    namespaced: false,
    schema: "core.v1.Namespace",
    status: "statusAndMetadata",
    nameRule: "label",
    selectableFields: ["status.phase"],
    readFields: (o) => ({ "status.phase": textAt(o, "status", "phase") }),
    columns: [NAME, { name: "Status" }, AGE],
    row: (o, now) => [o.metadata.name ?? "", textAt(o, "status", "phase"), ageOf(o, now)],
    applyDefaults: (o) => {
      o.metadata.labels = { ...o.metadata.labels, "kubernetes.io/metadata.name": o.metadata.name ?? "" };
    },
    prepareForCreate: (o) => {
      const given = objectAt(o, "spec").finalizers;
      const finalizers = Array.isArray(given) ? given : [];
      o.spec = { finalizers: finalizers.includes("kubernetes") ? finalizers : [...finalizers, "kubernetes"] };
      o.status = { phase: "Active" };
    },
    prepareForUpdate: (o, old) => {
      o.spec = old.spec;
    },
  },
  {
    group: "",
    version: "v1",
    resource: "secrets",
    singular: "secret",
    kind: "Secret",
    namespaced: true,
    schema: "core.v1.Secret",
    selectableFields: ["type"],
    readFields: (o) => ({ type: textAt(o, "type") }),
    columns: [NAME, { name: "Type" }, { name: "Data" }, AGE],
    row: (o, now) => [o.metadata.name ?? "", textAt(o, "type"), countData(o, ["data"]), ageOf(o, now)],
    applyDefaults: defaultSecret,
    prepareForCreate: refuseTokens,
    validate: validateSecret,
    validateUpdate: (o, old) => [
      ...(o.type === old.type ? [] : [invalid("type", o.type, "field is immutable")]),
      ...validateImmutable(o, old, ["data"]),
    ],
  },
  {
    group: "",
    version: "v1",
    resource: "serviceaccounts",
    singular: "serviceaccount",
    kind: "ServiceAccount",
    shortNames: ["sa"],
    namespaced: true,
    schema: "core.v1.ServiceAccount",
    columns: [NAME, { name: "Secrets" }, AGE],
    row: (o, now) => [o.metadata.name ?? "", Array.isArray(o.secrets) ? o.secrets.length : 0, ageOf(o, now)],
  },
];
