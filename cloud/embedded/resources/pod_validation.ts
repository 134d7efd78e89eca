import {
  type ApiObject,
  isObject,
  jsonEqual,
  type JsonObject,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "./field_error.ts";
import { hostPortConflicts, validateContainer, validateInit, validateMain } from "./container_validation.ts";
import { nameProblem, validateLabels } from "./metadata.ts";
import { validateNodeAffinity, validateTolerations } from "./placement_validation.ts";

const SUPPORTED: ReadonlyArray<readonly [field: string, values: readonly string[]]> = [
  ["restartPolicy", ["Always", "OnFailure", "Never"]],
  ["dnsPolicy", ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]],
];

/**
 * What is wrong with a pod spec. Covers what a node could not make sense of; the real server checks more.
 * Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (ValidatePodSpec) @ v1.32
 */
export function validatePodSpec(spec: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const volumes = validateVolumes(spec, path, errors);
  const names = new Set<string>();
  for (const list of ["containers", "initContainers"]) {
    const containers = objectsAt(spec, list);
    if (list === "containers" && containers.length === 0) errors.push(required(`${path}.containers`));
    containers.forEach((container, i) => {
      const at = `${path}.${list}[${i}]`;
      validateContainer(container, at, volumes, errors);
      if (list === "initContainers") errors.push(...validateInit(container, at));
      else errors.push(...validateMain(container, at, spec));
      const name = textAt(container, "name");
      if (name !== "" && names.has(name)) errors.push(duplicate(`${at}.name`, name));
      names.add(name);
    });
  }
  errors.push(...hostPortConflicts(objectsAt(spec, "containers"), `${path}.containers`));
  const deadline = spec.activeDeadlineSeconds;
  if (typeof deadline === "number" && deadline < 1) {
    errors.push(
      invalid(`${path}.activeDeadlineSeconds`, deadline, "must be between 1 and 2147483647, inclusive"),
    );
  }
  if (spec.dnsPolicy === "None" && !isObject(spec.dnsConfig)) {
    errors.push(required(`${path}.dnsConfig`, "must provide `dnsConfig` when `dnsPolicy` is None"));
  }
  errors.push(...validateTolerations(spec, path), ...validateNodeAffinity(spec, path));
  for (const [field, values] of SUPPORTED) {
    if (!values.includes(textAt(spec, field))) {
      errors.push(notSupported(`${path}.${field}`, spec[field], values));
    }
  }
  for (const field of ["nodeName", "serviceAccountName"]) {
    const value = textAt(spec, field);
    const problem = value === "" ? undefined : nameProblem(value);
    if (problem !== undefined) errors.push(invalid(`${path}.${field}`, value, problem));
  }
  const hostname = textAt(spec, "hostname");
  const problem = hostname === "" ? undefined : nameProblem(hostname, "label");
  if (problem !== undefined) errors.push(invalid(`${path}.hostname`, hostname, problem));
  errors.push(
    ...validateLabels(objectAt(spec, "nodeSelector") as Record<string, string>, `${path}.nodeSelector`),
  );
  return errors;
}

function validateVolumes(spec: JsonObject, path: string, errors: FieldError[]): Set<string> {
  const names = new Set<string>();
  objectsAt(spec, "volumes").forEach((volume, i) => {
    const at = `${path}.volumes[${i}]`;
    const name = textAt(volume, "name");
    const problem = name === "" ? undefined : nameProblem(name, "label");
    if (name === "") errors.push(required(`${at}.name`));
    else if (problem !== undefined) errors.push(invalid(`${at}.name`, name, problem));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    const sources = Object.keys(volume).filter((key) => key !== "name");
    for (const source of sources.slice(1)) {
      errors.push(forbidden(`${at}.${source}`, "may not specify more than 1 volume type"));
    }
    if (isObject(volume.hostPath)) {
      const host = textAt(volume.hostPath, "path");
      if (host === "") errors.push(required(`${at}.hostPath.path`));
      else if (host.split("/").includes("..")) {
        errors.push(invalid(`${at}.hostPath.path`, host, "must not contain '..'"));
      }
    }
    if (isObject(volume.configMap) && textAt(volume.configMap, "name") === "") {
      errors.push(required(`${at}.configMap.name`));
    }
    if (isObject(volume.secret) && textAt(volume.secret, "secretName") === "") {
      errors.push(required(`${at}.secret.secretName`));
    }
    for (const source of ["configMap", "secret", "downwardAPI"]) {
      validateItems(valueAt(volume, source, "items"), `${at}.${source}.items`, errors);
    }
  });
  return names;
}

function validateItems(items: unknown, path: string, errors: FieldError[]): void {
  objectsAt(items === undefined ? {} : { items }, "items").forEach((item, i) => {
    const value = textAt(item, "path");
    if (value === "") errors.push(required(`${path}[${i}].path`));
    else if (value.startsWith("/")) {
      errors.push(invalid(`${path}[${i}].path`, value, "must be a relative path"));
    } else if (value.split("/").includes("..") || value.startsWith("..")) {
      errors.push(invalid(`${path}[${i}].path`, value, "must not contain '..'"));
    }
  });
}

const IMMUTABLE_SPEC =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/**
 * What an update of a pod may not change.
 * Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (ValidatePodUpdate) @ v1.32
 */
export function validatePodUpdate(pod: ApiObject, old: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!jsonEqual(withoutMutable(pod), withoutMutable(old))) errors.push(forbidden("spec", IMMUTABLE_SPEC));
  const tolerations = objectsAt(pod, "spec", "tolerations");
  const kept = objectsAt(old, "spec", "tolerations").every((toleration) =>
    tolerations.some((t) =>
      jsonEqual({ ...t, tolerationSeconds: 0 }, { ...toleration, tolerationSeconds: 0 })
    )
  );
  if (!kept) {
    errors.push(
      forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"),
    );
  }
  const gates = new Set(objectsAt(old, "spec", "schedulingGates").map((gate) => textAt(gate, "name")));
  for (const gate of objectsAt(pod, "spec", "schedulingGates")) {
    if (!gates.has(textAt(gate, "name"))) {
      errors.push(
        forbidden(
          "spec.schedulingGates",
          `only deletion is allowed, but found new scheduling gate '${textAt(gate, "name")}'`,
        ),
      );
    }
  }
  return errors;
}

function withoutMutable(pod: ApiObject): JsonObject {
  const spec = structuredClone(objectAt(pod, "spec"));
  for (const list of ["containers", "initContainers"]) {
    for (const container of objectsAt(spec, list)) delete container.image;
  }
  for (const field of ["activeDeadlineSeconds", "tolerations", "schedulingGates"]) delete spec[field];
  return spec;
}
