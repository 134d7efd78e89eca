import {
  type ApiObject,
  isObject,
  jsonEqual,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { Column, ResourceDefinition } from "./definition.ts";
import { type FieldError, forbidden, invalid, invalidObject, notSupported, required } from "./field_error.ts";
import { validateLabels } from "./metadata.ts";
import { defaultPodSpec } from "./pod_defaults.ts";
import { validatePodSpec } from "./pod_validation.ts";
import { ageOf, labelSelectorText, mapText, templateContainers } from "./printing.ts";
import { selects } from "./selector_match.ts";

const CONTAINERS: Column[] = [{ name: "Containers", wide: true }, { name: "Images", wide: true }];
const SELECTOR: Column = { name: "Selector", wide: true };
const INTEGER = (name: string): Column => ({ name, type: "integer" });

/** Upstream: k8s.io/kubernetes pkg/apis/apps/v1/defaults.go @ v1.32 */
function specOf(object: ApiObject, defaults: JsonObject): JsonObject {
  const spec = objectAt(object, "spec");
  object.spec = spec;
  for (const [key, value] of Object.entries(defaults)) if (spec[key] === undefined) spec[key] = value;
  const template = objectAt(spec, "template");
  if (isObject(spec.template)) {
    const podSpec = objectAt(template, "spec");
    template.spec = podSpec;
    // The published defaults of a template carry an empty creation time.
    template.metadata = objectAt(template, "metadata");
    defaultPodSpec(podSpec);
  }
  object.status = objectAt(object, "status");
  return spec;
}

function defaultDeployment(object: ApiObject): void {
  const spec = specOf(object, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
  const strategy = objectAt(spec, "strategy");
  spec.strategy = strategy;
  if (textAt(strategy, "type") === "") strategy.type = "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    strategy.rollingUpdate = {
      maxUnavailable: "25%",
      maxSurge: "25%",
      ...objectAt(strategy, "rollingUpdate"),
    };
  }
}

function defaultDaemonSet(object: ApiObject): void {
  const spec = specOf(object, { revisionHistoryLimit: 10 });
  const strategy = objectAt(spec, "updateStrategy");
  spec.updateStrategy = strategy;
  if (textAt(strategy, "type") === "") strategy.type = "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    strategy.rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...objectAt(strategy, "rollingUpdate") };
  }
}

function defaultStatefulSet(object: ApiObject): void {
  const spec = specOf(object, {
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: "OrderedReady",
    persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
  });
  const strategy = objectAt(spec, "updateStrategy");
  spec.updateStrategy = strategy;
  if (textAt(strategy, "type") === "") strategy.type = "RollingUpdate";
  if (strategy.type === "RollingUpdate") {
    strategy.rollingUpdate = { partition: 0, ...objectAt(strategy, "rollingUpdate") };
  }
}

function validateWorkload(
  object: ApiObject,
  { strategy }: { strategy?: [field: string, values: string[]] } = {},
): FieldError[] {
  const spec = objectAt(object, "spec");
  const errors: FieldError[] = [];
  for (const field of ["replicas", "minReadySeconds", "revisionHistoryLimit"]) {
    const number = spec[field];
    if (typeof number === "number" && number < 0) {
      errors.push(invalid(`spec.${field}`, number, "must be greater than or equal to 0"));
    }
  }
  const selector = spec.selector;
  const labels = objectAt(spec, "template", "metadata", "labels");
  if (!isObject(selector)) errors.push(required("spec.selector"));
  else if (labelSelectorText(selector) === "<none>") {
    errors.push(
      invalid("spec.selector", selector, `empty selector is invalid for ${object.kind.toLowerCase()}`),
    );
  } else if (!selects(selector, labels)) {
    errors.push(
      invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"),
    );
  }
  errors.push(
    ...validateLabels(labels as Record<string, string>, "spec.template.metadata.labels"),
    ...validatePodSpec(objectAt(spec, "template", "spec"), "spec.template.spec"),
  );
  if (textAt(spec, "template", "spec", "restartPolicy") !== "Always") {
    errors.push(
      notSupported("spec.template.spec.restartPolicy", valueAt(spec, "template", "spec", "restartPolicy"), [
        "Always",
      ]),
    );
  }
  if (strategy !== undefined && !strategy[1].includes(textAt(spec, strategy[0], "type"))) {
    errors.push(notSupported(`spec.${strategy[0]}.type`, valueAt(spec, strategy[0], "type"), strategy[1]));
  }
  return errors;
}

function immutableSelector(object: ApiObject, old: ApiObject): FieldError[] {
  const [now, before] = [valueAt(object, "spec", "selector"), valueAt(old, "spec", "selector")];
  return jsonEqual(now, before) ? [] : [invalid("spec.selector", now, "field is immutable")];
}

/** Volumes for claims would never come, and the pods that wait for them never run. */
function refuseClaimTemplates(object: ApiObject): void {
  if (objectsAt(objectAt(object, "spec"), "volumeClaimTemplates").length === 0) return;
  throw invalidObject({ group: "apps", kind: "StatefulSet" }, object.metadata.name ?? "", [
    forbidden(
      "spec.volumeClaimTemplates",
      "the embedded control plane has no storage provisioner; use spec.template.spec.volumes, such as hostPath or emptyDir, or a full Kubernetes control plane",
    ),
  ]);
}

function validateStatefulSet(object: ApiObject): FieldError[] {
  const errors = validateWorkload(object, { strategy: ["updateStrategy", ["OnDelete", "RollingUpdate"]] });
  const strategy = objectAt(object, "spec", "updateStrategy");
  if (strategy.type !== "RollingUpdate" && strategy.rollingUpdate !== undefined) {
    errors.push(
      invalid(
        "spec.updateStrategy.rollingUpdate",
        strategy.rollingUpdate,
        "only allowed for updateStrategy 'RollingUpdate'",
      ),
    );
  }
  const policy = valueAt(object, "spec", "podManagementPolicy");
  if (policy !== "OrderedReady" && policy !== "Parallel") {
    errors.push(notSupported("spec.podManagementPolicy", policy, ["OrderedReady", "Parallel"]));
  }
  for (const path of [["updateStrategy", "rollingUpdate", "partition"], ["ordinals", "start"]]) {
    const number = numberAt(object, "spec", ...path);
    if (number < 0) {
      errors.push(invalid(`spec.${path.join(".")}`, number, "must be greater than or equal to 0"));
    }
  }
  return errors;
}

const APP = {
  group: "apps",
  version: "v1",
  namespaced: true,
  categories: ["all"],
  status: "status",
  generation: true,
} as const;

/** A number, or a percentage of the replicas. */
function validateShare(field: string, value: unknown): FieldError[] {
  if (typeof value === "number") {
    return value < 0 ? [invalid(field, value, "must be greater than or equal to 0")] : [];
  }
  if (value === undefined) return [];
  const [, percent] = /^(\d+)%$/.exec(String(value)) ?? [];
  if (percent === undefined) {
    return [
      invalid(
        field,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  }
  return Number(percent) > 100 && field.endsWith("maxUnavailable")
    ? [invalid(field, value, "must not be greater than 100%")]
    : [];
}

/** Whether a share of any number of replicas is none. */
function isNone(value: unknown): boolean {
  return value === 0 || (typeof value === "string" && /^0+%$/.test(value));
}

/** Upstream: k8s.io/kubernetes pkg/apis/apps/validation/validation.go (ValidateDeploymentSpec) @ v1.33 */
function validateDeployment(object: ApiObject): FieldError[] {
  const errors = validateWorkload(object, { strategy: ["strategy", ["Recreate", "RollingUpdate"]] });
  const spec = objectAt(object, "spec");
  const strategy = objectAt(spec, "strategy");
  const at = "spec.strategy.rollingUpdate";
  if (strategy.type === "Recreate" && strategy.rollingUpdate !== undefined) {
    errors.push(forbidden(at, "may not be specified when strategy `type` is 'Recreate'"));
  } else if (strategy.type === "RollingUpdate") {
    const { maxUnavailable, maxSurge } = objectAt(strategy, "rollingUpdate");
    errors.push(
      ...validateShare(`${at}.maxUnavailable`, maxUnavailable),
      ...validateShare(`${at}.maxSurge`, maxSurge),
    );
    if (isNone(maxUnavailable) && isNone(maxSurge)) {
      errors.push(invalid(`${at}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"));
    }
  }
  const deadline = spec.progressDeadlineSeconds;
  if (typeof deadline === "number" && deadline <= numberAt(spec, "minReadySeconds")) {
    errors.push(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"));
  }
  return errors;
}

/** Upstream: k8s.io/kubernetes pkg/apis/apps/validation/validation.go (ValidateRollingUpdateDaemonSet) @ v1.33 */
function validateDaemonSet(object: ApiObject): FieldError[] {
  const errors = validateWorkload(object, { strategy: ["updateStrategy", ["OnDelete", "RollingUpdate"]] });
  const strategy = objectAt(object, "spec", "updateStrategy");
  if (strategy.type !== "RollingUpdate") return errors;
  const at = "spec.updateStrategy.rollingUpdate";
  const { maxUnavailable, maxSurge } = objectAt(strategy, "rollingUpdate");
  errors.push(
    ...validateShare(`${at}.maxUnavailable`, maxUnavailable),
    ...validateShare(`${at}.maxSurge`, maxSurge),
  );
  if (isNone(maxUnavailable) && isNone(maxSurge)) {
    errors.push(required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  } else if (!isNone(maxUnavailable) && !isNone(maxSurge)) {
    errors.push(invalid(`${at}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"));
  }
  return errors;
}

/** The workloads as they are stored; what makes their pods is not here. */
export const APPS: readonly ResourceDefinition[] = [
  {
    group: "apps",
    version: "v1",
    namespaced: true,
    resource: "controllerrevisions",
    singular: "controllerrevision",
    kind: "ControllerRevision",
    schema: "apps.v1.ControllerRevision",
    columns: [NAME, { name: "Controller" }, { name: "Revision" }, AGE],
    row: (o, now) => {
      const owner = o.metadata.ownerReferences?.find((ref) => ref.controller === true);
      const controller = owner === undefined
        ? "<none>"
        : `${owner.kind.toLowerCase()}.${owner.apiVersion.split("/")[0]}/${owner.name}`;
      return [o.metadata.name ?? "", controller, numberAt(o, "revision"), ageOf(o, now)];
    },
    validateUpdate: (o, old) =>
      jsonEqual(o.data, old.data) ? [] : [invalid("data", o.data, "field is immutable")],
  },
  {
    ...APP,
    resource: "daemonsets",
    singular: "daemonset",
    kind: "DaemonSet",
    shortNames: ["ds"],
    schema: "apps.v1.DaemonSet",
    columns: [
      NAME,
      ...["Desired", "Current", "Ready", "Up-to-date", "Available"].map(INTEGER),
      { name: "Node Selector" },
      AGE,
      ...CONTAINERS,
      SELECTOR,
    ],
    row: (o, now) => [
      o.metadata.name ?? "",
      ...[
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
      ]
        .map((field) => numberAt(o, "status", field)),
      mapText(valueAt(o, "spec", "template", "spec", "nodeSelector")),
      ageOf(o, now),
      ...templateContainers(o),
      labelSelectorText(valueAt(o, "spec", "selector")),
    ],
    applyDefaults: (o) => {
      defaultDaemonSet(o);
      o.status = {
        currentNumberScheduled: 0,
        numberMisscheduled: 0,
        desiredNumberScheduled: 0,
        numberReady: 0,
        ...objectAt(o, "status"),
      };
    },
    validate: validateDaemonSet,
    validateUpdate: immutableSelector,
  },
  {
    ...APP,
    resource: "deployments",
    singular: "deployment",
    kind: "Deployment",
    shortNames: ["deploy"],
    schema: "apps.v1.Deployment",
    scale: { selector: "labelSelector" },
    columns: [
      NAME,
      { name: "Ready" },
      { name: "Up-to-date" },
      { name: "Available" },
      AGE,
      ...CONTAINERS,
      SELECTOR,
    ],
    row: (o, now) => [
      o.metadata.name ?? "",
      `${numberAt(o, "status", "readyReplicas")}/${numberAt(o, "spec", "replicas")}`,
      numberAt(o, "status", "updatedReplicas"),
      numberAt(o, "status", "availableReplicas"),
      ageOf(o, now),
      ...templateContainers(o),
      labelSelectorText(valueAt(o, "spec", "selector")),
    ],
    applyDefaults: defaultDeployment,
    validate: validateDeployment,
    validateUpdate: immutableSelector,
  },
  {
    ...APP,
    resource: "replicasets",
    singular: "replicaset",
    kind: "ReplicaSet",
    shortNames: ["rs"],
    schema: "apps.v1.ReplicaSet",
    scale: { selector: "labelSelector" },
    selectableFields: ["status.replicas"],
    readFields: (o) => ({ "status.replicas": String(numberAt(o, "status", "replicas")) }),
    columns: [NAME, ...["Desired", "Current", "Ready"].map(INTEGER), AGE, ...CONTAINERS, SELECTOR],
    row: (o, now) => [
      o.metadata.name ?? "",
      numberAt(o, "spec", "replicas"),
      numberAt(o, "status", "replicas"),
      numberAt(o, "status", "readyReplicas"),
      ageOf(o, now),
      ...templateContainers(o),
      labelSelectorText(valueAt(o, "spec", "selector")),
    ],
    applyDefaults: (o) => {
      specOf(o, { replicas: 1 });
      o.status = { replicas: 0, ...objectAt(o, "status") };
    },
    validate: (o) => validateWorkload(o),
    validateUpdate: immutableSelector,
  },
  {
    ...APP,
    resource: "statefulsets",
    singular: "statefulset",
    kind: "StatefulSet",
    shortNames: ["sts"],
    schema: "apps.v1.StatefulSet",
    scale: { selector: "labelSelector" },
    columns: [NAME, { name: "Ready" }, AGE, ...CONTAINERS],
    row: (o, now) => [
      o.metadata.name ?? "",
      `${numberAt(o, "status", "readyReplicas")}/${numberAt(o, "spec", "replicas")}`,
      ageOf(o, now),
      ...templateContainers(o),
    ],
    applyDefaults: (o) => {
      defaultStatefulSet(o);
      o.status = { replicas: 0, availableReplicas: 0, ...objectAt(o, "status") };
    },
    prepareForCreate: refuseClaimTemplates,
    validate: validateStatefulSet,
    validateUpdate: (o, old) => {
      const fixed = (spec: object) => ({
        ...spec,
        replicas: undefined,
        ordinals: undefined,
        template: undefined,
        updateStrategy: undefined,
        revisionHistoryLimit: undefined,
        persistentVolumeClaimRetentionPolicy: undefined,
        minReadySeconds: undefined,
      });
      return jsonEqual(fixed(objectAt(o, "spec")), fixed(objectAt(old, "spec"))) ? [] : [{
        reason: "FieldValueForbidden",
        field: "spec",
        message:
          "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      }];
    },
  },
];
