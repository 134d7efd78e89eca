import type { Clock } from "../../../common/module/mod.ts";
import { clientError, engineError } from "./docker_errors.ts";
import { type Inspected, parseArray, parseInspected } from "./docker_parse.ts";
import type { Processes, ProcessOutcome } from "./processes.ts";
import { RuntimeError } from "./types.ts";

/** A call of the engine's client that ends soon. */
export interface ShortCall {
  args: readonly string[];
  stdin?: string;
  env?: Readonly<Record<string, string>>;
  signal?: AbortSignal;
  /** @default the client's own */
  timeoutMs?: number;
  /** Bound on what is kept of its output. @default 32 MiB */
  limitBytes?: number;
  /** May last as long as a container takes; does not count as one of the short calls. @default false */
  slow?: boolean;
}

/** How many short calls run at once: more would only wait for the engine, each with a process of its own. */
const MAX_SHORT_CALLS = 6;
const DEFAULT_LIMIT_BYTES = 32 << 20;
/** How many ids go on one command line. */
const MAX_IDS_PER_CALL = 200;

const ID = /^[0-9a-f]{12,64}$/;

/** The id itself. @throws {RuntimeError} not-found, for text that no engine uses as an id */
export function checkId(id: string): string {
  if (ID.test(id)) return id;
  throw new RuntimeError("not-found", `No such container: ${JSON.stringify(id.slice(0, 80))} is not an id`);
}

interface Waiting {
  resolve(found: Inspected | undefined): void;
  reject(error: unknown): void;
}

/** The engine's command-line client: bounded, timed, and as few processes as will do. */
export class DockerClient {
  readonly binary: string;
  readonly #processes: Processes;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  #running = 0;
  readonly #queue: Array<() => void> = [];
  #asked = new Map<string, Waiting[]>();
  #inspecting = false;

  constructor(processes: Processes, clock: Clock, binary: string, timeoutMs: number, host = "") {
    // What every call begins with.
    const first = host === "" ? [] : [`--host=${host}`];
    this.#processes = {
      run: (call) => processes.run({ ...call, args: [...first, ...call.args] }),
      stream: (call) => processes.stream({ ...call, args: [...first, ...call.args] }),
    };
    this.#clock = clock;
    this.binary = binary;
    this.#timeoutMs = timeoutMs;
  }

  get processes(): Processes {
    return this.#processes;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** Runs the client whatever its exit code. @throws {RuntimeError} when it could not run; the signal's reason */
  async try(action: string, call: ShortCall): Promise<ProcessOutcome> {
    const { slow = false, timeoutMs = this.#timeoutMs, limitBytes = DEFAULT_LIMIT_BYTES, ...rest } = call;
    if (!slow) await this.#enter();
    try {
      return await this.#processes.run({ binary: this.binary, timeoutMs, limitBytes, ...rest });
    } catch (error) {
      throw clientError(action, this.binary, error, call.signal);
    } finally {
      if (!slow) this.#leave();
    }
  }

  /** Runs the client and gives its standard output. @throws {RuntimeError} also when it exits with an error */
  async run(action: string, call: ShortCall): Promise<string> {
    const outcome = await this.try(action, call);
    if (outcome.code !== 0) throw engineError(action, outcome.code, outcome.stderr);
    if (outcome.truncated) throw new RuntimeError("failed", `${action}: the engine's answer is too long`);
    return outcome.stdout;
  }

  /**
   * One container as it is now. Calls made while another is under way go together into the next one, so that looking at
   * many containers at once costs one process.
   */
  async inspect(id: string, signal?: AbortSignal): Promise<Inspected | undefined> {
    checkId(id);
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Inspected | undefined>();
    this.#asked.set(id, [...this.#asked.get(id) ?? [], { resolve, reject }]);
    if (!this.#inspecting) {
      this.#inspecting = true;
      queueMicrotask(() => this.#inspectAsked());
    }
    if (signal === undefined) return await promise;
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Many containers as they are now, without those that are gone or no kubelet's. */
  async inspectAll(ids: readonly string[], signal?: AbortSignal): Promise<Map<string, Inspected>> {
    const found = new Map<string, Inspected>();
    for (let at = 0; at < ids.length; at += MAX_IDS_PER_CALL) {
      const part = ids.slice(at, at + MAX_IDS_PER_CALL).map(checkId);
      const args = ["inspect", "--type=container", ...part];
      const outcome = await this.try("Cannot look at containers", {
        args,
        ...(signal === undefined ? {} : { signal }),
      });
      // Those that are gone are named on standard error; the others are still printed.
      if (outcome.code !== 0) {
        const error = engineError("Cannot look at containers", outcome.code, outcome.stderr);
        if (error.kind !== "not-found") throw error;
      }
      if (outcome.truncated) {
        throw new RuntimeError("failed", "Cannot look at containers: the answer is too long");
      }
      for (const json of parseArray(outcome.stdout || "[]")) {
        const inspected = parseInspected(json);
        if (inspected !== undefined) found.set(inspected.id, inspected);
      }
    }
    return found;
  }

  async #inspectAsked(): Promise<void> {
    while (this.#asked.size > 0) {
      const asked = this.#asked;
      this.#asked = new Map();
      try {
        const found = await this.inspectAll([...asked.keys()]);
        for (const [id, waiting] of asked) {
          const one = found.get(id) ?? [...found.values()].find((i) => i.id.startsWith(id));
          for (const { resolve } of waiting) resolve(one);
        }
      } catch (error) {
        for (const waiting of asked.values()) for (const { reject } of waiting) reject(error);
      }
    }
    this.#inspecting = false;
  }

  async #enter(): Promise<void> {
    if (this.#running >= MAX_SHORT_CALLS) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#running++;
  }

  /** Hands the place on, so that nobody who comes now can take it first. */
  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}
