/** What is to be done about an object. @throws what is told to `failed` */
export type Work = (name: string) => void;

/** Told of an error. @returns whether the object is to be looked at again at the next retry */
export type Failed = (name: string, error: unknown) => boolean;

/**
 * Names of objects that are to be looked at, each once however often it was told of. What is done about them never runs within the
 * write that is being told of: others are to hear of that one first.
 */
export class WorkSet implements Disposable {
  readonly #work: Work;
  readonly #failed: Failed;
  readonly #names = new Set<string>();
  #scheduled = false;
  #working = false;
  #disposed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(work: Work, failed: Failed) {
    this.#work = work;
    this.#failed = failed;
  }

  /** Has an object looked at soon. */
  add(name: string): void {
    this.#names.add(name);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const run = () => {
      this.#scheduled = false;
      this.#timer = undefined;
      this.retry();
    };
    // What its own work leads to waits for a turn of the event loop, so that many objects do not keep requests waiting.
    if (this.#working) this.#timer = setTimeout(run, 0);
    else queueMicrotask(run);
  }

  /** Looks at what is to be looked at now, and at what failed before. */
  retry(): void {
    if (this.#disposed) return;
    this.#working = true;
    for (const name of [...this.#names]) {
      this.#names.delete(name);
      try {
        this.#work(name);
      } catch (error) {
        if (this.#failed(name, error)) this.#names.add(name);
      }
    }
    this.#working = false;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#names.clear();
    clearTimeout(this.#timer);
  }
}
