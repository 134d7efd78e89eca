import { errorText, isConflict, isNotFound } from "../../../common/errors/mod.ts";
import type { Clock, Logger } from "../../../common/module/mod.ts";
import { type ApiObject, jsonEqual, objectAt, timeText } from "../object.ts";
import type { Registry } from "../registry.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { WorkSet } from "../work_set.ts";
import { CLEANUP_FINALIZER, type Crd, type CrdNames, hasCondition, readCrd } from "./definition.ts";
import { customResources } from "./custom_resource.ts";
import { planNames, setCondition, type TakenNames } from "./names.ts";

/** What keeping custom resources needs. */
export interface CustomResourcesComponents {
  registry: Registry;
  clock: Clock;
  log: Logger;
}

/** What is known of a definition that was accepted. */
interface Known {
  group: string;
  names: CrdNames;
  /** What the served resources were made of; undefined while none are. */
  served: object | undefined;
  /** Ends listening to its objects. */
  unfollow?: () => void;
}

/** Most objects deleted in one turn, so that others are served in between. */
const BATCH = 200;

/**
 * Serves the resources that CustomResourceDefinitions stand for: gives out names, says in their status how they stand, and deletes
 * the objects of one that is being deleted before it lets it go.
 * Upstream: k8s.io/apiextensions-apiserver pkg/controller/{status,establish,finalizer} @ v1.33
 */
export class CustomResources implements Disposable {
  readonly #components: CustomResourcesComponents;
  readonly #definitions: ResourceDefinition;
  readonly #known = new Map<string, Known>();
  readonly #set: WorkSet;
  /** Why one was not served when it was last tried. */
  readonly #told = new Map<string, string>();
  #unsubscribe: (() => void) | undefined;

  constructor(components: CustomResourcesComponents) {
    this.#components = components;
    const found = components.registry.table.find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
    if (found === undefined) throw new TypeError("Cannot keep custom resources: nothing defines them");
    this.#definitions = found;
    this.#set = new WorkSet((name) => {
      this.#keep(name);
      this.#told.delete(name);
    }, (name, error) => this.#failed(name, error));
  }

  /** Serves what is stored, at once, and follows the changes. */
  start(): void {
    const cache = this.#components.registry.cache(this.#definitions);
    // Those that have their names come first: what is served stays served.
    for (const { name, text } of cache.list()) {
      try {
        const crd = readCrd(JSON.parse(text));
        this.#known.set(name, { group: crd.spec.group, names: crd.status.acceptedNames, served: undefined });
      } catch (error) {
        this.#failed(name, error);
      }
    }
    for (const { name } of cache.list()) this.#set.add(name);
    this.#unsubscribe = cache.subscribe(({ entry }) => this.#set.add(entry.name));
    this.retry();
  }

  [Symbol.dispose](): void {
    this.#unsubscribe?.();
    for (const { unfollow } of this.#known.values()) unfollow?.();
    this.#set[Symbol.dispose]();
  }

  /** Does what is to be done, again where it failed before. To be called now and then. */
  retry(): void {
    this.#set.retry();
  }

  #failed(name: string, error: unknown): boolean {
    // What was changed meanwhile was told of.
    if (isConflict(error) || isNotFound(error)) return false;
    const isNews = this.#told.get(name) !== errorText(error);
    this.#told.set(name, errorText(error));
    if (isNews) {
      this.#components.log.error("Cannot serve a custom resource; trying again", error, { name });
    }
    return true;
  }

  #keep(name: string): void {
    const { registry } = this.#components;
    const entry = registry.cache(this.#definitions).get("", name);
    if (entry === undefined) return this.#forget(name);
    let crd = readCrd(JSON.parse(entry.text));
    if (crd.metadata.deletionTimestamp === undefined) crd = this.#accept(name, crd);
    this.#serve(name, crd);
    if (crd.metadata.deletionTimestamp === undefined) return;
    this.#clean(name, crd);
    // Whoever sees that it is gone is not to find its resources served.
    if (registry.cache(this.#definitions).get("", name) === undefined) this.#forget(name);
  }

  /** Gives a definition its names and tells of it. */
  #accept(name: string, crd: Crd): Crd {
    const { group } = crd.spec;
    const present = this.#known.get(name);
    const plan = planNames(crd, this.#taken(group, name), timeText(this.#components.clock.now()));
    const accepted = plan?.acceptedNames ?? crd.status.acceptedNames;
    const before = present?.names;
    if (present === undefined) this.#known.set(name, { group, names: accepted, served: undefined });
    else present.names = accepted;
    if (plan === undefined) return crd;
    const updated = this.#tell(name, plan);
    // A name that was given up may be what another one waits for.
    if (before !== undefined && !jsonEqual(before, accepted)) this.#lookAtGroup(group, name);
    return updated;
  }

  /** The names that other resources of a group have. */
  #taken(group: string, except: string): TakenNames {
    const resources = new Set<string>();
    const kinds = new Set<string>();
    const add = ({ plural, singular, kind, listKind, shortNames = [] }: CrdNames) => {
      for (const one of [plural, singular, ...shortNames]) resources.add(one);
      for (const one of [kind, listKind]) kinds.add(one);
    };
    for (const [name, known] of this.#known) {
      if (known.group === group && name !== except) add(known.names);
    }
    for (const built of this.#components.registry.table.builtIn()) {
      if (built.group !== group || built.replaceable) continue;
      const { resource, singular, kind, shortNames } = built;
      add({
        plural: resource,
        singular,
        kind,
        listKind: `${kind}List`,
        ...(shortNames && { shortNames: [...shortNames] }),
      });
    }
    return { resources, kinds };
  }

  #lookAtGroup(group: string, except: string): void {
    for (const [name, known] of this.#known) {
      if (known.group === group && name !== except) this.#set.add(name);
    }
  }

  /** Writes a status. */
  #tell(name: string, status: Partial<Crd["status"]>, finalizers?: string[]): Crd {
    const { registry } = this.#components;
    const names = status.acceptedNames;
    // What was not given is not there, but for the two that its type requires.
    const accepted = names === undefined ? {} : {
      acceptedNames: Object.fromEntries(
        Object.entries(names).filter(([key, value]) => value !== "" || key === "plural" || key === "kind"),
      ),
    };
    const updated = registry.update(this.#definitions, { namespace: "", name }, (current): ApiObject => ({
      ...current,
      metadata: finalizers === undefined ? current.metadata : { ...current.metadata, finalizers },
      status: { ...objectAt(current, "status"), ...status, ...accepted },
    }), { subresource: "status" });
    return readCrd(updated);
  }

  /** Serves a definition that has its names, and no longer one that has lost them. */
  #serve(name: string, crd: Crd): void {
    const { registry } = this.#components;
    if (!hasCondition(crd, "NamesAccepted") && !hasCondition(crd, "Established")) return;
    const known = this.#known.get(name) ??
      { group: crd.spec.group, names: crd.status.acceptedNames, served: undefined };
    this.#known.set(name, known);
    const wanted = {
      spec: crd.spec,
      names: crd.status.acceptedNames,
      terminating: hasCondition(crd, "Terminating"),
    };
    if (jsonEqual(known.served, wanted)) return;
    const definitions = customResources(crd);
    if (definitions.length === 0) {
      // No version is served: there is nothing to ask for, and the objects wait.
      registry.detach(name);
      known.served = undefined;
      return;
    }
    registry.attach(definitions);
    known.served = wanted;
  }

  #forget(name: string): void {
    const known = this.#known.get(name);
    if (known === undefined) return;
    known.unfollow?.();
    this.#known.delete(name);
    if (known.served !== undefined) this.#components.registry.detach(name);
    this.#lookAtGroup(known.group, name);
  }

  /** Deletes the objects of a definition that is being deleted, so many at a time, and lets it go when there are none. */
  #clean(name: string, crd: Crd): void {
    const { finalizers = [] } = crd.metadata;
    if (!finalizers.includes(CLEANUP_FINALIZER)) return;
    const { registry } = this.#components;
    const primary = registry.table.custom(name).find(({ storedAs }) => storedAs?.primary);
    const left = finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    if (primary === undefined) {
      this.#tell(
        name,
        this.#terminating(crd, "False", "NeverEstablished", "resource was never established"),
        left,
      );
      return;
    }
    const cache = registry.cache(primary);
    if (cache.size > 0) {
      const why = "CustomResource deletion is in progress";
      const conditions = this.#terminating(crd, "True", "InstanceDeletionInProgress", why);
      if (!jsonEqual(conditions.conditions, crd.status.conditions)) this.#tell(name, conditions);
      this.#deleteSome(name, primary);
    }
    if (cache.size > 0) return;
    this.#tell(
      name,
      this.#terminating(crd, "False", "InstanceDeletionCompleted", "removed all instances"),
      left,
    );
  }

  #deleteSome(name: string, definition: ResourceDefinition): void {
    const { registry } = this.#components;
    const cache = registry.cache(definition);
    const known = this.#known.get(name);
    if (known !== undefined) {
      // An object that something holds is gone later.
      known.unfollow ??= cache.subscribe(({ type }) => {
        if (type === "DELETED") this.#set.add(name);
      });
    }
    let deleted = 0;
    for (const { namespace, name: object, text } of cache.list()) {
      if (deleted >= BATCH) break;
      const { metadata }: ApiObject = JSON.parse(text);
      if (metadata.deletionTimestamp !== undefined) continue;
      deleted++;
      try {
        registry.delete(definition, { namespace, name: object }, { propagationPolicy: "Background" });
      } catch (error) {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    }
  }

  #terminating(crd: Crd, status: "True" | "False", reason: string, message: string): Partial<Crd["status"]> {
    const now = timeText(this.#components.clock.now());
    return {
      conditions: setCondition(crd.status.conditions, { type: "Terminating", status, reason, message }, now),
    };
  }
}
