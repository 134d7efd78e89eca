import { type Message, Operation, parseObjectResource } from "../../common/model/mod.ts";
import { StatusError } from "../../common/errors/mod.ts";

/** How urgent a message is: "heartbeat" ones never wait, not even for the rate limit. */
export type Urgency = "heartbeat" | "confirmation" | "bulk";

/** How urgent a message is. A node whose lease waits behind bulk is taken for dead. */
export function urgencyOf({ route }: Message): Urgency {
  if (route.operation === Operation.keepalive) return "heartbeat";
  if (route.operation === Operation.response || route.operation === Operation.error) return "confirmation";
  const type = typeOf(route.resource);
  if (type === "lease" || type === "nodepatch" || type === "node") return "heartbeat";
  return "bulk";
}

/** Whether the cloud answers a message, so that its silence means something. */
export function expectsReply({ route }: Message): boolean {
  switch (route.operation) {
    case Operation.query:
    case Operation.insert:
    case Operation.update:
    case Operation.patch:
    case Operation.delete:
      return route.group === "meta" && typeOf(route.resource) !== "event";
    default:
      return false;
  }
}

function typeOf(resource: string): string {
  try {
    return parseObjectResource(resource).type;
  } catch (error) {
    if (error instanceof StatusError) return "";
    throw error;
  }
}

/** Messages that wait to be sent, by urgency; so many, no more. */
export class SendQueue {
  readonly #capacity: number;
  readonly #items: Record<Urgency, Message[]> = { heartbeat: [], confirmation: [], bulk: [] };

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get length(): number {
    const { heartbeat, confirmation, bulk } = this.#items;
    return heartbeat.length + confirmation.length + bulk.length;
  }

  /** Takes a message; false when its kind is full. */
  push(message: Message): boolean {
    const items = this.#items[urgencyOf(message)];
    if (items.length >= this.#capacity) return false;
    items.push(message);
    return true;
  }

  /** The next heartbeat. */
  takeHeartbeat(): Message | undefined {
    return this.#items.heartbeat.shift();
  }

  /** The next of the others; confirmations first, since the cloud waits for each before it sends the next object. */
  takeOther(): Message | undefined {
    return this.#items.confirmation.shift() ?? this.#items.bulk.shift();
  }

  /** Whether any but heartbeats wait. */
  get hasOther(): boolean {
    return this.#items.confirmation.length + this.#items.bulk.length > 0;
  }

  /** Takes out everything. */
  drain(): Message[] {
    return Object.values(this.#items).flatMap((items) => items.splice(0));
  }
}
