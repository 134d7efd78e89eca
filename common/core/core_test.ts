import assert from "node:assert/strict";

const PROGRAM = new URL("./testdata/core.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const ARGS = ["run", "--quiet", "--allow-all", "--config", CONFIG, PROGRAM];

function start(...args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...ARGS, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The same with one of its streams going to a file: standard output is 1, standard error 2. */
function withStream(file: string, stream: 1 | 2, ...args: string[]): Deno.ChildProcess {
  return new Deno.Command("sh", {
    args: ["-c", `exec "$@" ${stream}>${file}`, "sh", Deno.execPath(), ...ARGS, ...args],
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
    ["a mistake found while starting", ["--config", "mistaken"], 2, /"Cannot go on" err="wrong field"\n$/],
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

Deno.test("runCore() prints to whoever still reads, and says when it cannot print", async (t) => {
  await t.step("the reader has left", async () => {
    const child = start("--minconfig");
    await child.stdout.cancel();
    const error = await new Response(child.stderr).text();
    assert.deepEqual([(await child.status).code, error], [0, ""]);
  });
  await t.step("the disk is full", async () => {
    const { code, stderr } = await said(withStream("/dev/full", 1, "--minconfig"));
    assert.equal(code, 1);
    assert.match(stderr, /^edgecore: Cannot write to standard output: No space left on device.*\n$/);
  });
});

Deno.test("runCore() works on while its log cannot be written", async () => {
  const child = withStream("/dev/full", 2, "--config", "obeys");
  const out = new Listener(child.stdout);
  await out.until("works");
  child.kill("SIGTERM");
  await out.end();
  assert.equal((await child.status).code, 0);
  await child.stderr.cancel();
});
