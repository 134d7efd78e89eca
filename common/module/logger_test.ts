import assert from "node:assert/strict";
import { createLogger } from "./mod.ts";

function capture(options: { level?: "debug" | "info"; format?: "text" | "json" } = {}) {
  const lines: string[] = [];
  const log = createLogger("edgehub", {
    ...options,
    write: (line) => lines.push(line),
    now: () => Date.UTC(2026, 10, 20, 9, 8, 7, 65),
  });
  return { log, lines };
}

Deno.test("createLogger() writes text like klog's", () => {
  const { log, lines } = capture();
  log.info("Connected", { node: "edge-1", attempt: 2, skipped: undefined });
  assert.match(lines[0]!, /^I1120 \d\d:08:07\.065000 +\d+ edgehub\] "Connected" node="edge-1" attempt=2\n$/);
});

Deno.test("createLogger() leaves out what is below its level", () => {
  const { log, lines } = capture();
  log.debug("quiet");
  assert.deepEqual(lines, []);
  const loud = capture({ level: "debug" });
  loud.log.debug("loud");
  assert.equal(loud.lines.length, 1);
});

Deno.test("createLogger() writes JSON with fields of the child", () => {
  const { log, lines } = capture({ format: "json" });
  log.child("join", { node: "n" }).error("Cannot join", new Error("no", { cause: new Error("why") }));
  const record = JSON.parse(lines[0]!);
  assert.deepEqual({ ...record, ts: "" }, {
    ts: "",
    level: "error",
    logger: "join",
    msg: "Cannot join",
    node: "n",
    err: "no: why",
  });
});

Deno.test("createLogger() prints nothing that a terminal obeys, and nothing unseen", () => {
  const value = "a\u001b[31m\n\u009b31m\u202eb\u2028\u200b\u007f";
  const seen = String.raw`a\u001b[31m\n\u009b31m\u202eb\u2028\u200b\u007f`;
  for (const format of ["text", "json"] as const) {
    const { log, lines } = capture({ format });
    log.warning(value, { value });
    assert.equal(lines[0]!.split(`"${seen}"`).length, 3, lines[0] ?? "");
    assert.match(lines[0]!, /^[\x20-\x7e]+\n$/);
    if (format === "json") assert.equal(JSON.parse(lines[0]!).value, value);
  }
});

Deno.test("createLogger() cuts what is long before it looks for secrets", () => {
  const { log, lines } = capture();
  log.info("long", { value: "-eyJ".repeat(1_000_000) });
  assert.ok(lines[0]!.length < 4300);
});

Deno.test("createLogger() never prints a secret", async (t) => {
  const jwt = `eyJhbGciOiJIUzI1NiJ9.${"eyJleHAiOjE3MDAwMDAwMDB9"}.c2lnbmF0dXJl`;
  const rows: Array<[string, Record<string, unknown>, string]> = [
    ["a field called token", { token: "hunter2" }, "hunter2"],
    ["a field called dbPassword", { dbPassword: "hunter2" }, "hunter2"],
    ["a token in a text", { url: `https://x/?t=${jwt}` }, jwt],
    [
      "a private key in a text",
      { pem: "-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----" },
      "MHcC",
    ],
    ["a bearer header", { header: "Authorization: Bearer abc.def" }, "abc.def"],
    ["a token deep in an object", { config: { hub: { token: "hunter2" } } }, "hunter2"],
    ["an error that quotes one", { cause: new Error(`bad ${jwt}`) }, jwt],
  ];
  for (const format of ["text", "json"] as const) {
    for (const [name, fields, secret] of rows) {
      await t.step(`${name} (${format})`, () => {
        const { log, lines } = capture({ format });
        log.error("Failed", new Error("x"), fields);
        assert.ok(!lines[0]!.includes(secret), lines[0]!);
        assert.ok(lines[0]!.includes("REDACTED"), lines[0]!);
      });
    }
  }
});

Deno.test("createLogger() tells how many lines could not be written, once they can be again", () => {
  const lines: string[] = [];
  let isFull = false;
  const log = createLogger("edgehub", { write: (line) => isFull ? false : void lines.push(line) });
  log.info("First");
  isFull = true;
  log.info("Second");
  log.child("link").info("Third");
  isFull = false;
  log.info("Fourth");
  log.info("Fifth");
  const said = lines.map((line) => line.replace(/^.*?\] /, "").trimEnd());
  assert.deepEqual(said, ['"First"', '"Could not write log lines" lost=2', '"Fourth"', '"Fifth"']);
});
