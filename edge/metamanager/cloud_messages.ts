import { isJsonObject, type JsonObject } from "./object_meta.ts";
import {
  type Message,
  newErrorResponse,
  newMessage,
  newResponse,
  type ObjectResource,
  OK_CONTENT,
  Operation,
  parseObjectResource,
} from "../../common/model/mod.ts";
import { EdgeModule } from "../../common/model/mod.ts";
import { errorText } from "../../common/errors/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import { throttle } from "../../common/module/mod.ts";
import type { Counter } from "../../common/metrics/mod.ts";
import { matchesResource, type ObjectKeeper } from "./object_keeper.ts";
import type { Outgoing } from "./outgoing.ts";
import type { RecentKeys } from "./recent_keys.ts";
import type { Remote } from "./remote.ts";

/** What {@linkcode CloudMessages} needs. */
export interface CloudMessagesComponents {
  keeper: ObjectKeeper;
  remote: Remote;
  toEdged: Outgoing;
  recent: RecentKeys;
  clock: Clock;
  log: Logger;
  messages: Counter;
}

/** Types whose objects edged acts on, and so is told about. */
const FOR_EDGED: ReadonlySet<string> = new Set(["pod", "configmap", "secret", "node"]);
/** Types that are asked for, so that a reply nobody waits for any more is still worth keeping. */
const FETCHED: ReadonlySet<string> = new Set([
  "configmap",
  "secret",
  "persistentvolume",
  "persistentvolumeclaim",
  "volumeattachment",
]);

/**
 * What the cloud pushes: stored, then acknowledged, then handed on. What could not be stored is not acknowledged, so that
 * the cloud sends it again.
 */
export class CloudMessages {
  readonly #parts: CloudMessagesComponents;
  readonly #logTrouble: (act: (held: number) => void) => void;

  constructor(parts: CloudMessagesComponents) {
    this.#parts = parts;
    this.#logTrouble = throttle(parts.clock, 5000);
  }

  /** Handles one message of the cloud. */
  handle(message: Message): void {
    if (message.header.parentMsgId !== undefined) {
      if (!this.#parts.remote.settle(message)) this.#handleLateReply(message);
      return;
    }
    switch (message.route.operation) {
      case Operation.insert:
      case Operation.update:
        this.#guard(message, (resource) => this.#keep(message, resource));
        break;
      case Operation.delete:
        this.#guard(message, (resource) => this.#remove(message, resource));
        break;
      default:
        this.#parts.messages.inc(1, { from: "cloud", result: "unsupported" });
        this.#logTrouble((held) =>
          this.#parts.log.warning("The cloud sent an operation that is not supported here", {
            ...message.route,
            held,
          })
        );
    }
  }

  #guard(message: Message, act: (resource: ObjectResource) => void): void {
    const { remote, toEdged, log, messages } = this.#parts;
    try {
      if (toEdged.full) {
        throw new RangeError("Cannot take a change from the cloud: edged is behind with earlier ones");
      }
      act(parseObjectResource(message.route.resource));
    } catch (error) {
      messages.inc(1, { from: "cloud", result: "refused" });
      this.#logTrouble((held) =>
        log.error("Cannot take what the cloud sent; not acknowledged, it will be sent again", error, {
          operation: message.route.operation,
          resource: message.route.resource,
          held,
        })
      );
      remote.tell(newErrorResponse(message, errorText(error), EdgeModule.metaManager));
    }
  }

  #keep(message: Message, resource: ObjectResource): void {
    const { keeper, messages, recent, remote } = this.#parts;
    const { content } = message;
    if (!isJsonObject(content)) throw new TypeError("Cannot store the content: it is not an object");
    if (FOR_EDGED.has(resource.type) && !matchesResource(resource, content)) {
      throw new TypeError(
        "Cannot store the object: its metadata names another one than the resource path does",
      );
    }
    const kept = keeper.keep(resource, content);
    messages.inc(1, { from: "cloud", result: kept });
    if (kept === "stored" || kept === "same") {
      recent.add(message.route.resource);
      remote.settlePushed(message);
    }
    this.#acknowledge(message);
    if (kept === "stored" && FOR_EDGED.has(resource.type)) this.#parts.toEdged.offer(message);
  }

  #remove(message: Message, resource: ObjectResource): void {
    const { keeper, messages, recent } = this.#parts;
    const removed = keeper.remove(resource, message.content);
    messages.inc(1, { from: "cloud", result: removed ? "removed" : "other" });
    if (removed) recent.delete(message.route.resource);
    this.#acknowledge(message);
    if (!FOR_EDGED.has(resource.type)) return;
    // Told even when nothing was stored: the engine may still run what an earlier edgecore started.
    const content = identify(message.content, resource);
    this.#parts.toEdged.offer({ ...message, content });
  }

  /** A reply whose asker has given up: kept where it can serve the next one, and confirmed so that the cloud stops. */
  #handleLateReply(message: Message): void {
    this.#parts.messages.inc(1, { from: "cloud", result: "late" });
    if (message.route.operation !== Operation.response || message.content === OK_CONTENT) return;
    this.#guard(message, (resource) => {
      if (FETCHED.has(resource.type) && matchesResource(resource, message.content)) {
        this.#parts.keeper.keep(resource, message.content);
      }
      this.#acknowledge(message);
    });
  }

  #acknowledge(message: Message): void {
    this.#parts.remote.tell(newResponse(message, OK_CONTENT));
  }
}

/** The content of a deletion with at least the name in it. */
function identify(content: unknown, { namespace, name }: ObjectResource): JsonObject {
  const object = isJsonObject(content) ? content : {};
  const metadata = isJsonObject(object.metadata) ? object.metadata : {};
  return { ...object, metadata: { ...metadata, namespace, name } };
}

/** The message that hands a pod on to edged, made from the reply that brought it. */
export function podUpdate(reply: Message, resource: string, pod: JsonObject): Message {
  const { source, group } = reply.route;
  return newMessage({ source, group, operation: Operation.update, resource }, pod);
}
