/** Puts an item into a module's mailbox; resolves once it is accepted, which a full mailbox delays. */
export type Send<T> = (item: T, options?: { signal?: AbortSignal }) => Promise<void>;

/** The receiving end of a mailbox: one reader, in order, until the mailbox is closed and empty. */
export interface Inbox<T> extends AsyncIterable<T> {
  /** How many items wait. */
  readonly length: number;
}

/** A mailbox that is closed takes nothing more. */
export class MailboxClosedError extends Error {
  override readonly name = "MailboxClosedError";
}

/**
 * A bounded channel with any number of senders and one reader: how modules talk to each other. The composition root makes
 * them first, so that two modules that answer each other need not know each other.
 */
export class Mailbox<T> implements Inbox<T> {
  readonly name: string;
  readonly capacity: number;
  #items: T[] = [];
  #closed = false;
  #reader: (() => void) | undefined;
  #writers: Array<() => void> = [];

  constructor(name: string, capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`Cannot make mailbox ${name}: capacity ${capacity}`);
    }
    this.name = name;
    this.capacity = capacity;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Waits for room. @throws {MailboxClosedError}; the signal's reason */
  readonly send: Send<T> = async (item, { signal } = {}) => {
    while (!this.#closed && this.#items.length >= this.capacity) await this.#room(signal);
    if (!this.trySend(item)) throw new MailboxClosedError(`Cannot send to ${this.name}: it is closed`);
  };

  /** Takes the item if there is room now; false when full or closed. */
  trySend(item: T): boolean {
    if (this.#closed || this.#items.length >= this.capacity) return false;
    this.#items.push(item);
    this.#reader?.();
    return true;
  }

  /** No more items are taken; those that wait can still be read. */
  close(): void {
    this.#closed = true;
    this.#reader?.();
    for (const wake of this.#writers.splice(0)) wake();
  }

  /** The next item, or undefined once the mailbox is closed and empty. @throws the signal's reason */
  async receive({ signal }: { signal?: AbortSignal } = {}): Promise<T | undefined> {
    while (this.#items.length === 0) {
      if (this.#closed) return undefined;
      if (this.#reader !== undefined) throw new TypeError(`Cannot read ${this.name} twice at a time`);
      try {
        await wait(signal, (wake) => this.#reader = wake);
      } finally {
        this.#reader = undefined;
      }
    }
    const item = this.#items.shift()!;
    this.#writers.shift()?.();
    return item;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (let item = await this.receive(); item !== undefined; item = await this.receive()) yield item;
  }

  #room(signal: AbortSignal | undefined): Promise<void> {
    return wait(signal, (wake) => this.#writers.push(wake));
  }
}

function wait(signal: AbortSignal | undefined, register: (wake: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    register(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
  });
}

/** Frames on a MessagePort between two compartments. */
type PortFrame = { item: unknown } | { taken: number };

/** How items cross a port, and how many may be under way. */
export interface PortOptions<Out, In> {
  /** How many items the sender may be ahead of the reader, so that a slow compartment slows its peers and not the heap. @default 64 */
  window?: number;
  /** What is posted for an item. @default the item, as structured clone copies it */
  encode?: (item: Out) => unknown;
  /** The item in what was posted. @default as it came */
  decode?: (posted: unknown) => In;
}

/** Joins a MessagePort to a mailbox: what the other side sends goes into `inbox`, the result sends to the other side. */
export function connectPort<Out, In>(
  port: MessagePort,
  inbox: Mailbox<In>,
  { window = 64, encode = (item) => item, decode = (posted) => posted as In }: PortOptions<Out, In> = {},
): Send<Out> {
  let ahead = 0;
  const waiting: Array<() => void> = [];
  const post = (frame: PortFrame) => port.postMessage(frame);
  port.onmessage = ({ data }: MessageEvent<PortFrame>) => {
    if ("taken" in data) {
      ahead -= data.taken;
      waiting.shift()?.();
      return;
    }
    inbox.send(decode(data.item)).then(() => post({ taken: 1 }), (error) => {
      if (!(error instanceof MailboxClosedError)) throw error;
    });
  };
  return async (item, { signal } = {}) => {
    while (ahead >= window) await wait(signal, (wake) => waiting.push(wake));
    ahead++;
    post({ item: encode(item) });
  };
}
