import {
  type ApiObject,
  isObject,
  jsonEqual,
  type JsonObject,
  objectAt,
  textAt,
  valueAt,
} from "../../object.ts";
import { type FieldError, forbidden, invalid, notSupported, required } from "../field_error.ts";
import { nameProblem, validateLabels } from "../metadata.ts";
import { validatePodSpec } from "../pod_validation.ts";
import { selects } from "../selector_match.ts";
import { validateFailurePolicy, validateSuccessPolicy } from "./policy_validation.ts";

/** Upstream: k8s.io/kubernetes pkg/apis/batch/validation/validation.go (maxParallelismForIndexedJob …) @ v1.33 */
const MAX_INDEXED = 100_000;
const MANY_COMPLETIONS = 100_000;
const MANY_LIMIT = 10_000;

const NONNEGATIVE = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
];

/** What is wrong with a Job. Upstream: pkg/apis/batch/validation/validation.go (ValidateJob) @ v1.33 */
export function validateJob(job: ApiObject): FieldError[] {
  const spec = objectAt(job, "spec");
  const errors = [...validateGenerated(job, spec), ...validateJobSpec(spec, "spec")];
  const labels = objectAt(spec, "template", "metadata", "labels");
  if (!isObject(spec.selector)) errors.push(required("spec.selector"));
  if (!selects(objectAt(spec, "selector"), labels) || !isObject(spec.selector)) {
    errors.push(
      invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"),
    );
  }
  const { completions } = spec;
  if (spec.completionMode === "Indexed" && typeof completions === "number" && completions > 0) {
    const hostname = `${job.metadata.name}-${completions - 1}`;
    if (nameProblem(hostname, "label") !== undefined) {
      errors.push(
        invalid(
          "metadata.name",
          job.metadata.name,
          `will not able to create pod with invalid DNS label: ${hostname}`,
        ),
      );
    }
  }
  return errors;
}

function validateGenerated(job: ApiObject, spec: JsonObject): FieldError[] {
  if (spec.manualSelector === true || !isObject(spec.selector)) return [];
  const { uid = "", name = "" } = job.metadata;
  const expected: Record<string, string> = {
    "controller-uid": uid,
    "job-name": name,
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
  };
  const labels = objectAt(spec, "template", "metadata", "labels");
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(expected)) {
    if (labels[key] === value) continue;
    const field = "spec.template.metadata.labels";
    errors.push(
      labels[key] === undefined
        ? required(`${field}[${key}]`, `must be '${value}'`)
        : invalid(`${field}[${key}]`, labels[key], `must be '${value}'`),
    );
  }
  if (!selects(spec.selector, expected)) {
    errors.push(invalid("spec.selector", spec.selector, "`selector` not auto-generated"));
  }
  return errors;
}

/** What is wrong with the spec of a Job, or of the template of one, which has no selector. */
export function validateJobSpec(spec: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of NONNEGATIVE) {
    const value = spec[field];
    if (typeof value === "number" && value < 0) {
      errors.push(invalid(`${path}.${field}`, value, "must be greater than or equal to 0"));
    }
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  errors.push(...validateManagedBy(spec, path), ...validateMode(spec, path));
  if (spec.backoffLimitPerIndex !== undefined) {
    errors.push(
      forbidden(
        `${path}.backoffLimitPerIndex`,
        "the embedded control plane counts failures of the Job as a whole; use backoffLimit, or a full Kubernetes control plane",
      ),
    );
  }
  if (isObject(spec.podFailurePolicy)) {
    errors.push(...validateFailurePolicy(spec, `${path}.podFailurePolicy`));
  }
  if (isObject(spec.successPolicy)) {
    if (spec.completionMode !== "Indexed") {
      errors.push(invalid(`${path}.successPolicy`, spec.successPolicy, "requires indexed completion mode"));
    } else errors.push(...validateSuccessPolicy(spec, `${path}.successPolicy`));
  }
  const replacement = spec.podReplacementPolicy;
  const replacements = isObject(spec.podFailurePolicy) ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  if (replacement !== undefined && !replacements.includes(String(replacement))) {
    errors.push(notSupported(`${path}.podReplacementPolicy`, replacement, replacements));
  }
  errors.push(...validateTemplate(spec, path));
  return errors;
}

function validateManagedBy(spec: JsonObject, path: string): FieldError[] {
  const { managedBy } = spec;
  if (typeof managedBy !== "string") return [];
  const [domain = "", ...rest] = managedBy.split("/");
  if (managedBy === "") return [required(`${path}.managedBy`)];
  if (rest.length === 0 || nameProblem(domain) !== undefined || rest.join("/") === "") {
    return [
      invalid(`${path}.managedBy`, managedBy, 'must be a domain-prefixed path (such as "acme.io/foo")'),
    ];
  }
  return managedBy.length <= 63 ? [] : [{
    reason: "FieldValueTooLong",
    field: `${path}.managedBy`,
    message: "Too long: may not be more than 63 bytes",
  }];
}

function validateMode(spec: JsonObject, path: string): FieldError[] {
  const { completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec;
  const errors: FieldError[] = [];
  const atMost = (field: string, limit: number, why: string) => {
    const value = spec[field];
    if (typeof value === "number" && value > limit) errors.push(invalid(`${path}.${field}`, value, why));
  };
  if (completionMode !== undefined && completionMode !== "NonIndexed" && completionMode !== "Indexed") {
    errors.push(notSupported(`${path}.completionMode`, completionMode, ["NonIndexed", "Indexed"]));
  }
  if (completionMode === "Indexed") {
    if (completions === undefined) {
      errors.push(required(`${path}.completions`, "when completion mode is Indexed"));
    }
    const indexed = `must be less than or equal to ${MAX_INDEXED}`;
    atMost("parallelism", MAX_INDEXED, `${indexed} when completion mode is Indexed`);
    if (typeof completions === "number") {
      atMost("maxFailedIndexes", completions, "must be less than or equal to completions");
    }
    atMost("maxFailedIndexes", MAX_INDEXED, indexed);
    if (
      typeof completions === "number" && completions > MANY_COMPLETIONS && backoffLimitPerIndex !== undefined
    ) {
      if (maxFailedIndexes === undefined) {
        errors.push(
          required(
            `${path}.maxFailedIndexes`,
            `must be specified when completions is above ${MANY_COMPLETIONS}`,
          ),
        );
      }
      const many =
        `must be less than or equal to ${MANY_LIMIT} when completions are above ${MANY_COMPLETIONS} and used with backoff limit per index`;
      if (parallelism !== undefined) atMost("parallelism", MANY_LIMIT, many);
      atMost("maxFailedIndexes", MANY_LIMIT, many);
    }
  }
  if (completionMode === undefined || completionMode === "NonIndexed") {
    for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"]) {
      if (spec[field] !== undefined) {
        errors.push(invalid(`${path}.${field}`, spec[field], "requires indexed completion mode"));
      }
    }
  }
  return errors;
}

function validateTemplate(spec: JsonObject, path: string): FieldError[] {
  const template = objectAt(spec, "template");
  const labels = objectAt(template, "metadata", "labels") as Record<string, string>;
  const podSpec = objectAt(template, "spec");
  const field = `${path}.template.spec.restartPolicy`;
  const policy = textAt(podSpec, "restartPolicy");
  const errors = [
    ...validateLabels(labels, `${path}.template.metadata.labels`),
    ...validatePodSpec({ ...podSpec, restartPolicy: "Never" }, `${path}.template.spec`),
  ];
  if (policy === "Always" || policy === "") {
    errors.push(required(field, 'valid values: "OnFailure", "Never"'));
  } else if (policy !== "OnFailure" && policy !== "Never") {
    errors.push(notSupported(field, policy, ["Always", "OnFailure", "Never"]));
    errors.push(notSupported(field, policy, ["OnFailure", "Never"]));
  } else if (isObject(spec.podFailurePolicy) && policy !== "Never") {
    errors.push(invalid(field, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
  return errors;
}

/** What an update of a Job may not change. Upstream: validation.go (ValidateJobSpecUpdate) @ v1.33 */
export function validateJobUpdate(job: ApiObject, old: ApiObject): FieldError[] {
  const [spec, before] = [objectAt(job, "spec"), objectAt(old, "spec")];
  const errors: FieldError[] = [];
  const fixed = (field: string, now = spec[field], then = before[field]) => {
    if (!jsonEqual(now, then)) errors.push(invalid(`spec.${field}`, now ?? null, "field is immutable"));
  };
  if (!jsonEqual(spec.completions, before.completions)) {
    const elastic = spec.completionMode === "Indexed" && typeof spec.completions === "number";
    if (!elastic) fixed("completions");
    else if (spec.completions !== spec.parallelism) {
      errors.push(
        invalid("spec.completions", spec.completions, "can only be modified in tandem with spec.parallelism"),
      );
    }
  }
  fixed("selector");
  const mutable = before.suspend === true && valueAt(old, "status", "startTime") === undefined;
  fixed("template", withoutDirectives(spec, mutable), withoutDirectives(before, mutable));
  for (
    const field of [
      "completionMode",
      "podFailurePolicy",
      "backoffLimitPerIndex",
      "managedBy",
      "successPolicy",
    ]
  ) {
    fixed(field);
  }
  return errors;
}

/** The template of a Job without what may change while the Job never ran: where its pods may go, and how they are marked. */
function withoutDirectives(spec: JsonObject, mutable: boolean): JsonObject {
  const template = structuredClone(objectAt(spec, "template"));
  if (!mutable) return template;
  const metadata = objectAt(template, "metadata");
  delete metadata.labels;
  delete metadata.annotations;
  const podSpec = objectAt(template, "spec");
  for (const field of ["nodeSelector", "affinity", "tolerations", "schedulingGates"]) delete podSpec[field];
  return template;
}
