/** After this long a change that was never seen is no longer waited for, milliseconds. */
const FORGET_MS = 30_000;

/**
 * Remembers what a controller made and deleted and has not yet seen come back through its informer, so that it does not do it
 * twice. Upstream: k8s.io/kubernetes pkg/controller/controller_utils.go (ControllerExpectations) @ v1.32
 */
export class Expectations {
  #byKey = new Map<string, Map<string, number>>();

  /** The change of the object with this uid will be seen. */
  expect(key: string, uid: string, now: number): void {
    let uids = this.#byKey.get(key);
    if (uids === undefined) this.#byKey.set(key, uids = new Map());
    uids.set(uid, now + FORGET_MS);
  }

  /** The change was seen, or will never be. */
  observed(key: string, uid: string): void {
    const uids = this.#byKey.get(key);
    uids?.delete(uid);
    if (uids?.size === 0) this.#byKey.delete(key);
  }

  /** Milliseconds until nothing is waited for any longer, if nothing more is seen; 0 when nothing is. */
  pendingMs(key: string, now: number): number {
    const until = Math.max(0, ...(this.#byKey.get(key)?.values() ?? []));
    if (until > now) return until - now;
    this.#byKey.delete(key);
    return 0;
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }
}
