import { errorText, isNotFound, StatusError } from "../../common/errors/mod.ts";
import {
  CLUSTER_SCOPE,
  EdgeModule,
  errorFromContent,
  isStatusContent,
  type Message,
  newErrorResponse,
  newMessage,
  newResponse,
  type ObjectResource,
  OK_CONTENT,
  Operation,
  parseObjectResource,
  printObjectResource,
  statusContent,
  unwrapResponse,
} from "../../common/model/mod.ts";
import type { Counter } from "../../common/metrics/mod.ts";
import { type Clock, type Logger, News } from "../../common/module/mod.ts";
import { podUpdate } from "./cloud_messages.ts";
import { DatabaseError } from "./database.ts";
import { readFetched } from "./fetched_reply.ts";
import type { GonePods } from "./gone_pods.ts";
import { matchesResource, type ObjectKeeper } from "./object_keeper.ts";
import type { MetaStore } from "./meta_store.ts";
import { isJsonObject } from "./object_meta.ts";
import type { Outbox } from "./outbox.ts";
import type { Outgoing } from "./outgoing.ts";
import { NoReplyError } from "./pending_replies.ts";
import type { RecentKeys } from "./recent_keys.ts";
import { NOT_CONNECTED, type Remote } from "./remote.ts";
import { hasToken, inOwnTime, tokenKey, tokenState } from "./service_account_token.ts";

/** What {@linkcode EdgeRequests} needs. */
export interface EdgeRequestsComponents {
  keeper: ObjectKeeper;
  store: MetaStore;
  gone: GonePods;
  outbox: Outbox;
  remote: Remote;
  toEdged: Outgoing;
  recent: RecentKeys;
  clock: Clock;
  log: Logger;
  messages: Counter;
}

/** What a request of a type and operation leads to. */
type Way =
  /** Answered by the cloud now, or not at all. */
  | "remote"
  /** Answered by the cloud, and from the store when it is away. */
  | "fetch"
  /** Like fetch, but asked for only when the store has none: the cloud pushes it. */
  | "local"
  /** Kept until the cloud has taken it; answered with what the cloud says. */
  | "exchange"
  /** Kept until the cloud has taken it; answered at once. */
  | "keep"
  /** Sent when there is a link, never answered. */
  | "tell"
  /** What metamanager itself knows. */
  | "own";

/**
 * One row for each request there is. A query of a type that is not here is answered from the store.
 * Upstream: kubeedge edge/pkg/metamanager/process.go @ 16cd854
 */
const WAYS: Readonly<Record<string, Way>> = {
  "query configmap": "fetch",
  "query secret": "fetch",
  "query persistentvolume": "fetch",
  "query persistentvolumeclaim": "fetch",
  "query volumeattachment": "fetch",
  "query serviceaccounttoken": "fetch",
  "query ca.crt": "fetch",
  "query lease": "remote",
  "query certificatesigningrequest": "remote",
  "query node": "local",
  "query gonepod": "own",
  "insert node": "remote",
  "insert pod": "remote",
  "insert lease": "remote",
  "insert certificatesigningrequest": "remote",
  "insert event": "tell",
  "update lease": "remote",
  "update event": "tell",
  "update node": "keep",
  "update nodestatus": "keep",
  "update podstatus": "keep",
  "patch podpatch": "exchange",
  "patch nodepatch": "exchange",
  "patch event": "tell",
  "delete pod": "exchange",
};

/** Answers what modules of the edge ask. */
export class EdgeRequests {
  readonly #parts: EdgeRequestsComponents;
  /** Queries under way, by the key their object is stored under. */
  readonly #fetching = new Map<string, Promise<Message>>();

  readonly #news: News;

  constructor(parts: EdgeRequestsComponents) {
    this.#parts = parts;
    this.#news = new News(parts.clock);
  }

  /** Handles one request; resolves when it has been answered. Never rejects for what the request or the cloud is to blame. */
  async handle(request: Message): Promise<void> {
    try {
      const resource = parseObjectResource(request.route.resource);
      const answer = await this.#answer(request, resource);
      this.#parts.messages.inc(1, { from: "edge", result: "answered" });
      if (answer !== undefined) this.#toEdged(answer);
    } catch (error) {
      this.#parts.messages.inc(1, { from: "edge", result: "failed" });
      const text = errorText(error);
      // A disk that is full fails every request until somebody helps, and is told of once.
      const old = error instanceof NoReplyError ||
        (error instanceof DatabaseError && !this.#news.isNew("database", text));
      if (!old) this.#parts.log.error("Cannot answer a request", error, { ...request.route });
      this.#toEdged(newErrorResponse(request, text, EdgeModule.metaManager));
    }
  }

  #answer(request: Message, resource: ObjectResource): Promise<Message | undefined> | Message | undefined {
    const { operation } = request.route;
    const way = WAYS[`${operation} ${resource.type}`] ??
      (operation === Operation.query ? "local" : undefined);
    switch (way) {
      case "fetch":
        return this.#fetch(request, resource);
      case "local":
        return this.#local(request, resource);
      case "remote":
        return this.#remote(request, resource);
      case "own":
        return respond(request, this.#parts.gone.list());
      case "exchange":
        return isLookUp(request, resource) ? this.#lookUp(request, resource) : this.#exchange(request);
      case "keep":
        this.#parts.outbox.put(request);
        return respond(request, OK_CONTENT);
      case "tell":
        if (!this.#parts.remote.connected || !this.#parts.remote.tell(request)) {
          this.#parts.messages.inc(1, { from: "edge", result: "dropped" });
        }
        return undefined;
      default:
        throw new StatusError(
          "MethodNotAllowed",
          `Cannot ${operation} ${resource.type}: metamanager does not support it`,
        );
    }
  }

  async #exchange(request: Message): Promise<Message> {
    return answerWith(request, await this.#parts.outbox.exchange(request));
  }

  /** Asks for a pod that runs here and is not stored, and stores it. */
  async #lookUp(request: Message, resource: ObjectResource): Promise<Message> {
    const reply = await this.#parts.remote.request(request);
    const pod = withKind(returnedObject(reply.content), "Pod");
    const of = { ...resource, type: "pod" };
    if (!isJsonObject(pod) || !matchesResource(of, pod)) return answerWith(request, reply);
    if (this.#parts.keeper.keepFoundPod(of, pod)) return respond(request, pod);
    return respond(request, notFoundContent({ type: "pod", name: resource.name }));
  }

  /** Asks the cloud under an id of metamanager's own, and confirms the reply, as upstream does for all it asks so. */
  async #remote(request: Message, resource: ObjectResource, key = request.route.resource): Promise<Message> {
    const { remote } = this.#parts;
    const asked = newMessage(request.route, request.content, { timestamp: this.#parts.clock.now() });
    const fetched = readFetched(await remote.request(asked), resource);
    const reply = resource.type === "serviceaccounttoken" && isJsonObject(fetched.content)
      ? { ...fetched, content: inOwnTime(fetched.content, this.#parts.clock.now()) }
      : fetched;
    this.#keepReply(reply, resource, key);
    // What was pushed instead of a reply has been confirmed as a push.
    if (reply.header.parentMsgId !== undefined) remote.tell(newResponse(reply, OK_CONTENT));
    return answerWith(request, reply);
  }

  /**
   * Asks the cloud once for all who want the object now: upstream's cloud keeps one message per object that is to be
   * confirmed, so that of two replies about to be sent the first is lost.
   * Upstream: kubeedge cloud/pkg/cloudhub/dispatcher/message_dispatcher.go @ 16cd854
   */
  async #remoteOnce(request: Message, resource: ObjectResource, key: string): Promise<Message> {
    let fetching = this.#fetching.get(key);
    if (fetching === undefined) {
      fetching = this.#remote(request, resource, key).finally(() => this.#fetching.delete(key));
      this.#fetching.set(key, fetching);
    }
    return answerWith(request, await fetching);
  }

  #keepReply(reply: Message, resource: ObjectResource, key: string): void {
    const { keeper, store, recent } = this.#parts;
    const { content } = reply;
    if (reply.route.operation === Operation.error) {
      const isKept = WAYS[`query ${resource.type}`] === "fetch" && resource.type !== "serviceaccounttoken";
      if (isKept && isNotFound(errorFromContent(content))) this.#keepAbsence(resource, key);
    }
    if (reply.route.operation !== Operation.response) return;
    switch (resource.type) {
      case "serviceaccounttoken":
        if (hasToken(content)) store.put(key, resource.type, content);
        break;
      case "ca.crt":
        if (typeof content === "string" && content.includes("BEGIN CERTIFICATE")) {
          store.put(key, resource.type, content);
        }
        break;
      case "node": {
        const node = withKind(returnedObject(content), "Node");
        if (matchesResource({ ...resource, namespace: CLUSTER_SCOPE }, node)) {
          keeper.keep({ ...resource, namespace: CLUSTER_SCOPE }, node);
        }
        break;
      }
      default:
        if (WAYS[`query ${resource.type}`] !== "fetch") return;
        if (matchesResource(resource, content)) {
          keeper.keep(resource, content);
          recent.add(key);
        } else if (isNotFoundContent(content)) this.#keepAbsence(resource, key);
    }
  }

  /** That there is none is an answer as well: a pod for which the object is optional comes back without the cloud. */
  #keepAbsence(resource: ObjectResource, key: string): void {
    const { store, recent } = this.#parts;
    recent.delete(key);
    if (resource.type === "ca.crt") return store.delete(key);
    store.put(key, resource.type, notFoundContent(resource));
  }

  async #fetch(request: Message, resource: ObjectResource): Promise<Message> {
    const { remote, log } = this.#parts;
    const key = resource.type === "serviceaccounttoken"
      ? tokenKey(resource, request.content)
      : request.route.resource;
    const stored = this.#stored(resource, key);
    if (stored !== undefined && this.#isGoodEnough(resource, key, stored)) return respond(request, stored);
    try {
      if (!remote.connected) throw new NoReplyError("disconnected", NOT_CONNECTED);
      return await this.#remoteOnce(request, resource, key);
    } catch (error) {
      if (!(error instanceof NoReplyError)) throw error;
      const last = this.#stored(resource, key) ?? this.#absence(resource, key);
      if (last === undefined) {
        throw new NoReplyError(
          error.why,
          `${error.message} (${request.route.resource} is not stored at this edge)`,
        );
      }
      log.debug("The cloud is away; answering from the store", { resource: request.route.resource });
      return respond(request, last);
    }
  }

  #stored(resource: ObjectResource, key: string): unknown {
    const { store } = this.#parts;
    if (resource.type === "ca.crt") return store.getValue(key);
    if (resource.type !== "serviceaccounttoken") return store.get(key);
    const token = store.getValue(key);
    return hasToken(token) ? token : undefined;
  }

  /** What the cloud last said, if that was that there is no such object. */
  #absence(resource: ObjectResource, key: string): unknown {
    if (resource.type === "serviceaccounttoken" || resource.type === "ca.crt") return undefined;
    return isNotFoundContent(this.#parts.store.getValue(key)) ? notFoundContent(resource) : undefined;
  }

  /** Whether the stored object can be handed out although the cloud could be asked. */
  #isGoodEnough(resource: ObjectResource, key: string, stored: unknown): boolean {
    const { clock, recent } = this.#parts;
    if (resource.type === "serviceaccounttoken") {
      return isJsonObject(stored) && tokenState(stored, clock.now()) === "fresh";
    }
    return recent.has(key);
  }

  async #local(request: Message, resource: ObjectResource): Promise<Message> {
    const { store, remote } = this.#parts;
    if (resource.name === "") return respond(request, store.list(resource.type));
    // Requests name nodes under the namespace nodes are registered with, pushes under none.
    const key = resource.type === "node"
      ? printObjectResource({ ...resource, namespace: CLUSTER_SCOPE })
      : request.route.resource;
    const stored = store.get(key);
    if (stored !== undefined) return respond(request, stored);
    if (resource.type === "node" && remote.connected) return this.#remote(request, resource, key);
    return respond(
      request,
      statusContent(
        new StatusError("NotFound", `${resource.type} "${resource.name}" is not stored at this edge`),
      ),
    );
  }

  /** What the cloud said to a change of the outbox: the object it returned is stored, and edged told if it must act. */
  takeConfirmed(change: Message, reply: Message): void {
    const { keeper } = this.#parts;
    const { namespace, type, name } = parseObjectResource(change.route.resource);
    const object = returnedObject(reply.content);
    if (type === "nodepatch") {
      const resource = { namespace: CLUSTER_SCOPE, type: "node", name };
      const node = withKind(object, "Node");
      if (matchesResource(resource, node)) keeper.keep(resource, node);
    } else if (type === "podpatch") {
      const resource = { namespace, type: "pod", name };
      const pod = withKind(object, "Pod");
      if (isJsonObject(pod) && matchesResource(resource, pod) && keeper.keepReturnedPod(resource, pod)) {
        this.#toEdged(podUpdate(reply, printObjectResource(resource), pod));
      }
    }
  }

  #toEdged(message: Message): void {
    if (this.#parts.toEdged.offer(message)) return;
    this.#parts.messages.inc(1, { from: "edge", result: "lost" });
    this.#parts.log.warning("Edged does not take its messages; an answer is lost", { ...message.route });
  }
}

/** An answer of metamanager's own. */
function respond(request: Message, content: unknown): Message {
  const { group, resource } = request.route;
  return newMessage(
    { source: EdgeModule.metaManager, group, operation: Operation.response, resource },
    content,
    { parentMsgId: request.header.msgId },
  );
}

/** Whether a pod patch changes nothing, so that only its answer counts. */
function isLookUp({ content }: Message, { type }: ObjectResource): boolean {
  return type === "podpatch" && typeof content === "string" &&
    /^\{"metadata":\{"uid":"[^"]*"\}\}$/.test(content);
}

/** The cloud's reply, as the answer to the request that was asked under another id. */
function answerWith(request: Message, reply: Message): Message {
  return { ...reply, header: { ...reply.header, parentMsgId: request.header.msgId } };
}

function returnedObject(content: unknown): unknown {
  try {
    return unwrapResponse(content);
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}

/** Objects returned by writes lack what pushed ones carry. */
function withKind(object: unknown, kind: string): unknown {
  return isJsonObject(object) ? { kind, apiVersion: "v1", ...object } : object;
}

/** As the API says it; a row of it in the store is no object. Upstream leaves the same in its own. */
function notFoundContent({ type, name }: Pick<ObjectResource, "type" | "name">): unknown {
  return statusContent(new StatusError("NotFound", `${type}s "${name}" not found`));
}

function isNotFoundContent(content: unknown): boolean {
  return isStatusContent(content) && isJsonObject(content.ErrStatus) &&
    content.ErrStatus.reason === "NotFound";
}
