import { isConflict, isNotFound } from "../../common/errors/mod.ts";
import type { KubeObject, OwnerReference } from "../../common/api/meta_v1.ts";
import type { Logger } from "../../common/module/mod.ts";
import {
  type GarbageStep,
  type GraphNode,
  isOrphaning,
  isWaitingForDependents,
  type OwnerState,
  planDeleting,
  planOwned,
} from "./controllers/garbage/graph.ts";
import { type ApiObject, objectAt, type Owner } from "./object.ts";
import type { Registry } from "./registry.ts";
import { apiVersionOf, keyOfResource, type ResourceDefinition } from "./resources/definition.ts";
import type { CacheEntry, CacheEvent } from "./storage/watch_cache.ts";

/** What keeping owners needs. */
export interface OwnerKeeperComponents {
  registry: Registry;
  log: Logger;
}

/** An object that owns or is owned. */
interface Place {
  /** Key of its resource. */
  key: string;
  namespace: string;
  name: string;
}

/** Most objects looked at in one turn, so that others are served in between. */
const BATCH = 200;

/**
 * Deletes what is owned by objects that are gone, where the owner or what it owns is a custom object. It is part of the API server, and
 * not of the garbage collector beside it, because it must know every resource there is at any time and needs no copies of them.
 * Upstream: k8s.io/kubernetes pkg/controller/garbagecollector @ v1.33
 */
export class OwnerKeeper implements Disposable {
  readonly #components: OwnerKeeperComponents;
  /** What names an object as its owner, by the uid of that. */
  readonly #dependents = new Map<string, Map<string, Place>>();
  /** The owners that an object named when it was last seen. */
  readonly #owners = new Map<string, readonly string[]>();
  /** Custom objects that are held until what they own is gone or let go, by their uid. */
  readonly #waiting = new Map<string, Place>();
  readonly #dirty = new Map<string, Place>();
  readonly #unsubscribe: Array<() => void> = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(components: OwnerKeeperComponents) {
    this.#components = components;
  }

  /** Begins with all objects there are, and follows the changes. */
  start(): void {
    const { registry } = this.#components;
    const follow = (definition: ResourceDefinition) => {
      const cache = registry.cache(definition);
      const key = definition.storedAs?.key ?? keyOfResource(definition);
      for (const entry of cache.list()) this.#see(key, entry);
      this.#unsubscribe.push(cache.subscribe((event) => this.#hear(key, event)));
    };
    for (const definition of registry.table.stored()) follow(definition);
    this.#unsubscribe.push(registry.follow(follow));
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    clearTimeout(this.#timer);
    this.#dirty.clear();
  }

  #hear(key: string, { type, entry }: CacheEvent): void {
    const id = idOf({ key, namespace: entry.namespace, name: entry.name });
    // An owner that waits is looked at when something that it owned has changed.
    for (const uid of this.#owners.get(id) ?? []) {
      const owner = this.#waiting.get(uid);
      if (owner !== undefined) this.#look(owner);
    }
    if (type !== "DELETED") return this.#see(key, entry);
    this.#forget(id);
    this.#waiting.delete(entry.uid);
    for (const place of this.#dependents.get(entry.uid)?.values() ?? []) this.#look(place);
  }

  /** Takes in an object as it is now. */
  #see(key: string, entry: CacheEntry): void {
    const place = { key, namespace: entry.namespace, name: entry.name };
    const id = idOf(place);
    const custom = this.#isCustom(key);
    const owned = entry.text.includes('"ownerReferences":[');
    this.#forget(id);
    if (!owned && !(custom && entry.text.includes('"deletionTimestamp":'))) return;
    const { metadata }: ApiObject = JSON.parse(entry.text);
    const owners = (metadata.ownerReferences ?? []).filter((owner) => custom || this.#isCustomOwner(owner));
    for (const { uid } of owners) {
      let places = this.#dependents.get(uid);
      if (places === undefined) this.#dependents.set(uid, places = new Map());
      places.set(id, place);
    }
    if (owners.length > 0) this.#owners.set(id, owners.map(({ uid }) => uid));
    const own: KubeObject = { metadata: metaOf(metadata) };
    const waits = custom && (isWaitingForDependents(own) || isOrphaning(own));
    if (waits) {
      this.#waiting.set(entry.uid, place);
      for (const dependent of this.#dependents.get(entry.uid)?.values() ?? []) this.#look(dependent);
    }
    if (owners.length > 0 || waits) this.#look(place);
  }

  #forget(id: string): void {
    for (const uid of this.#owners.get(id) ?? []) {
      const places = this.#dependents.get(uid);
      places?.delete(id);
      if (places?.size === 0) this.#dependents.delete(uid);
    }
    this.#owners.delete(id);
  }

  #isCustom(key: string): boolean {
    return this.#components.registry.table.custom(key).length > 0;
  }

  #definitionOf({ apiVersion, kind }: Pick<Owner, "apiVersion" | "kind">): ResourceDefinition | undefined {
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    const known = this.#components.registry.table.all();
    return known.find((d) => d.kind === kind && apiVersionOf(d) === apiVersion) ??
      known.find((d) => d.kind === kind && d.group === group);
  }

  /** Whether an owner is of no kind that is built in. */
  #isCustomOwner(owner: Owner): boolean {
    const definition = this.#definitionOf(owner);
    return definition === undefined || definition.custom !== undefined;
  }

  #look(place: Place): void {
    this.#dirty.set(idOf(place), place);
    // Never within the write that is being told of.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, 0);
  }

  #work(): void {
    let looked = 0;
    for (const [id, place] of this.#dirty) {
      if (looked++ >= BATCH) return this.#look(place);
      this.#dirty.delete(id);
      try {
        this.#keep(place);
      } catch (error) {
        // What was changed meanwhile is looked at again for that.
        if (isConflict(error) || isNotFound(error)) continue;
        this.#components.log.error("Cannot collect an object that lost its owner", error, { ...place });
      }
    }
  }

  #primary(key: string): ResourceDefinition | undefined {
    const { table } = this.#components.registry;
    return table.custom(key).find(({ storedAs }) => storedAs?.primary) ??
      table.builtIn().find((d) => d.storedAs === undefined && keyOfResource(d) === key);
  }

  #read({ key, namespace, name }: Place): ApiObject | undefined {
    const definition = this.#primary(key);
    const entry = definition && this.#components.registry.cache(definition).get(namespace, name);
    return entry === undefined ? undefined : JSON.parse(entry.text);
  }

  #keep(place: Place): void {
    const definition = this.#primary(place.key);
    const object = this.#read(place);
    if (definition === undefined || object === undefined) return;
    const dependents = this.#nodesOf(object.metadata.uid ?? "");
    const owners = (object.metadata.ownerReferences ?? []).map((owner): [OwnerReference, OwnerState] => [
      owner,
      this.#stateOf(owner, definition, object),
    ]);
    const known: KubeObject = { metadata: metaOf(object.metadata) };
    const steps = [
      ...(definition.custom === undefined ? [] : planDeleting(known, dependents)),
      ...planOwned(known, owners, dependents.length > 0),
    ];
    for (const step of steps) this.#execute(definition, place, dependents, step);
  }

  #nodesOf(uid: string): Array<GraphNode & { place: Place }> {
    const nodes: Array<GraphNode & { place: Place }> = [];
    for (const [key, place] of this.#dependents.get(uid) ?? []) {
      const definition = this.#primary(place.key);
      const object = this.#read(place);
      if (definition === undefined || object === undefined) continue;
      nodes.push({ key, type: definition, object: { metadata: metaOf(object.metadata) }, place });
    }
    return nodes;
  }

  #stateOf(owner: Owner, { namespaced }: ResourceDefinition, { metadata }: ApiObject): OwnerState {
    const definition = this.#definitionOf(owner);
    // A cluster-scoped object cannot be owned by a namespaced one; what names such an owner is left alone.
    if (definition === undefined || (definition.namespaced && !namespaced)) return "unknownKind";
    const namespace = definition.namespaced ? metadata.namespace ?? "" : "";
    const entry = this.#components.registry.cache(definition).get(namespace, owner.name);
    if (entry === undefined || entry.uid !== owner.uid) return "absent";
    const found: KubeObject = { metadata: metaOf(objectAt(JSON.parse(entry.text), "metadata")) };
    return isWaitingForDependents(found) ? "waitingForDependents" : "present";
  }

  #execute(
    definition: ResourceDefinition,
    place: Place,
    dependents: ReadonlyArray<GraphNode & { place: Place }>,
    step: GarbageStep,
  ): void {
    const { registry } = this.#components;
    const change = (at: Place, edit: (metadata: ApiObject["metadata"]) => void) => {
      const of = this.#primary(at.key);
      if (of === undefined) return;
      registry.update(of, { namespace: at.namespace, name: at.name }, (current) => {
        edit(current.metadata);
        return current;
      });
    };
    const release = (uids: ReadonlySet<string>) => (metadata: ApiObject["metadata"]) => {
      metadata.ownerReferences = (metadata.ownerReferences ?? []).filter(({ uid }) => !uids.has(uid));
      if (metadata.ownerReferences.length === 0) delete metadata.ownerReferences;
    };
    switch (step.kind) {
      case "removeFinalizer":
        return change(place, (metadata) => {
          metadata.finalizers = (metadata.finalizers ?? []).filter((one) => one !== step.finalizer);
        });
      case "orphanDependents": {
        const uids = new Set([this.#read(place)?.metadata.uid ?? ""]);
        for (const dependent of dependents) change(dependent.place, release(uids));
        return this.#look(place);
      }
      case "deleteDependents":
        for (const { key } of step.dependents) {
          const found = dependents.find((one) => one.key === key);
          const of = found && this.#primary(found.place.key);
          if (of !== undefined) registry.delete(of, found!.place, { propagationPolicy: "Foreground" });
        }
        return;
      case "removeOwners":
        return change(place, release(step.uids));
      case "delete":
        registry.delete(definition, place, { propagationPolicy: step.policy });
    }
  }
}

function idOf({ key, namespace, name }: Place): string {
  return `${key}|${namespace}|${name}`;
}

/** What decisions about owners look at. */
function metaOf(
  { uid, deletionTimestamp, finalizers, ownerReferences }: Partial<ApiObject["metadata"]>,
): NonNullable<KubeObject["metadata"]> {
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    ...(finalizers === undefined ? {} : { finalizers }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
  };
}
