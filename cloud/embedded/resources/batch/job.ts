import {
  type ApiObject,
  isObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../../object.ts";
import { AGE, NAME } from "../core.ts";
import type { Cell, ResourceDefinition } from "../definition.ts";
import { defaultPodSpec } from "../pod_defaults.ts";
import { ageOf, humanDuration, labelSelectorText, templateContainers } from "../printing.ts";
import { validateJob, validateJobUpdate } from "./job_validation.ts";

const UID_LABEL = "batch.kubernetes.io/controller-uid";
const NAME_LABEL = "batch.kubernetes.io/job-name";
const LEGACY_UID_LABEL = "controller-uid";
const LEGACY_NAME_LABEL = "job-name";

/** Fills the defaults of a pod template, in a Job or in the template of one. */
export function defaultTemplate(spec: JsonObject): void {
  const template = objectAt(spec, "template");
  spec.template = template;
  const podSpec = objectAt(template, "spec");
  template.spec = podSpec;
  template.metadata = objectAt(template, "metadata");
  defaultPodSpec(podSpec);
}

/** Upstream: k8s.io/kubernetes pkg/apis/batch/v1/defaults.go (SetDefaults_Job) @ v1.33 */
function applyDefaults(job: ApiObject): void {
  const spec = objectAt(job, "spec");
  job.spec = spec;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  const perIndex = spec.backoffLimitPerIndex !== undefined;
  const defaults = {
    parallelism: 1,
    backoffLimit: perIndex ? 2147483647 : 6,
    completionMode: "NonIndexed",
    suspend: false,
    manualSelector: false,
    podReplacementPolicy: spec.podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed",
  };
  for (const [key, value] of Object.entries(defaults)) if (spec[key] === undefined) spec[key] = value;
  for (const rule of objectsAt(spec, "podFailurePolicy", "rules")) {
    for (const pattern of objectsAt(rule, "onPodConditions")) {
      if (textAt(pattern, "status") === "") pattern.status = "True";
    }
  }
  defaultTemplate(spec);
  job.status = objectAt(job, "status");
}

/**
 * Gives a Job the selector by which it alone knows its pods, unless it brings one on purpose.
 * Upstream: k8s.io/kubernetes pkg/registry/batch/job/strategy.go (generateSelector) @ v1.33
 */
function prepareForCreate(job: ApiObject): void {
  const spec = objectAt(job, "spec");
  if (spec.manualSelector !== true && isObject(spec.template)) {
    const { uid = "", name = "" } = job.metadata;
    const metadata = objectAt(spec.template, "metadata");
    const labels = objectAt(metadata, "labels");
    const generated = {
      [UID_LABEL]: uid,
      [NAME_LABEL]: name,
      [LEGACY_UID_LABEL]: uid,
      [LEGACY_NAME_LABEL]: name,
    };
    spec.template.metadata = { ...metadata, labels: { ...generated, ...labels } };
    const selector = objectAt(spec, "selector");
    spec.selector = {
      ...selector,
      matchLabels: { ...objectAt(selector, "matchLabels"), [UID_LABEL]: uid },
    };
  }
  const labels = objectAt(spec, "template", "metadata", "labels") as Record<string, string>;
  if (Object.keys(job.metadata.labels ?? {}).length === 0 && Object.keys(labels).length > 0) {
    job.metadata.labels = { ...labels };
  }
}

function statusText(job: ApiObject): string {
  const holds = (type: string) =>
    objectsAt(job, "status", "conditions").some((c) => c.type === type && c.status === "True");
  if (holds("Complete")) return "Complete";
  if (holds("Failed")) return "Failed";
  if (job.metadata.deletionTimestamp !== undefined) return "Terminating";
  if (holds("Suspended")) return "Suspended";
  if (holds("FailureTarget")) return "FailureTarget";
  return holds("SuccessCriteriaMet") ? "SuccessCriteriaMet" : "Running";
}

/** Upstream: k8s.io/kubernetes pkg/printers/internalversion/printers.go (printJob) @ v1.33 */
function row(job: ApiObject, now: number): Cell[] {
  const succeeded = numberAt(job, "status", "succeeded");
  const completions = valueAt(job, "spec", "completions");
  const parallelism = numberAt(job, "spec", "parallelism");
  const wanted = typeof completions === "number"
    ? String(completions)
    : parallelism > 1
    ? `1 of ${parallelism}`
    : "1";
  const start = Date.parse(textAt(job, "status", "startTime"));
  const end = Date.parse(textAt(job, "status", "completionTime"));
  return [
    job.metadata.name ?? "",
    statusText(job),
    `${succeeded}/${wanted}`,
    Number.isNaN(start) ? "" : humanDuration((Number.isNaN(end) ? now : end) - start),
    ageOf(job, now),
    ...templateContainers(job),
    labelSelectorText(valueAt(job, "spec", "selector")),
  ];
}

/** Jobs. */
export const JOB: ResourceDefinition = {
  group: "batch",
  version: "v1",
  resource: "jobs",
  singular: "job",
  kind: "Job",
  categories: ["all"],
  namespaced: true,
  schema: "batch.v1.Job",
  status: "status",
  generation: true,
  orphansByDefault: {
    warning:
      "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
  },
  selectableFields: ["status.successful"],
  readFields: (job) => ({ "status.successful": String(numberAt(job, "status", "succeeded")) }),
  columns: [
    NAME,
    { name: "Status" },
    { name: "Completions" },
    { name: "Duration" },
    AGE,
    { name: "Containers", wide: true },
    { name: "Images", wide: true },
    { name: "Selector", wide: true },
  ],
  row,
  applyDefaults,
  prepareForCreate,
  validate: validateJob,
  validateUpdate: validateJobUpdate,
};
