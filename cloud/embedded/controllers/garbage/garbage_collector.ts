import type { KubeObject, OwnerReference } from "../../../../common/api/meta_v1.ts";
import { isConflict, isNotFound } from "../../../../common/errors/mod.ts";
import type { Informer, KubeReader, KubeWriter, ResourceType } from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import { releasePatch } from "../owners.ts";
import {
  type GarbageStep,
  graphKey,
  type GraphNode,
  isOrphaning,
  isWaitingForDependents,
  OwnerGraph,
  type OwnerState,
  planDeleting,
  planOwned,
} from "./graph.ts";

/** A resource and the copy of it; the metadata of its objects is enough. */
export interface WatchedResource {
  type: ResourceType;
  informer: Informer<KubeObject>;
}

/** What the garbage collector works with. */
export interface GarbageCollectorComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "patch" | "delete">;
  /** An owner of any other kind is taken to exist. */
  resources: readonly WatchedResource[];
}

/**
 * Deletes what is owned by objects that are gone, and carries out foreground deletion and orphaning.
 * Upstream: k8s.io/kubernetes pkg/controller/garbagecollector @ v1.32
 */
export function garbageCollector(components: GarbageCollectorComponents): Controller {
  const graph = new OwnerGraph();
  return controller(components, {
    name: "garbagecollector",
    workers: 4,
    watch: (queue) =>
      components.resources.map(({ type, informer }) =>
        informer.subscribe((event) => {
          const { object } = event;
          const owners = [...object.metadata?.ownerReferences ?? []];
          if (event.type === "updated") owners.push(...event.old.metadata?.ownerReferences ?? []);
          if (event.type === "deleted") {
            graph.remove(type, object);
            for (const { key } of graph.dependents(object.metadata?.uid ?? "")) queue.add(key);
          } else {
            const { key } = graph.put(type, object);
            if (owners.length > 0 || isOrphaning(object) || isWaitingForDependents(object)) queue.add(key);
            // Dependents follow an owner that began to wait for them.
            if (isWaitingForDependents(object)) {
              for (const dependent of graph.dependents(object.metadata?.uid ?? "")) queue.add(dependent.key);
            }
          }
          for (const { uid } of owners) {
            const owner = graph.owner(uid);
            if (owner !== undefined && (isWaitingForDependents(owner.object) || isOrphaning(owner.object))) {
              queue.add(owner.key);
            }
          }
        })
      ),
    reconcile: async (key, { signal }) => {
      const node = graph.get(key);
      if (node === undefined) return;
      const { object } = node;
      const dependents = graph.dependents(object.metadata?.uid ?? "");
      const owners: Array<[OwnerReference, OwnerState]> = [];
      for (const owner of object.metadata?.ownerReferences ?? []) {
        owners.push([owner, await stateOf(components, graph, owner, object.metadata?.namespace, signal)]);
      }
      const steps = [
        ...planDeleting(object, dependents),
        ...planOwned(object, owners, dependents.length > 0),
      ];
      for (const step of steps) await execute(components.kube, node, dependents, step, signal);
    },
  });
}

/** How an owner stands; that it is absent is believed only when the server says so. */
async function stateOf(
  { kube, resources }: GarbageCollectorComponents,
  graph: OwnerGraph,
  owner: OwnerReference,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<OwnerState> {
  const known = graph.owner(owner.uid);
  if (known !== undefined && isNamedBy(known, owner, namespace)) {
    return isWaitingForDependents(known.object) ? "waitingForDependents" : "present";
  }
  const slash = owner.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : owner.apiVersion.slice(0, slash);
  const type = resources.find(({ type }) => type.group === group && type.kind === owner.kind)?.type;
  if (type === undefined) return "unknownKind";
  // A cluster-scoped object cannot be owned by a namespaced one; what names such an owner is left alone.
  if (type.namespaced && namespace === undefined) return "unknownKind";
  try {
    const ref = { name: owner.name, ...(type.namespaced && namespace && { namespace }) };
    const found = await kube.get(type, ref, { signal });
    if (found.metadata?.uid !== owner.uid) return "absent";
    return isWaitingForDependents(found) ? "waitingForDependents" : "present";
  } catch (error) {
    if (isNotFound(error)) return "absent";
    throw error;
  }
}

/** Whether an owner is who an object names it as: one of that name in the namespace of the object, or in none. */
function isNamedBy({ type, object }: GraphNode, { kind, name }: OwnerReference, namespace?: string): boolean {
  return type.kind === kind && object.metadata?.name === name &&
    (!type.namespaced || object.metadata?.namespace === namespace);
}

async function execute(
  kube: GarbageCollectorComponents["kube"],
  { type, object }: GraphNode,
  dependents: readonly GraphNode[],
  step: GarbageStep,
  signal: AbortSignal,
): Promise<void> {
  switch (step.kind) {
    case "removeFinalizer": {
      const { uid, resourceVersion, finalizers = [] } = object.metadata ?? {};
      const left = finalizers.filter((finalizer) => finalizer !== step.finalizer);
      const body = { metadata: { uid, resourceVersion, finalizers: left.length > 0 ? left : null } };
      await ignoreMissing(kube.patch(type, refOf(object), { type: "merge", body }, { signal }));
      return;
    }
    case "orphanDependents": {
      const owner = new Set([object.metadata?.uid ?? ""]);
      for (const dependent of dependents) {
        const body = releasePatch(dependent.object, owner);
        await ignoreMissing(
          kube.patch(dependent.type, refOf(dependent.object), { type: "merge", body }, { signal }),
        );
      }
      return;
    }
    case "deleteDependents":
      for (const dependent of step.dependents) await remove(kube, dependent, "Foreground", signal);
      return;
    case "removeOwners": {
      const body = releasePatch(object, step.uids);
      await ignoreMissing(kube.patch(type, refOf(object), { type: "merge", body }, { signal }));
      return;
    }
    case "delete":
      await remove(kube, { key: graphKey(type, ""), type, object }, step.policy, signal);
  }
}

async function remove(
  kube: GarbageCollectorComponents["kube"],
  { type, object }: GraphNode,
  propagationPolicy: "Foreground" | "Background",
  signal: AbortSignal,
): Promise<void> {
  const { uid } = object.metadata ?? {};
  const options = { propagationPolicy, ...(uid && { preconditions: { uid } }) };
  try {
    await ignoreMissing(kube.delete(type, refOf(object), options, { signal }));
  } catch (error) {
    // Another object of that name is there by now.
    if (!isConflict(error)) throw error;
  }
}

async function ignoreMissing(request: Promise<unknown>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

function refOf({ metadata }: KubeObject): { name: string; namespace?: string } {
  const { name = "", namespace } = metadata ?? {};
  return namespace ? { name, namespace } : { name };
}
