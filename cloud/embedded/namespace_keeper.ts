import type { Logger } from "../../common/module/mod.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../common/errors/mod.ts";
import { conditionsOf, type Remains } from "./namespace_conditions.ts";
import { type ApiObject, jsonEqual, objectAt, objectsAt, timeText, valueAt } from "./object.ts";
import { WorkSet } from "./work_set.ts";
import type { Registry } from "./registry.ts";
import { keyOfResource, type ResourceDefinition } from "./resources/definition.ts";
import { qualifiedResource } from "./resources/errors.ts";

/** What keeping namespaces needs. */
export interface NamespaceKeeperComponents {
  registry: Registry;
  log: Logger;
  /** PEM of the authority that pods trust the API by. */
  caCertificate: string;
  /** Unix milliseconds. */
  now(): number;
}

const FINALIZER = "kubernetes";
/** Whom the objects that every namespace has belong to: the program that makes them elsewhere. */
const MANAGER = "kube-controller-manager";
/** Most objects deleted in one turn, so that others are served in between. */
const BATCH = 200;

/**
 * Gives every namespace its `default` service account and the `kube-root-ca.crt` ConfigMap, and empties a namespace that is being
 * deleted before it lets it go. It is part of the API server, and not a controller beside it, because it must know every
 * resource there is and needs no copies of them.
 * Upstream: k8s.io/kubernetes pkg/controller/{serviceaccount,namespace}, rootcacertpublisher @ v1.32
 */
export class NamespaceKeeper implements Disposable {
  readonly #components: NamespaceKeeperComponents;
  readonly #namespaces: ResourceDefinition;
  readonly #set: WorkSet;
  readonly #unsubscribe: Array<() => void> = [];

  constructor(components: NamespaceKeeperComponents) {
    this.#components = components;
    const { registry } = components;
    const namespaces = registry.table.find("", "v1", "namespaces");
    if (namespaces === undefined) throw new TypeError("Cannot keep namespaces: there is no such resource");
    this.#namespaces = namespaces;
    this.#set = new WorkSet((name) => this.#keep(name), (namespace, error) => {
      components.log.error("Cannot keep a namespace in order; trying again", error, { namespace });
      return true;
    });
  }

  /** Begins with all namespaces there are, and follows the changes. */
  start(): void {
    const { registry } = this.#components;
    for (const entry of registry.cache(this.#namespaces).list()) this.#set.add(entry.name);
    const follow = (definition: ResourceDefinition) => {
      const cache = registry.cache(definition);
      if (definition === this.#namespaces) {
        this.#unsubscribe.push(cache.subscribe(({ entry }) => this.#set.add(entry.name)));
      } else if (definition.namespaced) {
        // An object that is gone may be the last one that a namespace waits for, or one that every namespace has.
        this.#unsubscribe.push(cache.subscribe(({ type, entry }) => {
          if (type === "DELETED") this.#set.add(entry.namespace);
        }));
      }
    };
    for (const definition of registry.table.stored()) follow(definition);
    this.#unsubscribe.push(registry.follow(follow));
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    this.#set[Symbol.dispose]();
  }

  /** Does what is to be done, again where it failed before. To be called now and then. */
  retry(): void {
    this.#set.retry();
  }

  /** Does what one namespace needs now; what remains is done when the next object is gone. */
  #keep(name: string): void {
    const entry = this.#components.registry.cache(this.#namespaces).get("", name);
    if (entry === undefined) return;
    const namespace: ApiObject = JSON.parse(entry.text);
    if (namespace.metadata.deletionTimestamp === undefined) {
      this.#ensure("serviceaccounts", {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name: "default", namespace: name },
      });
      this.#ensure("configmaps", {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name: "kube-root-ca.crt",
          namespace: name,
          annotations: {
            "kubernetes.io/description":
              "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.",
          },
        },
        data: { "ca.crt": this.#components.caCertificate },
      });
      return;
    }
    const left = this.#empty(name);
    this.#tell(namespace, left);
    if (left.size === 0) this.#release(name);
  }

  #ensure(resource: string, object: ApiObject): void {
    const { registry } = this.#components;
    const definition = registry.table.find("", "v1", resource);
    if (definition === undefined) return;
    const namespace = object.metadata.namespace ?? "";
    const ref = { namespace, name: object.metadata.name ?? "" };
    const present = registry.cache(definition).get(namespace, ref.name);
    try {
      if (present === undefined) registry.create(definition, namespace, object, { manager: MANAGER });
      else if (object.data !== undefined) {
        registry.update(definition, ref, (current) => ({ ...current, data: object.data }), {
          manager: MANAGER,
        });
      }
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }

  /** Deletes what is in a namespace, so much at a time; what is left takes its time, or its turn. */
  #empty(name: string): Remains {
    const { registry } = this.#components;
    const left: Remains = new Map();
    let deleted = 0;
    for (const definition of registry.table.stored()) {
      if (!definition.namespaced) continue;
      for (const entry of registry.cache(definition).list(name)) {
        const object: ApiObject = JSON.parse(entry.text);
        let removed = false;
        if (object.metadata.deletionTimestamp === undefined && deleted < BATCH) {
          deleted++;
          removed = this.#delete(definition, object);
        }
        if (removed) continue;
        const key = qualifiedResource(definition);
        const remains = left.get(key) ?? { count: 0, finalizers: [] };
        remains.count++;
        remains.finalizers.push(...object.metadata.finalizers ?? []);
        left.set(key, remains);
      }
    }
    return left;
  }

  /** Deletes an object; whether it is gone. */
  #delete(definition: ResourceDefinition, { metadata }: ApiObject): boolean {
    const { namespace = "", name = "" } = metadata;
    const policy = keyOfResource(definition) === "pods" ? {} : { propagationPolicy: "Background" as const };
    try {
      return this.#components.registry.delete(definition, { namespace, name }, policy).removed;
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
      return isNotFound(error);
    }
  }

  /** Says in the namespace's status what it waits for. */
  #tell(namespace: ApiObject, left: Remains): void {
    const { registry, now } = this.#components;
    const name = namespace.metadata.name ?? "";
    const before = objectsAt(namespace, "status", "conditions");
    const conditions = conditionsOf(left, before, timeText(now()));
    if (jsonEqual(conditions, before)) return;
    registry.update(this.#namespaces, { namespace: "", name }, (current) => ({
      ...current,
      status: { ...objectAt(current, "status"), conditions },
    }), { subresource: "status" });
  }

  #release(name: string): void {
    const { registry } = this.#components;
    const finalizers = valueAt(registry.get(this.#namespaces, { namespace: "", name }), "spec", "finalizers");
    if (!Array.isArray(finalizers) || !finalizers.includes(FINALIZER)) return;
    const left = finalizers.filter((f) => f !== FINALIZER);
    registry.update(this.#namespaces, { namespace: "", name }, (current) => {
      const { finalizers: _, ...spec } = objectAt(current, "spec");
      return { ...current, spec: left.length === 0 ? spec : { ...spec, finalizers: left } };
    }, { subresource: "finalize" });
  }
}
