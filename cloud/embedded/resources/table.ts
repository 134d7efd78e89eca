import { APPS } from "./apps.ts";
import { BATCH } from "./batch/mod.ts";
import { CORE } from "./core.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../crd/resource.ts";
import { COORDINATION } from "./coordination.ts";
import { EVENTS } from "./events.ts";
import { NEVER_MADE } from "./never_made.ts";
import { NODES } from "./nodes.ts";
import { PODS } from "./pods.ts";
import { POLICY } from "./policy.ts";
import { RBAC } from "./rbac.ts";
import { RELIABLE_SYNCS } from "./reliablesyncs.ts";
import { SERVICES } from "./services.ts";
import { STORAGE } from "./storage.ts";
import { keyOfResource, type ResourceDefinition } from "./definition.ts";

/** Every resource the control plane stores, in the order discovery prints them. */
export const RESOURCES: readonly ResourceDefinition[] = [
  ...CORE,
  ...EVENTS,
  ...NODES,
  ...STORAGE,
  ...PODS,
  ...SERVICES,
  ...APPS,
  ...BATCH,
  ...COORDINATION,
  ...POLICY,
  ...RBAC,
  ...NEVER_MADE,
  ...RELIABLE_SYNCS,
  CUSTOM_RESOURCE_DEFINITIONS,
];

/** The resources by what requests name: those that are built in, and custom ones, which come and go and may take the place of some. */
export class ResourceTable {
  readonly #builtIn: readonly ResourceDefinition[];
  readonly #custom = new Map<string, readonly ResourceDefinition[]>();
  #all: readonly ResourceDefinition[] | undefined;
  #byPath = new Map<string, ResourceDefinition>();
  #changes = 0;

  constructor(definitions: readonly ResourceDefinition[] = RESOURCES) {
    this.#builtIn = definitions;
    for (const definition of definitions) this.#byPath.set(pathOf(definition), definition);
  }

  /** How often the table has changed: what was made out of it is to be made again when this has. */
  get changes(): number {
    return this.#changes;
  }

  /** The resources that are built in, whether custom ones are in their place or not. */
  builtIn(): readonly ResourceDefinition[] {
    return this.#builtIn;
  }

  /** The definitions of a custom resource, one for each version; none when there is no such resource. */
  custom(key: string): readonly ResourceDefinition[] {
    return this.#custom.get(key) ?? [];
  }

  /**
   * Sets the definitions of a custom resource, or takes it out when there are none.
   * @returns the built-in one of the same key
   */
  setCustom(key: string, definitions: readonly ResourceDefinition[]): ResourceDefinition | undefined {
    const built = this.#builtIn.filter((definition) => keyOfResource(definition) === key);
    for (const definition of [...this.custom(key), ...built]) this.#byPath.delete(pathOf(definition));
    if (definitions.length > 0) this.#custom.set(key, definitions);
    else this.#custom.delete(key);
    const shown = definitions.length > 0 ? definitions : built;
    for (const definition of shown) this.#byPath.set(pathOf(definition), definition);
    this.#all = undefined;
    this.#changes++;
    return built[0];
  }

  /** The resource of a path. */
  find(group: string, version: string, resource: string): ResourceDefinition | undefined {
    return this.#byPath.get(pathKey(group, version, resource));
  }

  /** All resources, the custom ones last, in the order of their keys. */
  all(): readonly ResourceDefinition[] {
    if (this.#custom.size === 0) return this.#builtIn;
    return this.#all ??= [
      ...this.#builtIn.filter((definition) => !this.#custom.has(keyOfResource(definition))),
      ...[...this.#custom.keys()].sort().flatMap((key) => this.custom(key)),
    ];
  }

  /** The resources that have objects of their own in the store, each once. */
  stored(): ResourceDefinition[] {
    return this.all().filter(({ storedAs }) => storedAs === undefined || storedAs.primary);
  }
}

function pathOf({ group, version, resource }: ResourceDefinition): string {
  return pathKey(group, version, resource);
}

function pathKey(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
