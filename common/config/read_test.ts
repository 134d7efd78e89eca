import fc from "fast-check";
import assert from "node:assert/strict";
import { IP_PORT } from "./formats.ts";
import { ConfigError, type ConfigProblem, formatProblem } from "./problem.ts";
import { printConfig } from "./print.ts";
import { type ConfigKind, readConfig, readConfigText } from "./read.ts";
import {
  bool,
  choice,
  defaultOf,
  duration,
  float,
  type Infer,
  int,
  interval,
  list,
  map,
  section,
  text,
} from "./schema.ts";

const SCHEMA = section("", {
  name: text("edge", "name", { min: true }),
  secret: text("", "token", { secret: true }),
  mode: choice(["alpha", "beta"], "alpha", "mode"),
  server: text("", "server", { format: IP_PORT }),
  count: int(3, "count", { minimum: 1, maximum: 9 }),
  share: float(0.5, "share", { maximum: 1 }),
  wait: duration(1500, "wait"),
  every: interval(1000, "every"),
  maybe: text(undefined, "maybe"),
  tags: list(text("", ""), ["x"], "tags"),
  limits: map(int(0, ""), { cpu: 1 }, "limits"),
  only: map(bool(false, ""), undefined, "only", { names: ["first", "second"] }),
  hub: section("hub", {
    enable: bool(true, "on"),
    port: int(80, "port", { maximum: 65535 }),
    deep: section("", { flag: bool(false, "flag") }),
  }),
});
type Sample = Infer<typeof SCHEMA>;

const KIND: ConfigKind<Sample> = {
  schema: SCHEMA,
  rules: ({ hub }, report) => {
    if (hub.port === 13) report("hub.port", "another port", "13");
    if (hub.enable === hub.deep.flag) report("hub", "one of enable and deep.flag", "both or neither");
  },
};

function problemsOf(source: string): readonly ConfigProblem[] {
  try {
    readConfig(KIND, source, "x.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

Deno.test("readConfig() gives the defaults to an empty file", () => {
  for (const empty of ["", "\n", "# nothing\n", "null", "hub:\n", "hub: ~\ncount:\n"]) {
    assert.deepEqual(readConfig(KIND, empty, "x"), { config: defaultOf(SCHEMA), warnings: [], notes: [] });
  }
});

Deno.test("readConfig() takes values in every form upstream's parser takes", async (t) => {
  const rows: Array<[string, Partial<Sample>]> = [
    ["name: 0010", { name: "0010" }],
    ["name: yes", { name: "yes" }],
    ["name: 'a: b'", { name: "a: b" }],
    ["hub: {enable: yes}", { hub: { enable: true, port: 80, deep: { flag: false } } }],
    ["hub: {deep: {flag: off}}", { hub: { enable: true, port: 80, deep: { flag: false } } }],
    ['{"count": 4, "wait": "2m"}', { count: 4, wait: 120_000 }],
    ["count: 4.0", { count: 4 }],
    ["wait: ''", { wait: 1500 }],
    ["mode: ''", { mode: "alpha" }],
    ["tags: []", { tags: [] }],
    ["limits: {mem: 2}", { limits: { cpu: 1, mem: 2 } }],
    ["limits: {cpu: 2}", { limits: { cpu: 2 } }],
    ["name: &n web\nmaybe: *n", { name: "web", maybe: "web" }],
    ["maybe: old\n<<: {maybe: new, count: 5}", { maybe: "old", count: 5 }],
  ];
  for (const [source, expected] of rows) {
    await t.step(source, () => {
      const { config, warnings } = readConfig(KIND, source, "x");
      assert.deepEqual(config, { ...defaultOf(SCHEMA), ...expected });
      assert.deepEqual(warnings, []);
    });
  }
});

Deno.test("readConfig() says where, what was expected and what was found", async (t) => {
  const rows: Array<[string, string]> = [
    ["count: abc", 'x:1:8: count: expected a whole number, found "abc"'],
    ["count: '4'", 'x:1:8: count: expected a whole number, found the text "4"'],
    ["count: 1.5", 'x:1:8: count: expected a whole number, found "1.5"'],
    ["count: 10", "x:1:8: count: expected a whole number from 1 to 9, found 10"],
    ["count: [1]", "x:1:8: count: expected a whole number, found a list"],
    ["count: .nan", 'x:1:8: count: expected a whole number, found ".nan"'],
    ["wait: 10", 'x:1:7: wait: expected a duration such as 10s or 1m30s, found "10"'],
    ["wait: -1s", 'x:1:7: wait: expected a duration such as 10s or 1m30s, not negative, found "-1s"'],
    ["mode: btea", 'x:1:7: mode: expected one of alpha, beta, found "btea" (did you mean "beta"?)'],
    [
      "every: 0s",
      'x:1:8: every: expected a duration such as 10s or 1m30s, from 100ms to 576h0m0s, found "0s"',
    ],
    [
      "every: 577h",
      'x:1:8: every: expected a duration such as 10s or 1m30s, from 100ms to 576h0m0s, found "577h"',
    ],
    ["server: here", 'x:1:9: server: expected IP:port with a port from 1 to 65535, found "here"'],
    ["hub:\n  enable: maybe", 'x:2:11: hub.enable: expected true or false, found "maybe"'],
    ["hub:\n  enable: 'true'", 'x:2:11: hub.enable: expected true or false, found the text "true"'],
    ["hub: 7", 'x:1:6: hub: expected a section of keys, found "7"'],
    ["tags: x", 'x:1:7: tags: expected a list, found "x"'],
    ["tags: [[a]]", "x:1:8: tags[0]: expected a text, found a list"],
    ["limits: [1]", "x:1:9: limits: expected names with values, found a list"],
    [
      "only: {frist: true}",
      'x:1:8: only.frist: expected one of first, second, found "frist" (did you mean "first"?)',
    ],
    [
      "count: 2\nCount: 3",
      'x:2:1: Count: expected each key once, found "count" a second time, spelled "Count"',
    ],
    ['name: "a\\nb"', 'x:1:7: name: expected a text on one line, found "a\\nb"'],
    ["hub: {port: 13}", "x:1:7: hub.port: expected another port, found 13"],
    ["hub:\n  deep: {flag: true}", "x:1:1: hub: expected one of enable and deep.flag, found both or neither"],
    ["[]", "x:1:1: expected a section of keys, found a list"],
    ["a: *gone", 'x:1:4: expected the name of an anchor above, found "*gone"'],
  ];
  for (const [source, expected] of rows) {
    await t.step(JSON.stringify(source), () => {
      assert.deepEqual(problemsOf(source).map((p) => formatProblem("x", p)), [expected]);
    });
  }
});

Deno.test("readConfig() reports everything at once, unknown keys as warnings", () => {
  assert.throws(() => readConfig(KIND, "count: a\nmode: z\nnmae: x\nhub: {port: x}", "x.yaml"), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.problems.map((p) => p.path), ["count", "mode", "hub.port"]);
    assert.deepEqual(error.warnings.map((p) => [p.path, p.suggestion]), [["nmae", "name"]]);
    assert.match(
      error.message,
      /^Cannot use x\.yaml: 3 problems\n {2}x\.yaml:1:8: count: .*\n.*\n.*\n.*\[warning\]$/,
    );
    return true;
  });
});

Deno.test("readConfig() only warns of unknown keys, and knows where a misplaced one belongs", () => {
  const { config, warnings } = readConfig(KIND, "flag: true\nCOUNT: 5\n__proto__: {a: 1}", "x");
  assert.equal(config.count, 5);
  assert.deepEqual(warnings.map((w) => [w.path, w.suggestion]), [
    ["flag", "hub.deep.flag"],
    ["COUNT", undefined],
    ["__proto__", undefined],
  ]);
});

Deno.test("readConfig() forgives values, not types, in a module that is off", () => {
  const { warnings } = readConfig(KIND, "hub: {enable: false, port: 99999, deep: {flag: true}}", "x");
  assert.deepEqual(warnings.map((w) => w.path), ["hub.port"]);
  assert.deepEqual(problemsOf("hub: {enable: false, port: x, deep: {flag: true}}").map((p) => p.path), [
    "hub.port",
  ]);
});

Deno.test("readConfig() never prints a secret", () => {
  const rows = ['secret: "hunter2\\nhunter2"', `secret: "${"hunter2".repeat(9000)}"`, "secret: [hunter2]"];
  for (const source of rows) {
    const problems = problemsOf(source);
    assert.equal(problems.length, 1);
    assert.ok(!formatProblem("x", problems[0]!).includes("hunter2"));
  }
});

Deno.test("readConfig() bounds what a file may be", async (t) => {
  const level = (n: number) => `l${n}: &l${n} [${Array(9).fill(`*l${n - 1}`).join(",")}]`;
  const rows: Array<[string, string, RegExp]> = [
    ["size", `name: ${"x".repeat(1 << 20)}`, /at most 1048576 bytes/],
    [
      "aliases that multiply",
      `l0: &l0 [x,x,x]\n${[1, 2, 3, 4, 5, 6].map(level).join("\n")}`,
      /at most 100 aliases/,
    ],
    ["an alias of itself", "a: &a [*a]", /at most (40 levels|100 aliases)/],
    ["values", `tags: [${"a,".repeat(30_000)}]`, /at most 20000 values/],
    ["brackets", "[".repeat(900_000), /at most 40 levels/],
    ["brackets that end", "[".repeat(60) + "]".repeat(60), /at most 40 levels/],
    ["dashes", "- ".repeat(50_000), /at most 40 levels/],
    ["indentation", Array.from({ length: 1400 }, (_, i) => " ".repeat(i) + "a:").join("\n"), /expected/],
    ["two documents", "a: 1\n---\nb: 1", /:2:1: expected one document, found a second one$/],
    ["tags", "name: !!js/function x", /Unresolved tag/],
    ["the same key", "count: 2\ncount: 3", /keys must be unique/],
    ["a key that is a list", "? [x]\n: 1", /a key that is a text/],
  ];
  for (const [name, source, expected] of rows) {
    await t.step(name, () => {
      const problems = problemsOf(source);
      assert.ok(problems.length >= 1 && problems.length <= 5, String(problems.length));
      assert.match(formatProblem("x", problems[0]!), expected);
    });
  }
});

Deno.test("readConfig() survives any text", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 200 }), (source) => {
    problemsOf(source);
  }));
  const pieces = fc.constantFrom(
    "count",
    "hub",
    ": ",
    ":",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<",
    "'",
    "1",
    "!x ",
    "|",
  );
  fc.assert(fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
    problemsOf(parts.join(""));
  }));
});

Deno.test("printConfig() prints what readConfig() reads back unchanged", () => {
  const word = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 30 }).filter((s) => !/\p{Cc}/u.test(s)),
    fc.constantFrom(
      "yes",
      "null",
      "~",
      "0x10",
      "1:30",
      "#",
      "a #b",
      " lead",
      "- x",
      "*a",
      "on",
      "",
      "1e3",
      "<<",
      "\u00a0",
      "\u2003x\u2003",
      "\ufeff",
      "\u2028",
    ),
  );
  const sample = fc.record({
    name: word,
    maybe: word,
    count: fc.integer({ min: 1, max: 9 }),
    wait: fc.integer({ min: 0, max: 1e9 }),
    tags: fc.array(word, { maxLength: 4 }),
    limits: fc.dictionary(word, fc.integer({ min: 0, max: 5 }), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  });
  fc.assert(fc.property(sample, (given) => {
    const value: Sample = { ...defaultOf(SCHEMA), ...given, limits: { cpu: 1, ...given.limits } };
    const printed = printConfig(SCHEMA, value, "default");
    assert.deepEqual(readConfig(KIND, printed, "x"), { config: value, warnings: [], notes: [] });
  }));
});

Deno.test("printConfig() comments every key, and comments out what has no value", () => {
  const printed = printConfig(SCHEMA, defaultOf(SCHEMA), "default");
  assert.match(printed, /^count: 3 # count$/m);
  assert.match(printed, /^wait: 1\.5s # wait$/m);
  assert.match(printed, /^# maybe: <text> # maybe$/m);
  assert.equal(printConfig(SCHEMA, defaultOf(SCHEMA), "min"), "name: edge # name\n");
});

Deno.test("readConfigText() names what to do when there is no usable file", async (t) => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/binary.yaml`, Uint8Array.of(0xff, 0xfe));
    await Deno.writeFile(`${folder}/large.yaml`, new Uint8Array((1 << 20) + 1));
    await Deno.writeTextFile(`${folder}/good.yaml`, "a: 1\n");
    const rows: Array<[string, RegExp]> = [
      [
        `${folder}/none.yaml`,
        /none\.yaml: expected a configuration file \(make one with: edgecore --minconfig > .*no such file/,
      ],
      [folder, /not a regular file/],
      [`${folder}/binary.yaml`, /expected UTF-8 text/],
      [`${folder}/large.yaml`, /at most 1048576 bytes, found 1048577 bytes/],
    ];
    for (const [path, expected] of rows) {
      await t.step(path.slice(folder.length), async () => {
        await assert.rejects(readConfigText(path, "edgecore"), { name: "ConfigError", message: expected });
      });
    }
    assert.equal(await readConfigText(`${folder}/good.yaml`, "edgecore"), "a: 1\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name:
    "readConfig() and printConfig() need nothing of the machine but the names yaml looks up for its own debugging",
  permissions: {
    env: ["LOG_TOKENS", "LOG_STREAM"],
    read: false,
    net: false,
    sys: false,
    run: false,
    write: false,
  },
  fn() {
    const printed = printConfig(SCHEMA, defaultOf(SCHEMA), "default");
    assert.deepEqual(readConfig(KIND, printed, "x").config, defaultOf(SCHEMA));
    assert.equal(problemsOf("a: [\nb: 'c").length > 0, true);
  },
});
