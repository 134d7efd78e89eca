import assert from "node:assert/strict";

const PROGRAM = new URL("./testdata/core.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", "--config", CONFIG, PROGRAM, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** What a process says, to be waited for. */
class Listener {
  #said = "";
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  async until(text: string): Promise<void> {
    while (!this.#said.includes(text)) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`It ended without saying ${text}: ${this.#said}`);
      this.#said += value;
    }
  }

  async end(): Promise<void> {
    while (!(await this.#reader.read()).done);
  }
}

async function said(child: Deno.ChildProcess): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test("runCore() ends with 0 when a signal tells it to", async () => {
  const child = start("--config", "obeys");
  const log = new Listener(child.stderr);
  await log.until("Running");
  child.kill("SIGTERM");
  await log.end();
  assert.equal((await child.status).code, 0);
  await child.stdout.cancel();
});

Deno.test("runCore() ends at once at the second signal, whatever still runs", async () => {
  const child = start("--config", "stubborn");
  const log = new Listener(child.stderr);
  await log.until("Running");
  child.kill("SIGTERM");
  await log.until("Stopping");
  child.kill("SIGTERM");
  await log.end();
  assert.equal((await child.status).code, 130);
  await child.stdout.cancel();
});

Deno.test("runCore() gives each outcome its exit code, and says why in one message", async (t) => {
  const rows: Array<[string, string[], number, RegExp]> = [
    ["a failure", ["--config", "fails"], 1, /"Cannot go on" err="something broke"/],
    [
      "a configuration with problems",
      ["--config", "bad"],
      2,
      /^edgecore: Cannot use bad: 1 problem\n {2}bad: a: expected b, found c\n$/,
    ],
    ["an unknown flag", ["--nonsense"], 2, /--nonsense/],
  ];
  for (const [name, args, code, pattern] of rows) {
    await t.step(name, async () => {
      const result = await said(start(...args));
      assert.equal(result.code, code);
      assert.match(result.stderr, pattern);
    });
  }
  await t.step("the configuration is printed", async () => {
    assert.deepEqual(await said(start("--minconfig")), { code: 0, stdout: "# min\n", stderr: "" });
  });
});
