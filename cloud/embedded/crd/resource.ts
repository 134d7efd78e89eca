import { type ApiObject, isObject, objectAt, objectsAt, textAt } from "../object.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { validateDefinition, validateNames } from "./rules/definition.ts";
import { CLEANUP_FINALIZER, conformCrd, CRD_SCHEMA, readCrd } from "./definition.ts";
import { setCondition } from "./names.ts";
import { timeText } from "../object.ts";

/** Upstream: k8s.io/apiextensions-apiserver pkg/apis/apiextensions/v1/defaults.go @ v1.33 */
function applyDefaults(object: ApiObject): void {
  const spec = objectAt(object, "spec");
  const names = objectAt(spec, "names");
  const kind = textAt(names, "kind");
  if (isObject(spec.names)) {
    if (textAt(names, "singular") === "" && kind !== "") names.singular = kind.toLowerCase();
    if (textAt(names, "listKind") === "" && kind !== "") names.listKind = `${kind}List`;
  }
  if (isObject(object.spec) && spec.conversion === undefined) spec.conversion = { strategy: "None" };
  const status = objectAt(object, "status");
  if (!Array.isArray(status.storedVersions) || status.storedVersions.length === 0) {
    const storage = storageVersion(object);
    if (storage !== undefined) object.status = { ...status, storedVersions: [storage] };
  }
}

function storageVersion(object: ApiObject): string | undefined {
  const found = objectsAt(object, "spec", "versions").find(({ storage }) => storage === true);
  return found === undefined ? undefined : textAt(found, "name");
}

/** The version that is stored from now on is one of those that objects may be stored in. */
function rememberStorage(object: ApiObject): void {
  const storage = storageVersion(object);
  const status = objectAt(object, "status");
  const stored = Array.isArray(status.storedVersions) ? status.storedVersions : [];
  if (storage === undefined || stored.includes(storage)) return;
  object.status = { ...status, storedVersions: [...stored, storage] };
}

/** CustomResourceDefinitions. Upstream: k8s.io/apiextensions-apiserver pkg/registry/customresourcedefinition @ v1.33 */
export const CUSTOM_RESOURCE_DEFINITIONS: ResourceDefinition = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  singular: "customresourcedefinition",
  kind: "CustomResourceDefinition",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  namespaced: false,
  schema: CRD_SCHEMA,
  status: "statusAndMetadata",
  generation: true,
  needsVersion: true,
  anyFinalizers: true,
  columns: [
    { name: "Name", format: "name" },
    { name: "Created At", type: "date" },
  ],
  row: ({ metadata }) => [metadata.name ?? "", metadata.creationTimestamp ?? null],
  conform: conformCrd,
  applyDefaults,
  prepareForCreate: (object) => {
    const storage = storageVersion(object);
    object.status = {
      conditions: null,
      acceptedNames: { plural: "", kind: "" },
      storedVersions: storage === undefined ? null : [storage],
    };
  },
  prepareForUpdate: rememberStorage,
  prepareForDelete: (object, now) => {
    const { finalizers = [] } = object.metadata;
    if (!finalizers.includes(CLEANUP_FINALIZER)) {
      object.metadata.finalizers = [...finalizers, CLEANUP_FINALIZER];
    }
    // Not left to the deletion itself, which would count it as a change of the spec.
    object.metadata.deletionTimestamp = timeText(now);
    const { status } = readCrd(object);
    object.status = {
      ...objectAt(object, "status"),
      conditions: setCondition(status.conditions, {
        type: "Terminating",
        status: "True",
        reason: "InstanceDeletionPending",
        message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
      }, timeText(now)),
    };
  },
  validateWrite: ({ object, old, subresource }) => {
    if (subresource === "status") {
      return validateNames(readCrd(object).status.acceptedNames, "status.acceptedNames");
    }
    return validateDefinition(readCrd(object), old === undefined ? undefined : readCrd(old));
  },
};
