import type { Clock } from "../../common/module/mod.ts";

interface Timer {
  at: number;
  fire: (() => void) | undefined;
}

/** Longest single sleep: what a 32-bit timer can hold with room to spare. */
const MAX_SLEEP_MS = 60 * 60 * 1000;

/** A clock that loses less than this is being corrected bit by bit, which nobody need notice. */
const SET_BACK_MS = 1000;

/**
 * All deadlines of edged in one heap, so that an idle node has one timer and not one for each pod and probe.
 *
 * Deadlines are times of the machine's clock. When that is set back they move with it, since what was to be in ten seconds
 * must not wait for an hour to pass twice; when it is set forth, what has become due is due.
 */
export class Timers {
  readonly #clock: Clock;
  #heap: Timer[] = [];
  #rouse: (() => void) | undefined;
  /** How far the clock is ahead of the time that has passed. */
  #ahead: number;
  /** By how much it was set back, which was not told yet. */
  #lost = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#ahead = clock.now() - clock.elapsed();
  }

  /** How many deadlines wait, cancelled ones aside. */
  get size(): number {
    return this.#heap.filter((timer) => timer.fire !== undefined).length;
  }

  /** Calls `fire` at a time in Unix milliseconds; it must not throw. Returns what cancels it. */
  at(time: number, fire: () => void): () => void {
    this.#compareClocks();
    const timer: Timer = { at: time, fire };
    const heap = this.#heap;
    heap.push(timer);
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= heap[i]!.at) break;
      [heap[parent], heap[i]] = [heap[i]!, heap[parent]!];
      i = parent;
    }
    if (heap[0] === timer) this.#rouse?.();
    return () => timer.fire = undefined;
  }

  /** Calls `fire` after a time in milliseconds. */
  after(ms: number, fire: () => void): () => void {
    return this.at(this.#clock.now() + ms, fire);
  }

  /**
   * Fires timers until the signal aborts.
   * @param onSetBack told by how many milliseconds the clock was set back; it must not throw
   */
  async run(signal: AbortSignal, onSetBack: (ms: number) => void = () => {}): Promise<void> {
    while (!signal.aborted) {
      this.#compareClocks();
      if (this.#lost > 0) {
        const ms = this.#lost;
        this.#lost = 0;
        onSetBack(ms);
      }
      const now = this.#clock.now();
      while (this.#heap.length > 0 && (this.#heap[0]!.at <= now || this.#heap[0]!.fire === undefined)) {
        this.#pop().fire?.();
      }
      await this.#sleep(signal);
    }
    this.#heap = [];
  }

  #compareClocks(): void {
    const ahead = this.#clock.now() - this.#clock.elapsed();
    const back = this.#ahead - ahead;
    if (back >= 0 && back < SET_BACK_MS) return;
    this.#ahead = ahead;
    if (back < 0) return;
    for (const timer of this.#heap) timer.at -= back;
    this.#lost += back;
    this.#rouse?.();
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const next = this.#heap[0]?.at;
    const roused = new AbortController();
    const stop = () => roused.abort();
    this.#rouse = stop;
    signal.addEventListener("abort", stop, { once: true });
    try {
      const ms = next === undefined ? MAX_SLEEP_MS : Math.min(MAX_SLEEP_MS, next - this.#clock.now());
      if (ms > 0) await this.#clock.sleep(ms, { signal: roused.signal });
    } catch (error) {
      // An earlier deadline, or the end, is why the sleep was broken off.
      if (!roused.signal.aborted) throw error;
    } finally {
      this.#rouse = undefined;
      signal.removeEventListener("abort", stop);
    }
  }

  #pop(): Timer {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0;;) {
        const left = 2 * i + 1;
        if (left >= heap.length) break;
        const right = left + 1;
        const child = right < heap.length && heap[right]!.at < heap[left]!.at ? right : left;
        if (heap[i]!.at <= heap[child]!.at) break;
        [heap[i], heap[child]] = [heap[child]!, heap[i]!];
        i = child;
      }
    }
    return top;
  }
}
