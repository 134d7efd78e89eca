import assert from "node:assert/strict";
import fc from "fast-check";
import { pod } from "./_harness.ts";
import { compareObjects, deletes, identityOf, type ObjectIdentity, podChanged } from "./object_meta.ts";

const stored: ObjectIdentity = {
  name: "web",
  namespace: "default",
  uid: "u1",
  resourceVersion: "100",
  creationTimestamp: "2026-01-01T00:00:00Z",
};

Deno.test("compareObjects() decides by version, and by creation for another object of the name", async (t) => {
  const rows: Array<[string, Partial<ObjectIdentity>, string]> = [
    ["higher version", { resourceVersion: "101" }, "newer"],
    ["more digits, not more text", { resourceVersion: "1000" }, "newer"],
    ["beyond 2^53", { resourceVersion: "9007199254740993" }, "newer"],
    ["same version", {}, "same"],
    ["lower version", { resourceVersion: "99" }, "older"],
    ["lower number, higher text", { resourceVersion: "9" }, "older"],
    ["no version", { resourceVersion: "" }, "newer"],
    ["no number", { resourceVersion: "abc" }, "newer"],
    ["made again later in a restored cluster", {
      uid: "u2",
      resourceVersion: "5",
      creationTimestamp: "2026-01-02T00:00:00Z",
    }, "newer"],
    ["an earlier object of the name", {
      uid: "u0",
      resourceVersion: "50",
      creationTimestamp: "2025-01-01T00:00:00Z",
    }, "older"],
  ];
  for (const [name, change, expected] of rows) {
    await t.step(name, () => assert.equal(compareObjects(stored, { ...stored, ...change }), expected));
  }
  await t.step("nothing stored", () => assert.equal(compareObjects(undefined, stored), "newer"));
});

Deno.test("deletes() spares another object of the name", () => {
  assert.equal(deletes(stored, "u1"), true);
  assert.equal(deletes(stored, ""), true);
  assert.equal(deletes({ ...stored, uid: "" }, "u1"), true);
  assert.equal(deletes(stored, "u0"), false);
  assert.equal(deletes(undefined, "u1"), false);
});

Deno.test("podChanged() looks past status and bookkeeping", () => {
  const before = pod("web", "u1", "1");
  assert.equal(podChanged(before, { ...before, status: { phase: "Running" } }), false);
  assert.equal(podChanged(before, pod("web", "u1", "2")), false);
  const metadata = { ...before.metadata, deletionTimestamp: "2026-01-01T00:00:01Z" };
  assert.equal(podChanged(before, { ...before, metadata }), true);
  assert.equal(podChanged(before, { ...before, spec: { nodeName: "edge-1", containers: [] } }), true);
});

Deno.test("identityOf() takes anything and gives strings or nothing", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const identity = identityOf({ metadata: value });
    if (identity !== undefined) {
      for (const text of Object.values(identity)) assert.equal(typeof text, "string");
    }
    identityOf(value);
  }));
});
