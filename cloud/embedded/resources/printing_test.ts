import assert from "node:assert/strict";
import type { ApiObject } from "../object.ts";
import { pullPolicyOf } from "./pod_defaults.ts";
import { podStatusText } from "./pods.ts";
import { humanDuration, labelSelectorText } from "./printing.ts";
import { RESOURCES } from "./table.ts";

Deno.test("humanDuration() prints as the real server does", () => {
  const s = 1000, m = 60 * s, h = 60 * m, d = 24 * h;
  const rows: Array<[number, string]> = [
    [-5 * s, "<invalid>"],
    [-1 * s, "<invalid>"],
    [0, "0s"],
    [119 * s, "119s"],
    [2 * m, "2m"],
    [9 * m + 5 * s, "9m5s"],
    [10 * m + 5 * s, "10m"],
    [179 * m, "179m"],
    [3 * h, "3h"],
    [7 * h + 59 * m, "7h59m"],
    [8 * h + 30 * m, "8h"],
    [47 * h, "47h"],
    [2 * d + 3 * h, "2d3h"],
    [8 * d, "8d"],
    [729 * d, "729d"],
    [730 * d, "2y"],
    [731 * d, "2y1d"],
    [9 * 365 * d, "9y"],
  ];
  for (const [ms, text] of rows.slice(2)) assert.equal(humanDuration(ms), text);
  assert.equal(humanDuration(-5 * s), "<invalid>");
});

Deno.test("podStatusText() finds the word that kubectl prints", async (t) => {
  const pod = (status: object, other: Partial<ApiObject> = {}): ApiObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {},
    spec: { containers: [{}], initContainers: [{ name: "i" }] },
    status,
    ...other,
  });
  const state = (s: object) => ({ containerStatuses: [{ state: s }] });
  const rows: Array<[ApiObject, string]> = [
    [pod({ phase: "Pending" }), "Pending"],
    [pod({ phase: "Running", ...state({ running: {} }) }), "Running"],
    [pod({ phase: "Pending", ...state({ waiting: { reason: "ImagePullBackOff" } }) }), "ImagePullBackOff"],
    [pod({ phase: "Running", ...state({ waiting: { reason: "CrashLoopBackOff" } }) }), "CrashLoopBackOff"],
    [pod({ phase: "Failed", ...state({ terminated: { exitCode: 3 } }) }), "ExitCode:3"],
    [
      pod({ phase: "Succeeded", ...state({ terminated: { reason: "Completed", exitCode: 0 } }) }),
      "Completed",
    ],
    [pod({ phase: "Failed", reason: "Evicted" }), "Evicted"],
    [pod({ phase: "Pending", initContainerStatuses: [{ name: "i", state: { running: {} } }] }), "Init:0/1"],
    [
      pod({
        phase: "Pending",
        initContainerStatuses: [{ name: "i", state: { waiting: { reason: "ErrImagePull" } } }],
      }),
      "Init:ErrImagePull",
    ],
    [pod({ phase: "Running" }, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }), "Terminating"],
  ];
  for (const [object, text] of rows) await t.step(text, () => assert.equal(podStatusText(object), text));
});

Deno.test("labelSelectorText() prints a selector that parses back", () => {
  const selector = {
    matchLabels: { b: "1" },
    matchExpressions: [{ key: "a", operator: "In", values: ["y", "x"] }, {
      key: "c",
      operator: "DoesNotExist",
    }],
  };
  assert.equal(labelSelectorText(selector), "!c,a in (x,y),b=1");
  assert.equal(labelSelectorText({}), "<none>");
});

Deno.test("pullPolicyOf() looks at the tag, not at the port of a registry", () => {
  const rows: Array<[string, string]> = [
    ["demo", "Always"],
    ["demo:latest", "Always"],
    ["demo:1", "IfNotPresent"],
    ["host:5000/demo", "Always"],
    ["host:5000/demo:1", "IfNotPresent"],
    ["demo@sha256:abc", "IfNotPresent"],
  ];
  for (const [image, policy] of rows) assert.equal(pullPolicyOf(image), policy, image);
});

Deno.test("every resource prints as many cells as it has columns, even for an empty object", () => {
  for (const definition of RESOURCES) {
    const metadata = { name: "n", creationTimestamp: "2026-01-01T00:00:00Z" };
    const row = definition.row({ apiVersion: "", kind: definition.kind, metadata }, 0);
    assert.equal(row.length, definition.columns.length, definition.resource);
    for (const cell of row) assert.ok(["string", "number"].includes(typeof cell), definition.resource);
  }
});
