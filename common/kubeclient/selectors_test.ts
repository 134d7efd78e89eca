import assert from "node:assert/strict";
import fc from "fast-check";
import {
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  printLabelSelector,
  requirementsOf,
} from "./selectors.ts";

Deno.test("parseLabelSelector() and matchesLabels() select as kubectl -l", async (t) => {
  const labels = { app: "web", tier: "front", empty: "" };
  const rows: Array<[string, boolean]> = [
    ["", true],
    ["app=web", true],
    ["app==web,tier!=back", true],
    ["app=api", false],
    ["app in (api, web)", true],
    ["app notin (api,web)", false],
    ["missing notin (x)", true],
    ["missing!=x", true],
    ["tier", true],
    ["!tier", false],
    ["!missing", true],
    ["empty=", true],
    ["constructor", false],
  ];
  for (const [text, expected] of rows) {
    await t.step(text, () => assert.equal(matchesLabels(parseLabelSelector(text), labels), expected));
  }
});

Deno.test("parseLabelSelector() refuses what is no selector", () => {
  for (const text of ["=", "a=b,", "a in b", "a in (b", "a b", "a=b=c", "(a)"]) {
    assert.throws(() => parseLabelSelector(text), SyntaxError, text);
  }
});

Deno.test("parseLabelSelector() reads what printLabelSelector() wrote", () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9./-]{0,10}$/);
  const value = fc.stringMatching(/^[a-z0-9]{1,6}$/);
  const requirement = fc.oneof(
    fc.record({
      operator: fc.constantFrom("In" as const, "NotIn" as const),
      key,
      values: fc.array(value, { minLength: 1, maxLength: 3 }),
    }, { noNullPrototype: true }),
    fc.record({ operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const), key }, {
      noNullPrototype: true,
    }),
  );
  fc.assert(fc.property(fc.array(requirement, { maxLength: 4 }), (requirements) => {
    assert.deepEqual(parseLabelSelector(printLabelSelector(requirements)), requirements);
  }));
});

Deno.test("parseLabelSelector() answers any text with requirements or a SyntaxError", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    try {
      parseLabelSelector(text);
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});

Deno.test("requirementsOf() tells no selector from an empty one", () => {
  assert.equal(requirementsOf(undefined), undefined);
  assert.deepEqual(requirementsOf({}), []);
  assert.deepEqual(
    requirementsOf({ matchLabels: { a: "b" }, matchExpressions: [{ key: "c", operator: "Exists" }] }),
    [{ operator: "In", key: "a", values: ["b"] }, { operator: "Exists", key: "c" }],
  );
  assert.throws(() => requirementsOf({ matchExpressions: [{ key: "c", operator: "Near" }] }), SyntaxError);
});

Deno.test("matchesFields() reads dotted paths and takes missing fields as empty", () => {
  const pod = { metadata: { name: "a" }, spec: { nodeName: "edge-1" } };
  assert.ok(matchesFields(parseFieldSelector("metadata.name=a,spec.nodeName==edge-1"), pod));
  assert.ok(matchesFields(parseFieldSelector("status.phase="), pod));
  assert.ok(!matchesFields(parseFieldSelector("spec.nodeName!=edge-1"), pod));
  assert.throws(() => parseFieldSelector("spec.nodeName"), SyntaxError);
});
