import type { Event } from "../../common/api/core_v1.ts";
import { EdgeModule, Group, type Message, newMessage, Operation } from "../../common/model/mod.ts";
import { type Clock, type Logger, MailboxClosedError, type Send } from "../../common/module/mod.ts";
import type { PodIdentity } from "./parse_pod.ts";
import { printTime } from "./pod_status.ts";

/** What an event is about. */
export type EventSubject =
  | { kind: "Pod"; pod: PodIdentity; container?: string }
  | { kind: "Node"; name: string };

/** Notes that something happened; `type` is "Warning" for what an administrator should see. */
export type RecordEvent = (
  subject: EventSubject,
  type: "Normal" | "Warning",
  reason: string,
  message: string,
) => void;

/** Notes nothing: what a node does that is not to report events. */
export const recordNothing: RecordEvent = () => {};

/** What {@linkcode EventRecorder} needs. */
export interface EventRecorderComponents {
  nodeName: string;
  metaManager: Send<Message>;
  clock: Clock;
  log: Logger;
}

/** Events that wait for the link; of more the oldest are forgotten. */
const MAX_WAITING = 256;
/** Events that are remembered to be counted on. */
const MAX_KNOWN = 512;
const MAX_MESSAGE_CHARS = 1024;
/**
 * How many events of one object may come at once, and how long until one more may.
 * Upstream: client-go tools/record/events_cache.go (defaultSpamBurst, defaultSpamQPS) @ v1.32
 */
const BURST = 25;
const REFILL_MS = 300_000;

interface Allowance {
  left: number;
  at: number;
}

/**
 * Reports what happens as Kubernetes Events: a new one as `insert`, one that happens again as `patch` of its count. They are
 * sent while there is a link and never answered; what is said often is cut down as client-go does.
 * Upstream: client-go tools/record (event.go, events_cache.go) @ v1.32; kubeedge edge/pkg/metamanager/client/event.go @ 16cd854
 */
export class EventRecorder {
  readonly #c: EventRecorderComponents;
  readonly #known = new Map<string, Event>();
  readonly #allowances = new Map<string, Allowance>();
  #waiting: Array<{ key: string; again: boolean }> = [];
  #connected = false;
  #wake: () => void = () => {};
  #last = 0;

  constructor(components: EventRecorderComponents) {
    this.#c = components;
  }

  readonly record: RecordEvent = (subject, type, reason, message) => {
    const text = message.length > MAX_MESSAGE_CHARS ? `${message.slice(0, MAX_MESSAGE_CHARS - 1)}…` : message;
    const object = involved(subject);
    const key = JSON.stringify([object.kind, object.uid, object.fieldPath, type, reason, text]);
    if (!this.#allow(`${object.kind} ${object.uid}`)) return;
    const time = printTime(this.#c.clock.now());
    const known = this.#known.get(key);
    this.#known.delete(key);
    this.#known.set(
      key,
      known === undefined
        ? this.#make(object, type, reason, text, time)
        : { ...known, count: (known.count ?? 1) + 1, lastTimestamp: time },
    );
    if (this.#known.size > MAX_KNOWN) this.#known.delete(this.#known.keys().next().value!);
    // What still waits is sent with the newest count.
    if (this.#waiting.some((item) => item.key === key)) return;
    this.#waiting.push({ key, again: known !== undefined });
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#wake();
  };

  /** Events wait while there is no link. */
  setConnected(connected: boolean): void {
    this.#connected = connected;
    this.#wake();
  }

  /** Sends until the signal aborts or metamanager takes no more. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#wake();
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const next = this.#connected ? this.#waiting.shift() : undefined;
        if (next === undefined) await new Promise<void>((resolve) => this.#wake = resolve);
        else await this.#send(next, signal);
      }
    } catch (error) {
      if (!signal.aborted && !(error instanceof MailboxClosedError)) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #send({ key, again }: { key: string; again: boolean }, signal: AbortSignal): Promise<void> {
    const event = this.#known.get(key);
    if (event === undefined) return;
    const { namespace, name } = event.metadata!;
    const { count, lastTimestamp } = event;
    const message = newMessage(
      {
        source: EdgeModule.edged,
        group: Group.meta,
        operation: again ? Operation.patch : Operation.insert,
        resource: `${namespace}/event/${name}`,
      },
      again ? { event, patchData: JSON.stringify({ count, lastTimestamp }) } : event,
    );
    await this.#c.metaManager(message, { signal });
  }

  #allow(object: string): boolean {
    const now = this.#c.clock.elapsed();
    const before = this.#allowances.get(object) ?? { left: BURST, at: now };
    const left = Math.min(BURST, before.left + (now - before.at) / REFILL_MS);
    this.#allowances.delete(object);
    this.#allowances.set(object, { left: left >= 1 ? left - 1 : left, at: now });
    if (this.#allowances.size > MAX_KNOWN) this.#allowances.delete(this.#allowances.keys().next().value!);
    if (left < 1) this.#c.log.debug("Too many events of one object; this one is not reported", { object });
    return left >= 1;
  }

  #make(
    object: Event["involvedObject"],
    type: string,
    reason: string,
    message: string,
    time: string,
  ): Event {
    // The name is unique by the time, as client-go makes it: nanoseconds, hexadecimal.
    this.#last = Math.max(this.#last + 1, this.#c.clock.now());
    const stamp = (BigInt(this.#last) * 1_000_000n).toString(16);
    return {
      metadata: { name: `${object.name}.${stamp}`, namespace: object.namespace ?? "default" },
      involvedObject: object,
      reason,
      message,
      source: { component: "kubelet", host: this.#c.nodeName },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      reportingComponent: "kubelet",
      reportingInstance: this.#c.nodeName,
    };
  }
}

function involved(subject: EventSubject): Event["involvedObject"] {
  // The kubelet names itself by the node's name in place of its UID.
  if (subject.kind === "Node") return { kind: "Node", name: subject.name, uid: subject.name };
  const { namespace, name, uid } = subject.pod;
  return {
    kind: "Pod",
    namespace,
    name,
    uid,
    apiVersion: "v1",
    ...subject.container === undefined ? {} : { fieldPath: `spec.containers{${subject.container}}` },
  };
}
