import type { Message } from "../../common/model/mod.ts";
import { MailboxClosedError, type Send } from "../../common/module/mod.ts";

/**
 * What waits to be taken by a neighbour. Offering never blocks, so that two modules that send to each other cannot come to
 * a standstill; what no longer fits is refused and the sender decides what that means.
 */
export class Outgoing {
  readonly #send: Send<Message>;
  readonly #capacity: number;
  #items: Message[] = [];
  #wake: () => void = () => {};

  constructor(send: Send<Message>, capacity: number) {
    this.#send = send;
    this.#capacity = capacity;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Whether as many wait as may. */
  get full(): boolean {
    return this.#items.length >= this.#capacity;
  }

  /** Takes a message for sending; false when full. */
  offer(message: Message): boolean {
    if (this.full) return false;
    this.#items.push(message);
    this.#wake();
    return true;
  }

  /** Sends in order until the signal aborts or the neighbour takes no more. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const item = this.#items[0];
        if (item === undefined) {
          await new Promise<void>((resolve) => this.#wake = resolve);
          continue;
        }
        await this.#send(item, { signal });
        this.#items.shift();
      }
    } catch (error) {
      if (!signal.aborted && !(error instanceof MailboxClosedError)) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }
}
