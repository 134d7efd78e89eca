import { jsonEqual } from "../object.ts";
import { changedFields, compareFields, type Comparison, withoutFields } from "./compare.ts";
import type { Conflict } from "./conflict.ts";
import {
  difference,
  type FieldSet,
  intersection,
  isEmptySet,
  NO_FIELDS,
  recursiveDifference,
  setOf,
  union,
} from "./field_set.ts";
import { capManagers, managerKey, type ManagerName, type Managers } from "./managed_fields.ts";
import { mergeApplied } from "./merge.ts";
import type { MergeType } from "./merge_type.ts";
import { fieldsOf, removeFields, withNamedFields } from "./walk.ts";

/** Fields that never belong to anyone. Upstream: k8s.io/apimachinery pkg/util/managedfields/internal/stripmeta.go */
const NEVER_OWNED = setOf(
  ["f:apiVersion"],
  ["f:kind"],
  ["f:metadata"],
  ...["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation"].map((
    name,
  ) => [
    "f:metadata",
    `f:${name}`,
  ]),
  ["f:metadata", "f:managedFields"],
  ["f:metadata", "f:resourceVersion"],
);

/** How an object is written. */
export interface Writing {
  type: MergeType;
  /** Fields that this way of writing cannot change. */
  reset: FieldSet;
  by: ManagerName;
  /** The present time, as Kubernetes writes times. */
  now: string;
}

/** Whether fields of a manager are named as those of another version of the same group are. */
function sameGroup(a: string, b: string): boolean {
  return a === b || a.slice(0, a.lastIndexOf("/") + 1) === b.slice(0, b.lastIndexOf("/") + 1);
}

/** Takes changed fields from whoever has them; who has none left is gone. */
function takeAway(managers: Managers, changed: FieldSet, apiVersion: string): void {
  for (const [key, manager] of managers) {
    if (!sameGroup(manager.apiVersion, apiVersion)) continue;
    const fields = difference(manager.fields, changed);
    if (isEmptySet(fields)) managers.delete(key);
    else if (fields !== manager.fields) managers.set(key, { ...manager, fields });
  }
}

/**
 * Notes who changed what when an object is written as a whole: what is new or different belongs to the writer, what is gone to nobody.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 merge/update.go (Update)
 * @param old undefined for an object that is being made
 * @returns whether the managers changed
 */
export function noteUpdate(managers: Managers, old: unknown, now: unknown, writing: Writing): boolean {
  const { type, reset, by } = writing;
  const comparison: Comparison = withoutFields(compareFields(old ?? {}, now, type), reset);
  const changed = changedFields(comparison);
  if (isEmptySet(changed)) return false;
  takeAway(managers, changed, by.apiVersion);
  const taken = difference(union(comparison.modified, comparison.added), NEVER_OWNED);
  if (!isEmptySet(taken)) {
    const key = managerKey(by);
    const fields = union(managers.get(key)?.fields ?? NO_FIELDS, taken);
    managers.set(key, { ...by, time: writing.now, fields });
  }
  capManagers(managers);
  return true;
}

/** What became of applying a configuration. */
export type ApplyResult =
  | { kind: "conflicts"; conflicts: Conflict[] }
  /** `object` is undefined when the configuration changes none of it. */
  | { kind: "applied"; object: unknown };

/**
 * Merges an applied configuration into an object: what the manager applied before and does not any more is removed where nobody
 * else has it, what it applies now belongs to it, and to others as well where they want the same.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 merge/update.go (Apply)
 * @param managers changed in place, unless there are conflicts
 */
export function applyFields(
  managers: Managers,
  live: unknown,
  applied: unknown,
  { type, reset, by, now }: Writing,
  force: boolean,
): ApplyResult {
  const key = managerKey(by);
  const before = managers.get(key);
  const fields = recursiveDifference(fieldsOf(applied, type), reset);
  const own = { ...by, time: before?.time, fields };
  let object = mergeApplied(live, applied, type);
  if (before !== undefined && !isEmptySet(before.fields)) {
    let wanted = fields;
    for (const [other, manager] of managers) if (other !== key) wanted = union(wanted, manager.fields);
    object = prune(object, before.fields, wanted, type);
  }
  const comparison = withoutFields(compareFields(live, object, type), reset);
  const taken = union(comparison.modified, comparison.added);
  const conflicts: Conflict[] = [];
  for (const [other, manager] of managers) {
    if (other === key || !sameGroup(manager.apiVersion, by.apiVersion)) continue;
    const common = intersection(manager.fields, taken);
    if (!isEmptySet(common)) conflicts.push({ key: other, manager, fields: common });
  }
  if (conflicts.length > 0 && !force) return { kind: "conflicts", conflicts };
  managers.delete(key);
  takeAway(managers, changedFields(comparison), by.apiVersion);
  const kept = difference(fields, NEVER_OWNED);
  // The order of items belongs to nobody, and yet it changes.
  const same = jsonEqual(live, object);
  if (!isEmptySet(kept)) managers.set(key, { ...own, time: same ? own.time : now, fields: kept });
  return { kind: "applied", object: same ? undefined : object };
}

/** Removes what was applied before and what nobody wants now. */
function prune(merged: unknown, before: FieldSet, wanted: FieldSet, type: MergeType): unknown {
  const named = (set: FieldSet) => withNamedFields(set, type);
  const bare = removeFields(merged, named(before), type);
  const all = named(fieldsOf(merged, type));
  const pruned = removeFields(
    merged,
    difference(all, union(named(fieldsOf(bare, type)), named(wanted))),
    type,
  );
  // What went with its parent, but was never applied by this manager, comes back.
  const gone = difference(all, named(fieldsOf(pruned, type)));
  return removeFields(merged, intersection(gone, named(before)), type);
}
