import { errorText } from "../../common/errors/mod.ts";
import { backoffMs, type Clock, type Logger } from "../../common/module/mod.ts";
import type {
  Container,
  ContainerRuntime,
  PodSandbox,
  RuntimeEvent,
  RuntimeVersion,
} from "./runtime/types.ts";
import type { Timers } from "./timers.ts";

/** What the watch over the engine is made of. */
export interface EngineComponents {
  runtime: ContainerRuntime;
  clock: Clock;
  timers: Timers;
  log: Logger;
  onEvent: (event: RuntimeEvent) => void;
  /** Everything the engine has, after it came up, after a gap in its events and from time to time. */
  onList: (sandboxes: PodSandbox[], containers: Container[]) => void;
  /** It answers again, or no more. */
  onChange: () => void;
}

/** How often everything is listed although nothing happened. */
export const RELIST_MS = 60_000;

/** Events may be lost while the stream of them begins; so long after that everything is listed again. */
const SETTLE_MS = 1_000;

/** Knows whether the container engine answers, and hears of everything that happens in it. */
export class Engine {
  readonly #c: EngineComponents;
  #version: RuntimeVersion | undefined;
  #failure: string | undefined = "the container runtime has not answered yet";
  #stream = new AbortController();

  constructor(components: EngineComponents) {
    this.#c = components;
  }

  get isUp(): boolean {
    return this.#failure === undefined;
  }

  /** Why it does not answer; undefined when it does. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** As it last said; undefined before it ever answered. */
  get version(): RuntimeVersion | undefined {
    return this.#version;
  }

  /** Somebody found that it does not answer. */
  lost(error: unknown): void {
    const wasUp = this.#failure === undefined;
    this.#failure = errorText(error);
    if (!wasUp) return;
    this.#c.log.warning("Container engine does not answer", { error });
    this.#stream.abort();
    this.#c.onChange();
  }

  /** Lists everything now, if the engine answers. */
  async relist(): Promise<void> {
    if (!this.isUp) return;
    const { signal } = this.#stream;
    try {
      await this.#list(signal);
    } catch (error) {
      if (!signal.aborted) this.lost(error);
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { runtime, clock, log, onChange } = this.#c;
    let failures = 0;
    while (!signal.aborted) {
      const stream = new AbortController();
      this.#stream = stream;
      const stop = () => stream.abort();
      signal.addEventListener("abort", stop, { once: true });
      try {
        this.#version = await runtime.version({ signal: stream.signal });
        const wasDown = this.#failure !== undefined;
        this.#failure = undefined;
        await this.#list(stream.signal);
        failures = 0;
        if (wasDown) {
          log.info("Container engine answers", { name: this.#version.name, version: this.#version.version });
          onChange();
        }
        await this.#follow(stream.signal);
      } catch (error) {
        if (!signal.aborted) this.lost(error);
      } finally {
        stream.abort();
        signal.removeEventListener("abort", stop);
      }
      if (signal.aborted) break;
      try {
        await clock.sleep(backoffMs(failures++, { baseMs: 250, maxMs: 5_000 }, Math.random()), { signal });
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const cancels = new Set<() => void>();
    const listAfter = (ms: number, again: boolean) => {
      const cancel = this.#c.timers.after(ms, () => {
        cancels.delete(cancel);
        if (again) listAfter(RELIST_MS, true);
        this.#list(signal).catch((error) => {
          if (!signal.aborted) this.lost(error);
        });
      });
      cancels.add(cancel);
    };
    listAfter(SETTLE_MS, false);
    listAfter(RELIST_MS, true);
    try {
      for await (const event of this.#c.runtime.events(signal)) this.#c.onEvent(event);
    } finally {
      for (const cancel of cancels) cancel();
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { runtime, onList } = this.#c;
    const [sandboxes, containers] = await Promise.all([
      runtime.listPodSandboxes({}, { signal }),
      runtime.listContainers({}, { signal }),
    ]);
    onList(sandboxes, containers);
  }
}
