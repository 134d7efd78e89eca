import type { Clock } from "../../common/module/mod.ts";

/** Bounds on {@linkcode RecentKeys}. */
export interface RecentKeysOptions {
  /** How long a key stays, milliseconds. */
  forMs: number;
  /** How many are kept; older ones go first. @default 10000 */
  limit?: number;
}

/** Which stored objects the cloud has spoken of a short while ago, and so need not be asked for. */
export class RecentKeys {
  readonly #clock: Pick<Clock, "elapsed">;
  readonly #forMs: number;
  readonly #limit: number;
  #until = new Map<string, number>();

  constructor(clock: Pick<Clock, "elapsed">, { forMs, limit = 10_000 }: RecentKeysOptions) {
    this.#clock = clock;
    this.#forMs = forMs;
    this.#limit = limit;
  }

  has(key: string): boolean {
    return (this.#until.get(key) ?? 0) > this.#clock.elapsed();
  }

  add(key: string): void {
    this.#until.delete(key);
    this.#until.set(key, this.#clock.elapsed() + this.#forMs);
    if (this.#until.size > this.#limit) this.#until.delete(this.#until.keys().next().value!);
  }

  delete(key: string): void {
    this.#until.delete(key);
  }

  clear(): void {
    this.#until.clear();
  }
}
