import { isObject, type JsonObject, setField } from "../object.ts";
import { DEDUCED_MAP, itemsByElement } from "./compare.ts";
import {
  asMember,
  below,
  childrenOf,
  type FieldSet,
  FieldSetBuilder,
  hasChild,
  isEmptySet,
  mapChildren,
  recursiveDifference,
  union,
} from "./field_set.ts";
import { ATOMIC, type MergeType } from "./merge_type.ts";
import { itemElement, type PathElement } from "./path_element.ts";

type ListType = Extract<MergeType, { kind: "set" | "keyed" }>;

/** The type by which a value is walked through: one that is deduced is a map or atomic. */
function typeOfValue(value: unknown, type: MergeType): Exclude<MergeType, { kind: "deduced" }> {
  if (type.kind !== "deduced") return type;
  return isObject(value) ? DEDUCED_MAP : { kind: "atomic" };
}

function itemType(type: ListType): MergeType {
  return type.kind === "keyed" ? type.item : ATOMIC;
}

/**
 * The fields that an object has.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 typed/tofieldset.go
 */
export function fieldsOf(value: unknown, type: MergeType): FieldSet {
  const builder = new FieldSetBuilder();
  collect(value, type, [], builder);
  return builder.build();
}

function collect(value: unknown, given: MergeType, path: PathElement[], out: FieldSetBuilder): void {
  const type = typeOfValue(value, given);
  if (type.kind === "atomic") {
    // A null that nothing is known of may be an empty map, which its parent adds.
    if (given.kind !== "deduced" || value !== null) out.add(path);
    return;
  }
  if (type.kind === "map") {
    if (!isObject(value)) return;
    for (const key of Object.keys(value)) {
      const item = value[key];
      if (item === undefined) continue;
      path.push(`f:${key}`);
      const field = type.field(key) ?? ATOMIC;
      collect(item, field, path, out);
      if (item === null || isEmptyObject(item) || type.isEntry?.(key)) out.add(path);
      path.pop();
    }
    return;
  }
  if (!Array.isArray(value)) return;
  for (const [element, items] of itemsByElement(value, type)) {
    path.push(element);
    if (items.length === 1) collect(items[0], itemType(type), path, out);
    out.add(path);
    path.pop();
  }
}

function isEmptyObject(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

/**
 * An object without some fields. Maps and lists that nothing is left of become null, as a list or map with one owner does from
 * which a part is to be taken.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 typed/remove.go
 */
export function removeFields(value: unknown, fields: FieldSet, given: MergeType): unknown {
  if (isEmptySet(fields)) return value;
  const type = typeOfValue(value, given);
  if (type.kind === "atomic") return isObject(value) || Array.isArray(value) ? null : value;
  if (type.kind === "map") {
    if (!isObject(value)) return null;
    const kept: JsonObject = {};
    for (const key of Object.keys(value)) {
      const element = `f:${key}`;
      if (hasChild(fields, element)) continue;
      const inner = below(fields, element);
      const item = value[key];
      setField(kept, key, inner === undefined ? item : removeFields(item, inner, type.field(key) ?? ATOMIC));
    }
    return isEmptyObject(kept) ? null : kept;
  }
  if (!Array.isArray(value)) return null;
  const kept: unknown[] = [];
  for (const item of value) {
    const found = itemElement(item, type);
    if ("problem" in found) {
      kept.push(item);
      continue;
    }
    if (hasChild(fields, found.element)) continue;
    const inner = below(fields, found.element);
    kept.push(inner === undefined ? item : removeFields(item, inner, itemType(type)));
  }
  return kept.length === 0 ? null : kept;
}

/**
 * A set together with the fields that types name and it has something below of; entries of maps and lists are not added.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 fieldpath/set.go (EnsureNamedFieldsAreMembers)
 */
export function withNamedFields(set: FieldSet, type: MergeType | undefined): FieldSet {
  return mapChildren(set, (element, child) => {
    if (isEmptySet(child)) return child;
    if (element[0] === "f" && type?.kind === "map") {
      const name = element.slice(2);
      const inner = type.field(name);
      const named = withNamedFields(child, inner);
      return inner === undefined || type.isEntry?.(name) ? named : asMember(named);
    }
    return withNamedFields(child, element[0] === "k" && type?.kind === "keyed" ? type.item : undefined);
  });
}

/**
 * A set whose fields below something that has one owner by now are that one field: a definition may come to take as a whole what it
 * merged before.
 * Upstream: sigs.k8s.io/structured-merge-diff v4 typed/reconcile_schema.go
 */
export function withWholes(set: FieldSet, type: MergeType): FieldSet {
  const builder = new FieldSetBuilder();
  addWholes(set, type, [], builder);
  const wholes = builder.build();
  return isEmptySet(wholes) ? set : union(recursiveDifference(set, wholes), wholes);
}

function addWholes(set: FieldSet, type: MergeType, path: PathElement[], out: FieldSetBuilder): void {
  for (const [element, child] of childrenOf(set)) {
    if (isEmptySet(child)) continue;
    const inner = type.kind === "map" && element[0] === "f"
      ? type.field(element.slice(2))
      : type.kind === "keyed" && element[0] === "k"
      ? type.item
      : undefined;
    if (inner === undefined) continue;
    path.push(element);
    if (inner.kind === "atomic") out.add(path);
    else addWholes(child, inner, path, out);
    path.pop();
  }
}
