import {
  EdgeModule,
  Group,
  type Message,
  newMessage,
  Operation,
  printMessage,
} from "../../common/model/mod.ts";
import type { Counter } from "../../common/metrics/mod.ts";
import { type Clock, type Inbox, itemsUntil, type Logger, throttle } from "../../common/module/mod.ts";
import type { Link } from "./link.ts";
import type { LinkHealth } from "./link_health.ts";
import { type RateLimit, RateLimiter } from "./rate_limiter.ts";
import { expectsReply, SendQueue, urgencyOf } from "./send_queue.ts";

/** What {@linkcode Outbound} needs. */
export interface OutboundComponents {
  inbox: Inbox<Message>;
  /** Told that a request did not leave the edge. */
  refused: (refusal: Message) => void;
  clock: Clock;
  log: Logger;
  sent: Counter;
}

/** Messages of one urgency that may wait for the link. */
const CAPACITY = 2048;
/** Beyond so many bytes in the socket nothing is added, so that a heartbeat has no more than this before it. */
const MAX_BUFFERED_BYTES = 256 * 1024;
const BUFFERED_POLL_MS = 20;

/** Sends what the edge has to say: by urgency, within the rate limit, only while there is a link. */
export class Outbound {
  readonly #parts: OutboundComponents;
  readonly #limiter: RateLimiter;
  readonly #queue = new SendQueue(CAPACITY);
  readonly #complain: (act: (held: number) => void) => void;
  #open = false;
  #wake: () => void = () => {};

  constructor(parts: OutboundComponents, limit: RateLimit) {
    this.#parts = parts;
    this.#limiter = new RateLimiter(limit, parts.clock.elapsed());
    this.#complain = throttle(parts.clock, 5000);
  }

  get length(): number {
    return this.#queue.length;
  }

  /** Takes messages out of the inbox until the signal aborts. It never waits for the link, so that nobody waits for it. */
  async read(signal: AbortSignal): Promise<void> {
    for await (const message of itemsUntil(this.#parts.inbox, signal)) this.offer(message);
  }

  /** Takes one message for sending, or refuses it at once. */
  offer(message: Message): void {
    if (!this.#open) return this.#refuse(message, "not connected");
    if (!this.#queue.push(message)) {
      this.#complain((held) =>
        this.#parts.log.warning("Too many messages wait for the cloud; refused one", {
          ...message.route,
          held,
        })
      );
      return this.#refuse(message, "too many messages wait for the cloud");
    }
    this.#wake();
  }

  /** Sends over a link until the signal aborts or the link fails; what is left then is refused. */
  async pump(link: Link, health: LinkHealth, signal: AbortSignal): Promise<void> {
    this.#open = true;
    const stop = () => this.#wake();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const message = this.#next(link);
        if (message !== undefined) this.#send(link, health, message);
        else await this.#wait(link, signal);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      this.#open = false;
    }
  }

  /** Sends all that waits without regard to the rate: the last thing done over a link that is closed on purpose. */
  flush(link: Link, health: LinkHealth): void {
    for (const message of this.#queue.drain()) this.#send(link, health, message);
  }

  /** Refuses all that waits. */
  refuseAll(): void {
    for (const message of this.#queue.drain()) this.#refuse(message, "not connected");
  }

  #next(link: Link): Message | undefined {
    if (link.bufferedBytes > MAX_BUFFERED_BYTES) return undefined;
    const heartbeat = this.#queue.takeHeartbeat();
    if (heartbeat !== undefined) return heartbeat;
    if (!this.#queue.hasOther || !this.#limiter.take(this.#parts.clock.elapsed())) return undefined;
    return this.#queue.takeOther();
  }

  async #wait(link: Link, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    const woken = Promise.withResolvers<void>();
    this.#wake = woken.resolve;
    if (signal.aborted) return;
    const ms = link.bufferedBytes > MAX_BUFFERED_BYTES
      ? BUFFERED_POLL_MS
      : this.#queue.hasOther
      ? this.#limiter.waitMs(clock.elapsed())
      : undefined;
    if (ms === undefined) return await woken.promise;
    const timer = new AbortController();
    const slept = clock.sleep(ms, { signal: timer.signal }).catch((error) => {
      if (!timer.signal.aborted) throw error;
    });
    await Promise.race([woken.promise, slept]);
    timer.abort();
    await slept;
  }

  #send(link: Link, health: LinkHealth, message: Message): void {
    const before = link.bufferedBytes;
    try {
      link.send(printMessage(message));
    } catch (error) {
      // The socket has closed a moment ago, which its own event tells the session.
      this.#parts.log.debug("Cannot send over a link that is closing", { err: error });
      return this.#refuse(message, "not connected");
    }
    health.sent(link.bufferedBytes - before, expectsReply(message), this.#parts.clock.elapsed());
    this.#parts.sent.inc(1, { urgency: urgencyOf(message) });
  }

  #refuse(message: Message, why: string): void {
    this.#parts.sent.inc(1, { urgency: "refused" });
    // An acknowledgement has nobody who waits for it here; the cloud sends again what it concerns.
    if (!expectsReply(message)) return;
    const route = {
      source: EdgeModule.edgeHub,
      group: Group.resource,
      operation: Operation.error,
      resource: message.route.resource,
    };
    this.#parts.refused(newMessage(route, why, { parentMsgId: message.header.msgId }));
  }
}
