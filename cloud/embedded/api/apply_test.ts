import assert from "node:assert/strict";
import fc from "fast-check";
import { StatusError } from "../../../common/errors/mod.ts";
import { parseApplied } from "./apply.ts";

Deno.test("parseApplied() reads YAML and JSON as the real server does", async (t) => {
  const rows: Array<[string, string, unknown]> = [
    ["JSON", ' {"a": {"b": [1, null]}}', { a: { b: [1, null] } }],
    ["YAML", "a:\n  b: [1, ~]\n", { a: { b: [1, null] } }],
    ["YAML that begins like JSON", "{a: x, b: 'y'}", { a: "x", b: "y" }],
    ["nothing", "", {}],
    ["an empty document", "---\n", {}],
    ["the first of two documents", "a: 1\n---\nb: 2\n", { a: 1 }],
    ["what YAML 1.1 takes for booleans", "a: yes\nb: Off\nc: 'no'\nd: y\ne: yesterday\n", {
      a: true,
      b: false,
      c: "no",
      d: true,
      e: "yesterday",
    }],
    ["octal numbers", "a: 0644\nb: 0o644\nc: 08\nd: '0644'\n", { a: 420, b: 420, c: 8, d: "0644" }],
    ["times and numbers with colons are text", "a: 12:30:00\nb: 2026-01-01\n", {
      a: "12:30:00",
      b: "2026-01-01",
    }],
    ["anchors and merges", "a: &x {k: 1}\nb: {<<: *x, l: 2}\n", { a: { k: 1 }, b: { k: 1, l: 2 } }],
  ];
  for (const [name, text, expected] of rows) {
    await t.step(name, async () => assert.deepEqual(await parseApplied(text, "Strict", []), expected));
  }
});

Deno.test("parseApplied() says which key is twice there", async () => {
  const text = "a: 1\nb:\n  c: 1\n  c: 2\n";
  const problem =
    'error converting YAML to JSON: yaml: unmarshal errors:\n  line 4: key "c" already set in map';
  await assert.rejects(parseApplied(text, "Strict", []), {
    code: 400,
    message: `error strict decoding YAML: ${problem}`,
  });
  for (const validation of ["Warn", "Ignore"] as const) {
    const warnings: string[] = [];
    assert.deepEqual(await parseApplied(text, validation, warnings), { a: 1, b: { c: 2 } });
    assert.deepEqual(warnings, validation === "Warn" ? [problem] : []);
  }
});

Deno.test("parseApplied() refuses what is no object, and what unfolds without bound", async () => {
  const bombs = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let i = 0; i < 8; i++) {
    const [name, before] = [String.fromCharCode(98 + i), String.fromCharCode(97 + i)];
    bombs.push(`${name}: &${name} [${`*${before},`.repeat(9)}]`);
  }
  for (
    const text of [
      "[1]",
      "text",
      "5",
      "a: [",
      "a: b: c",
      "{",
      bombs.join("\n"),
      "[".repeat(500) + "]".repeat(500),
    ]
  ) {
    await assert.rejects(
      parseApplied(text, "Warn", []),
      (error) => error instanceof StatusError && error.code === 400,
      text.slice(0, 50),
    );
  }
  await fc.assert(fc.asyncProperty(fc.string({ unit: "grapheme" }), async (text) => {
    try {
      assert.equal(typeof await parseApplied(text, "Ignore", []), "object");
    } catch (error) {
      assert.ok(error instanceof StatusError && error.code === 400, String(error));
    }
  }));
});
