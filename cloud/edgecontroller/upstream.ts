import type { Pod } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { errorText, findStatusError, isForbidden, isNotFound, StatusError } from "../../common/errors/mod.ts";
import { type KubeReader, type KubeWriter, PODS } from "../../common/kubeclient/mod.ts";
import type { Counter, Histogram } from "../../common/metrics/mod.ts";
import {
  CloudModule,
  errorObjectResponse,
  Group,
  type Message,
  newMessage,
  objectResponse,
  Operation,
  parseNodeResource,
  printNodeResource,
  splitNode,
  statusContent,
} from "../../common/model/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import { type AuthorizationIndex, authorize, type Decision, forbidden, NodeRefusal } from "./authorize.ts";
import { sizeOf } from "./content.ts";
import type { EdgeIndex } from "./edge_index.ts";
import { EVENT_HANDLERS } from "./event_handlers.ts";
import type { EdgeView, Handler, HandlerContext, Handlers } from "./handler.ts";
import { Lanes, type LanesOptions } from "./lanes.ts";
import { NODE_HANDLERS } from "./node_handlers.ts";
import { POD_HANDLERS } from "./pod_handlers.ts";
import { READ_HANDLERS } from "./read_handlers.ts";
import { isDispensable } from "./pod_references.ts";
import type { refusedReports } from "./refused_reports.ts";
import { parseRequests, type RequestKind, type RequestTraits, routeMessage } from "./request.ts";
import type { UpstreamRequest } from "./request.ts";
import { Tasks } from "./tasks.ts";

/** What the upstream half is made of. */
export interface UpstreamComponents {
  /** Hands a message to the hub. */
  send: (message: Message, signal: AbortSignal) => Promise<void>;
  kube: Pick<KubeReader, "get"> & KubeWriter;
  edge: EdgeView;
  index: AuthorizationIndex & Pick<EdgeIndex, "podsOf">;
  /** Told what the API refused. */
  refused: ReturnType<typeof refusedReports>;
  clock: Clock;
  log: Logger;
  /** Requests, by kind and result. */
  requests: Counter;
  /** Seconds from receiving a request to handing on its answer, by lane. */
  seconds: Histogram;
}

/** Options of the upstream half. */
export interface UpstreamOptions extends LanesOptions {
  advertiseAddress: string;
  nodeUpdateFrequencyMs: number;
  requestTimeoutMs: number;
}

const HANDLERS: Handlers<Exclude<RequestKind, "csr-insert" | "csr-query">> = {
  ...NODE_HANDLERS,
  ...POD_HANDLERS,
  ...READ_HANDLERS,
  ...EVENT_HANDLERS,
};

/** Replies whose object the edge keeps by its version. */
const VERSIONED: ReadonlySet<RequestKind> = new Set([
  "node-patch",
  "pod-patch",
  "configmap-query",
  "secret-query",
  "persistentvolumeclaim-query",
  "persistentvolume-query",
  "volumeattachment-query",
]);

/** Requests about a pod that must be seen as the API has it, even if the informer is behind. */
const ABOUT_A_POD: ReadonlySet<RequestKind> = new Set(["pod-patch", "pod-delete", "podstatus-update"]);

/** Events of one node: as many at once, then one each interval. */
const EVENT_BURST = 100;
const EVENT_INTERVAL_MS = 100;

/** Refusals that may wait to be sent; beyond that a flood is not even answered. */
const MAX_REFUSALS = 1000;

/** How long an edge takes to store what it was answered, milliseconds. */
const ANSWER_SETTLES_MS = 1_000;

/** Failures of one node that are alike are logged so often, so that neither a hostile edge nor an outage fills the log. */
const LOG_EVERY_MS = 60_000;
/** Edges go on to tell of pods, and ask for their tokens, while a namespace with all in it goes: nothing anybody need mend. */
const TERMINATING = /: unable to create new content in namespace \S+ because it is being terminated/;
/** Kinds of failures, of all nodes, that are told apart for that. */
const MAX_LOGGED = 10_000;

/**
 * Reads what edges ask for, decides whether they may, carries it out, and answers.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/upstream.go @ 16cd854
 */
export class Upstream {
  readonly #components: UpstreamComponents;
  readonly #options: UpstreamOptions;
  readonly #lanes: Lanes;
  readonly #refusals = new Tasks();
  readonly #settling = new Tasks();
  #eventBudgets = new Map<string, { left: number; at: number }>();
  #logged = new Map<string, number>();

  constructor(components: UpstreamComponents, options: UpstreamOptions) {
    this.#components = components;
    this.#options = options;
    this.#lanes = new Lanes(options);
  }

  /** Requests that wait in a lane. */
  waiting(lane: RequestTraits["lane"]): number {
    return this.#lanes.waiting(lane);
  }

  /** Takes one message of an edge; never waits and never throws. */
  accept(message: Message, signal: AbortSignal): void {
    const { operation, resource } = message.route;
    let request: UpstreamRequest | undefined;
    let how: RequestTraits | undefined;
    try {
      const { node, namespace, type } = parseNodeResource(resource);
      how = routeMessage(type, operation);
      if (how === undefined) {
        throw new StatusError(
          "BadRequest",
          `Cannot ${operation || "do anything"} with type ${
            JSON.stringify(type)
          }: edgecontroller does not know it`,
        );
      }
      const requests = parseRequests(how, message);
      const chars = Math.ceil(sizeOf(message.content) / requests.length);
      for (request of requests) {
        if (how.reply === "none" && !this.#mayReport(node)) {
          this.#components.requests.inc(1, { kind: request.kind, result: "Dropped" });
          continue;
        }
        const key = `${how.group}/${namespace}/${request.name}`;
        this.#enqueue(how, { key, chars }, request, message, signal);
      }
    } catch (error) {
      const status = findStatusError(error) ??
        new StatusError("BadRequest", `Cannot read ${operation} ${resource}`, { cause: error });
      this.#components.requests.inc(1, { kind: how?.kind ?? "unknown", result: status.reason });
      const node = splitNode(resource).node ?? "";
      if (this.#mayLog(`${node} malformed`, LOG_EVERY_MS)) {
        this.#components.log.warning("Refused a message of an edge", {
          resource,
          operation,
          err: errorText(status),
        });
      }
      this.#refuse(how, message, status, signal);
    }
  }

  /** The node is away: what it may report starts anew when it is back. */
  nodeDisconnected(node: string): void {
    this.#eventBudgets.delete(node);
  }

  /** Resolves once nothing is at work any more. */
  async stop(): Promise<void> {
    await this.#lanes.stop();
    await this.#refusals.settled();
    await this.#settling.settled();
  }

  #enqueue(
    how: RequestTraits,
    task: { key: string; chars: number },
    request: UpstreamRequest,
    message: Message,
    signal: AbortSignal,
  ): void {
    const received = this.#components.clock.now();
    const taken = this.#lanes.push(how.lane, request.nodeName, task, async () => {
      await this.#answer(how, request, message, signal);
      this.#components.seconds.observe((this.#components.clock.now() - received) / 1000, { lane: how.lane });
    });
    if (taken) return;
    this.#components.requests.inc(1, { kind: request.kind, result: "TooManyRequests" });
    const status = new StatusError(
      "TooManyRequests",
      `Node "${request.nodeName}" asks faster than it is answered: try again later`,
    );
    this.#refuse(how, message, status, signal);
  }

  async #answer(
    how: RequestTraits,
    request: UpstreamRequest,
    message: Message,
    signal: AbortSignal,
  ): Promise<void> {
    const { requests, log } = this.#components;
    let reply: Message | undefined;
    using held = new DisposableStack();
    try {
      const result = await this.#carryOut(request, held, signal);
      requests.inc(1, { kind: request.kind, result: "OK" });
      reply = replyWith(how, message, result);
    } catch (error) {
      if (signal.aborted) return;
      const status = findStatusError(error) ??
        new StatusError("InternalError", errorText(error), { cause: error });
      requests.inc(1, { kind: request.kind, result: status.reason });
      this.#logFailure(request, status);
      this.#refusals.add(this.#components.refused(request, status, signal), signal);
      reply = replyWithError(this.#mayBeAbsent(request, status) ? ABSENT : how, message, status);
    }
    if (reply === undefined || signal.aborted) return;
    try {
      await this.#components.send(reply, signal);
      this.#holdOn(held.move(), signal);
    } catch (error) {
      if (!signal.aborted) log.error("Cannot answer an edge", error, { resource: message.route.resource });
    }
  }

  /**
   * An edge stores what it is answered without looking at versions, and a moment after it arrived. What others wrote meanwhile is told
   * once that is over: else the answer is stored over it, and the edge takes what it reported for what the API shows.
   * Upstream: kubeedge edge/pkg/metamanager/client/pod.go (updatePodDB) @ 16cd854
   */
  #holdOn(held: DisposableStack, signal: AbortSignal): void {
    const wait = this.#components.clock.sleep(ANSWER_SETTLES_MS, { signal });
    this.#settling.add(wait.finally(() => held.dispose()), signal);
  }

  /** Whether what is not there need not be there: then the edge goes on without it instead of trying again. */
  #mayBeAbsent({ kind, nodeName, namespace, name }: UpstreamRequest, status: StatusError): boolean {
    if (!isNotFound(status) || (kind !== "configmap-query" && kind !== "secret-query")) return false;
    const reference = { type: kind === "secret-query" ? "secret" : "configmap", namespace, name } as const;
    return this.#components.index.podsOf(nodeName).some((pod) => isDispensable(pod, reference));
  }

  async #carryOut(
    request: UpstreamRequest,
    held: DisposableStack,
    signal: AbortSignal,
  ): Promise<KubeObject | string> {
    const ms = this.#options.requestTimeoutMs;
    const work = new AbortController();
    const done = new AbortController();
    const stop = () => work.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    this.#components.clock.sleep(ms, { signal: done.signal }).then(
      () => work.abort(new StatusError("Timeout", `The API server did not answer within ${ms} ms`)),
      // The request ended first.
      () => {},
    );
    try {
      return await this.#decideAndDo(request, held, work.signal);
    } catch (error) {
      throw work.signal.aborted ? work.signal.reason : error;
    } finally {
      signal.removeEventListener("abort", stop);
      done.abort();
    }
  }

  async #decideAndDo(
    request: UpstreamRequest,
    held: DisposableStack,
    signal: AbortSignal,
  ): Promise<KubeObject | string> {
    const { kube, edge, index, clock } = this.#components;
    const pod = ABOUT_A_POD.has(request.kind) ? await this.#findPod(request, signal) : undefined;
    const seen: AuthorizationIndex = pod === undefined ? index : {
      node: (name) => index.node(name),
      nodeOfGone: (pod) => index.nodeOfGone(pod),
      references: (node, reference) => index.references(node, reference),
      pod: () => pod,
    };
    const decision = decide(request, seen);
    if (!decision.allowed) throw forbidden(request, decision.reason);
    if (request.kind === "csr-insert" || request.kind === "csr-query") {
      throw new StatusError("MethodNotAllowed", `Cannot do ${request.kind}`);
    }
    const { advertiseAddress, nodeUpdateFrequencyMs } = this.#options;
    const context: HandlerContext = {
      kube,
      edge,
      held,
      index: seen,
      pod,
      now: clock.now(),
      advertiseAddress,
      nodeUpdateFrequencyMs,
      signal,
    };
    const handler = HANDLERS[request.kind] as Handler<RequestKind>;
    return await handler(request, context);
  }

  async #findPod(
    { namespace, name }: UpstreamRequest,
    signal: AbortSignal,
  ): Promise<Pod | undefined> {
    const known = this.#components.index.pod(namespace, name);
    if (known !== undefined) return known;
    try {
      return await this.#components.kube.get(PODS, { namespace, name }, { signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #mayReport(node: string): boolean {
    const now = this.#components.clock.now();
    const budget = this.#eventBudgets.get(node) ?? { left: EVENT_BURST, at: now };
    this.#eventBudgets.set(node, budget);
    const earned = Math.floor((now - budget.at) / EVENT_INTERVAL_MS);
    if (earned > 0) {
      budget.left = Math.min(EVENT_BURST, budget.left + earned);
      budget.at += earned * EVENT_INTERVAL_MS;
    }
    if (budget.left === 0) return false;
    budget.left--;
    return true;
  }

  #refuse(
    how: RequestTraits | undefined,
    message: Message,
    error: StatusError,
    signal: AbortSignal,
  ): void {
    if (signal.aborted || this.#refusals.size >= MAX_REFUSALS) return;
    const reply = replyWithError(how ?? UNKNOWN, message, error);
    if (reply === undefined) return;
    const { send, log } = this.#components;
    this.#refusals.add(
      send(reply, signal).catch((failure) => {
        if (!signal.aborted) {
          log.error("Cannot refuse a message of an edge", failure, { resource: message.route.resource });
        }
      }),
      signal,
    );
  }

  /** Violations, and what the API forbids, once for each node and kind, outages once in a while; the metric counts them all. */
  #logFailure({ kind, nodeName, namespace, name }: UpstreamRequest, status: StatusError): void {
    const { log } = this.#components;
    const fields = { node: nodeName, kind, namespace, name, err: status.message };
    const key = `${nodeName} ${kind} ${status.reason}`;
    if (status instanceof NodeRefusal) {
      if (this.#mayLog(key, Infinity)) log.warning("Refused what a node may not do", fields);
    } else if (isForbidden(status) && !TERMINATING.test(status.message)) {
      if (this.#mayLog(`${key} API`, Infinity)) log.warning("The API forbids what an edge asks for", fields);
    } else if (status.code >= 500) {
      if (this.#mayLog(key, LOG_EVERY_MS)) log.warning("Cannot do what an edge asks for", fields);
    } else log.debug("An edge asked for what cannot be done", { ...fields, reason: status.reason });
  }

  #mayLog(key: string, everyMs: number): boolean {
    const now = this.#components.clock.now();
    const last = this.#logged.get(key);
    if (last !== undefined && now - last < everyMs) return false;
    if (last === undefined && this.#logged.size >= MAX_LOGGED) return false;
    this.#logged.set(key, now);
    return true;
  }
}

/** Deep inside an object from an edge, a list may be a number: that is the edge's mistake. */
function decide(request: UpstreamRequest, index: AuthorizationIndex): Decision {
  try {
    return authorize(request.nodeName, request, index);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new StatusError(
      "BadRequest",
      `Cannot read the object of ${request.kind}: a part of it has the wrong type`,
      {
        cause,
      },
    );
  }
}

/** How messages of unknown types are answered: whoever waits must not wait for its timeout. */
const UNKNOWN: ErrorForm = { reply: "object" };

/** How it is answered that an object which need not be there is not there. */
const ABSENT: ErrorForm = { reply: "absent" };

/** What decides about the form of an error. */
type ErrorForm = { reply: RequestTraits["reply"] | "absent"; replyType?: string };

function replyRoute({ replyType }: Pick<ErrorForm, "replyType">, message: Message): Message["route"] {
  let resource = message.route.resource;
  if (replyType !== undefined) {
    resource = printNodeResource({ ...parseNodeResource(resource), type: replyType });
  }
  return {
    source: CloudModule.edgeController,
    group: Group.resource,
    operation: Operation.response,
    resource,
  };
}

/** The reply that tells success, in the form the edge expects; undefined when it does not wait. */
export function replyWith(
  how: RequestTraits,
  message: Message,
  result: KubeObject | string,
): Message | undefined {
  if (how.reply === "none") return undefined;
  const resourceVersion = typeof result !== "string" && VERSIONED.has(how.kind)
    ? result.metadata?.resourceVersion
    : undefined;
  return newMessage(
    replyRoute(how, message),
    how.reply === "wrapper" ? objectResponse(result) : result,
    {
      parentMsgId: message.header.msgId,
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  );
}

/**
 * The reply that tells what went wrong, in the form the edge expects; undefined when it does not wait.
 *
 * Where an edge waits for a bare object it is told in a text with operation `error`. Upstream's cloudcore sends the error as an
 * object, and its edgecore takes that for the object asked for and stores it: a pod then starts with an empty ConfigMap because
 * the API server was away for a moment, and a token request without its pod makes the kubelet's token manager fail at every
 * unmount from then on. It stores no errors, and a text is no object, so it fails and tries again. Only of an optional ConfigMap
 * or Secret it must hear in the old way, since it takes no other failure for an absence.
 * Upstream: kubeedge edge/pkg/metamanager/process.go (processRemote), edge/pkg/metamanager/client @ 16cd854
 */
export function replyWithError(
  how: ErrorForm,
  message: Message,
  error: StatusError,
): Message | undefined {
  const options = { parentMsgId: message.header.msgId };
  const route = replyRoute(how, message);
  switch (how.reply) {
    case "none":
      return undefined;
    case "wrapper":
      return newMessage(route, errorObjectResponse(error), options);
    case "ok-or-text":
      return newMessage(route, error.message, options);
    case "object":
      return newMessage({ ...route, operation: Operation.error }, error.message, options);
    case "ok":
    case "absent":
      return newMessage(route, statusContent(error), options);
  }
}
