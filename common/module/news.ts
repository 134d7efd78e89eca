import type { Clock } from "./clock.ts";

/** How long something that goes on unchanged need not be told again, milliseconds. */
const STALE_MS = 3_600_000;

const MAX_TOPICS = 1_000;

/** Times in a text say nothing new: `2026-11-20T09:08:07Z`, and as the runtime's TLS has them. */
const TIMES = /\d{4}-\d\d-\d\dT[\d:.]+Z|\b\d+ (?:\(UNIX\)|seconds (?:in future|ago))/g;

/** Tells which log lines say something new, for failures that come again and again until somebody helps. */
export class News {
  readonly #clock: Pick<Clock, "elapsed">;
  readonly #told = new Map<string, { text: string; until: number }>();

  constructor(clock: Pick<Clock, "elapsed">) {
    this.#clock = clock;
  }

  /**
   * Whether the text is another one than the last about this topic, times in it aside, or an hour has passed since.
   * Of many topics the older ones are forgotten.
   */
  isNew(topic: string, message: string): boolean {
    const text = message.replaceAll(TIMES, "");
    const now = this.#clock.elapsed();
    const last = this.#told.get(topic);
    if (last !== undefined && last.text === text && now < last.until) return false;
    if (last === undefined && this.#told.size >= MAX_TOPICS) this.#told.clear();
    this.#told.set(topic, { text, until: now + STALE_MS });
    return true;
  }

  /** It is over: whatever comes next about this topic is new. */
  forget(topic: string): void {
    this.#told.delete(topic);
  }
}
