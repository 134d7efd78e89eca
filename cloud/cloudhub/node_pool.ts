import { Operation } from "../../common/model/mod.ts";
import { backoffMs } from "../../common/module/mod.ts";
import type { DeliveredObject } from "./delivery_class.ts";

/** Bounds and times of a pool. */
export interface PoolLimits {
  maxCount: number;
  maxChars: number;
  /** Acknowledged messages that may be on their way at a time. */
  window: number;
  /** Wait before a message is sent again, milliseconds. @default 5000 */
  resendMs?: number;
  /** How often a message is sent again before others get their turn. @default 4 */
  resends?: number;
}

/** A message ready for the wire. */
export interface PoolItem {
  /** Id of the message, which an acknowledgement names. */
  id: string;
  operation: string;
  /** Empty for messages that are sent once. */
  version: string;
  /** What is sent. */
  text: string;
  /** Undefined for messages that are sent once. */
  object: DeliveredObject | undefined;
}

interface Slot {
  key: string;
  /** The newest message, when it is not the one under way. */
  next: PoolItem | undefined;
  /** Sent and not acknowledged. */
  sent: { item: PoolItem; resends: number; dueAt: number } | undefined;
  /** Times the resends were used up. */
  rounds: number;
  /** Not to be sent before. */
  notBefore: number;
  /** Not to be sent, nor what was added after it, until it is released. */
  held: boolean;
}

/** Waits after the resends of a message were used up. */
const REQUEUE = { baseMs: 1_000, maxMs: 60_000 };

/** Upstream: kubeedge cloud/pkg/cloudhub/session/node_session.go @ 16cd854 */
const DEFAULT_RESEND_MS = 5_000;
const DEFAULT_RESENDS = 4;

/**
 * The messages that wait for one node: those to be acknowledged, of which only the newest of each object is kept, and those
 * sent once. Pure state: time, in milliseconds that only grow, and chance come in as arguments, the caller does the sending.
 */
export class NodePool {
  readonly #limits: Required<PoolLimits>;
  readonly #slots = new Map<string, Slot>();
  readonly #byId = new Map<string, Slot>();
  /** Keys of slots with something to send, replies first. */
  #replies: string[] = [];
  #pushes: string[] = [];
  #once: PoolItem[] = [];
  #underWay = 0;
  #chars = 0;
  #count = 0;

  constructor(limits: PoolLimits) {
    this.#limits = { resendMs: DEFAULT_RESEND_MS, resends: DEFAULT_RESENDS, ...limits };
  }

  /** Messages kept. */
  get count(): number {
    return this.#count;
  }

  /** Characters of messages kept. */
  get chars(): number {
    return this.#chars;
  }

  /** The message for this object that is not acknowledged yet. */
  stored(key: string): { operation: string; version: string } | undefined {
    const slot = this.#slots.get(key);
    return slot?.next ?? slot?.sent?.item;
  }

  /** Keeps a message that is sent once; false when the pool is full. */
  addOnce(item: PoolItem): boolean {
    if (!this.#hasRoom(item, undefined)) return false;
    this.#account(item, 1);
    this.#once.push(item);
    return true;
  }

  /** Keeps a message until it is acknowledged, in place of an older one for the same key; false when the pool is full. */
  add(key: string, item: PoolItem, { held = false }: { held?: boolean } = {}): boolean {
    const slot = this.#slots.get(key) ??
      { key, next: undefined, sent: undefined, rounds: 0, notBefore: 0, held };
    if (!this.#hasRoom(item, slot.next)) return false;
    this.#slots.set(key, slot);
    if (slot.next !== undefined) {
      this.#account(slot.next, -1);
      this.#byId.delete(slot.next.id);
    } else if (slot.sent === undefined) this.#enqueue(slot, item.operation);
    slot.next = item;
    this.#account(item, 1);
    return true;
  }

  /** What was held may be sent. */
  release(key: string): void {
    const slot = this.#slots.get(key);
    if (slot !== undefined) slot.held = false;
  }

  #enqueue(slot: Slot, operation: string): void {
    (operation === Operation.response ? this.#replies : this.#pushes).push(slot.key);
  }

  #hasRoom(item: PoolItem, replaced: PoolItem | undefined): boolean {
    const { maxCount, maxChars } = this.#limits;
    return this.#count + (replaced === undefined ? 1 : 0) <= maxCount &&
      this.#chars + item.text.length - (replaced?.text.length ?? 0) <= maxChars;
  }

  #account(item: PoolItem, sign: 1 | -1): void {
    this.#count += sign;
    this.#chars += sign * item.text.length;
  }

  /** The next message to send, which counts as sent; undefined when there is none now. */
  take(now: number): PoolItem | undefined {
    const once = this.#once.shift();
    if (once !== undefined) {
      this.#account(once, -1);
      return once;
    }
    if (this.#underWay >= this.#limits.window) return undefined;
    const slot = this.#takeDue(this.#replies, now) ?? this.#takeDue(this.#pushes, now);
    if (slot === undefined) return undefined;
    const item = slot.next!;
    slot.next = undefined;
    slot.sent = { item, resends: 0, dueAt: now + this.#limits.resendMs };
    this.#byId.set(item.id, slot);
    this.#underWay++;
    return item;
  }

  #takeDue(keys: string[], now: number): Slot | undefined {
    const at = keys.findIndex((key) => {
      const { held, notBefore } = this.#slots.get(key)!;
      return held || notBefore <= now;
    });
    const slot = at < 0 ? undefined : this.#slots.get(keys[at]!)!;
    // What comes later may need what is held: a pod its ConfigMap.
    if (slot === undefined || slot.held) return undefined;
    keys.splice(at, 1);
    return slot;
  }

  /**
   * Looks at what was sent and not acknowledged in time.
   * @param random a number in [0, 1)
   * @returns messages to be sent again, now
   */
  overdue(now: number, random: number): PoolItem[] {
    if (this.#underWay === 0) return [];
    const again: PoolItem[] = [];
    for (const slot of [...this.#byId.values()]) {
      const { sent } = slot;
      if (sent === undefined || sent.dueAt > now) continue;
      if (slot.next !== undefined) {
        // A newer one waits: there is no use in repeating this one.
        this.#settle(slot);
        this.#account(sent.item, -1);
        this.#enqueue(slot, slot.next.operation);
      } else if (sent.resends < this.#limits.resends) {
        sent.resends++;
        sent.dueAt = now + this.#limits.resendMs;
        again.push(sent.item);
      } else {
        this.#settle(slot);
        slot.next = sent.item;
        slot.notBefore = now + backoffMs(slot.rounds++, REQUEUE, random);
        this.#enqueue(slot, sent.item.operation);
        // A late acknowledgement still counts.
        this.#byId.set(sent.item.id, slot);
      }
    }
    return again;
  }

  #settle(slot: Slot): void {
    this.#byId.delete(slot.sent!.item.id);
    slot.sent = undefined;
    this.#underWay--;
  }

  /** Takes an acknowledgement; undefined when nothing with this id waits for one. */
  acknowledge(id: string): PoolItem | undefined {
    const slot = this.#byId.get(id);
    if (slot === undefined) return undefined;
    this.#byId.delete(id);
    if (slot.sent?.item.id === id) {
      const { item } = slot.sent;
      this.#settle(slot);
      this.#account(item, -1);
      slot.rounds = 0;
      slot.notBefore = 0;
      if (slot.next === undefined) this.#slots.delete(slot.key);
      else this.#enqueue(slot, slot.next.operation);
      return item;
    }
    const item = slot.next;
    // Requeued, then replaced by a newer message: that one still has to go.
    if (item === undefined || item.id !== id) return undefined;
    this.#account(item, -1);
    this.#slots.delete(slot.key);
    this.#replies = this.#replies.filter((key) => key !== slot.key);
    this.#pushes = this.#pushes.filter((key) => key !== slot.key);
    return item;
  }

  /**
   * The connection is gone. What was on its way waits for the next one; replies and messages sent once are dropped, since
   * their askers are gone too.
   * @returns how many messages were dropped
   */
  disconnected(): number {
    const before = this.#count;
    for (const item of this.#once.splice(0)) this.#account(item, -1);
    this.#byId.clear();
    this.#underWay = 0;
    this.#replies = [];
    this.#pushes = [];
    for (const slot of [...this.#slots.values()]) {
      const { sent } = slot;
      slot.sent = undefined;
      slot.rounds = 0;
      slot.notBefore = 0;
      if (sent !== undefined && slot.next === undefined) slot.next = sent.item;
      else if (sent !== undefined) this.#account(sent.item, -1);
      const item = slot.next!;
      if (item.operation === Operation.response) {
        this.#account(item, -1);
        this.#slots.delete(slot.key);
      } else this.#pushes.push(slot.key);
    }
    return before - this.#count;
  }
}
