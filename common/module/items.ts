import type { Inbox } from "./mailbox.ts";

/**
 * The items of a mailbox until it is closed or the signal aborts: how a module reads its inbox.
 * An item that arrives after the abort is not delivered.
 */
export async function* itemsUntil<T>(inbox: Inbox<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
  if (signal.aborted) return;
  // Not Promise.race with one promise for the abort: that would keep a reaction for every item ever read.
  let wake: () => void = () => {};
  const stop = () => wake();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const items = inbox[Symbol.asyncIterator]();
    while (!signal.aborted) {
      const next = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        items.next().then(resolve, reject);
      });
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
