import { errorText } from "../../common/errors/mod.ts";
import { type Message, parseMessage } from "../../common/model/mod.ts";
import type { Counter } from "../../common/metrics/mod.ts";
import {
  type Clock,
  type Logger,
  MailboxClosedError,
  News,
  type Send,
  throttle,
} from "../../common/module/mod.ts";
import { dispatch } from "./dispatch.ts";

/** What {@linkcode Inbound} needs. */
export interface InboundComponents {
  metaManager: Send<Message>;
  /** Sends an answer of the hub's own. */
  answer: (message: Message) => void;
  clock: Clock;
  log: Logger;
  received: Counter;
  maxMessageChars: number;
}

/** What may wait for metamanager. Beyond it messages are dropped, and the cloud sends again what it wants confirmed. */
const MAX_WAITING = 4096;
const MAX_WAITING_CHARS = 64 * 1024 * 1024;

interface Item {
  message: Message;
  chars: number;
}

/** Takes what the cloud sends: bounded, parsed, dispatched, handed to metamanager in order. */
export class Inbound {
  readonly #parts: InboundComponents;
  readonly #complain: (act: (held: number) => void) => void;
  readonly #news: News;
  #items: Item[] = [];
  #chars = 0;
  #wake: () => void = () => {};

  constructor(parts: InboundComponents) {
    this.#parts = parts;
    this.#complain = throttle(parts.clock, 5000);
    this.#news = new News(parts.clock);
  }

  /** Takes one text of the socket. */
  take(text: string): void {
    let message: Message;
    try {
      message = parseMessage(text, { maxChars: this.#parts.maxMessageChars });
    } catch (error) {
      this.#drop("malformed", { chars: text.length, error: errorText(error) });
      return;
    }
    const target = dispatch(message);
    if ("answer" in target) {
      this.#parts.received.inc(1, { result: "answered" });
      this.#parts.answer(target.answer);
    } else if (target.to === "nobody") {
      this.#drop("unrouted", { why: target.why, ...message.route }, target.why);
    } else if (this.#items.length >= MAX_WAITING || this.#chars + text.length > MAX_WAITING_CHARS) {
      this.#drop("overflow", { waiting: this.#items.length, ...message.route });
    } else {
      this.#parts.received.inc(1, { result: "taken" });
      this.#push({ message, chars: text.length });
    }
  }

  /** Hands over what the hub itself has to say about the link; it is never dropped. */
  tell(message: Message): void {
    this.#push({ message, chars: 0 });
  }

  /** Hands over that a message was not sent, unless too much waits already: then its sender's time limit tells it. */
  tellRefusal(message: Message): void {
    if (this.#items.length < MAX_WAITING) this.tell(message);
  }

  get length(): number {
    return this.#items.length;
  }

  /** Hands messages over until the signal aborts or metamanager takes no more. */
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
        await this.#parts.metaManager(item.message, { signal });
        this.#items.shift();
        this.#chars -= item.chars;
      }
    } catch (error) {
      if (!signal.aborted && !(error instanceof MailboxClosedError)) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #push(item: Item): void {
    this.#items.push(item);
    this.#chars += item.chars;
    this.#wake();
  }

  /** @param topic what is worth a warning only now and then: of a module that is not here the cloud speaks all the time */
  #drop(result: string, fields: Record<string, unknown>, topic?: string): void {
    const { received, log } = this.#parts;
    received.inc(1, { result });
    const text = "Dropped a message of the cloud";
    if (topic !== undefined && this.#news.isNew(topic, "")) {
      return log.warning(text, { reason: result, ...fields });
    }
    const level = topic === undefined ? "warning" : "debug";
    this.#complain((held) => log[level](text, { reason: result, ...fields, held }));
  }
}
