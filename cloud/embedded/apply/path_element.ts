import { isObject, type JsonObject } from "../object.ts";
import type { MergeType } from "./merge_type.ts";

/**
 * One step of the path to a field, as FieldsV1 writes it:
 *
 *     element = "f:" name        ; a field of an object
 *             / "k:" json-object ; the item of a keyed list with these keys, in the order of their names
 *             / "v:" json-value  ; the item of a set
 *             / "i:" number      ; the item of another list
 *
 * Upstream: sigs.k8s.io/structured-merge-diff v4 fieldpath/serialize-pe.go
 */
export type PathElement = string;

const KINDS = "fkvi";

/**
 * Reads a path element from outside and writes it the one way it is written here.
 * @returns undefined for a kind that is not known, which is left out
 * @throws {SyntaxError} when it is malformed
 */
export function parsePathElement(text: string): PathElement | undefined {
  if (text[1] !== ":") throw new SyntaxError(`Cannot read the path element ${quote(text)}: it has no colon`);
  const rest = text.slice(2);
  switch (text[0]) {
    case "f":
      return text;
    case "v":
      return `v:${JSON.stringify(parseJson(rest))}`;
    case "k": {
      const keys = parseJson(rest);
      if (!isObject(keys)) throw new SyntaxError(`Cannot read the path element ${quote(text)}: no object`);
      return keyElement(keys, Object.keys(keys));
    }
    case "i":
      if (!/^-?\d{1,9}$/.test(rest)) throw new SyntaxError(`Cannot read the path element ${quote(text)}`);
      return `i:${Number(rest)}`;
    default:
      return undefined;
  }
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}

/** The element of a list item with the given keys; those the item leaves out have a default. */
function keyElement(
  item: JsonObject,
  keys: readonly string[],
  defaults: Readonly<Record<string, unknown>> = {},
): PathElement {
  const sorted = keys.length < 2 ? keys : [...keys].sort(compareText);
  const parts = sorted.map((key) => {
    const value = Object.hasOwn(item, key) && item[key] !== undefined ? item[key] : defaults[key];
    return `${JSON.stringify(key)}:${JSON.stringify(value)}`;
  });
  return `k:{${parts.join(",")}}`;
}

/** The element of an item of a list that is merged by item, or in words why it cannot have one. */
export function itemElement(
  item: unknown,
  type: Extract<MergeType, { kind: "set" | "keyed" }>,
): { element: PathElement } | { problem: string } {
  if (type.kind === "set") {
    if (Array.isArray(item)) return { problem: "not supported: associative list with lists as elements" };
    if (item === null) {
      return { problem: "associative list without keys has an element that's an explicit null" };
    }
    if (isObject(item)) return { problem: "associative list without keys has an element that's a map type" };
    return { element: `v:${JSON.stringify(item)}` };
  }
  if (item === null) return { problem: "associative list with keys may not have a null element" };
  if (!isObject(item)) return { problem: "associative list with keys may not have non-map elements" };
  for (const key of type.keys) {
    if (item[key] === undefined && type.defaults?.[key] === undefined) {
      return {
        problem: `associative list with keys has an element that omits key field ${
          JSON.stringify(key)
        } (and doesn't have default value)`,
      };
    }
  }
  return { element: keyElement(item, type.keys, type.defaults) };
}

/** What a path element is ordered by, taken apart once. */
export interface PathElementRank {
  kind: number;
  name: string;
  value: unknown;
}

/** What a path element is ordered by: fields, keys, values, indexes; each by what it says. */
export function rankOf(element: PathElement): PathElementRank {
  const kind = KINDS.indexOf(element[0]!);
  const name = element.slice(2);
  switch (element[0]) {
    case "k":
      return { kind, name, value: Object.entries(parseJson(name) as JsonObject) };
    case "v":
      return { kind, name, value: parseJson(name) };
    case "i":
      return { kind, name, value: Number(name) };
    default:
      return { kind, name, value: undefined };
  }
}

/** Order of path elements by their ranks. */
export function compareRanks(a: PathElementRank, b: PathElementRank): number {
  if (a.kind !== b.kind) return a.kind - b.kind;
  switch (KINDS[a.kind]) {
    case "f":
      return compareText(a.name, b.name);
    case "k":
      return compareKeys(a.value as Array<[string, unknown]>, b.value as Array<[string, unknown]>);
    default:
      return compareValues(a.value, b.value);
  }
}

function compareKeys(x: Array<[string, unknown]>, y: Array<[string, unknown]>): number {
  for (let i = 0; i < x.length && i < y.length; i++) {
    const order = compareText(x[i]![0], y[i]![0]) || compareValues(x[i]![1], y[i]![1]);
    if (order !== 0) return order;
  }
  return x.length - y.length;
}

const VALUE_ORDER = ["number", "string", "boolean", "object"];

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  return VALUE_ORDER.indexOf(typeof a) - VALUE_ORDER.indexOf(typeof b) ||
    compareText(JSON.stringify(a), JSON.stringify(b));
}

/** Order of texts by code point, as Go orders them by byte. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    // Of the halves of a pair the order by unit is not that by code point.
    if (x !== y) return (x >= 0xd800 || y >= 0xd800) ? a.codePointAt(i)! - b.codePointAt(i)! : x - y;
  }
  return a.length - b.length;
}

/** A path as messages print it, such as `.spec.containers[name="x"].image`. */
export function printPath(path: readonly PathElement[]): string {
  return path.map(printPathElement).join("");
}

/** One step of a path as messages print it. */
export function printPathElement(element: PathElement): string {
  const rest = element.slice(2);
  switch (element[0]) {
    case "k": {
      const keys: JsonObject = JSON.parse(rest);
      return `[${Object.entries(keys).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
    }
    case "v":
      return `[=${rest}]`;
    case "i":
      return `[${rest}]`;
    default:
      return `.${rest}`;
  }
}
