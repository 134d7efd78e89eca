import assert from "node:assert/strict";
import { type ApiObject, type JsonObject, objectAt, valueAt } from "../../object.ts";
import { CRON_JOB } from "./cron_job.ts";
import { JOB } from "./job.ts";

const template = (podSpec: object = {}): JsonObject => ({
  spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }], ...podSpec },
});
const around = { now: 0, read: () => undefined, entries: () => [] };

function job(spec: object = {}): ApiObject {
  const made: ApiObject = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "work", namespace: "ns", uid: "u1" },
    spec: { template: template(), ...structuredClone(spec) },
  };
  JOB.applyDefaults?.(made);
  JOB.prepareForCreate?.(made, around);
  return made;
}
const problems = (object: ApiObject) =>
  JOB.validate!(object).map(({ field, message }) => `${field}: ${message}`);

Deno.test("a Job gets a selector of its own, labels and defaults", () => {
  const made = job();
  const labels = {
    "batch.kubernetes.io/controller-uid": "u1",
    "batch.kubernetes.io/job-name": "work",
    "controller-uid": "u1",
    "job-name": "work",
  };
  assert.deepEqual(valueAt(made, "spec", "selector"), {
    matchLabels: { "batch.kubernetes.io/controller-uid": "u1" },
  });
  assert.deepEqual(valueAt(made, "spec", "template", "metadata", "labels"), labels);
  assert.deepEqual(made.metadata.labels, labels);
  const { completions, parallelism, backoffLimit, completionMode, suspend, podReplacementPolicy } = objectAt(
    made,
    "spec",
  );
  assert.deepEqual([completions, parallelism, backoffLimit, completionMode, suspend, podReplacementPolicy], [
    1,
    1,
    6,
    "NonIndexed",
    false,
    "TerminatingOrFailed",
  ]);
  assert.equal(objectAt(job({ parallelism: 3 }), "spec").completions, undefined);
  assert.deepEqual(problems(made), []);
});

Deno.test("a Job is refused in the words of the real server", async (t) => {
  const rows: Array<[name: string, spec: object, expected: string[]]> = [
    ["negative", { parallelism: -1 }, [
      "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
    ]],
    ["restarting always", { template: template({ restartPolicy: "Always" }) }, [
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ]],
    ["an unknown mode", { completionMode: "Foo" }, [
      'spec.completionMode: Unsupported value: "Foo": supported values: "NonIndexed", "Indexed"',
    ]],
    ["a foreign selector", { selector: { matchLabels: { a: "b" } } }, [
      'spec.selector: Invalid value: {"matchLabels":{"a":"b","batch.kubernetes.io/controller-uid":"u1"}}: `selector` not auto-generated',
      'spec.template.metadata.labels: Invalid value: {"batch.kubernetes.io/controller-uid":"u1","batch.kubernetes.io/job-name":"work","controller-uid":"u1","job-name":"work"}: `selector` does not match template `labels`',
    ]],
    ["what is not done here", { completionMode: "Indexed", completions: 2, backoffLimitPerIndex: 1 }, [
      "spec.backoffLimitPerIndex: Forbidden: the embedded control plane counts failures of the Job as a whole; use backoffLimit, or a full Kubernetes control plane",
    ]],
    ["a rule without a condition", {
      podReplacementPolicy: "Failed",
      podFailurePolicy: { rules: [{ action: "FailJob" }] },
    }, [
      "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
    ]],
    ["success of indexes that are not", {
      completionMode: "Indexed",
      completions: 3,
      successPolicy: { rules: [{ succeededIndexes: "0-5" }] },
    }, [
      'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-5": error parsing succeededIndexes: too large index: "5"',
    ]],
  ];
  for (const [name, spec, expected] of rows) {
    await t.step(name, () => assert.deepEqual(problems(job(spec)), expected));
  }
});

Deno.test("a Job's update may change no more than upstream allows", async (t) => {
  const updated = (from: object, to: object, status?: object) => {
    const old = { ...job(from), ...(status && { status }) };
    const now = structuredClone(old);
    Object.assign(objectAt(now, "spec"), to);
    return JOB.validateUpdate!(now, old).map(({ field }) => field);
  };
  const indexed = { completionMode: "Indexed", completions: 2, parallelism: 2 };
  const labelled = { ...template(), metadata: { labels: { ...job().metadata.labels, x: "y" } } };
  const rows: Array<[string, string[], string[]]> = [
    ["parallelism", updated({}, { parallelism: 2 }), []],
    ["completions", updated({}, { completions: 2 }), ["spec.completions"]],
    ["completions with parallelism", updated(indexed, { completions: 3, parallelism: 3 }), []],
    ["completions of indexes alone", updated(indexed, { completions: 3 }), ["spec.completions"]],
    ["template", updated({}, { template: template({ hostNetwork: true }) }), ["spec.template"]],
    ["labels of a running one", updated({}, { template: labelled }), ["spec.template"]],
    ["mode", updated({}, { completionMode: "Indexed" }), ["spec.completionMode"]],
  ];
  for (const [name, found, expected] of rows) await t.step(name, () => assert.deepEqual(found, expected));
});

Deno.test("a CronJob is refused for what its schedule, zone and template have", async (t) => {
  const problemsOf = (spec: object) => {
    const object: ApiObject = {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "tick", namespace: "ns" },
      spec: { schedule: "* * * * *", jobTemplate: { spec: { template: template() } }, ...spec },
    };
    CRON_JOB.applyDefaults?.(object);
    return CRON_JOB.validate!(object).map(({ field, message }) => `${field}: ${message}`);
  };
  const rows: Array<[string, object, string[]]> = [
    ["nothing", {}, []],
    ["no schedule", { schedule: "" }, ["spec.schedule: Required value"]],
    ["a zone in the schedule", { schedule: "TZ=UTC * * * * *" }, [
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ]],
    ["no such zone", { timeZone: "Foo/Bar" }, [
      'spec.timeZone: Invalid value: "Foo/Bar": unknown time zone Foo/Bar',
    ]],
    ["no such policy", { concurrencyPolicy: "X" }, [
      'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"',
    ]],
    ["a selector", { jobTemplate: { spec: { selector: {}, template: template() } } }, [
      "spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated",
    ]],
  ];
  for (const [name, spec, expected] of rows) {
    await t.step(name, () => assert.deepEqual(problemsOf(spec), expected));
  }
});
