import { isObject, type JsonObject, setField } from "../object.ts";
import { DEDUCED_MAP, itemsByElement } from "./compare.ts";
import { ATOMIC, type MergeType } from "./merge_type.ts";
import { itemElement, type PathElement } from "./path_element.ts";

type ListType = Extract<MergeType, { kind: "set" | "keyed" }>;
type MapType = Extract<MergeType, { kind: "map" }>;

/**
 * Merges an applied configuration into an object; neither is changed. What the configuration does not have stays; undefined is a
 * value that is not there.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 typed/merge.go
 */
export function mergeApplied(live: unknown, applied: unknown, type: MergeType): unknown {
  const whole = () => applied === undefined ? live : applied;
  switch (type.kind) {
    case "atomic":
      return whole();
    case "deduced":
      return isObject(applied) || (isObject(live) && (applied === undefined || applied === null))
        ? mergeMap(live, applied, DEDUCED_MAP)
        : whole();
    case "map":
      return mergeMap(live, applied, type);
    default:
      return mergeList(live, applied, type);
  }
}

function mergeMap(live: unknown, applied: unknown, type: MapType): unknown {
  const before = isObject(live) ? live : {};
  const given = isObject(applied) ? applied : {};
  const keys = new Set([...Object.keys(before), ...Object.keys(given)]);
  // Where both are empty, the one that is there tells null from an empty map.
  if (keys.size === 0) return applied === undefined ? live : applied;
  const merged: JsonObject = {};
  for (const key of keys) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    const now = Object.hasOwn(given, key) ? given[key] : undefined;
    if (old === undefined && now === undefined) continue;
    const value = mergeApplied(old, now, type.field(key) ?? ATOMIC);
    if (value !== undefined) setField(merged, key, value);
  }
  return Object.keys(merged).length === 0 ? undefined : merged;
}

/**
 * Merges lists item by item. Items keep the order they are applied in; items that only the object has keep their place before the
 * item they preceded.
 */
function mergeList(live: unknown, applied: unknown, type: ListType): unknown {
  const before: readonly unknown[] = Array.isArray(live) ? live : [];
  const given: readonly unknown[] = Array.isArray(applied) ? applied : [];
  if (before.length === 0 && given.length === 0) return applied === undefined ? live : applied;
  const [left, right] = [elementsOf(before, type), elementsOf(given, type)];
  const [old, now] = [itemsByElement(before, type), itemsByElement(given, type)];
  const item = type.kind === "keyed" ? type.item : ATOMIC;
  const shared = right.filter(({ element }) => old.has(element)).map(({ element }) => element);
  let reached = 0;
  let next = shared[reached];
  const done = new Set<PathElement>();
  const merged: unknown[] = [];
  const take = (element: PathElement) => {
    const present = old.get(element);
    // Of several items with one key none is merged: which one was meant cannot be told.
    const into = present === undefined ? undefined : present.length > 1 ? null : present[0];
    done.add(element);
    const value = mergeApplied(into, now.get(element)?.[0], item);
    if (value !== undefined) merged.push(value);
  };
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const [a, b] = [left[l], right[r]];
    if (a !== undefined && b !== undefined) {
      if (a.element === b.element) {
        take(b.element);
        l++;
        r++;
        next = shared[++reached];
        continue;
      }
      if (now.has(a.element) && next !== undefined && next !== a.element) {
        l++;
        continue;
      }
    }
    if (a !== undefined) {
      if (!now.has(a.element)) {
        merged.push(a.item);
        l++;
        continue;
      }
      if (done.has(a.element)) l++;
    }
    if (b !== undefined) {
      take(b.element);
      r++;
      if (next === b.element) next = shared[++reached];
    }
  }
  return merged.length === 0 ? undefined : merged;
}

function elementsOf(
  list: readonly unknown[],
  type: ListType,
): Array<{ element: PathElement; item: unknown }> {
  return list.flatMap((item) => {
    const found = itemElement(item, type);
    return "problem" in found ? [] : [{ element: found.element, item }];
  });
}
