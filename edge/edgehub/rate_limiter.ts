/** How fast messages may be sent. */
export interface RateLimit {
  /** Per second in the long run. */
  perSecond: number;
  /** At once. */
  burst: number;
}

/** A token bucket. It has no clock of its own. */
export class RateLimiter {
  readonly #limit: RateLimit;
  #tokens: number;
  #at: number;

  /** @param now any milliseconds that only grow */
  constructor(limit: RateLimit, now: number) {
    this.#limit = limit;
    this.#tokens = limit.burst;
    this.#at = now;
  }

  /** Takes one; false when there is none. */
  take(now: number): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Milliseconds until one can be taken. */
  waitMs(now: number): number {
    this.#fill(now);
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#limit.perSecond * 1000);
  }

  #fill(now: number): void {
    // A clock that was set back gives nothing and takes nothing.
    const passed = Math.max(0, now - this.#at);
    this.#tokens = Math.min(this.#limit.burst, this.#tokens + passed / 1000 * this.#limit.perSecond);
    this.#at = now;
  }
}
