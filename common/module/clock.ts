/** Time as modules see it, so that tests can move it. */
export interface Clock {
  /** Unix milliseconds, by the machine's clock, which may be set to anything at any time. */
  now(): number;
  /** Whole milliseconds since some beginning, which only grow: how long something takes or may take. */
  elapsed(): number;
  /** Resolves after `ms` milliseconds. @throws the signal's reason when it aborts first */
  sleep(ms: number, options?: { signal?: AbortSignal }): Promise<void>;
}

/** What timers of the runtime can wait at most; longer ones end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. Sleeps may be of any length. */
export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => Math.floor(performance.now()),
  sleep: (ms, { signal } = {}) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      let leftMs = ms;
      let timer: ReturnType<typeof setTimeout>;
      const wait = () => {
        const stepMs = Math.min(leftMs, MAX_TIMER_MS);
        leftMs -= stepMs;
        timer = setTimeout(leftMs > 0 ? wait : wake, stepMs);
      };
      const wake = () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      };
      wait();
      signal?.addEventListener("abort", stop, { once: true });
    }),
};
