/** Pause after the second failure, milliseconds; it doubles with each that follows. */
const FIRST_MS = 1000;
const MAX_MS = 15 * 60_000;

/**
 * Slows down the replacement of pods that end again and again, as those a node refuses to run.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/daemon_controller.go (failedPodsBackoff) @ v1.32
 */
export class FailureBackoff {
  #failures = new Map<string, { delayMs: number; at: number }>();

  /** Milliseconds until what failed under this key may be replaced; 0 when it may be now, which begins the next pause. */
  pauseMs(key: string, now: number): number {
    for (const [other, { at }] of this.#failures) if (now - at > 2 * MAX_MS) this.#failures.delete(other);
    const before = this.#failures.get(key);
    if (before !== undefined && before.at + before.delayMs > now) return before.at + before.delayMs - now;
    this.#failures.set(key, {
      delayMs: before === undefined ? FIRST_MS : Math.min(before.delayMs * 2, MAX_MS),
      at: now,
    });
    return 0;
  }
}
