import { isObject } from "../object.ts";
import { compareRanks, parsePathElement, type PathElement, rankOf } from "./path_element.ts";

/**
 * A set of fields in the form of FieldsV1: a tree of path elements. A node without children is a member of the set; one with
 * children is a member when it has the key `.`, which comes first. The set itself is the root, which is never a member. The keys of
 * every node are in the order of their elements, so that the JSON of a set is one text. Sets are never changed once made.
 *
 * Upstream: sigs.k8s.io/structured-merge-diff v4 fieldpath/set.go, serialize.go
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet;
}

const SELF = ".";
const LEAF: FieldSet = Object.freeze({});

/** The set without fields. */
export const NO_FIELDS: FieldSet = LEAF;

/** Whether a set has no fields. */
export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

function isMember(node: FieldSet): boolean {
  for (const first in node) return first === SELF;
  return true;
}

/** A node of what is given; undefined when nothing would be left of it. */
function makeNode(member: boolean, children: ReadonlyArray<[PathElement, FieldSet]>): FieldSet | undefined {
  if (children.length === 0) return member ? LEAF : undefined;
  const node: Record<PathElement, FieldSet> = member ? { [SELF]: LEAF } : {};
  for (const [element, child] of children) node[element] = child;
  return node;
}

function inOrder(children: Array<[PathElement, FieldSet]>): Array<[PathElement, FieldSet]> {
  if (children.length < 2) return children;
  return children.map((child) => ({ child, rank: rankOf(child[0]) }))
    .sort((a, b) => compareRanks(a.rank, b.rank)).map(({ child }) => child);
}

/** Fields of either set. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  return isEmptySet(a) ? b : unionNodes(a, b);
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const member = isMember(a) || isMember(b);
  let changed = member !== isMember(a);
  const children: Array<[PathElement, FieldSet]> = [];
  for (const element in a) {
    if (element === SELF) continue;
    const [mine, other] = [a[element]!, b[element]];
    const joined = other === undefined ? mine : unionNodes(mine, other);
    if (joined !== mine) changed = true;
    children.push([element, joined]);
  }
  const before = children.length;
  for (const element in b) {
    if (element !== SELF && a[element] === undefined) children.push([element, b[element]!]);
  }
  if (children.length > before) return makeNode(member, inOrder(children)) ?? LEAF;
  return changed ? makeNode(member, children) ?? LEAF : a;
}

/** Fields of both sets. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(a)) return a;
  return isEmptySet(b) ? NO_FIELDS : intersectNodes(a, b) ?? NO_FIELDS;
}

function intersectNodes(a: FieldSet, b: FieldSet): FieldSet | undefined {
  if (a === b) return a;
  const children: Array<[PathElement, FieldSet]> = [];
  for (const element in a) {
    const other = b[element];
    if (element === SELF || other === undefined) continue;
    const common = intersectNodes(a[element]!, other);
    if (common !== undefined) children.push([element, common]);
  }
  return makeNode(isMember(a) && isMember(b), children);
}

/** Fields of the first set that the second has not; what is below a field counts for itself. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return isEmptySet(a) || isEmptySet(b) ? a : subtract(a, b, false) ?? NO_FIELDS;
}

/** Fields of the first set that the second neither has nor has a field above of. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  return isEmptySet(a) || isEmptySet(b) ? a : subtract(a, b, true) ?? NO_FIELDS;
}

function subtract(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet | undefined {
  const member = isMember(a) && !isMember(b);
  let changed = member !== isMember(a);
  const children: Array<[PathElement, FieldSet]> = [];
  for (const element in a) {
    if (element === SELF) continue;
    const [mine, other] = [a[element]!, b[element]];
    const left = other === undefined
      ? mine
      : recursive && isMember(other)
      ? undefined
      : subtract(mine, other, recursive);
    if (left !== mine) changed = true;
    if (left !== undefined) children.push([element, left]);
  }
  return changed ? makeNode(member, children) : a;
}

/** Whether a set has a field. */
export function hasField(set: FieldSet, path: readonly PathElement[]): boolean {
  let node = set;
  for (const element of path) {
    const child = node[element];
    if (child === undefined) return false;
    node = child;
  }
  return path.length > 0 && isMember(node);
}

/** Whether the field of one step is in a set. */
export function hasChild(set: FieldSet, element: PathElement): boolean {
  const child = set[element];
  return child !== undefined && isMember(child);
}

/** What a set has below a field; undefined when it has nothing there. */
export function below(set: FieldSet, element: PathElement): FieldSet | undefined {
  const child = set[element];
  if (child === undefined || isEmptySet(child)) return undefined;
  if (!isMember(child)) return child;
  const { [SELF]: _, ...rest } = child;
  return rest;
}

/** The children of a node: their elements, what is below them, and whether they are members. */
export function* childrenOf(
  set: FieldSet,
): Generator<[element: PathElement, child: FieldSet, member: boolean]> {
  for (const element in set) {
    if (element !== SELF) yield [element, set[element]!, isMember(set[element]!)];
  }
}

/** A set whose nodes below the root are changed; one that nothing is changed of is the same. */
export function mapChildren(
  set: FieldSet,
  change: (element: PathElement, child: FieldSet) => FieldSet,
): FieldSet {
  let changed = false;
  const children: Array<[PathElement, FieldSet]> = [];
  for (const element in set) {
    if (element === SELF) continue;
    const child = change(element, set[element]!);
    if (child !== set[element]) changed = true;
    children.push([element, child]);
  }
  return changed ? makeNode(Object.hasOwn(set, SELF), children) ?? LEAF : set;
}

/** A node as a member of its set. */
export function asMember(node: FieldSet): FieldSet {
  return isMember(node) ? node : { [SELF]: LEAF, ...node };
}

/** Paths of the fields of a set: those of a level before those below, each in the order of their elements. */
export function* pathsOf(set: FieldSet, prefix: readonly PathElement[] = []): Generator<PathElement[]> {
  for (const [element, , member] of childrenOf(set)) if (member) yield [...prefix, element];
  for (const [element, child] of childrenOf(set)) {
    if (!isEmptySet(child)) yield* pathsOf(child, [...prefix, element]);
  }
}

/** Makes a set out of paths. */
export class FieldSetBuilder {
  #member = false;
  #children: Map<PathElement, FieldSetBuilder> | undefined;

  /** Adds a field; the fields above it are not added. The path of the whole object is none. */
  add(path: readonly PathElement[]): void {
    if (path.length === 0) return;
    // deno-lint-ignore no-this-alias
    let node: FieldSetBuilder = this;
    for (const element of path) {
      node.#children ??= new Map();
      let child = node.#children.get(element);
      if (child === undefined) node.#children.set(element, child = new FieldSetBuilder());
      node = child;
    }
    node.#member = true;
  }

  /** The set. */
  build(): FieldSet {
    return this.#build() ?? NO_FIELDS;
  }

  #build(): FieldSet | undefined {
    const children: Array<[PathElement, FieldSet]> = [];
    for (const [element, builder] of this.#children ?? []) {
      const child = builder.#build();
      if (child !== undefined) children.push([element, child]);
    }
    return makeNode(this.#member, inOrder(children));
  }
}

/** A set of the given paths. */
export function setOf(...paths: ReadonlyArray<readonly PathElement[]>): FieldSet {
  const builder = new FieldSetBuilder();
  for (const path of paths) builder.add(path);
  return builder.build();
}

/**
 * Reads FieldsV1 from outside.
 * @throws {SyntaxError} when it is malformed
 */
export function parseFields(value: unknown): FieldSet {
  return value === undefined || value === null ? NO_FIELDS : parseNode(value, true) ?? NO_FIELDS;
}

function parseNode(value: unknown, root: boolean): FieldSet | undefined {
  if (!isObject(value)) throw new SyntaxError("Cannot read a set of fields: it is not an object");
  let member = false;
  const children = new Map<PathElement, FieldSet>();
  for (const [key, item] of Object.entries(value)) {
    if (key === SELF) {
      member = !root;
      continue;
    }
    const element = parsePathElement(key);
    if (element === undefined) continue;
    const child = parseNode(item, false) ?? LEAF;
    const present = children.get(element);
    children.set(element, present === undefined ? child : unionNodes(present, child));
  }
  if (children.size === 0) member = !root;
  return makeNode(member, inOrder([...children]));
}
