import assert from "node:assert/strict";
import { parseDocument } from "yaml";
import { readYaml } from "./yaml.ts";
import { checkYaml, repeatedKeys, WITHOUT_COMPARISONS } from "./yaml_bounds.ts";

Deno.test("readYaml() reads maps of many keys, of which each takes as long as the first", async () => {
  const text = Array.from({ length: 60_000 }, (_, i) => `k${i}: a\n`).join("");
  const read = await readYaml(text);
  assert.equal(Object.keys(read?.value as object).length, 60_000);
});

Deno.test("readYaml() tells of keys that are there twice", async () => {
  assert.deepEqual(await readYaml("a: 1\nb:\n  - {c: 1, c: 2}\n"), {
    value: { a: 1, b: [{ c: 2 }] },
    twice: [{ key: "c", line: 3 }],
  });
});

Deno.test("checkYaml() refuses what takes long to read", async (t) => {
  const anchors = (count: number) => Array.from({ length: count }, (_, i) => `- &a${i} x\n`).join("");
  const aliases = (count: number) => `- &a x\n${"- *a\n".repeat(count)}`;
  const rows: Array<[name: string, text: string, reason: string | undefined]> = [
    ["some anchors", anchors(900), undefined],
    ["many anchors", anchors(1001), "BadRequest"],
    ["some aliases", aliases(900), undefined],
    ["many aliases", aliases(1001), "BadRequest"],
    ["many aliases in a flow", `- &a x\n- [${"*a,".repeat(1001)}]`, "BadRequest"],
    ["anchors on one node", "&a ".repeat(1001), "BadRequest"],
    ["bullets and conjunctions in texts", "a: |\n" + "  * one & two, a&b, 2*3\n".repeat(5000), undefined],
    ["a long text", `a: "${"x".repeat(1024 * 1024)}"`, "RequestEntityTooLarge"],
  ];
  for (const [name, text, reason] of rows) {
    await t.step(name, () => {
      if (reason === undefined) checkYaml(text);
      else assert.throws(() => checkYaml(text), { reason });
    });
  }
});

Deno.test("repeatedKeys() finds keys that a map has twice", async (t) => {
  const rows: Array<[text: string, found: string[]]> = [
    ["a: 1\nb: {a: 1}\nc: [{a: 1}, {a: 2}]\n", []],
    ["a: 1\na: 2\nb: {c: 1, d: 1, c: 2}\na: 3\n", ["a: 2", "c: 2", "a: 3"]],
    ["1: x\n'1': y\n", []],
    ["x: &x {a: 1}\ny: {<<: *x, a: 2}\n", []],
  ];
  for (const [text, expected] of rows) {
    await t.step(JSON.stringify(text), async () => {
      const document = parseDocument(text, { ...WITHOUT_COMPARISONS, schema: "core", merge: true });
      const found = (await repeatedKeys(document)).map((at) => text.slice(at, at + 4));
      assert.deepEqual(found, expected);
    });
  }
});
