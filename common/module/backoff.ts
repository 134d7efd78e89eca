/** How long to wait between tries. */
export interface BackoffOptions {
  /** First wait, milliseconds. */
  baseMs: number;
  /** Longest wait, milliseconds. */
  maxMs: number;
  /** Growth per try. @default 2 */
  factor?: number;
  /** Share of the wait that is left to chance, 0..1. @default 0.2 */
  jitter?: number;
}

/**
 * Milliseconds to wait before try number `attempt` (0 for the first repeat).
 * @param random a number in [0, 1)
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: number): number {
  const { baseMs, maxMs, factor = 2, jitter = 0.2 } = options;
  const full = Math.min(maxMs, baseMs * factor ** Math.min(attempt, 64));
  return full * (1 - jitter) + full * jitter * random;
}
