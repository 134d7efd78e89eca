import type { WebSocket } from "./_ws.ts";
import { errorText, isNotFound } from "../../common/errors/mod.ts";
import { CONFIG_MAPS, type KubeClient, NODES } from "../../common/kubeclient/mod.ts";
import {
  CloudModule,
  DEFAULT_MAX_CHARS,
  Group,
  type Message,
  newErrorResponse,
  newMessage,
  newResponse,
  Operation,
  printMessage,
  splitNode,
  TAKEN_OVER_CODE,
  TAKEN_OVER_REASON,
  targetNode,
} from "../../common/model/mod.ts";
import type { Clock, Logger, Send } from "../../common/module/mod.ts";
import { answerWithout } from "./absent_module.ts";
import { decideEnqueue, deliveryClassOf } from "./delivery_class.ts";
import type { DeliveryLog } from "./delivery_log.ts";
import type { HubMetrics } from "./metrics.ts";
import { NodePool, type PoolItem } from "./node_pool.ts";
import type { ResolvedOptions } from "./options.ts";
import { Rivals } from "./rivals.ts";
import { NodeSession } from "./session.ts";
import { tooLarge } from "./too_large.ts";
import { decideUpstream, type UpstreamTarget } from "./upstream.ts";

/** What the hub uses. */
export interface HubComponents {
  kube: Pick<KubeClient, "get" | "patch" | "create">;
  /** Modules that take messages of nodes; what is for one that is missing is dropped and logged. */
  targets: Readonly<Partial<Record<UpstreamTarget, Send<Message>>>> & { edgeController: Send<Message> };
  deliveryLog: DeliveryLog;
  clock: Clock;
  log: Logger;
  metrics: HubMetrics;
  /** Aborts when cloudhub stops. */
  signal: AbortSignal;
}

/**
 * How long a message waits for the record of its delivery, milliseconds: what an API server that is well takes. A pod whose record
 * a kill of cloudcore has prevented goes when its edge next reports it.
 */
const RECORD_PATIENCE_MS = 10;
/** Close code of a socket whose peer sent none. */
const NO_ANSWER_CODE = 1006;
const ANNOTATION_TRIES = 3;
const ANNOTATION_WAIT_MS = 1_000;

/** All sessions and what waits for each node. */
export class Hub {
  readonly #c: HubComponents;
  readonly #options: ResolvedOptions;
  readonly #sessions = new Map<string, NodeSession>();
  readonly #open = new Set<NodeSession>();
  readonly #pools = new Map<string, NodePool>();
  readonly #background = new Set<Promise<void>>();
  /** Nodes of which messages were dropped since too many waited: they are offered everything again when fewer do. */
  readonly #behind = new Set<string>();
  readonly #rivals: Rivals;
  readonly #tellTooLarge: ReturnType<typeof tooLarge>;
  #sweptAt: number;
  #droppedLoggedAt = -Infinity;
  /** Modules that are not enabled and were asked for. */
  readonly #missing = new Set<UpstreamTarget>();

  constructor(components: HubComponents, options: ResolvedOptions) {
    this.#c = components;
    this.#options = options;
    this.#rivals = new Rivals(components);
    this.#tellTooLarge = tooLarge(components);
    this.#sweptAt = components.clock.elapsed();
  }

  /** Nodes with a session. */
  get connectedNodes(): number {
    return this.#sessions.size;
  }

  /** Whether a node has a session. */
  isConnected(node: string): boolean {
    return this.#sessions.has(node);
  }

  /** Messages that wait, of all nodes. */
  get queuedMessages(): number {
    return this.#pools.values().reduce((sum, pool) => sum + pool.count, 0);
  }

  /** Characters of messages that wait, of all nodes. */
  get queuedChars(): number {
    return this.#pools.values().reduce((sum, pool) => sum + pool.chars, 0);
  }

  /** Makes an accepted socket the session of its node; an older session ends. */
  accept(node: string, address: string, ws: WebSocket): void {
    const { clock, log, metrics, deliveryLog } = this.#c;
    const older = this.#sessions.get(node);
    const pool = this.#pool(node);
    if (older !== undefined) this.#dropUndeliverable(pool);
    deliveryLog.connected(node);
    const session = new NodeSession(node, address, ws, {
      pool,
      clock,
      log,
      metrics,
      signal: this.#c.signal,
      onMessage: (session, message, bytes) => this.#receive(session, message, bytes),
      onEnd: (session, code) => this.#end(session, code),
    });
    if (older !== undefined) older.successor = session;
    this.#sessions.set(node, session);
    this.#open.add(session);
    metrics.connections.inc(1, { result: "accepted" });
    this.#news(node)("Node connected", { node, address, replaced: older !== undefined });
    older?.end(TAKEN_OVER_REASON, TAKEN_OVER_CODE);
    session.enqueue(() => this.#tell(node, "connected"));
    this.#annotate(session);
    session.pump();
  }

  #pool(node: string): NodePool {
    let pool = this.#pools.get(node);
    if (pool === undefined) {
      const { queueLimitCount: maxCount, queueLimitChars: maxChars, inflightWindow: window } = this.#options;
      this.#pools.set(node, pool = new NodePool({ maxCount, maxChars, window }));
    }
    return pool;
  }

  /** Where is told that a node comes or goes. */
  #news(node: string): Logger["info"] {
    const { log } = this.#c;
    return this.#rivals.areKnown(node) ? log.debug : log.info;
  }

  #end(session: NodeSession, code: number): void {
    const { node, address, successor } = session;
    this.#news(node)("Node disconnected", { node, code });
    this.#open.delete(session);
    // One whose link broke is followed by itself; one that is alive is told, and answers.
    if (successor !== undefined && code !== NO_ANSWER_CODE) {
      this.#rivals.takenOver(node, address, successor.address);
    }
    if (this.#sessions.get(session.node) !== session) return;
    this.#sessions.delete(session.node);
    this.#behind.delete(session.node);
    const pool = this.#pools.get(session.node);
    if (pool !== undefined) {
      this.#dropUndeliverable(pool);
      if (pool.count === 0) this.#pools.delete(session.node);
    }
    if (!this.#c.signal.aborted) session.enqueue(() => this.#tell(session.node, "disconnected"));
  }

  #dropUndeliverable(pool: NodePool): void {
    const dropped = pool.disconnected();
    if (dropped > 0) this.#c.metrics.dropped.inc(dropped, { reason: "disconnected" });
  }

  #tell(node: string, operation: "connected" | "disconnected"): Promise<void> {
    const route = {
      source: CloudModule.cloudHub,
      group: Group.resource,
      operation,
      resource: `node/${node}`,
    };
    return this.#c.targets.edgeController(newMessage(route, node), { signal: this.#c.signal });
  }

  #receive(session: NodeSession, message: Message, bytes: number): void {
    const action = decideUpstream(message, session.node);
    switch (action.kind) {
      case "nothing":
        return;
      case "keepalive":
        return session.keepalive();
      case "control":
        return session.send(newResponse(message, "ack"));
      case "acknowledgement":
        return this.#acknowledge(session, action.id);
      case "clusterCa":
        return session.enqueue(() => this.#sendClusterCa(session, message));
      case "drop":
        this.#c.metrics.rejectedFrames.inc(1, { reason: "not_allowed" });
        return session.warn("Ignored a message of a node", {
          reason: action.reason,
          operation: message.route.operation,
          resource: message.route.resource,
          content: typeof message.content === "string" ? message.content.slice(0, 300) : undefined,
        });
      case "forward": {
        const send = this.#c.targets[action.to];
        if (send === undefined) {
          this.#c.metrics.rejectedFrames.inc(1, { reason: "no_module" });
          const answer = answerWithout(action.to, session.node, message);
          if (answer !== undefined) this.deliver(answer);
          // Edges say some things again every minute for as long as they are not answered.
          if (this.#missing.has(action.to)) return;
          this.#missing.add(action.to);
          return this.#c.log.warning("Messages of nodes for a module that is not enabled are ignored", {
            module: action.to,
            node: session.node,
            operation: message.route.operation,
            resource: message.route.resource,
          });
        }
        return session.enqueue(() => send(action.message, { signal: this.#c.signal }), bytes);
      }
    }
  }

  #acknowledge(session: NodeSession, id: string): void {
    const { deliveryLog, metrics } = this.#c;
    const item = this.#pools.get(session.node)?.acknowledge(id);
    metrics.acks.inc(1, { result: item === undefined ? "unknown" : "known" });
    if (item?.object === undefined) return;
    if (item.operation === Operation.delete) deliveryLog.forget(session.node, item.object);
    else deliveryLog.confirm(session.node, item.object, item.version);
    session.pump();
  }

  async #sendClusterCa(session: NodeSession, request: Message): Promise<void> {
    let pem = this.#options.clusterCa;
    if (pem === undefined) {
      try {
        const ref = { namespace: this.#options.namespace, name: "kube-root-ca.crt" };
        pem = (await this.#c.kube.get(CONFIG_MAPS, ref, { signal: this.#c.signal })).data?.["ca.crt"];
      } catch (error) {
        const text = `Cannot read the cluster's CA: ${errorText(error)}`;
        session.send(newErrorResponse(request, text, CloudModule.cloudHub));
        return session.warn("Cannot answer k8s/ca.crt", { reason: text });
      }
    }
    const route = { source: CloudModule.cloudHub, group: Group.resource, resource: request.route.resource };
    session.send(
      newMessage({ ...route, operation: Operation.response }, pem ?? "", {
        parentMsgId: request.header.msgId,
      }),
    );
  }

  /** Takes a message of a cloud module for a node. */
  deliver(message: Message): void {
    const node = targetNode(message.route.resource);
    if (node === undefined) return this.#drop("no_node", message, "the resource names no node");
    const { rest: resource } = splitNode(message.route.resource);
    const { operation } = message.route;
    if (operation === Operation.delete && resource === `null/node/${node}`) return this.#removeNode(node);

    const delivery = deliveryClassOf(message, resource);
    if (delivery.kind === "undeliverable") return this.#drop("undeliverable", message, delivery.reason);
    const session = this.#sessions.get(node);
    if (session !== undefined && resource === `null/node/${node}`) this.#annotate(session);
    const item = toItem(message, resource, delivery);
    if (this.#isTooLarge(node, resource, item)) {
      return this.#c.metrics.dropped.inc(1, { reason: "too_large" });
    }
    if (delivery.kind === "once") {
      if (session === undefined) return this.#drop("not_connected", message, "the node is not connected");
      if (!this.#pool(node).addOnce(item)) return this.#overflow(node, message);
      return session.pump();
    }
    if (operation === Operation.response && session === undefined) {
      return this.#drop("not_connected", message, "the asker is not connected");
    }
    const pool = this.#pool(node);
    const { object, version } = delivery;
    const key = keyOf(item, resource);
    const recorded = object.uid === "" ? undefined : this.#c.deliveryLog.recorded(node, object.uid);
    // Only a uid is never used twice: of what is known by its path the latest message counts.
    const stored = object.uid === "" ? undefined : pool.stored(key);
    const facts = { operation, deleting: object.deleting, version, stored, recorded };
    if (decideEnqueue(facts) === "discard") return this.#c.metrics.dropped.inc(1, { reason: "not_newer" });
    const isFirst = recorded === undefined && operation !== Operation.delete;
    const begun = isFirst ? this.#c.deliveryLog.begin(node, object) : undefined;
    // Of a node that is gone everything goes.
    const held = begun !== undefined && object.namespace !== "";
    if (!pool.add(key, item, { held })) return this.#overflow(node, message);
    if (held) this.#inBackground(this.#releaseOnceRecorded(node, pool, key, begun));
    else session?.pump();
  }

  /**
   * A message goes when it is on record that its node may have the object. Otherwise a cloudcore that is killed in between would
   * not delete the object at the node, should it be deleted meanwhile, before the node reports about it. Where the API server is slow
   * that report has to do: a pod that was just delivered has one to make.
   */
  async #releaseOnceRecorded(node: string, pool: NodePool, key: string, begun: Promise<void>): Promise<void> {
    const { clock, signal } = this.#c;
    const recorded = new AbortController();
    const patience = clock.sleep(RECORD_PATIENCE_MS, { signal: AbortSignal.any([signal, recorded.signal]) });
    try {
      await Promise.race([begun, patience]);
    } finally {
      recorded.abort();
      await patience.catch(() => {/* recorded, or cloudhub stops */});
    }
    pool.release(key);
    if (this.#pools.get(node) === pool) this.#sessions.get(node)?.pump();
  }

  /** What neither the queue nor an edge takes alone would be offered again and again. */
  #isTooLarge(node: string, resource: string, { text, object }: PoolItem): boolean {
    const limitChars = Math.min(this.#options.queueLimitChars, DEFAULT_MAX_CHARS);
    if (text.length <= limitChars) return false;
    const chars = text.length;
    this.#inBackground(this.#tellTooLarge({ node, resource, object, chars, limitChars }, this.#c.signal));
    return true;
  }

  /** The message is dropped; without a session nothing else is to be done, since everything is offered anew on the next connection. */
  #overflow(node: string, message: Message): void {
    this.#drop("overflow", message, "the node's queue is full");
    if (this.#sessions.has(node)) this.#behind.add(node);
  }

  /** Has everything offered again once half of what waited is gone; what the node confirmed meanwhile is not sent again. */
  #catchUp(): void {
    const { queueLimitCount, queueLimitChars } = this.#options;
    for (const node of this.#behind) {
      const pool = this.#pools.get(node);
      const isFull = pool !== undefined &&
        (pool.count > queueLimitCount / 2 || pool.chars > queueLimitChars / 2);
      if (isFull) continue;
      this.#behind.delete(node);
      this.#sessions.get(node)?.enqueue(() => this.#tell(node, "connected"));
    }
  }

  #removeNode(node: string): void {
    this.#c.log.info("Node was deleted, ending its session", { node });
    this.#pools.delete(node);
    this.#c.deliveryLog.forgetNode(node);
    this.#sessions.get(node)?.end("the node was deleted");
  }

  #drop(reason: string, { route }: Message, text: string): void {
    const { clock, log, metrics } = this.#c;
    metrics.dropped.inc(1, { reason });
    const now = clock.elapsed();
    const fields = {
      reason: text,
      source: route.source,
      operation: route.operation,
      resource: route.resource,
    };
    if (reason === "not_connected" || now - this.#droppedLoggedAt < 1_000) {
      log.debug("Dropped a message", fields);
    } else {
      this.#droppedLoggedAt = now;
      log.warning("Dropped a message to a node", fields);
    }
  }

  /** Writes at the node which cloudcore serves it, unless that is done or under way. */
  #annotate(session: NodeSession): void {
    if (session.annotated) return;
    session.annotated = true;
    this.#inBackground(this.#writeAnnotation(session));
  }

  async #writeAnnotation(session: NodeSession): Promise<void> {
    const { kube, clock, log, signal } = this.#c;
    const { node } = session;
    const body = { metadata: { annotations: { cloudcore: this.#options.localIp } } };
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await kube.patch(NODES, { name: node }, { type: "merge", body }, { signal });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (attempt < ANNOTATION_TRIES) {
          await clock.sleep(ANNOTATION_WAIT_MS, { signal });
          continue;
        }
        session.annotated = false;
        // A node that only now registers is annotated when its object comes by.
        if (isNotFound(error)) log.debug("Node is not registered, not annotated", { node });
        else log.error("Cannot annotate the node with this cloudcore", error, { node });
        return;
      }
    }
  }

  #inBackground(work: Promise<void>): void {
    const kept = work.catch((error) => {
      if (!this.#c.signal.aborted) throw error;
    }).finally(() => this.#background.delete(kept));
    this.#background.add(kept);
  }

  /**
   * Ends what is out of time and sends again what was not acknowledged.
   * @param everyMs how often it is called
   */
  sweep(everyMs: number): void {
    const now = this.#c.clock.elapsed();
    // A process that stood still read no keepalives.
    const stoodStill = now - this.#sweptAt > 2 * everyMs;
    this.#sweptAt = now;
    for (const session of this.#open) {
      if (stoodStill) session.startOver();
      session.sweep(now, this.#options.keepaliveIntervalMs);
    }
    this.#catchUp();
  }

  /** Closes all sessions; resolves when their work is done. */
  async close(): Promise<void> {
    const sessions = [...this.#open];
    for (const session of sessions) session.end("cloudcore is stopping", 1001);
    await Promise.all([...sessions.map((session) => session.idle), ...this.#background]);
  }
}

function toItem(
  message: Message,
  resource: string,
  delivery: Exclude<ReturnType<typeof deliveryClassOf>, { kind: "undeliverable" }>,
): PoolItem {
  // Both would make an edge take the message for something else.
  const { sync: _sync, type: _type, ...header } = message.header;
  const text = printMessage({ header, route: { ...message.route, resource }, content: message.content });
  const acknowledged = delivery.kind === "acknowledged";
  return {
    id: header.msgId,
    operation: message.route.operation,
    version: acknowledged ? delivery.version : "",
    text,
    object: acknowledged ? delivery.object : undefined,
  };
}

/** Replies never stand for one another; an object without uid is known by its path. */
function keyOf({ id, operation, object }: PoolItem, resource: string): string {
  if (operation === Operation.response) return `reply ${id}`;
  return object?.uid ? `uid ${object.uid}` : `path ${resource}`;
}
