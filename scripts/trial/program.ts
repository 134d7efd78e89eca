/** Starting, watching and ending the executables, as quickstart and the end-to-end tests do. */

/** How a program ended. */
export interface Ended {
  code: number;
  signal: Deno.Signal | null;
}

export interface StartOptions {
  /** File that takes standard output and error; appended to. */
  logFile: string;
  env?: Record<string, string>;
}

/** A program that runs until it is stopped; disposing stops it. */
export class Program implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the program has ended. */
  readonly ended: Promise<Ended>;
  #running = true;
  #child: Deno.ChildProcess;

  private constructor(name: string, child: Deno.ChildProcess, logFile: string) {
    this.name = name;
    this.#child = child;
    this.pid = child.pid;
    this.logFile = logFile;
    const copied = Promise.all([append(child.stdout, logFile), append(child.stderr, logFile)]);
    this.ended = child.status.then(async ({ code, signal }) => {
      this.#running = false;
      await copied;
      return { code, signal };
    });
  }

  /** Starts an executable. */
  static start(name: string, path: string, args: string[], { logFile, env = {} }: StartOptions): Program {
    const child = new Deno.Command(path, { args, env, stdin: "null", stdout: "piped", stderr: "piped" })
      .spawn();
    return new Program(name, child, logFile);
  }

  get running(): boolean {
    return this.#running;
  }

  /** Sends a signal; nothing when it has ended. */
  signal(signal: Deno.Signal): void {
    if (this.#running) this.#child.kill(signal);
  }

  /** Asks it to end; after `patienceMs` kills it. Resolves to how it ended. */
  async stop(patienceMs = 10_000): Promise<Ended> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), patienceMs);
    try {
      return await this.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<Ended> {
    this.signal("SIGKILL");
    return await this.ended;
  }

  /** All it wrote; nothing yet right after its start. */
  async log(): Promise<string> {
    try {
      return await Deno.readTextFile(this.logFile);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return "";
    }
  }

  /** The last lines it wrote. */
  async tail(lines = 30): Promise<string> {
    return (await this.log()).split("\n").slice(-lines - 1).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function append(from: ReadableStream<Uint8Array>, path: string): Promise<void> {
  using file = await Deno.open(path, { append: true, create: true });
  for await (const chunk of from) {
    for (let done = 0; done < chunk.length;) done += await file.write(chunk.subarray(done));
  }
}

/** Runs a program to its end. */
export async function runToEnd(
  path: string,
  args: string[],
  options: { env?: Record<string, string>; stdin?: string; cwd?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { env = {}, stdin, cwd } = options;
  const child = new Deno.Command(path, {
    args,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** What {@linkcode until} was told to wait for did not happen in time. */
export class WaitTimeoutError extends Error {
  override readonly name = "WaitTimeoutError";
}

/**
 * Waits until `look` gives something, asking again every `everyMs`.
 * @throws {WaitTimeoutError} with the last thing that went wrong as its cause
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  { timeoutMs = 30_000, everyMs = 100 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (Date.now() >= end) {
      throw new WaitTimeoutError(`Waited ${timeoutMs / 1000} s in vain: ${what}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Ports that Linux gives to nobody by itself: its own begin at 32768, and may be taken by any connection. */
const FREE_PORTS = { from: 20_000, count: 12_000 };

/** Files named after the ports that were given out, each with the process that has it. */
const PORTS_DIRECTORY = `/tmp/kubeedge-ports-${Deno.uid()}`;
const given = new Set<string>();

/**
 * A TCP port of the loopback interface that nobody uses now. Until this process ends it is given to no other, also while the
 * program it is for is stopped.
 */
export function freePort(): number {
  for (let attempt = 1;; attempt++) {
    const port = FREE_PORTS.from + Math.floor(Math.random() * FREE_PORTS.count);
    try {
      using _listener = Deno.listen({ hostname: "127.0.0.1", port });
      if (reserve(`${PORTS_DIRECTORY}/${port}`)) return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
    if (attempt === 100) throw new Error(`No free port: see what runs here, or remove ${PORTS_DIRECTORY}`);
  }
}

function reserve(path: string): boolean {
  Deno.mkdirSync(PORTS_DIRECTORY, { recursive: true });
  try {
    Deno.writeTextFileSync(path, String(Deno.pid), { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    if (!isStale(path)) return false;
    Deno.removeSync(path);
    return reserve(path);
  }
  if (given.size === 0) globalThis.addEventListener("unload", giveBack);
  given.add(path);
  return true;
}

/** Whether the process that took a port is gone. */
function isStale(path: string): boolean {
  const pid = Number(Deno.readTextFileSync(path));
  try {
    Deno.statSync(`/proc/${pid}`);
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return pid > 0;
    throw error;
  }
}

function giveBack(): void {
  for (const path of given) {
    try {
      Deno.removeSync(path);
    } catch (error) {
      // Somebody has tidied up.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  given.clear();
}
