import type { Clock } from "./clock.ts";

interface Sleeper {
  at: number;
  wake: () => void;
}

/** A clock that stands still until a test moves it. It does not touch `Date` or real timers. For tests only. */
export class FakeClock implements Clock {
  #now: number;
  #elapsed = 0;
  #sleepers: Sleeper[] = [];

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  elapsed(): number {
    return this.#elapsed;
  }

  /** Sets the clock, as its owner or a time server does; nobody has slept longer by that. */
  set(now: number): void {
    this.#now = now;
  }

  /** How many are asleep now: what a test waits for before it moves the time. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const remove = () => {
        this.#sleepers = this.#sleepers.filter((s) => s !== sleeper);
        signal?.removeEventListener("abort", stop);
      };
      const stop = () => {
        remove();
        reject(signal?.reason);
      };
      const sleeper: Sleeper = {
        at: this.#elapsed + ms,
        wake: () => {
          remove();
          resolve();
        },
      };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", stop, { once: true });
    });
  }

  /** Moves the time, waking sleepers in order and letting what they do run in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      await settle();
      const next = this.#sleepers.filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#pass(Math.max(0, next.at - this.#elapsed));
      next.wake();
    }
    this.#pass(end - this.#elapsed);
    await settle();
  }

  #pass(ms: number): void {
    this.#elapsed += ms;
    this.#now += ms;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
