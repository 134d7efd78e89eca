import { keyOf } from "../../common/api/meta_v1.ts";
import type { Pod } from "../../common/api/core_v1.ts";
import { podReferences, type Reference, referenceKey } from "./pod_references.ts";

/** What came to be referred to by pods of edge nodes, and what no longer is. */
export interface ReferenceChange {
  added: Reference[];
  removed: Reference[];
}

interface KnownPod {
  pod: Pod;
  node: string;
  references: readonly Reference[];
}

/** The references of one edge node with the number of pods that hold each. */
type Counts = Map<string, { reference: Reference; pods: number }>;

/** One pod, and no later one of its name. */
export interface PodIdentity {
  namespace: string;
  name: string;
  uid: string;
}

/** Pods that are gone and of which is remembered where they were. */
const MAX_GONE = 10_000;

/**
 * Which pods are bound to which node, and which ConfigMaps, Secrets and claims each edge node therefore needs. References
 * are counted per pod, so an entry goes with the last pod that holds it.
 * Upstream: LocationCache in kubeedge cloud/pkg/edgecontroller/manager/location.go @ 16cd854, which only grows
 */
export class EdgeIndex {
  #pods = new Map<string, KnownPod>();
  #podsOfNode = new Map<string, Map<string, KnownPod>>();
  /** UID of a pod that is gone, its name and its node; the oldest first. */
  #gone = new Map<string, { key: string; node: string }>();
  #edges = new Map<string, Counts>();
  #holders = new Map<string, Set<string>>();

  /** Whether a node is an edge. */
  isEdge(node: string): boolean {
    return this.#edges.has(node);
  }

  /** Begins or ends to count the references of a node's pods. */
  setEdge(node: string, isEdge: boolean): ReferenceChange {
    const change: ReferenceChange = { added: [], removed: [] };
    if (isEdge === this.#edges.has(node)) return change;
    if (isEdge) {
      this.#edges.set(node, new Map());
      for (const { references } of this.#podsOfNode.get(node)?.values() ?? []) {
        for (const reference of references) this.#hold(node, reference, change);
      }
    } else {
      for (const { references } of this.#podsOfNode.get(node)?.values() ?? []) {
        for (const reference of references) this.#release(node, reference, change);
      }
      this.#edges.delete(node);
    }
    return change;
  }

  /** Takes a pod as it is now; one without a node is forgotten. */
  setPod(pod: Pod): ReferenceChange {
    const key = keyOf(pod);
    const node = pod.spec?.nodeName ?? "";
    const before = this.#pods.get(key);
    if (node === "") return this.deletePod(key);
    const references = podReferences(pod);
    const known: KnownPod = { pod, node, references };
    if (before !== undefined && before.pod.metadata?.uid !== pod.metadata?.uid) this.#remember(before);
    const change: ReferenceChange = { added: [], removed: [] };
    // Hold before release: what both versions refer to must not appear as removed.
    for (const reference of references) this.#hold(node, reference, change);
    for (const reference of before?.references ?? []) this.#release(before!.node, reference, change);
    if (before !== undefined && before.node !== node) this.#unlist(before.node, key);
    this.#pods.set(key, known);
    let pods = this.#podsOfNode.get(node);
    if (pods === undefined) this.#podsOfNode.set(node, pods = new Map());
    pods.set(key, known);
    return change;
  }

  /** Forgets a pod. */
  deletePod(key: string): ReferenceChange {
    const change: ReferenceChange = { added: [], removed: [] };
    const before = this.#pods.get(key);
    if (before === undefined) return change;
    for (const reference of before.references) this.#release(before.node, reference, change);
    this.#unlist(before.node, key);
    this.#pods.delete(key);
    this.#remember(before);
    return change;
  }

  /** A bound pod. */
  pod(namespace: string, name: string): Pod | undefined {
    return this.#pods.get(`${namespace}/${name}`)?.pod;
  }

  /** The node of a pod that went lately: its edge may still tell what became of it. */
  nodeOfGone({ namespace, name, uid }: PodIdentity): string | undefined {
    const gone = this.#gone.get(uid);
    return gone?.key === `${namespace}/${name}` ? gone.node : undefined;
  }

  /** The pods bound to a node. */
  podsOf(node: string): Pod[] {
    return Array.from(this.#podsOfNode.get(node)?.values() ?? [], ({ pod }) => pod);
  }

  /** What the pods of an edge node refer to. */
  referencesOf(node: string): Reference[] {
    return Array.from(this.#edges.get(node)?.values() ?? [], ({ reference }) => reference);
  }

  /** Whether a pod of this edge node refers to the object. */
  references(node: string, reference: Reference): boolean {
    return this.#edges.get(node)?.has(referenceKey(reference)) ?? false;
  }

  /** The edge nodes that need an object. */
  nodesOf(reference: Reference): string[] {
    return [...this.#holders.get(referenceKey(reference)) ?? []];
  }

  #remember({ pod: { metadata: { namespace = "", name = "", uid = "" } = {} }, node }: KnownPod): void {
    if (uid === "") return;
    this.#gone.set(uid, { key: `${namespace}/${name}`, node });
    if (this.#gone.size > MAX_GONE) this.#gone.delete(this.#gone.keys().next().value!);
  }

  #hold(node: string, reference: Reference, change: ReferenceChange): void {
    const counts = this.#edges.get(node);
    if (counts === undefined) return;
    const key = referenceKey(reference);
    const entry = counts.get(key);
    if (entry !== undefined) {
      entry.pods++;
      return;
    }
    counts.set(key, { reference, pods: 1 });
    let holders = this.#holders.get(key);
    if (holders === undefined) {
      this.#holders.set(key, holders = new Set());
      change.added.push(reference);
    }
    holders.add(node);
  }

  #release(node: string, reference: Reference, change: ReferenceChange): void {
    const counts = this.#edges.get(node);
    const key = referenceKey(reference);
    const entry = counts?.get(key);
    if (counts === undefined || entry === undefined || --entry.pods > 0) return;
    counts.delete(key);
    const holders = this.#holders.get(key);
    holders?.delete(node);
    if (holders?.size !== 0) return;
    this.#holders.delete(key);
    change.removed.push(reference);
  }

  #unlist(node: string, key: string): void {
    const pods = this.#podsOfNode.get(node);
    pods?.delete(key);
    if (pods?.size === 0) this.#podsOfNode.delete(node);
  }
}
