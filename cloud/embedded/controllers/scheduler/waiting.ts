/** Pods that wait for their first look, by priority. */
export class Waiting {
  readonly #priorities = new Map<string, number>();
  readonly #counts = new Map<number, number>();

  /** A pod waits. */
  add(key: string, priority: number): void {
    this.take(key);
    this.#priorities.set(key, priority);
    this.#counts.set(priority, (this.#counts.get(priority) ?? 0) + 1);
  }

  /** A pod waits no longer. */
  take(key: string): void {
    const priority = this.#priorities.get(key);
    if (priority === undefined) return;
    this.#priorities.delete(key);
    const left = (this.#counts.get(priority) ?? 1) - 1;
    if (left > 0) this.#counts.set(priority, left);
    else this.#counts.delete(priority);
  }

  /** Whether another that waits goes before one of this priority. */
  hasHigher(priority: number): boolean {
    for (const other of this.#counts.keys()) if (other > priority) return true;
    return false;
  }
}
