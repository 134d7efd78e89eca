import { errorText, findStatusError, isConflict } from "../errors/mod.ts";
import type { Counter, Gauge, MetricsRegistry } from "../metrics/mod.ts";
import type { Clock, Logger } from "../module/mod.ts";

/** Keys of work to do: each waits at most once and is worked on by at most one worker at a time. */
export interface WorkQueue {
  readonly name: string;
  /** How many keys can be taken now. */
  readonly length: number;
  /** Asks for the key to be looked at; a key that is being worked on comes again afterwards. */
  add(key: string): void;
  /** As add, after a delay in milliseconds; of several delays the shortest holds. */
  addAfter(key: string, delayMs: number): void;
  /**
   * As add, after the key's own backoff, which grows with every call until it is forgotten, and no earlier than `atLeastMs`.
   */
  addRateLimited(key: string, atLeastMs?: number): void;
  /** Starts the key's backoff anew. */
  forget(key: string): void;
  /** How often the key was added rate-limited since it was last forgotten. */
  retries(key: string): number;
  /** Takes the next key; the taker calls {@linkcode done} afterwards. @throws the signal's reason */
  next(options: { signal: AbortSignal }): Promise<string>;
  done(key: string): void;
  /** Drops what waits and ends every delay; later adds do nothing. */
  close(): void;
}

/** What a {@linkcode workQueue} is made of. */
export interface WorkQueueOptions {
  /** Tells queues apart in logs and metrics. */
  name: string;
  clock: Clock;
  metrics?: WorkQueueMetrics;
  /** First backoff of a key, milliseconds. @default 5 */
  baseMs?: number;
  /** Longest backoff of a key, milliseconds. @default 1000000 */
  maxMs?: number;
}

/** Metrics of all work queues of a process, told apart by the label `name`, named as upstream's. */
export interface WorkQueueMetrics {
  adds: Counter;
  retries: Counter;
  depth: Gauge;
}

/** Makes the metrics once per registry. */
export function workQueueMetrics(registry: MetricsRegistry): WorkQueueMetrics {
  return {
    adds: registry.counter("workqueue_adds_total", "Total number of adds handled by workqueue"),
    retries: registry.counter("workqueue_retries_total", "Total number of retries handled by workqueue"),
    depth: registry.gauge("workqueue_depth", "Current depth of workqueue"),
  };
}

/**
 * A queue of keys. It does nothing until something is added.
 * Upstream: k8s.io/client-go util/workqueue/queue.go, delaying_queue.go, default_rate_limiters.go @ v0.32
 */
export function workQueue(options: WorkQueueOptions): WorkQueue {
  return new KeyQueue(options);
}

class KeyQueue implements WorkQueue {
  readonly name: string;
  readonly #options: WorkQueueOptions;
  #ready = new Set<string>();
  #working = new Set<string>();
  /** Keys that were added while they were worked on. */
  #again = new Set<string>();
  #delayed = new Map<string, { at: number; cancel: AbortController }>();
  #failures = new Map<string, number>();
  #takers: Array<() => void> = [];
  #closed = false;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get length(): number {
    return this.#ready.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#cancelDelay(key);
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    if (this.#ready.has(key)) return;
    this.#ready.add(key);
    this.#options.metrics?.adds.inc(1, { name: this.name });
    this.#measure();
    this.#takers.shift()?.();
  }

  addAfter(key: string, delayMs: number): void {
    if (this.#closed) return;
    if (delayMs <= 0) return this.add(key);
    if (this.#ready.has(key)) return;
    const { clock } = this.#options;
    const at = clock.now() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined && waiting.at <= at) return;
    this.#cancelDelay(key);
    const cancel = new AbortController();
    this.#delayed.set(key, { at, cancel });
    clock.sleep(delayMs, { signal: cancel.signal }).then(
      () => this.add(key),
      (error) => {
        if (!cancel.signal.aborted) throw error;
      },
    );
  }

  addRateLimited(key: string, atLeastMs = 0): void {
    if (this.#closed) return;
    const { baseMs = 5, maxMs = 1_000_000, metrics } = this.#options;
    const failures = this.retries(key);
    this.#failures.set(key, failures + 1);
    metrics?.retries.inc(1, { name: this.name });
    this.addAfter(key, Math.max(atLeastMs, Math.min(maxMs, baseMs * 2 ** Math.min(failures, 64))));
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  retries(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  async next({ signal }: { signal: AbortSignal }): Promise<string> {
    for (;;) {
      signal.throwIfAborted();
      for (const key of this.#ready) {
        this.#ready.delete(key);
        this.#working.add(key);
        this.#measure();
        return key;
      }
      await this.#added(signal);
    }
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const key of [...this.#delayed.keys()]) this.#cancelDelay(key);
    this.#ready.clear();
    this.#again.clear();
    this.#failures.clear();
    this.#measure();
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.cancel.abort();
    this.#delayed.delete(key);
  }

  #measure(): void {
    this.#options.metrics?.depth.set(this.#ready.size, { name: this.name });
  }

  #added(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      const stop = () => {
        this.#takers = this.#takers.filter((taker) => taker !== take);
        reject(signal.reason);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#takers.push(take);
    });
  }
}

/** What a reconcile may ask for when it went well: to be called again after some milliseconds. */
export type ReconcileResult = void | { afterMs: number };

/** Makes what is meet what is wanted for one key; called anew until it does not throw. */
export type Reconcile = (key: string, context: { signal: AbortSignal }) => Promise<ReconcileResult>;

/** How {@linkcode runWorkers} works. */
export interface RunWorkersOptions {
  log: Logger;
  /** How many keys are worked on at a time. @default 1 */
  workers?: number;
  /** Failures in a row after which a key is left until something adds it again. @default never */
  maxRetries?: number;
}

/**
 * Works on the keys of a queue until the signal aborts, then closes the queue. The one place that decides what a failure
 * means: a conflict and any other error come again with the key's backoff, an error that names its own delay after that
 * delay, and too many failures in a row drop the key.
 * Upstream: sigs.k8s.io/controller-runtime pkg/internal/controller/controller.go (reconcileHandler) @ v0.20
 */
export async function runWorkers(
  queue: WorkQueue,
  reconcile: Reconcile,
  signal: AbortSignal,
  { log, workers = 1, maxRetries = Infinity }: RunWorkersOptions,
): Promise<void> {
  const work = async () => {
    while (!signal.aborted) {
      let key: string;
      try {
        key = await queue.next({ signal });
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      try {
        const result = await reconcile(key, { signal });
        queue.forget(key);
        if (result !== undefined) queue.addAfter(key, result.afterMs);
      } catch (error) {
        if (!signal.aborted) handleFailure(queue, key, error, { log, maxRetries });
      } finally {
        queue.done(key);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: workers }, work));
  } finally {
    queue.close();
  }
}

function handleFailure(
  queue: WorkQueue,
  key: string,
  error: unknown,
  { log, maxRetries }: { log: Logger; maxRetries: number },
): void {
  const retries = queue.retries(key);
  if (retries >= maxRetries) {
    queue.forget(key);
    log.error("Cannot reconcile, giving up until it changes", error, { queue: queue.name, key, retries });
    return;
  }
  if (isConflict(error)) log.debug("Reconciling again after a conflict", { queue: queue.name, key });
  else {log.warning("Cannot reconcile, trying again", {
      queue: queue.name,
      key,
      retries,
      err: errorText(error),
    });}
  const delay = findStatusError(error)?.details?.retryAfterSeconds;
  queue.addRateLimited(key, typeof delay === "number" ? delay * 1000 : 0);
}
