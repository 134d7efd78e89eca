import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../common/errors/mod.ts";
import { asTextMap, contentObject, parsePodDeletion, parsePodStatusReport } from "./content.ts";

const UID = "f3c168e4-14e1-4bb6-ad39-c773c06c7064";
const OPTIONS = { gracePeriodSeconds: 0, preconditions: { uid: UID } };

Deno.test("parsePodDeletion() reads every form edges have sent", async (t) => {
  const rows: Array<[string, unknown, unknown]> = [
    ["an object, since v1.13", OPTIONS, { uid: UID, gracePeriodSeconds: 0 }],
    ["base64 of JSON, v1.12", btoa(JSON.stringify(OPTIONS)), { uid: UID, gracePeriodSeconds: 0 }],
    ["JSON text", JSON.stringify(OPTIONS), { uid: UID, gracePeriodSeconds: 0 }],
    ["a bare UID, before v1.12", UID, { uid: UID, gracePeriodSeconds: 0 }],
    ["a UID that is also base64", "f3c168e414e14bb6ad39c773c06c7064", {
      uid: "f3c168e414e14bb6ad39c773c06c7064",
      gracePeriodSeconds: 0,
    }],
    ["nothing", null, { gracePeriodSeconds: 0 }],
    ["no preconditions", { gracePeriodSeconds: 30 }, { gracePeriodSeconds: 30 }],
    ["null preconditions", { preconditions: null }, { gracePeriodSeconds: 0 }],
  ];
  for (const [name, content, expected] of rows) {
    await t.step(name, () => assert.deepEqual(parsePodDeletion(content), expected));
  }
});

Deno.test("parsePodDeletion() refuses what is no deletion", async (t) => {
  const rows: Array<[string, unknown]> = [
    ["a number", 7],
    ["a list", [OPTIONS]],
    ["a path", "../../etc"],
    ["a negative grace period", { gracePeriodSeconds: -1 }],
    ["a grace period as text", { gracePeriodSeconds: "0" }],
    ["a UID that is an object", { preconditions: { uid: { $ne: "" } } }],
    ["a UID with a line break", { preconditions: { uid: "a\nb" } }],
  ];
  for (const [name, content] of rows) {
    await t.step(name, () => assert.throws(() => parsePodDeletion(content), StatusError));
  }
});

Deno.test("parsePodDeletion() never throws anything but a StatusError", () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string(), fc.jsonValue()), (content) => {
    try {
      parsePodDeletion(content);
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
    }
  }));
});

Deno.test("contentObject() finds the same object in each form", () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
  fc.assert(fc.property(object, (value) => {
    const text = JSON.stringify(value);
    const bytes = new TextEncoder().encode(text);
    for (const content of [JSON.parse(text), text, btoa(String.fromCharCode(...bytes))]) {
      assert.equal(JSON.stringify(contentObject(content)), JSON.stringify(JSON.parse(text)));
    }
  }));
});

Deno.test("contentObject() is undefined for what is no object", () => {
  for (const content of [null, 1, true, "text", "[]", btoa("[]"), btoa("text"), ["{}"]]) {
    assert.equal(contentObject(content), undefined, JSON.stringify(content));
  }
});

Deno.test("parsePodStatusReport() reads one entry and many, as objects and as text", () => {
  const entry = { UID, Name: "web", Status: { phase: "Running" } };
  const expected = { uid: UID, name: "web", status: { phase: "Running" } };
  assert.deepEqual(parsePodStatusReport(entry, ""), [expected]);
  assert.deepEqual(parsePodStatusReport(JSON.stringify([entry, { ...entry, Name: "db" }]), ""), [
    expected,
    { ...expected, name: "db" },
  ]);
  assert.deepEqual(parsePodStatusReport({ Status: null }, "web"), [{ uid: "", name: "web", status: {} }]);
  assert.throws(() => parsePodStatusReport({ UID }, ""), StatusError);
  assert.throws(() => parsePodStatusReport(new Array(2001).fill(entry), ""), StatusError);
});

Deno.test("asTextMap() refuses values that are no text", () => {
  assert.deepEqual(asTextMap({ a: "1", b: null }, "labels"), { a: "1", b: null });
  assert.throws(() => asTextMap({ a: 1 }, "labels"), StatusError);
  assert.throws(
    () => asTextMap(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, ""])), "labels"),
    StatusError,
  );
});
