import { difference, type FieldSet, hasField, isEmptySet, setOf } from "./field_set.ts";
import { managerKey, type Managers, printManagedFields, readManagedFields } from "./managed_fields.ts";

/** The version of `…/scale` objects. */
const SCALE_VERSION = "autoscaling/v1";

const REPLICAS_OF_SCALE = setOf(["f:spec", "f:replicas"]);

/** A resource whose number of replicas is also written through `…/scale`. */
export interface ScaledResource {
  apiVersion: string;
  /** Names that lead to the number. */
  replicas: readonly string[];
}

function pathOf({ replicas }: ScaledResource): string[] {
  return replicas.map((name) => `f:${name}`);
}

/**
 * `metadata.managedFields` of a scale: those who have the number of replicas of the resource have that of the scale.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/scalehandler.go (ToSubresource)
 */
export function scaleManagedFields(
  parent: readonly unknown[] | undefined,
  resource: ScaledResource,
): unknown[] | undefined {
  const managers: Managers = new Map();
  for (const manager of readManagedFields(parent).values()) {
    if (manager.apiVersion !== resource.apiVersion || !hasField(manager.fields, pathOf(resource))) continue;
    const own = { ...manager, apiVersion: SCALE_VERSION, fields: REPLICAS_OF_SCALE };
    managers.set(managerKey(own), own);
  }
  return printManagedFields(managers);
}

/**
 * `metadata.managedFields` of a resource after its scale was written: who has not the number of the scale any more has not that of
 * the resource either, and who has it now gets it. As on the real server, a new entry has no time.
 * Upstream: k8s.io/apimachinery pkg/util/managedfields/scalehandler.go (ToParent)
 */
export function parentManagedFields(
  parent: readonly unknown[] | undefined,
  scale: readonly unknown[] | undefined,
  resource: ScaledResource,
): unknown[] | undefined {
  const path = pathOf(resource);
  const replicas: FieldSet = setOf(path);
  const owners: Managers = new Map();
  for (const manager of readManagedFields(scale).values()) {
    if (!hasField(manager.fields, ["f:spec", "f:replicas"])) continue;
    const own = { ...manager, apiVersion: resource.apiVersion, time: undefined, fields: replicas };
    owners.set(managerKey(own), own);
  }
  const managers: Managers = new Map();
  for (const [key, manager] of readManagedFields(parent)) {
    if (!hasField(manager.fields, path) || owners.delete(key)) managers.set(key, manager);
    else {
      const fields = difference(manager.fields, replicas);
      if (!isEmptySet(fields)) managers.set(key, { ...manager, fields });
    }
  }
  for (const [key, owner] of owners) managers.set(key, owner);
  return printManagedFields(managers);
}
