import { type ApiObject, isObject, numberAt, objectsAt, textAt, valueAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { ResourceDefinition } from "./definition.ts";
import { type FieldError, forbidden, invalid, notSupported } from "./field_error.ts";
import { ageOf } from "./printing.ts";

const EVICTION_POLICIES = ["AlwaysAllow", "IfHealthyBudget"];
const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"];

function validateAmount(amount: unknown, field: string): FieldError[] {
  if (typeof amount === "number") {
    return amount < 0 ? [invalid(field, amount, "must be greater than or equal to 0")] : [];
  }
  if (typeof amount !== "string") return [];
  const percent = /^(\d+)%$/.exec(amount)?.[1];
  if (percent === undefined) {
    return [
      invalid(
        field,
        amount,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  }
  return Number(percent) > 100 ? [invalid(field, amount, "must not be greater than 100%")] : [];
}

/** Upstream: k8s.io/kubernetes pkg/apis/policy/validation/validation.go (ValidatePodDisruptionBudgetSpec) @ v1.33 */
function validateBudget(budget: ApiObject): FieldError[] {
  const spec = budget.spec;
  const [least, most] = [valueAt(spec, "minAvailable"), valueAt(spec, "maxUnavailable")];
  const errors: FieldError[] = [];
  if (least !== undefined && most !== undefined) {
    errors.push(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  }
  errors.push(...validateAmount(least, "spec.minAvailable"), ...validateAmount(most, "spec.maxUnavailable"));
  objectsAt(spec, "selector", "matchExpressions").forEach(({ operator }, i) => {
    if (!OPERATORS.includes(String(operator))) {
      errors.push(
        invalid(`spec.selector.matchExpressions[${i}].operator`, operator, "not a valid selector operator"),
      );
    }
  });
  const policy = valueAt(spec, "unhealthyPodEvictionPolicy");
  if (policy !== undefined && !EVICTION_POLICIES.includes(String(policy))) {
    errors.push(notSupported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES));
  }
  return errors;
}

const amountText = (amount: unknown) => amount === undefined ? "N/A" : String(amount);

/** PodDisruptionBudgets. */
const BUDGET: ResourceDefinition = {
  group: "policy",
  version: "v1",
  resource: "poddisruptionbudgets",
  singular: "poddisruptionbudget",
  kind: "PodDisruptionBudget",
  shortNames: ["pdb"],
  namespaced: true,
  schema: "policy.v1.PodDisruptionBudget",
  status: "status",
  generation: true,
  columns: [
    NAME,
    { name: "Min Available" },
    { name: "Max Unavailable" },
    { name: "Allowed Disruptions", type: "integer" },
    AGE,
  ],
  row: (o, now) => [
    o.metadata.name ?? "",
    amountText(valueAt(o, "spec", "minAvailable")),
    amountText(valueAt(o, "spec", "maxUnavailable")),
    numberAt(o, "status", "disruptionsAllowed"),
    ageOf(o, now),
  ],
  applyDefaults: (o) => {
    if (!isObject(o.spec)) o.spec = {};
    const status = isObject(o.status) ? o.status : {};
    o.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0, ...status };
  },
  validate: validateBudget,
};

/** Upstream: k8s.io/kubernetes pkg/apis/scheduling/types.go, helpers.go @ v1.33 */
export const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};
const MAX_USER_PRIORITY = 1_000_000_000;
const PREEMPTION = ["PreemptLowerPriority", "Never"];

/** Key of the priority classes in memory. */
export const PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io";

function validateClass(object: ApiObject): FieldError[] {
  const name = object.metadata.name ?? "";
  const value = numberAt(object, "value");
  const errors: FieldError[] = [];
  if (name.startsWith("system-")) {
    if (SYSTEM_PRIORITIES[name] !== value) {
      errors.push(
        forbidden(
          "metadata.name",
          `priority class names with 'system-' prefix are reserved for system use only. error: ${
            SYSTEM_PRIORITIES[name] === undefined
              ? `${name} is not a known system priority class`
              : `value of ${name} PriorityClass must be ${SYSTEM_PRIORITIES[name]}`
          }`,
        ),
      );
    }
  } else if (value > MAX_USER_PRIORITY) {
    errors.push(
      forbidden("value", `maximum allowed value of a user defined priority is ${MAX_USER_PRIORITY}`),
    );
  }
  const policy = textAt(object, "preemptionPolicy");
  if (!PREEMPTION.includes(policy)) errors.push(notSupported("preemptionPolicy", policy, PREEMPTION));
  return errors;
}

/** PriorityClasses. */
const PRIORITY_CLASS: ResourceDefinition = {
  group: "scheduling.k8s.io",
  version: "v1",
  resource: "priorityclasses",
  singular: "priorityclass",
  kind: "PriorityClass",
  shortNames: ["pc"],
  namespaced: false,
  schema: "scheduling.v1.PriorityClass",
  generation: true,
  readFields: (o) => ({
    globalDefault: String(o.globalDefault === true),
    value: String(numberAt(o, "value")),
  }),
  columns: [
    NAME,
    { name: "Value" },
    { name: "Global-Default" },
    AGE,
    { name: "PreemptionPolicy" },
  ],
  row: (o, now) => [
    o.metadata.name ?? "",
    numberAt(o, "value"),
    String(o.globalDefault === true),
    ageOf(o, now),
    textAt(o, "preemptionPolicy"),
  ],
  applyDefaults: (o) => {
    if (typeof o.value !== "number") o.value = 0;
    if (textAt(o, "preemptionPolicy") === "") o.preemptionPolicy = "PreemptLowerPriority";
  },
  validate: validateClass,
  validateUpdate: (o, old) => [
    ...(o.value === old.value ? [] : [forbidden("value", "may not be changed in an update.")]),
    ...(o.preemptionPolicy === old.preemptionPolicy
      ? []
      : [invalid("preemptionPolicy", o.preemptionPolicy, "field is immutable")]),
  ],
};

/** Disruption budgets and priorities of pods. */
export const POLICY: readonly ResourceDefinition[] = [BUDGET, PRIORITY_CLASS];
