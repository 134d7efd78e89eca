import { errorFromContent, type Message, Operation, unwrapResponse } from "../../common/model/mod.ts";
import { findStatusError, type StatusReason } from "../../common/errors/mod.ts";
import { backoffMs, type Clock, type Logger } from "../../common/module/mod.ts";
import { DatabaseError } from "./database.ts";
import type { OutboxEntry, OutboxStore } from "./outbox_store.ts";
import { NoReplyError, stopping } from "./pending_replies.ts";
import { CONNECTION_LOST, type Remote } from "./remote.ts";

/** What {@linkcode Outbox} needs. */
export interface OutboxComponents {
  store: OutboxStore;
  remote: Remote;
  clock: Clock;
  log: Logger;
  /** Told what the cloud answered to a change it took. Runs before the sender is told. */
  confirmed: (change: Message, reply: Message) => void;
}

/** How many changes may be on their way at once. */
const WINDOW = 16;
const RETRY = { baseMs: 1000, maxMs: 300_000 };

interface Waiter {
  revision: number;
  resolve: (reply: Message) => void;
  reject: (error: unknown) => void;
}

/**
 * Brings changes of the edge to the cloud: each is stored first, sent while there is a link, one at a time for each object,
 * and forgotten when the cloud has taken it or refused it for good.
 *
 * A newer change takes the place of an unconfirmed one of the same thing. That loses nothing, since a status patch is made
 * against the last object the cloud confirmed.
 */
export class Outbox {
  readonly #parts: OutboxComponents;
  readonly #signal: AbortSignal;
  #inFlight = new Set<string>();
  #attempts = new Map<string, { count: number; notBefore: number }>();
  #waiters = new Map<string, Waiter[]>();
  #tasks = new Set<Promise<void>>();

  constructor(parts: OutboxComponents, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
  }

  /** Stores a change without waiting for the cloud. @throws {DatabaseError} when it could not be kept */
  put(change: Message): OutboxEntry {
    const entry = this.#parts.store.put(change, this.#parts.clock.now());
    // What is new deserves its own try, however often the one before it failed.
    this.#attempts.delete(entry.key);
    this.deliver();
    return entry;
  }

  /** Stores a change; the cloud's reply to it, or to a later change that took its place. @throws {NoReplyError} */
  exchange(change: Message): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const { store, clock, remote } = this.#parts;
    const { key, revision } = store.put(change, clock.now());
    if (this.#signal.aborted) {
      reject(stopping());
      return promise;
    }
    if (!remote.connected) {
      reject(new NoReplyError("disconnected", CONNECTION_LOST));
      return promise;
    }
    this.#attempts.delete(key);
    this.#waiters.set(key, [...this.#waiters.get(key) ?? [], { revision, resolve, reject }]);
    this.deliver();
    return promise;
  }

  /** Sends what can be sent now. */
  deliver(): void {
    const { remote, clock } = this.#parts;
    if (!remote.connected || this.#signal.aborted || this.#inFlight.size >= WINDOW) return;
    for (const entry of this.#entries()) {
      if (this.#inFlight.size >= WINDOW) return;
      const { key } = entry;
      if (this.#inFlight.has(key) || (this.#attempts.get(key)?.notBefore ?? 0) > clock.elapsed()) continue;
      this.#inFlight.add(key);
      this.#track(this.#send(entry));
    }
  }

  /** Forgets earlier failures: a new link is a new chance. */
  connected(): void {
    this.#attempts.clear();
    this.deliver();
  }

  /** Tells those who wait that the link is gone; what they changed stays here. */
  disconnected(): void {
    this.#rejectAll(() => new NoReplyError("disconnected", CONNECTION_LOST));
  }

  /** Resolves when nothing is under way any more, once the signal has aborted; nobody waits for a change that stays here. */
  async stopped(): Promise<void> {
    this.#rejectAll(stopping);
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  #rejectAll(reason: () => NoReplyError): void {
    for (const key of [...this.#waiters.keys()]) {
      this.#settle(key, Infinity, (waiter) => waiter.reject(reason()));
    }
  }

  #entries(): OutboxEntry[] {
    try {
      return this.#parts.store.list(WINDOW + this.#inFlight.size + this.#attempts.size);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      this.#parts.log.error("Cannot read what waits for the cloud; trying again", error);
      this.#later(RETRY.baseMs * 5);
      return [];
    }
  }

  async #send(entry: OutboxEntry): Promise<void> {
    const { key, revision, message } = entry;
    const { store, remote, log } = this.#parts;
    try {
      const reply = await remote.request(message);
      const outcome = judge(reply);
      if (outcome === "retry") {
        this.#retry(key);
      } else {
        if (outcome === "refused") {
          log.warning("The cloud refused a change of this node", {
            operation: message.route.operation,
            resource: message.route.resource,
            reply: reply.content,
          });
        }
        store.confirm(key, revision);
        this.#attempts.delete(key);
        if (outcome === "taken") this.#parts.confirmed(message, reply);
      }
      this.#settle(key, revision, (waiter) => waiter.resolve(reply));
    } catch (error) {
      if (!(error instanceof NoReplyError)) {
        log.error("Cannot note that the cloud took a change; it will be sent again", error, {
          resource: message.route.resource,
        });
      }
      if (!(error instanceof NoReplyError) || error.why === "timeout" || error.why === "busy") {
        this.#retry(key);
      }
      this.#settle(key, revision, (waiter) => waiter.reject(error));
    } finally {
      this.#inFlight.delete(key);
    }
    this.deliver();
  }

  #retry(key: string): void {
    const { clock } = this.#parts;
    const count = (this.#attempts.get(key)?.count ?? 0) + 1;
    const waitMs = backoffMs(count - 1, RETRY, Math.random());
    this.#attempts.set(key, { count, notBefore: clock.elapsed() + waitMs });
    this.#later(waitMs);
  }

  #later(waitMs: number): void {
    this.#track(
      this.#parts.clock.sleep(waitMs, { signal: this.#signal }).then(() => this.deliver(), (error) => {
        if (!this.#signal.aborted) throw error;
      }),
    );
  }

  #settle(key: string, revision: number, act: (waiter: Waiter) => void): void {
    const waiters = this.#waiters.get(key) ?? [];
    const left = waiters.filter((waiter) => waiter.revision > revision);
    if (left.length > 0) this.#waiters.set(key, left);
    else this.#waiters.delete(key);
    for (const waiter of waiters) if (waiter.revision <= revision) act(waiter);
  }

  #track(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }
}

/** Refusals that trying again cannot change. */
const FINAL: ReadonlySet<StatusReason> = new Set([
  "BadRequest",
  "Forbidden",
  "NotFound",
  "Gone",
  "MethodNotAllowed",
  "AlreadyExists",
  "Conflict",
  "Invalid",
  "UnsupportedMediaType",
  "RequestEntityTooLarge",
]);

/** What a reply means for the change it answers. */
export function judge(reply: Message): "taken" | "refused" | "retry" {
  try {
    if (reply.route.operation === Operation.error) throw errorFromContent(reply.content);
    unwrapResponse(reply.content);
    return "taken";
  } catch (error) {
    const status = findStatusError(error);
    if (status === undefined) throw error;
    return FINAL.has(status.reason) ? "refused" : "retry";
  }
}
