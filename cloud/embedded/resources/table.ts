import { APPS } from "./apps.ts";
import { BATCH } from "./batch/mod.ts";
import { CORE } from "./core.ts";
import { COORDINATION } from "./coordination.ts";
import { EVENTS } from "./events.ts";
import { NODES } from "./nodes.ts";
import { PODS } from "./pods.ts";
import { RELIABLE_SYNCS } from "./reliablesyncs.ts";
import { SERVICES } from "./services.ts";
import { STORAGE } from "./storage.ts";
import type { ResourceDefinition } from "./definition.ts";

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
  ...RELIABLE_SYNCS,
];

/** The resources by what requests name. */
export class ResourceTable {
  readonly #all: readonly ResourceDefinition[];
  readonly #byPath = new Map<string, ResourceDefinition>();

  constructor(definitions: readonly ResourceDefinition[] = RESOURCES) {
    this.#all = definitions;
    for (const definition of definitions) {
      this.#byPath.set(pathKey(definition.group, definition.version, definition.resource), definition);
    }
  }

  /** The resource of a path. */
  find(group: string, version: string, resource: string): ResourceDefinition | undefined {
    return this.#byPath.get(pathKey(group, version, resource));
  }

  all(): readonly ResourceDefinition[] {
    return this.#all;
  }

  /** The resources that have objects of their own in the store. */
  stored(): ResourceDefinition[] {
    return this.#all.filter(({ storedAs }) => storedAs === undefined);
  }
}

function pathKey(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
