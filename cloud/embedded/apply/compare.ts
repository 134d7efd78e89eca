import { isObject, jsonEqual, type JsonObject } from "../object.ts";
import {
  type FieldSet,
  FieldSetBuilder,
  isEmptySet,
  NO_FIELDS,
  recursiveDifference,
  union,
} from "./field_set.ts";
import { ATOMIC, DEDUCED, type MergeType } from "./merge_type.ts";
import { itemElement, type PathElement } from "./path_element.ts";

/** What differs between two objects; no field is in two of the sets. */
export interface Comparison {
  removed: FieldSet;
  /** In both, but not the same. */
  modified: FieldSet;
  added: FieldSet;
}

type ListType = Extract<MergeType, { kind: "set" | "keyed" }>;
type MapType = Extract<MergeType, { kind: "map" }>;

/**
 * Tells which fields differ between two objects of a type.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 typed/compare.go
 */
export function compareFields(old: unknown, now: unknown, type: MergeType): Comparison {
  const walker = new Comparer();
  walker.compare(old, now, type);
  return walker.result();
}

/** Every field that differs. */
export function changedFields({ removed, modified, added }: Comparison): FieldSet {
  return union(union(modified, added), removed);
}

/** A comparison without some fields and what is below them. */
export function withoutFields(comparison: Comparison, fields: FieldSet): Comparison {
  if (isEmptySet(fields)) return comparison;
  return {
    removed: recursiveDifference(comparison.removed, fields),
    modified: recursiveDifference(comparison.modified, fields),
    added: recursiveDifference(comparison.added, fields),
  };
}

class Comparer {
  readonly #path: PathElement[] = [];
  #removed: FieldSetBuilder | undefined;
  #modified: FieldSetBuilder | undefined;
  #added: FieldSetBuilder | undefined;

  result(): Comparison {
    return {
      removed: this.#removed?.build() ?? NO_FIELDS,
      modified: this.#modified?.build() ?? NO_FIELDS,
      added: this.#added?.build() ?? NO_FIELDS,
    };
  }

  /** Undefined is a value that is not there; null is one. */
  compare(old: unknown, now: unknown, type: MergeType): void {
    if (old === now) return;
    switch (type.kind) {
      case "atomic":
        return this.#leaf(old, now);
      case "deduced":
        return this.#deduced(old, now);
      case "map":
        return this.#map(old, now, type);
      default:
        return this.#list(old, now, type);
    }
  }

  #leaf(old: unknown, now: unknown): void {
    if (old === undefined || now === undefined) this.#oneSided(old, now);
    else if (!jsonEqual(old, now)) (this.#modified ??= new FieldSetBuilder()).add(this.#path);
  }

  /** Notes a value that only one side has. */
  #oneSided(old: unknown, now: unknown): void {
    if (old === undefined) (this.#added ??= new FieldSetBuilder()).add(this.#path);
    else if (now === undefined) (this.#removed ??= new FieldSetBuilder()).add(this.#path);
  }

  #deduced(old: unknown, now: unknown): void {
    const maps = isObject(old) || isObject(now);
    if (!maps) return this.#leaf(old, now);
    this.#map(old, now, DEDUCED_MAP);
    const scalar = (value: unknown) => value !== undefined && value !== null && !isObject(value);
    if (scalar(old) || scalar(now)) (this.#modified ??= new FieldSetBuilder()).add(this.#path);
  }

  #map(old: unknown, now: unknown, type: MapType): void {
    const before = isObject(old) ? old : undefined;
    const after = isObject(now) ? now : undefined;
    if (isEmptyMap(before, type) && isEmptyMap(after, type)) return this.#leaf(old, now);
    const path = this.#path;
    const visit = (key: string) => {
      const [x, y] = [fieldOf(before, key, type), fieldOf(after, key, type)];
      if (x === y) return;
      path.push(`f:${key}`);
      this.compare(x, y, type.field(key) ?? ATOMIC);
      path.pop();
    };
    for (const key in before) visit(key);
    for (const key in after) if (before === undefined || !Object.hasOwn(before, key)) visit(key);
    for (const key in type.zeros) {
      if (!(before && Object.hasOwn(before, key)) && !(after && Object.hasOwn(after, key))) visit(key);
    }
    this.#oneSided(old, now);
  }

  #list(old: unknown, now: unknown, type: ListType): void {
    const before = Array.isArray(old) ? old : undefined;
    const after = Array.isArray(now) ? now : undefined;
    if ((before?.length ?? 0) === 0 && (after?.length ?? 0) === 0) return this.#leaf(old, now);
    const item = type.kind === "keyed" ? type.item : ATOMIC;
    const [x, y] = [itemsByElement(before, type), itemsByElement(after, type)];
    for (const element of new Set([...x.keys(), ...y.keys()])) {
      this.#path.push(element);
      this.#items(x.get(element) ?? [], y.get(element) ?? [], item);
      this.#path.pop();
    }
    this.#oneSided(old, now);
  }

  /** Items of one key: several of them are taken as a whole. */
  #items(old: unknown[], now: unknown[], type: MergeType): void {
    if (old.length < 2 && now.length < 2) return this.compare(old[0], now[0], type);
    if (old.length > 1 && now.length > 1) {
      if (!jsonEqual(old, now)) (this.#modified ??= new FieldSetBuilder()).add(this.#path);
      return;
    }
    if (old.length > 1) {
      if (now.length > 0) this.compare(undefined, now[0], type);
      (this.#removed ??= new FieldSetBuilder()).add(this.#path);
      return;
    }
    if (old.length > 0) this.compare(old[0], undefined, type);
    (this.#added ??= new FieldSetBuilder()).add(this.#path);
  }
}

/** How an object that nothing is known of is taken. */
export const DEDUCED_MAP: MapType = { kind: "map", field: () => DEDUCED, isEntry: () => true };

function isEmptyMap(value: JsonObject | undefined, type: MapType): boolean {
  if (value === undefined) return true;
  for (const _ in value) return false;
  for (const _ in type.zeros) return false;
  return true;
}

function fieldOf(value: JsonObject | undefined, key: string, { zeros }: MapType): unknown {
  if (value === undefined) return undefined;
  if (Object.hasOwn(value, key)) return value[key];
  return zeros !== undefined && Object.hasOwn(zeros, key) ? zeros[key] : undefined;
}

/** The items of a list by their elements, in their order; items that can have none are left out. */
export function itemsByElement(
  list: readonly unknown[] | undefined,
  type: ListType,
): Map<PathElement, unknown[]> {
  const items = new Map<PathElement, unknown[]>();
  for (const item of list ?? []) {
    const found = itemElement(item, type);
    if ("problem" in found) continue;
    const present = items.get(found.element);
    if (present === undefined) items.set(found.element, [item]);
    else present.push(item);
  }
  return items;
}
