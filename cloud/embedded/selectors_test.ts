import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../common/errors/mod.ts";
import { parseFieldSelector, parseLabelSelector } from "./selectors.ts";

const LABELS = { app: "web", tier: "front", "example.com/size": "3", empty: "" };

Deno.test("parseLabelSelector() selects as Kubernetes does", async (t) => {
  const rows: Array<[string, boolean]> = [
    ["", true],
    ["app=web", true],
    ["app==web", true],
    ["app = web", true],
    ["app!=web", false],
    ["missing!=x", true],
    ["app in (web,db)", true],
    ["app in (db)", false],
    ["app notin (db), tier", true],
    ["missing notin (a)", true],
    ["missing in (a)", false],
    ["app", true],
    ["!app", false],
    ["!missing", true],
    ["example.com/size=3", true],
    ["example.com/size>2", true],
    ["example.com/size<3", false],
    ["missing>2", false],
    ["empty=", true],
    ["app=", false],
    ["app=web,tier=back", false],
    ["toString", false],
  ];
  for (const [text, expected] of rows) {
    await t.step(text, () => assert.equal(parseLabelSelector(text)(LABELS), expected));
  }
  assert.equal(parseLabelSelector("!x")(undefined), true);
});

Deno.test("parseLabelSelector() refuses what is no selector", () => {
  for (
    const text of [
      "a=b=c",
      "in (a)",
      "a in",
      "a in (",
      "=x",
      "a=b,",
      "a b",
      "-a=b",
      "a=b c",
      "a>x",
      "x".repeat(70_000),
    ]
  ) {
    assert.throws(
      () => parseLabelSelector(text),
      (e) => e instanceof StatusError && e.code === 400,
      text.slice(0, 20),
    );
  }
});

Deno.test("parseLabelSelector() throws nothing but StatusError, in little time", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
    try {
      parseLabelSelector(text);
    } catch (error) {
      assert.ok(error instanceof StatusError);
    }
  }));
});

Deno.test("parseFieldSelector() compares known fields, absent ones as empty", () => {
  const known = new Set(["metadata.name", "spec.nodeName"]);
  const fields = { "metadata.name": "a,b" };
  assert.equal(parseFieldSelector("metadata.name=a\\,b", known)(fields), true);
  assert.equal(parseFieldSelector("metadata.name!=x,spec.nodeName=", known)(fields), true);
  assert.equal(parseFieldSelector("spec.nodeName==x", known)(fields), false);
  assert.throws(() => parseFieldSelector("status.x=1", known), /field label not supported: status.x/);
  assert.throws(() => parseFieldSelector("metadata.name", known), /can't understand/);
});
