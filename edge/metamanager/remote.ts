import { EdgeModule, type Message, Operation } from "../../common/model/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import type { Outgoing } from "./outgoing.ts";
import { NoReplyError, PendingReplies, type PendingRepliesOptions } from "./pending_replies.ts";

/** Upstream's words for a request that cannot be made now. Upstream: kubeedge edge/pkg/metamanager/process.go @ 16cd854 */
export const NOT_CONNECTED = "failed to process remote: not connected";
/** Upstream's words for a change that was kept but cannot be delivered now. */
export const CONNECTION_LOST = "connection lost between EdgeCore and CloudCore";

/** Requests to the cloud and the replies to them; knows whether there is a link. */
export class Remote {
  readonly #toCloud: Outgoing;
  readonly #pending: PendingReplies;
  /** Id of the query under way, by the resource it asks for. */
  readonly #queries = new Map<string, string>();
  #connected = false;

  constructor(toCloud: Outgoing, clock: Clock, options: PendingRepliesOptions) {
    this.#toCloud = toCloud;
    this.#pending = new PendingReplies(clock, options);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** How many requests wait for a reply. */
  get waiting(): number {
    return this.#pending.size;
  }

  /** Takes note of the link; losing it ends every wait. */
  setConnected(connected: boolean): void {
    this.#connected = connected;
    if (!connected) this.#pending.failAll(new NoReplyError("disconnected", CONNECTION_LOST));
  }

  /** Sends what expects no reply; false when it could not be taken. */
  tell(message: Message): boolean {
    return this.#toCloud.offer(message);
  }

  /** Sends a request and waits for its reply. @throws {NoReplyError} */
  request(message: Message): Promise<Message> {
    if (!this.#connected) return Promise.reject(new NoReplyError("disconnected", NOT_CONNECTED));
    if (this.#toCloud.full) {
      return Promise.reject(
        new NoReplyError("busy", "too many messages wait for the cloud; try again later"),
      );
    }
    const { msgId } = message.header;
    const { promise, admitted } = this.#pending.wait(msgId);
    if (!admitted) return promise;
    this.#toCloud.offer(message);
    const { operation, resource } = message.route;
    if (operation !== Operation.query) return promise;
    this.#queries.set(resource, msgId);
    return promise.finally(() => {
      if (this.#queries.get(resource) === msgId) this.#queries.delete(resource);
    });
  }

  /**
   * Gives an object that the cloud pushed to whoever has asked for it: upstream's cloud keeps one message per object, so
   * that a push which overtakes the reply replaces it.
   * Upstream: kubeedge cloud/pkg/cloudhub/dispatcher/message_dispatcher.go @ 16cd854
   */
  settlePushed(pushed: Message): void {
    const id = this.#queries.get(pushed.route.resource);
    if (id === undefined) return;
    this.#pending.settle(id, { ...pushed, route: { ...pushed.route, operation: Operation.response } });
  }

  /** Gives a reply to whoever asked; false when nobody waits for it. */
  settle(reply: Message): boolean {
    const id = reply.header.parentMsgId ?? "";
    if (isRefusal(reply)) {
      this.#pending.fail(id, new NoReplyError("disconnected", NOT_CONNECTED));
      return true;
    }
    return this.#pending.settle(id, reply);
  }

  /** Watches over the waits until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#pending.run(signal);
  }
}

/** Whether a reply is edgehub's own, which says that the request did not leave the edge. */
function isRefusal(reply: Message): boolean {
  return reply.route.operation === Operation.error && reply.route.source === EdgeModule.edgeHub;
}
