import { parseSchedule } from "../../cron/schedule.ts";
import { zoneClock } from "../../cron/time_zone.ts";
import { type ApiObject, isObject, type JsonObject, objectAt, textAt, valueAt } from "../../object.ts";
import { AGE, NAME } from "../core.ts";
import type { ResourceDefinition } from "../definition.ts";
import { type FieldError, invalid, notSupported, required } from "../field_error.ts";
import { ageOf, labelSelectorText, since } from "../printing.ts";
import { defaultTemplate } from "./job.ts";
import { validateJobSpec } from "./job_validation.ts";

const POLICIES = ["Allow", "Forbid", "Replace"];
/** Names of Jobs get the minute as a suffix. Upstream: pkg/apis/batch/validation/validation.go (ValidateCronJobCreate) @ v1.33 */
const MAX_NAME = 52;

/** Upstream: k8s.io/kubernetes pkg/apis/batch/v1/defaults.go (SetDefaults_CronJob) @ v1.33 */
function applyDefaults(object: ApiObject): void {
  const spec = objectAt(object, "spec");
  object.spec = spec;
  const defaults = {
    concurrencyPolicy: "Allow",
    suspend: false,
    successfulJobsHistoryLimit: 3,
    failedJobsHistoryLimit: 1,
  };
  for (const [key, value] of Object.entries(defaults)) {
    if (spec[key] === undefined || spec[key] === "") spec[key] = value;
  }
  if (isObject(spec.jobTemplate)) {
    spec.jobTemplate.metadata = objectAt(spec.jobTemplate, "metadata");
    defaultTemplate(objectAt(spec.jobTemplate, "spec"));
  }
  object.status = objectAt(object, "status");
}

function validateSchedule(spec: JsonObject): FieldError[] {
  const schedule = textAt(spec, "schedule");
  if (schedule === "") return [required("spec.schedule")];
  if (/TZ/.test(schedule)) {
    return [
      invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
    ];
  }
  try {
    parseSchedule(schedule);
    return [];
  } catch (error) {
    if (error instanceof SyntaxError) return [invalid("spec.schedule", schedule, error.message)];
    throw error;
  }
}

function validateTimeZone(zone: unknown): FieldError[] {
  if (typeof zone !== "string") return [];
  if (zone === "") return [invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")];
  if (zone.toLowerCase() === "local") {
    return [
      invalid(
        "spec.timeZone",
        zone,
        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
      ),
    ];
  }
  try {
    zoneClock(zone);
    return [];
  } catch (error) {
    if (error instanceof RangeError) return [invalid("spec.timeZone", zone, error.message)];
    throw error;
  }
}

/** Upstream: k8s.io/kubernetes pkg/apis/batch/validation/validation.go (validateCronJobSpec) @ v1.33 */
function validate(object: ApiObject): FieldError[] {
  const spec = objectAt(object, "spec");
  const errors = validateSchedule(spec);
  const nonnegative = (field: string) => {
    const value = spec[field];
    if (typeof value === "number" && value < 0) {
      errors.push(invalid(`spec.${field}`, value, "must be greater than or equal to 0"));
    }
  };
  nonnegative("startingDeadlineSeconds");
  errors.push(...validateTimeZone(spec.timeZone));
  if (!POLICIES.includes(textAt(spec, "concurrencyPolicy"))) {
    errors.push(notSupported("spec.concurrencyPolicy", spec.concurrencyPolicy, POLICIES));
  }
  const template = objectAt(spec, "jobTemplate", "spec");
  errors.push(...validateJobSpec(template, "spec.jobTemplate.spec"));
  if (isObject(template.selector)) {
    errors.push(
      invalid("spec.jobTemplate.spec.selector", template.selector, "`selector` will be auto-generated"),
    );
  }
  if (template.manualSelector === true) {
    errors.push(notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]));
  }
  nonnegative("successfulJobsHistoryLimit");
  nonnegative("failedJobsHistoryLimit");
  const name = object.metadata.name ?? "";
  if (object.metadata.resourceVersion === undefined && name.length > MAX_NAME) {
    errors.push(invalid("metadata.name", name, `must be no more than ${MAX_NAME} characters`));
  }
  return errors;
}

/** CronJobs. */
export const CRON_JOB: ResourceDefinition = {
  group: "batch",
  version: "v1",
  resource: "cronjobs",
  singular: "cronjob",
  kind: "CronJob",
  shortNames: ["cj"],
  categories: ["all"],
  namespaced: true,
  schema: "batch.v1.CronJob",
  status: "status",
  generation: true,
  columns: [
    NAME,
    { name: "Schedule" },
    { name: "TimeZone" },
    { name: "Suspend", type: "boolean" },
    { name: "Active", type: "integer" },
    { name: "Last Schedule" },
    AGE,
    { name: "Containers", wide: true },
    { name: "Images", wide: true },
    { name: "Selector", wide: true },
  ],
  // Upstream: k8s.io/kubernetes pkg/printers/internalversion/printers.go (printCronJob) @ v1.33
  row: (o, now) => {
    const template = objectAt(o, "spec", "jobTemplate", "spec");
    const containers = valueAt(template, "template", "spec", "containers");
    const list = Array.isArray(containers) ? containers : [];
    const active = valueAt(o, "status", "active");
    const last = textAt(o, "status", "lastScheduleTime");
    return [
      o.metadata.name ?? "",
      textAt(o, "spec", "schedule"),
      textAt(o, "spec", "timeZone") || "<none>",
      valueAt(o, "spec", "suspend") === true ? "True" : "False",
      Array.isArray(active) ? active.length : 0,
      last === "" ? "<none>" : since(last, now),
      ageOf(o, now),
      list.map((container) => textAt(container, "name")).join(","),
      list.map((container) => textAt(container, "image")).join(","),
      labelSelectorText(template.selector),
    ];
  },
  applyDefaults,
  validate,
};
