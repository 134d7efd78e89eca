/** Work that runs beside a module's own, so that it ends with the module and its failures are seen. */
export class Tasks {
  #running = new Set<Promise<void>>();
  #failed = Promise.withResolvers<never>();

  constructor() {
    // Whoever runs the module waits for `failed`; until then a failure must not count as unhandled.
    this.#failed.promise.catch(() => {});
  }

  /** Rejects with the first failure of anything added. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** How much runs. */
  get size(): number {
    return this.#running.size;
  }

  /** Runs work; once the signal has aborted its failures no longer count. */
  add(work: Promise<void>, signal: AbortSignal): void {
    const task = work.catch((error) => {
      if (!signal.aborted) this.#failed.reject(error);
    }).finally(() => this.#running.delete(task));
    this.#running.add(task);
  }

  /** Resolves once nothing runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
