import { countIndexes, parseIndexes } from "../../indexes.ts";
import { isObject, type JsonObject, objectsAt, textAt, valueAt } from "../../object.ts";
import { duplicate, type FieldError, invalid, notSupported, required } from "../field_error.ts";

/** Upstream: k8s.io/kubernetes pkg/apis/batch/validation/validation.go @ v1.33 */
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;
const ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS = ["In", "NotIn"];
const STATUSES = ["False", "True", "Unknown"];

function tooMany(field: string, count: number, most: number): FieldError[] {
  return count <= most ? [] : [{
    reason: "FieldValueTooMany",
    field,
    message: `Too many: ${count}: must have at most ${most} items`,
  }];
}

function validValues(values: readonly string[]): string {
  return `valid values: [${values.map((value) => JSON.stringify(value)).join(" ")}]`;
}

/** The error of Go's field.Invalid without a value. */
function invalidRule(field: string, why: string): FieldError {
  return { reason: "FieldValueInvalid", field, message: `Invalid value: ${why}` };
}

/** What is wrong with `podFailurePolicy`. */
export function validateFailurePolicy(spec: JsonObject, path: string): FieldError[] {
  const rules = objectsAt(spec, "podFailurePolicy", "rules");
  const names = new Set(
    ["containers", "initContainers"].flatMap((list) =>
      objectsAt(spec, "template", "spec", list).map((container) => textAt(container, "name"))
    ),
  );
  return [
    ...tooMany(`${path}.rules`, rules.length, MAX_RULES),
    ...rules.flatMap((rule, i) => validateRule(spec, rule, `${path}.rules[${i}]`, names)),
  ];
}

function validateRule(
  spec: JsonObject,
  rule: JsonObject,
  path: string,
  names: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const action = textAt(rule, "action");
  if (action === "") errors.push(required(`${path}.action`, validValues(ACTIONS)));
  else if (!ACTIONS.includes(action)) errors.push(notSupported(`${path}.action`, action, ACTIONS));
  else if (action === "FailIndex" && spec.backoffLimitPerIndex === undefined) {
    errors.push(invalid(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"));
  }
  const patterns = objectsAt(rule, "onPodConditions");
  if (isObject(rule.onExitCodes)) {
    errors.push(...validateExitCodes(rule.onExitCodes, `${path}.onExitCodes`, names));
  }
  errors.push(...tooMany(`${path}.onPodConditions`, patterns.length, MAX_RULES));
  patterns.forEach((pattern, i) => {
    const status = textAt(pattern, "status");
    if (textAt(pattern, "type") === "") {
      errors.push(invalid(`${path}.onPodConditions[${i}].type`, "", "name part must be non-empty"));
    }
    if (!STATUSES.includes(status)) {
      errors.push(notSupported(`${path}.onPodConditions[${i}].status`, status, STATUSES));
    }
  });
  if (isObject(rule.onExitCodes) === patterns.length > 0) {
    errors.push(
      invalidRule(
        path,
        patterns.length > 0
          ? "specifying both OnExitCodes and OnPodConditions is not supported"
          : "specifying one of OnExitCodes and OnPodConditions is required",
      ),
    );
  }
  return errors;
}

function validateExitCodes(codes: JsonObject, path: string, names: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  const operator = textAt(codes, "operator");
  if (operator === "") errors.push(required(`${path}.operator`, validValues(OPERATORS)));
  else if (!OPERATORS.includes(operator)) errors.push(notSupported(`${path}.operator`, operator, OPERATORS));
  const { containerName } = codes;
  if (containerName !== undefined && !names.has(String(containerName))) {
    errors.push(
      invalid(
        `${path}.containerName`,
        containerName,
        "must be one of the container or initContainer names in the pod template",
      ),
    );
  }
  const values = Array.isArray(codes.values) ? codes.values.map(Number) : [];
  if (values.length === 0) {
    errors.push(invalid(`${path}.values`, codes.values ?? null, "at least one value is required"));
  }
  errors.push(...tooMany(`${path}.values`, values.length, MAX_EXIT_CODES));
  values.forEach((value, i) => {
    if (operator === "In" && value === 0) {
      errors.push(invalid(`${path}.values[${i}]`, value, "must not be 0 for the In operator"));
    }
    if (values.indexOf(value) < i) errors.push(duplicate(`${path}.values[${i}]`, value));
  });
  if (values.some((value, i) => i > 0 && values[i - 1]! > value)) {
    errors.push(invalid(`${path}.values`, values, "must be ordered"));
  }
  return errors;
}

/** What is wrong with `successPolicy` of an Indexed Job. */
export function validateSuccessPolicy(spec: JsonObject, path: string): FieldError[] {
  const rules = objectsAt(spec, "successPolicy", "rules");
  const completions = Number(spec.completions ?? 0);
  const errors = tooMany(`${path}.rules`, rules.length, MAX_RULES);
  if (rules.length === 0) {
    errors.push(
      required(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified"),
    );
  }
  rules.forEach((rule, i) => {
    const at = `${path}.rules[${i}]`;
    const count = valueAt(rule, "succeededCount");
    const indexes = valueAt(rule, "succeededIndexes");
    if (count === undefined && indexes === undefined) {
      errors.push(required(at, "at least one of succeededCount or succeededIndexes must be specified"));
    }
    const problem = typeof indexes === "string" ? indexesProblem(indexes, completions) : undefined;
    if (problem !== undefined) {
      errors.push(invalid(`${at}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${problem}`));
    }
    if (typeof count !== "number") return;
    const most = (limit: number, what: string) => {
      if (count <= limit) return;
      errors.push(
        invalid(
          `${at}.succeededCount`,
          count,
          `must be less than or equal to ${limit} (the number of ${what})`,
        ),
      );
    };
    if (count < 0) {
      errors.push(invalid(`${at}.succeededCount`, count, "must be greater than or equal to 0"));
    }
    most(completions, "specified completions");
    if (typeof indexes === "string") {
      const total = countIndexes(parseIndexes(indexes, completions));
      most(total, "indexes in the specified succeededIndexes field");
    }
  });
  return errors;
}

/** Why a text is no list of indexes below a number, as Go says it. */
function indexesProblem(text: string, completions: number): string | undefined {
  let last: number | undefined;
  for (const part of text === "" ? [] : text.split(",")) {
    const [first, end, more] = part.split("-");
    const numbers = [first, end].filter((number) => number !== undefined);
    const bad = numbers.find((number) => !/^\d{1,10}$/.test(number));
    if (more !== undefined) {
      return `the fragment "${part}" violates the requirement that an index interval can have at most two parts separated by '-'`;
    }
    if (bad !== undefined) {
      return `cannot convert string to integer for index: ${JSON.stringify(bad)}`;
    }
    const [from, to] = [Number(first), Number(end ?? first)];
    for (const number of [from, to]) {
      if (number >= completions) return `too large index: ${JSON.stringify(String(number))}`;
    }
    if (from > to) return `non-increasing order, previous: ${from}, current: ${to}`;
    if (last !== undefined && from <= last) {
      return `non-increasing order, previous: ${last}, current: ${from}`;
    }
    last = to;
  }
  return undefined;
}
