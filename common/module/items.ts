import type { Inbox } from "./mailbox.ts";

/**
 * The items of a mailbox until it is closed or the signal aborts: how a module reads its inbox.
 * An item that arrives after the abort is not delivered.
 */
export async function* itemsUntil<T>(inbox: Inbox<T>, signal: AbortSignal): AsyncGenerator<T, void, void> {
  if (signal.aborted) return;
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const stop = () => resolve(undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const items = inbox[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([items.next(), stopped]);
      if (next === undefined || next.done || signal.aborted) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
