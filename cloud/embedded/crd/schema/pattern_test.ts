import assert from "node:assert/strict";
import fc from "fast-check";
import { compilePattern } from "./pattern.ts";
import { PatternError } from "./pattern_syntax.ts";

Deno.test("compilePattern() finds what Go's expressions find", async (t) => {
  const rows: Array<[pattern: string, found: string[], not: string[]]> = [
    ["abc", ["abc", "xabcx"], ["ab", ""]],
    ["^a.c$", ["abc", "a💡c"], ["a\nc", "abcd", "xabc"]],
    ["^(a|b|)c+$", ["c", "acc", "bc"], ["a", "abc"]],
    ["^a{2,3}$", ["aa", "aaa"], ["a", "aaaa"]],
    ["^a{2}$", ["aa"], ["a", "aaa"]],
    ["^a{2,}b??$", ["aa", "aaaab"], ["ab"]],
    ["^a{,2}$", ["a{,2}"], ["a", "aa"]],
    ["^[a-c\\d_-]+$", ["a1_-"], ["d", ""]],
    ["^[^a-c]$", ["d", "\n"], ["a"]],
    ["^[]a]$", ["]", "a"], ["b"]],
    ["^[[:alpha:]]+[[:^digit:]]$", ["ab", "a!"], ["a1"]],
    ["^\\pL\\p{Greek}\\P{Lu}$", ["äαb"], ["1αb", "äab", "äαB"]],
    ["^[\\p{L}\\PN]$", ["a", "!"], ["1"]],
    ["(?i)^straße[a-c]$", ["STRAßEB"], ["strasseb"]],
    ["^(?i:a)b$", ["Ab"], ["AB"]],
    ["(?s)^a.b$", ["a\nb"], []],
    ["(?m)^b$", ["a\nb\nc"], ["ab"]],
    ["(?P<n>a)(?<m>b)", ["ab"], ["ba"]],
    ["\\bfoo\\b", ["a foo b", "foo"], ["food"]],
    ["o\\Bo", ["foo"], ["o o"]],
    ["\\Aa\\z", ["a"], ["a\n"]],
    ["^\\Qa.b\\E$", ["a.b"], ["axb"]],
    ["^\\x41\\x{1F4A1}\\012\\.$", ["A💡\n."], ["A"]],
    ["^\\W\\S\\D$", ["!aa"], ["aaa"]],
    ["", ["", "a"], []],
  ];
  for (const [pattern, found, not] of rows) {
    await t.step(pattern, () => {
      const compiled = compilePattern(pattern);
      for (const text of found) assert.equal(compiled.found(text), true, text);
      for (const text of not) assert.equal(compiled.found(text), false, text);
    });
  }
});

Deno.test("compilePattern() says what is wrong as Go does", async (t) => {
  const rows: Array<[pattern: string, message: string]> = [
    ["a(", "error parsing regexp: missing closing ): `a(`"],
    ["a)", "error parsing regexp: unexpected ): `a)`"],
    ["[a", "error parsing regexp: missing closing ]: `[a`"],
    ["[z-a]", "error parsing regexp: invalid character class range: `z-a`"],
    ["*a", "error parsing regexp: missing argument to repetition operator: `*`"],
    ["a**", "error parsing regexp: invalid nested repetition operator: `**`"],
    ["a{1001}", "error parsing regexp: invalid repeat count: `{1001}`"],
    ["a{2,1}", "error parsing regexp: invalid repeat count: `{2,1}`"],
    ["\\y", "error parsing regexp: invalid escape sequence: `\\y`"],
    ["(a)\\1", "error parsing regexp: invalid escape sequence: `\\1`"],
    ["a\\", "error parsing regexp: trailing backslash at end of expression: ``"],
    ["(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"],
    ["(?<!a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?<`"],
    ["\\p{Nope}", "error parsing regexp: invalid character class range: `\\p{Nope}`"],
  ];
  for (const [pattern, message] of rows) {
    await t.step(
      pattern,
      () => assert.throws(() => compilePattern(pattern), { name: "PatternError", message }),
    );
  }
});

Deno.test("compilePattern() takes a time that grows with the text only, and refuses what is too large", () => {
  const hostile = compilePattern("^(a+)+(a|aa)*$");
  assert.equal(hostile.found(`${"a".repeat(20_000)}!`), false);
  assert.throws(() => compilePattern("((((a{100}){100}){100}){100})"), PatternError);
  assert.throws(() => compilePattern("(".repeat(200) + "a" + ")".repeat(200)), PatternError);
  const work = { left: 3000 };
  assert.equal(compilePattern("^[ab]*$").found("b".repeat(300), work), true);
  assert(work.left > 0 && work.left < 3000);
  assert.equal(compilePattern("^[ab]*$").found("b".repeat(300), work), undefined);
});

Deno.test("compilePattern() agrees with the runtime's own expressions on what both know", () => {
  const atom = fc.constantFrom(
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    "\\d",
    "(a|b)",
    "(?:ab)",
    "a?",
    "b*",
    "(ab)+",
    "a{1,2}",
  );
  fc.assert(
    fc.property(
      fc.array(atom, { maxLength: 6 }),
      fc.string({ unit: fc.constantFrom("a", "b", "1", "c"), maxLength: 8 }),
      fc.boolean(),
      (atoms, text, whole) => {
        const pattern = whole ? `^${atoms.join("")}$` : atoms.join("");
        assert.equal(compilePattern(pattern).found(text), new RegExp(pattern, "u").test(text), pattern);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("compilePattern() ends with a result or an error, whatever it is given", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(..."ab()[]{}*+?|^$\\.,-:<>=!1pPQE"), maxLength: 20 }),
      (pattern) => {
        try {
          compilePattern(pattern).found("ab1");
        } catch (error) {
          assert(error instanceof PatternError, `${pattern}: ${error}`);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
