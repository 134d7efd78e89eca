import type { Node, Pod } from "../../common/api/core_v1.ts";
import { keyOf, type KubeObject } from "../../common/api/meta_v1.ts";
import type { Informer, InformerEvent } from "../../common/kubeclient/mod.ts";
import type { Counter } from "../../common/metrics/mod.ts";
import { CloudModule, CLUSTER_SCOPE, Group, type Message, newMessage } from "../../common/model/mod.ts";
import { printNodeResource } from "../../common/model/mod.ts";
import { aborted, type Clock, type Logger } from "../../common/module/mod.ts";
import type { EdgeIndex, ReferenceChange } from "./edge_index.ts";
import {
  type Delivered,
  deliveredOf,
  isLater,
  objectKey,
  type ObjectName,
  type PushedType,
} from "./forward.ts";
import { ForeignPods } from "./foreign_pods.ts";
import { isForeign } from "./edge_pods.ts";
import { type InformerSource, ObjectWatch } from "./object_watch.ts";
import type { OutageTolerance } from "./outage_tolerance.ts";
import { planNode, type Step } from "./plan.ts";
import { podReferences, type Reference, referenceKey } from "./pod_references.ts";
import type { RecordedDeliveries, RecordedDelivery } from "./recorded_deliveries.ts";
import { Tasks } from "./tasks.ts";

/** What the downstream half is made of. */
export interface DownstreamComponents {
  /** Hands a message to the hub. */
  send: (message: Message, signal: AbortSignal) => Promise<void>;
  nodes: Informer<Node>;
  pods: Informer<Pod>;
  informers: InformerSource;
  index: EdgeIndex;
  /** The pods of a node, whole, as the API has them now. */
  podsOfNode: (node: string, signal: AbortSignal) => Promise<Pod[]>;
  /** Keeps pods where they are while their node is lost. */
  tolerance: Pick<OutageTolerance, "look" | "run">;
  /** What nodes were sent by earlier runs, once nodes and pods are known. */
  recorded: (signal: AbortSignal) => Promise<RecordedDeliveries>;
  /** Tells that cloudcore may not read what pods of edges refer to. */
  refused: (reference: Reference, pods: readonly Pod[], signal: AbortSignal) => Promise<void>;
  clock: Clock;
  log: Logger;
  /** Messages sent, by type and operation. */
  sent: Counter;
}

/** A delete that may not have arrived: sent again when the node connects anew. */
interface Tombstone {
  step: Step;
  /** Unix milliseconds; undefined while it has not been sent. */
  sentAt: number | undefined;
}

/** What is kept of one node. */
interface NodeLink {
  connected: boolean;
  delivered: Map<string, Delivered>;
  /** Last objects of deleted pods and the like, by UID, until the delete is sent. */
  last: Map<string, KubeObject>;
  tombstones: Map<string, Tombstone>;
  writing: Map<string, number>;
  waiting: Map<string, number>;
  dirty: boolean;
  running: boolean;
}

/** A pod waits this long for the ConfigMaps and Secrets it refers to, then goes without them. */
const MAX_WAIT_MS = 2_000;

/** A delete sent this long before the connection ended has arrived or was repeated by the hub many times. */
const DELETE_SETTLED_MS = 120_000;

/** From so many deletes on it is looked which of them have settled, even while the node stays connected. */
const MANY_TOMBSTONES = 64;

/** How often it is looked up whether what nodes have and no pod needs still exists. */
const SWEEP_MS = 1_800_000;

/** Nodes that are gone from the API of which is remembered what they were sent. */
const MAX_REMOVED_NODES = 1000;

/** Objects remembered of one node; beyond that the oldest ConfigMaps and Secrets that no pod needs are forgotten. */
const MAX_REMEMBERED = 4096;

const KINDS: Readonly<Record<PushedType, string>> = {
  node: "Node",
  pod: "Pod",
  configmap: "ConfigMap",
  secret: "Secret",
};

/**
 * Keeps every connected node in possession of its Node object, its pods, and the ConfigMaps and Secrets they refer to.
 * Events only say which node to look at; what is sent follows from comparing what the node should have with what it was sent.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/downstream.go @ 16cd854
 */
export class Downstream {
  readonly #components: DownstreamComponents;
  readonly #objects: ObjectWatch;
  readonly #foreign: ForeignPods;
  readonly #tasks = new Tasks();
  #links = new Map<string, NodeLink>();
  #signal: AbortSignal | undefined;
  #synced = false;

  constructor(components: DownstreamComponents) {
    this.#components = components;
    const { informers, clock, pods, podsOfNode, log } = components;
    const found = (node: string, its: readonly Pod[]) => this.#podsFound(node, its);
    this.#foreign = new ForeignPods({ pods, podsOfNode, found, clock, log, tasks: this.#tasks });
    this.#objects = new ObjectWatch({
      informers,
      clock,
      tasks: this.#tasks,
      changed: (reference, event) => this.#objectChanged(reference, event),
      refused: (reference) => this.#objectRefused(reference),
    });
  }

  /** Nodes that are connected. */
  get connected(): number {
    return [...this.#links.values()].filter((link) => link.connected).length;
  }

  /** ConfigMaps and Secrets that are watched. */
  get watchedObjects(): number {
    return this.#objects.size;
  }

  /** Works until the signal aborts. @param synced called once nodes and pods are known */
  async run(ended: AbortSignal, synced: () => void): Promise<void> {
    const { nodes, pods, tolerance } = this.#components;
    // Ends what runs beside also when one of it fails.
    const stop = new AbortController();
    const signal = this.#signal = AbortSignal.any([ended, stop.signal]);
    const remove = [
      nodes.subscribe((event) => this.#nodeChanged(event)),
      pods.subscribe((event) => this.#podChanged(event)),
    ];
    this.#tasks.add(nodes.run(signal), signal);
    this.#tasks.add(tolerance.run(signal), signal);
    try {
      // What is kept of a pod depends on whether its node is an edge.
      await Promise.race([nodes.waitForSync({ signal }), this.#tasks.failed]);
      this.#tasks.add(pods.run(signal), signal);
      const known = pods.waitForSync({ signal }).then(() => this.#foreign.settled());
      await Promise.race([known, this.#tasks.failed]);
      const { deliveries, removeOrphans } = await this.#components.recorded(signal);
      for (const delivery of deliveries) this.#recall(delivery);
      this.#tasks.add(removeOrphans(signal), signal);
      this.#synced = true;
      for (const [node, link] of this.#links) if (link.connected) this.#begin(node, link, signal);
      this.#tasks.add(this.#sweep(signal), signal);
      synced();
      await Promise.race([this.#tasks.failed, aborted(signal)]);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      for (const unsubscribe of remove) unsubscribe();
      stop.abort();
      await this.#tasks.settled();
    }
  }

  /** Takes over what an earlier run sent, and what is to be deleted because it is gone since. */
  #recall({ node, uid, resourceVersion, ...name }: RecordedDelivery): void {
    const link = this.#link(node);
    const key = objectKey(name);
    const { type, namespace } = name;
    if (type === "pod" && this.#components.index.pod(namespace, name.name)?.metadata?.uid !== uid) {
      const object = { metadata: { namespace, name: name.name, uid } };
      link.tombstones.set(uid, { step: { ...name, operation: "delete", object }, sentAt: undefined });
    } else if (!link.delivered.has(key)) {
      link.delivered.set(key, { ...name, uid, resourceVersion, base: "", status: "", stale: true });
    }
  }

  /** A node connected, perhaps anew: it is sent everything, and every delete it may have missed. */
  nodeConnected(node: string): void {
    const link = this.#link(node);
    link.connected = true;
    for (const delivered of link.delivered.values()) delivered.stale = true;
    for (const tombstone of link.tombstones.values()) tombstone.sentAt = undefined;
    if (this.#synced && this.#signal !== undefined) this.#begin(node, link, this.#signal);
  }

  #begin(node: string, link: NodeLink, signal: AbortSignal): void {
    this.#lookAtUnused(node, link, signal);
    this.#look(node);
  }

  /** What a node has and none of its pods needs is watched by nobody: whether it still exists is looked up now and then. */
  #lookAtUnused(node: string, link: NodeLink, signal: AbortSignal): void {
    for (const { type, namespace, name } of link.delivered.values()) {
      if (type !== "configmap" && type !== "secret") continue;
      const reference = { type, namespace, name };
      if (!this.#components.index.references(node, reference)) this.#objects.glance(reference, signal);
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#components.clock.sleep(SWEEP_MS, { signal });
      for (const [node, link] of this.#links) if (link.connected) this.#lookAtUnused(node, link, signal);
    }
  }

  /** A message of a node came, so it is connected, whether or not that was told. */
  nodeAsks(node: string): void {
    if (!this.#links.get(node)?.connected) this.nodeConnected(node);
  }

  /** A node is away. What happens meanwhile is compared when it is back. */
  nodeDisconnected(node: string): void {
    const link = this.#links.get(node);
    if (link === undefined) return;
    link.connected = false;
    link.waiting.clear();
    link.last.clear();
    forgetSettled(link.tombstones, this.#components.clock.now());
  }

  /** The edge writes the status of an object; until the result is disposed its change is not told back to the edge. */
  writing(node: string, name: ObjectName): Disposable {
    const link = this.#links.get(node);
    if (link === undefined) return { [Symbol.dispose]: () => {} };
    const key = objectKey(name);
    link.writing.set(key, (link.writing.get(key) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = link.writing.get(key)! - 1;
        if (left > 0) link.writing.set(key, left);
        else link.writing.delete(key);
        this.#look(node);
      },
    };
  }

  /** The edge was answered with an object and keeps it, so it need not be sent the same again. */
  answered(node: string, name: ObjectName, object: KubeObject): void {
    const link = this.#links.get(node);
    if (link === undefined || !link.connected) return;
    const key = objectKey(name);
    const before = link.delivered.get(key);
    // The Node and pods are pushed once whatever replies said: pushes are confirmed, replies are not.
    if (before === undefined && (name.type === "node" || name.type === "pod")) return;
    if (before !== undefined) {
      const { uid, resourceVersion = "" } = object.metadata ?? {};
      if (before.stale || before.uid !== uid || !isLater(resourceVersion, before.resourceVersion)) return;
    }
    link.delivered.set(key, deliveredOf(name, object));
  }

  #link(node: string): NodeLink {
    let link = this.#links.get(node);
    if (link === undefined) {
      this.#forgetRemovedNodes();
      link = {
        connected: false,
        delivered: new Map(),
        last: new Map(),
        tombstones: new Map(),
        writing: new Map(),
        waiting: new Map(),
        dirty: false,
        running: false,
      };
      this.#links.set(node, link);
    }
    return link;
  }

  /** Nodes that were removed are remembered for when they come back, but not without end. */
  #forgetRemovedNodes(): void {
    if (this.#links.size < MAX_REMOVED_NODES || !this.#synced) return;
    const removed = [...this.#links].filter(([node, { connected }]) =>
      !connected && this.#components.nodes.get(node) === undefined
    );
    for (const [node] of removed.slice(0, removed.length - MAX_REMOVED_NODES)) this.#links.delete(node);
  }

  #nodeChanged(event: InformerEvent<Node>): void {
    const node = event.object.metadata?.name ?? "";
    if (event.type === "added" && this.#signal !== undefined) this.#foreign.nodeIsEdge(node, this.#signal);
    this.#follow(this.#components.index.setEdge(node, event.type !== "deleted"));
    this.#look(node);
    const link = this.#links.get(node);
    // A delete of the Node ends the connection, and with it goes what is recorded of the node. Of one that is away it is told at once:
    // on its next connection it would end that.
    const signal = this.#signal;
    if (event.type !== "deleted" || link?.connected === true || signal === undefined) return;
    const id = { type: "node", namespace: CLUSTER_SCOPE, name: node } as const;
    link?.delivered.delete(objectKey(id));
    const gone = downstreamMessage(node, { ...id, operation: "delete", object: event.object }, event.object);
    this.#tasks.add(this.#components.send(gone, signal), signal);
  }

  #podChanged(event: InformerEvent<Pod>): void {
    const { index, tolerance } = this.#components;
    const { object } = event;
    const node = object.spec?.nodeName ?? "";
    if (event.type !== "deleted") {
      if (isForeign(object)) {
        if (index.isEdge(node) && this.#signal !== undefined) this.#foreign.lookUp(node, this.#signal);
        return;
      }
      tolerance.look(object);
    }
    if (event.type === "deleted" && !isForeign(object)) this.#keepLast(node, object);
    this.#follow(event.type === "deleted" ? index.deletePod(keyOf(object)) : index.setPod(object));
    this.#look(node);
  }

  /** The pods of a node that became an edge after they were seen; what is newer meanwhile was told by the informer. */
  #podsFound(node: string, found: readonly Pod[]): void {
    const { index, pods, tolerance } = this.#components;
    for (const pod of found) {
      const seen = pods.get(keyOf(pod));
      if (seen === undefined || !isForeign(seen) || seen.metadata?.uid !== pod.metadata?.uid) continue;
      this.#follow(index.setPod(pod));
      tolerance.look(pod);
    }
    this.#look(node);
  }

  #objectRefused(reference: Reference): void {
    const { index, refused } = this.#components;
    if (this.#signal === undefined) return;
    const key = referenceKey(reference);
    const pods = index.nodesOf(reference).flatMap((node) => index.podsOf(node))
      .filter((pod) => podReferences(pod).some((each) => referenceKey(each) === key));
    this.#tasks.add(refused(reference, pods, this.#signal), this.#signal);
  }

  #objectChanged(reference: Reference, event?: InformerEvent<KubeObject>): void {
    const nodes = new Set(this.#components.index.nodesOf(reference));
    const { type, namespace, name } = reference;
    if (type !== "persistentvolumeclaim") {
      const key = objectKey({ type, namespace, name });
      for (const [node, { delivered }] of this.#links) if (delivered.has(key)) nodes.add(node);
    }
    for (const node of nodes) {
      if (event?.type === "deleted") this.#keepLast(node, event.object);
      this.#look(node);
    }
  }

  #keepLast(node: string, object: KubeObject): void {
    const link = this.#links.get(node);
    if (link?.connected) link.last.set(object.metadata?.uid ?? "", object);
  }

  #follow({ added, removed }: ReferenceChange): void {
    if (this.#signal === undefined) return;
    for (const reference of removed) this.#objects.remove(reference, this.#signal);
    for (const reference of added) this.#objects.add(reference, this.#signal);
  }

  /** Has a node looked at, once however much happens before it is its turn. */
  #look(node: string): void {
    const link = this.#links.get(node);
    if (link === undefined || !link.connected || !this.#synced || this.#signal === undefined) return;
    if (this.#foreign.isPending(node)) return;
    link.dirty = true;
    if (link.running) return;
    link.running = true;
    this.#tasks.add(this.#work(node, link, this.#signal), this.#signal);
  }

  async #work(node: string, link: NodeLink, signal: AbortSignal): Promise<void> {
    try {
      // What one change of the API brings at once is looked at together.
      await Promise.resolve();
      while (link.dirty && link.connected && !signal.aborted) {
        link.dirty = false;
        const steps = this.#plan(node, link, signal);
        for (const step of steps) {
          // What is left is planned anew when the node is back.
          if (!link.connected) break;
          await this.#send(node, link, step, signal);
        }
        if (!link.dirty) link.last.clear();
      }
    } finally {
      link.running = false;
    }
  }

  #plan(node: string, link: NodeLink, signal: AbortSignal): Step[] {
    const { nodes, index, clock } = this.#components;
    const now = clock.now();
    const world = {
      node: nodes.get(node),
      pods: index.podsOf(node),
      configMap: this.#objects.configMap.bind(this.#objects),
      secret: this.#objects.secret.bind(this.#objects),
    };
    const state = {
      delivered: link.delivered,
      writing: new Set(link.writing.keys()),
      waiting: link.waiting,
    };
    const { steps, waiting } = planNode(node, world, state, { now, maxWaitMs: MAX_WAIT_MS });
    const since = link.waiting;
    link.waiting = new Map(waiting.map((key) => [key, since.get(key) ?? now]));
    const begins = waiting.some((key) => !since.has(key));
    if (begins) this.#tasks.add(this.#lookLater(node, MAX_WAIT_MS, signal), signal);
    const missed = [...link.tombstones.values()].filter(({ sentAt }) => sentAt === undefined);
    forgetOldest(link.delivered, world.pods.length);
    return [...missed.map(({ step }) => step), ...steps];
  }

  async #lookLater(node: string, ms: number, signal: AbortSignal): Promise<void> {
    await this.#components.clock.sleep(ms, { signal });
    this.#look(node);
  }

  async #send(node: string, link: NodeLink, step: Step, signal: AbortSignal): Promise<void> {
    const { operation, type, namespace, name } = step;
    const uid = step.object.metadata?.uid ?? "";
    const object = operation === "delete" ? link.last.get(uid) ?? step.object : step.object;
    const key = objectKey(step);
    if (operation === "delete") {
      if (link.delivered.get(key)?.uid === uid) link.delivered.delete(key);
      const now = this.#components.clock.now();
      if (type !== "node") link.tombstones.set(uid, { step, sentAt: now });
      if (link.tombstones.size > MANY_TOMBSTONES) forgetSettled(link.tombstones, now);
      link.last.delete(uid);
    } else {
      link.delivered.delete(key);
      link.delivered.set(key, deliveredOf(step, object));
      link.tombstones.delete(uid);
    }
    await this.#components.send(downstreamMessage(node, step, object), signal);
    this.#components.sent.inc(1, { type, operation });
    this.#components.log.debug("Sent to the edge", { node, operation, resource: key, namespace, name });
  }
}

/**
 * A push as the edge expects it: no parent, apiVersion and kind in the object, its version in the header. Deletes of which only
 * the metadata is known have them too: without, upstream's edgecore keeps the object in the store of its metaserver.
 * Upstream: kubeedge edge/pkg/metamanager/metaserver/kubernetes/storage/sqlite/imitator/imitator.go (Event) @ 16cd854
 */
export function downstreamMessage(node: string, step: Step, object: KubeObject): Message {
  const { operation, type, namespace, name } = step;
  const resource = printNodeResource({ node, namespace, type, name });
  const route = { source: CloudModule.edgeController, group: Group.resource, operation, resource };
  if (operation === "delete" && type === "node") return newMessage(route, null);
  const resourceVersion = object.metadata?.resourceVersion;
  const content = { ...object, apiVersion: "v1", kind: KINDS[type] };
  return newMessage(route, content, resourceVersion === undefined ? {} : { resourceVersion });
}

/** Forgets the deletes that have arrived, as far as can be told from the time. */
function forgetSettled(tombstones: Map<string, Tombstone>, now: number): void {
  for (const [uid, { sentAt }] of tombstones) {
    if (sentAt !== undefined && now - sentAt >= DELETE_SETTLED_MS) tombstones.delete(uid);
  }
}

/** Objects of pods come and go; what is left of ConfigMaps and Secrets is bounded. Maps keep the order of insertion. */
function forgetOldest(delivered: Map<string, Delivered>, pods: number): void {
  let excess = delivered.size - MAX_REMEMBERED - pods;
  for (const [key, { type }] of delivered) {
    if (excess <= 0) return;
    if (type !== "configmap" && type !== "secret") continue;
    delivered.delete(key);
    excess--;
  }
}
