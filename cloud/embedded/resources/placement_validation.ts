import { isObject, type JsonObject, objectAt, objectsAt, textAt, valueAt } from "../object.ts";
import { type FieldError, invalid, notSupported, required } from "./field_error.ts";
import { qualifiedNameProblems } from "./metadata.ts";

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

/** Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (ValidateTolerations) @ v1.33 */
export function validateTolerations(spec: JsonObject, path: string): FieldError[] {
  return objectsAt(spec, "tolerations").flatMap((toleration, i) => {
    const at = `${path}.tolerations[${i}]`;
    const errors: FieldError[] = [];
    const [key, operator, value, effect] = ["key", "operator", "value", "effect"].map((field) =>
      textAt(toleration, field)
    ) as [string, string, string, string];
    if (key !== "") errors.push(...qualifiedNameProblems(key).map((why) => invalid(`${at}.key`, key, why)));
    else if (operator !== "Exists") {
      errors.push(
        invalid(
          `${at}.operator`,
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (toleration.tolerationSeconds !== undefined && effect !== "NoExecute") {
      errors.push(
        invalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      );
    }
    if (operator === "Exists" && value !== "") {
      errors.push(invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"));
    } else if (!["", "Equal", "Exists"].includes(operator)) {
      errors.push(notSupported(`${at}.operator`, operator, ["Equal", "Exists"]));
    }
    if (effect !== "" && !EFFECTS.includes(effect)) {
      errors.push(notSupported(`${at}.effect`, effect, EFFECTS));
    }
    return errors;
  });
}

/** Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (validateNodeAffinity) @ v1.33 */
export function validateNodeAffinity(spec: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const affinity = objectAt(spec, "affinity", "nodeAffinity");
  const hard = affinity.requiredDuringSchedulingIgnoredDuringExecution;
  const at = `${path}.affinity.nodeAffinity`;
  if (isObject(hard)) {
    const field = `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
    const terms = objectsAt(hard, "nodeSelectorTerms");
    if (terms.length === 0) errors.push(required(field, "must have at least one node selector term"));
    terms.forEach((term, i) => errors.push(...validateTerm(term, `${field}[${i}]`)));
  }
  objectsAt(affinity, "preferredDuringSchedulingIgnoredDuringExecution").forEach((preferred, i) => {
    const field = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
    const weight = preferred.weight ?? 0;
    if (typeof weight === "number" && (weight < 1 || weight > 100)) {
      errors.push(invalid(`${field}.weight`, weight, "must be in the range 1-100"));
    }
    errors.push(...validateTerm(objectAt(preferred, "preference"), `${field}.preference`));
  });
  return errors;
}

function validateTerm(term: JsonObject, field: string): FieldError[] {
  return objectsAt(term, "matchExpressions").flatMap((expression, i) => {
    const at = `${field}.matchExpressions[${i}]`;
    const operator = textAt(expression, "operator");
    const values = valueAt(expression, "values");
    const count = Array.isArray(values) ? values.length : 0;
    const key = textAt(expression, "key");
    const errors: FieldError[] = [];
    if (!OPERATORS.includes(operator)) {
      errors.push(invalid(`${at}.operator`, operator, "not a valid selector operator"));
    } else if ((operator === "In" || operator === "NotIn") && count === 0) {
      errors.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if ((operator === "Exists" || operator === "DoesNotExist") && count > 0) {
      errors.push({
        reason: "FieldValueForbidden",
        field: `${at}.values`,
        message: "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
      });
    } else if ((operator === "Gt" || operator === "Lt") && count !== 1) {
      errors.push(required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
    return [...errors, ...qualifiedNameProblems(key).map((why) => invalid(`${at}.key`, key, why))];
  });
}
