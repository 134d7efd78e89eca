import type { KubeObject, OwnerReference } from "../../../../common/api/meta_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import type { ResourceType } from "../../../../common/kubeclient/mod.ts";

/** An object as the garbage collector knows it. */
export interface GraphNode {
  /** {@linkcode graphKey} of the object. */
  key: string;
  type: ResourceType;
  object: KubeObject;
}

/** The identity of an object over all resources. */
export function graphKey(type: ResourceType, objectKey: string): string {
  return `${type.group}|${type.resource}|${objectKey}`;
}

/** All objects known, who owns them and whom they own. */
export class OwnerGraph {
  #byKey = new Map<string, GraphNode>();
  #byUid = new Map<string, GraphNode>();
  #dependents = new Map<string, Set<GraphNode>>();

  get(key: string): GraphNode | undefined {
    return this.#byKey.get(key);
  }

  owner(uid: string): GraphNode | undefined {
    return this.#byUid.get(uid);
  }

  /** What names the object with this uid as its owner. */
  dependents(uid: string): GraphNode[] {
    return [...this.#dependents.get(uid) ?? []];
  }

  put(type: ResourceType, object: KubeObject): GraphNode {
    const key = graphKey(type, keyOf(object));
    this.#drop(key);
    const node = { key, type, object };
    this.#byKey.set(key, node);
    if (object.metadata?.uid !== undefined) this.#byUid.set(object.metadata.uid, node);
    for (const { uid } of object.metadata?.ownerReferences ?? []) {
      let set = this.#dependents.get(uid);
      if (set === undefined) this.#dependents.set(uid, set = new Set());
      set.add(node);
    }
    return node;
  }

  remove(type: ResourceType, object: KubeObject): void {
    this.#drop(graphKey(type, keyOf(object)));
  }

  #drop(key: string): void {
    const node = this.#byKey.get(key);
    if (node === undefined) return;
    this.#byKey.delete(key);
    const { uid, ownerReferences = [] } = node.object.metadata ?? {};
    if (uid !== undefined && this.#byUid.get(uid) === node) this.#byUid.delete(uid);
    for (const owner of ownerReferences) {
      const set = this.#dependents.get(owner.uid);
      set?.delete(node);
      if (set?.size === 0) this.#dependents.delete(owner.uid);
    }
  }
}

/** How an owner that an object names stands. */
export type OwnerState = "present" | "absent" | "waitingForDependents" | "unknownKind";

/** What is to be done about one object. */
export type GarbageStep =
  | { kind: "removeFinalizer"; finalizer: "orphan" | "foregroundDeletion" }
  | { kind: "orphanDependents" }
  | { kind: "deleteDependents"; dependents: GraphNode[] }
  | { kind: "removeOwners"; uids: ReadonlySet<string> }
  | { kind: "delete"; policy: "Foreground" | "Background" };

/** Whether an object is held until what it owns is gone. */
export function isWaitingForDependents({ metadata }: KubeObject): boolean {
  return metadata?.deletionTimestamp !== undefined &&
    (metadata.finalizers ?? []).includes("foregroundDeletion");
}

/** Whether an object is held until what it owns has been let go of. */
export function isOrphaning({ metadata }: KubeObject): boolean {
  return metadata?.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes("orphan");
}

/**
 * Decides about an object that is being deleted: what becomes of the objects it owns.
 * Upstream: k8s.io/kubernetes pkg/controller/garbagecollector/garbagecollector.go (processDeletingDependentsItem,
 * orphanDependents) @ v1.32
 */
export function planDeleting(object: KubeObject, dependents: readonly GraphNode[]): GarbageStep[] {
  if (isOrphaning(object)) {
    return dependents.length > 0
      ? [{ kind: "orphanDependents" }]
      : [{ kind: "removeFinalizer", finalizer: "orphan" }];
  }
  if (!isWaitingForDependents(object)) return [];
  const uid = object.metadata?.uid;
  const blocking = dependents.filter((dependent) =>
    dependent.object.metadata?.ownerReferences?.some((owner) =>
      owner.uid === uid && owner.blockOwnerDeletion === true
    )
  );
  if (blocking.length === 0) return [{ kind: "removeFinalizer", finalizer: "foregroundDeletion" }];
  const due = blocking.filter(({ object }) => object.metadata?.deletionTimestamp === undefined);
  return due.length > 0 ? [{ kind: "deleteDependents", dependents: due }] : [];
}

/**
 * Decides about an object that names owners: whether it outlives them.
 * Upstream: k8s.io/kubernetes pkg/controller/garbagecollector/garbagecollector.go (attemptToDeleteItem) @ v1.32
 */
export function planOwned(
  object: KubeObject,
  owners: ReadonlyArray<readonly [OwnerReference, OwnerState]>,
  hasDependents: boolean,
): GarbageStep[] {
  if (owners.length === 0 || object.metadata?.deletionTimestamp !== undefined) return [];
  const gone = owners.filter(([, state]) => state === "absent" || state === "waitingForDependents");
  if (gone.length === 0) return [];
  if (gone.length < owners.length) {
    return [{ kind: "removeOwners", uids: new Set(gone.map(([{ uid }]) => uid)) }];
  }
  const waiting = gone.some(([, state]) => state === "waitingForDependents");
  return [{ kind: "delete", policy: waiting && hasDependents ? "Foreground" : "Background" }];
}
