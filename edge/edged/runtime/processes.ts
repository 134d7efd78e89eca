import type { Clock } from "../../../common/module/mod.ts";

/** One run of a program, with no shell in between. */
export interface ProcessCall {
  binary: string;
  args: readonly string[];
  /** Added to the environment this process has. */
  env?: Readonly<Record<string, string>>;
  /** Text for its standard input. @default none */
  stdin?: string;
  /** Killed after this many milliseconds; absent: never. */
  timeoutMs?: number;
  /** Kills it. */
  signal?: AbortSignal;
}

/** What a program wrote, in the order it came. */
export interface ProcessChunk {
  from: "stdout" | "stderr";
  bytes: Uint8Array;
}

/** How a program ended. */
export interface ProcessOutcome {
  code: number;
  stdout: string;
  stderr: string;
  /** Both together, in the order they came. */
  output: string;
  /** More was written than was kept. */
  truncated: boolean;
}

/** A program that runs; iterating its chunks to the end resolves `code`. Stopping to iterate kills it. */
export interface ProcessStream {
  chunks: AsyncIterable<ProcessChunk>;
  code: Promise<number>;
}

/** Runs programs. */
export interface Processes {
  /**
   * Runs to the end, keeping at most `limitBytes` of what it wrote.
   * @throws {Deno.errors.NotFound} when there is no such program; {@linkcode ProcessTimeoutError}; the signal's reason
   */
  run(call: ProcessCall & { limitBytes: number }): Promise<ProcessOutcome>;
  /** Starts it. @throws as `run` does */
  stream(call: ProcessCall): ProcessStream;
}

/** A program did not end in its time and was killed. */
export class ProcessTimeoutError extends Error {
  override readonly name = "ProcessTimeoutError";
}

/** Programs of this machine, through `Deno.Command`. */
export function systemProcesses(clock: Clock): Processes {
  const stream = (call: ProcessCall): ProcessStream => {
    const { promise: code, resolve, reject } = Promise.withResolvers<number>();
    // Who only iterates hears of a failure there.
    code.catch(() => undefined);
    return { chunks: runChunks(clock, call, resolve, reject), code };
  };
  const run = async ({ limitBytes, ...call }: ProcessCall & { limitBytes: number }) => {
    const { chunks, code } = stream(call);
    const kept: ProcessChunk[] = [];
    let room = limitBytes;
    let truncated = false;
    for await (const { from, bytes } of chunks) {
      if (bytes.length > room) truncated = true;
      if (room > 0) kept.push({ from, bytes: bytes.subarray(0, room) });
      room -= Math.min(room, bytes.length);
    }
    return {
      code: await code,
      stdout: textOf(kept.filter((c) => c.from === "stdout")),
      stderr: textOf(kept.filter((c) => c.from === "stderr")),
      output: textOf(kept),
      truncated,
    };
  };
  return { run, stream };
}

function textOf(chunks: readonly ProcessChunk[]): string {
  const decoder = new TextDecoder();
  return chunks.map((c) => decoder.decode(c.bytes, { stream: true })).join("") + decoder.decode();
}

async function* runChunks(
  clock: Clock,
  call: ProcessCall,
  resolve: (code: number) => void,
  reject: (error: unknown) => void,
): AsyncGenerator<ProcessChunk> {
  const { signal } = call;
  const done = new AbortController();
  let ended: unknown;
  let child: Deno.ChildProcess | undefined;
  const stop = (reason: unknown) => {
    ended ??= reason;
    kill(child);
  };
  const onAbort = () => stop(signal?.reason);
  try {
    signal?.throwIfAborted();
    child = new Deno.Command(call.binary, {
      args: [...call.args],
      env: { ...call.env },
      stdin: call.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    signal?.addEventListener("abort", onAbort, { once: true });
    const { timeoutMs } = call;
    if (timeoutMs !== undefined) {
      clock.sleep(timeoutMs, { signal: done.signal }).then(
        () =>
          stop(
            new ProcessTimeoutError(`${call.binary} ${call.args[0] ?? ""} took longer than ${timeoutMs} ms`),
          ),
        (reason) => {
          if (!done.signal.aborted) throw reason;
        },
      );
    }
    const fed = call.stdin === undefined ? Promise.resolve() : feed(child.stdin, call.stdin);
    yield* merge(child.stdout, child.stderr);
    await fed;
    const { code } = await child.status;
    if (ended !== undefined) throw ended;
    resolve(code);
  } catch (error) {
    const reason = ended ?? error;
    reject(reason);
    throw reason;
  } finally {
    done.abort();
    signal?.removeEventListener("abort", onAbort);
    // Whoever stopped iterating early no longer wants it.
    kill(child);
    await child?.status;
    resolve(-1);
  }
}

function kill(child: Deno.ChildProcess | undefined): void {
  try {
    child?.kill("SIGKILL");
  } catch (error) {
    // It has ended already: Deno says so in one of these two ways.
    if (!(error instanceof TypeError) && !(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function feed(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    // A program may end without reading all of its input; its exit code tells why.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Both streams as they come, of each stream one chunk at a time. */
async function* merge(
  stdout: ReadableStream<Uint8Array>,
  stderr: ReadableStream<Uint8Array>,
): AsyncGenerator<ProcessChunk> {
  const readers = { stdout: stdout.getReader(), stderr: stderr.getReader() };
  // Not Promise.race: a stream that stays silent would keep every chunk of the other one, 64 KiB each.
  const arrived: Array<{ from: ProcessChunk["from"]; bytes: Uint8Array | undefined } | { error: unknown }> =
    [];
  let wake = () => {};
  const read = (from: ProcessChunk["from"]) =>
    readers[from].read().then(
      ({ value }) => arrived.push({ from, bytes: value }),
      (error) => arrived.push({ error }),
    ).then(() => wake());
  const open = new Set<ProcessChunk["from"]>(["stdout", "stderr"]);
  for (const from of open) read(from);
  try {
    while (open.size > 0) {
      const next = arrived.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => wake = resolve);
        continue;
      }
      if ("error" in next) throw next.error;
      const { from, bytes } = next;
      if (bytes === undefined) open.delete(from);
      else {
        read(from);
        yield { from, bytes };
      }
    }
  } finally {
    await Promise.all([readers.stdout.cancel(), readers.stderr.cancel()]);
  }
}
