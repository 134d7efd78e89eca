import type { Message } from "../../common/model/mod.ts";
import type { Clock } from "../../common/module/mod.ts";

/** Why a request got no reply. */
export type NoReply = "disconnected" | "timeout" | "busy" | "stopped";

/** A request that got no reply from the cloud; the message is what its sender is told. */
export class NoReplyError extends Error {
  override readonly name = "NoReplyError";
  readonly why: NoReply;

  constructor(why: NoReply, message: string) {
    super(message);
    this.why = why;
  }
}

/** Bounds on {@linkcode PendingReplies}. */
export interface PendingRepliesOptions {
  /** How long a reply is waited for, milliseconds. */
  timeoutMs: number;
  /** How many requests may wait at once. @default 1024 */
  limit?: number;
}

interface Waiting {
  deadline: number;
  resolve: (reply: Message) => void;
  reject: (error: NoReplyError) => void;
}

/** There will be no reply any more. */
export const stopping = (): NoReplyError => new NoReplyError("stopped", "edgecore is stopping");

/** Joins replies to the requests they answer, each within a time, so many at once. */
export class PendingReplies {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #limit: number;
  /** By request id. All wait equally long, so that the order of insertion is that of the deadlines. */
  #waiting = new Map<string, Waiting>();
  #added: () => void = () => {};
  #stopped = false;

  constructor(clock: Clock, { timeoutMs, limit = 1024 }: PendingRepliesOptions) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#limit = limit;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * The reply to a request, which rejects with {@linkcode NoReplyError}; `admitted` is false when it has done so at once
   * because too many wait, the same request already does, or nobody watches over the waits any more.
   */
  wait(requestId: string): { promise: Promise<Message>; admitted: boolean } {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    if (this.#stopped) {
      reject(stopping());
      return { promise, admitted: false };
    }
    const { size } = this.#waiting;
    if (size >= this.#limit || this.#waiting.has(requestId)) {
      reject(new NoReplyError("busy", `too many requests wait for the cloud (${size}); try again later`));
      return { promise, admitted: false };
    }
    this.#waiting.set(requestId, { deadline: this.#clock.elapsed() + this.#timeoutMs, resolve, reject });
    this.#added();
    return { promise, admitted: true };
  }

  /** Gives a reply to whoever waits for it; false when nobody does. */
  settle(requestId: string, reply: Message): boolean {
    const waiting = this.#take(requestId);
    waiting?.resolve(reply);
    return waiting !== undefined;
  }

  /** Ends one wait. */
  fail(requestId: string, error: NoReplyError): void {
    this.#take(requestId)?.reject(error);
  }

  /** Ends every wait. */
  failAll(error: NoReplyError): void {
    for (const id of [...this.#waiting.keys()]) this.fail(id, error);
  }

  /** Ends waits that have lasted too long, until the signal aborts; then ends them all. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [next] = this.#waiting.values();
      if (next === undefined) {
        await this.#nextAdded(signal);
        continue;
      }
      await this.#clock.sleep(Math.max(1, next.deadline - this.#clock.elapsed()), { signal }).catch(
        (error) => {
          if (!signal.aborted) throw error;
        },
      );
      this.#expire();
    }
    this.#stopped = true;
    this.failAll(stopping());
  }

  #expire(): void {
    const now = this.#clock.elapsed();
    for (const [id, { deadline }] of this.#waiting) {
      if (deadline > now) return;
      this.fail(
        id,
        new NoReplyError(
          "timeout",
          `timeout to get response: none from the cloud in ${this.#timeoutMs / 1000} s`,
        ),
      );
    }
  }

  #take(requestId: string): Waiting | undefined {
    const waiting = this.#waiting.get(requestId);
    this.#waiting.delete(requestId);
    return waiting;
  }

  #nextAdded(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        this.#added = () => {};
        resolve();
      };
      this.#added = done;
      signal.addEventListener("abort", done, { once: true });
    });
  }
}
