import { StatusError } from "../../../common/errors/mod.ts";
import { isObject, type JsonObject, setField } from "../object.ts";
import { fieldOf, type ListSchema, structOf, type TypeSchema } from "../schema/schema.ts";

const DELETE_FROM = "$deleteFromPrimitiveList/";
const ELEMENT_ORDER = "$setElementOrder/";
const RETAIN_KEYS = "$retainKeys";
const DIRECTIVE = "$patch";

/**
 * Applies a strategic merge patch; neither value is changed. Lists are merged by the keys of the schema; the directives are
 * `$patch: delete|replace|merge`, `$retainKeys`, `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`.
 * Upstream: k8s.io/apimachinery pkg/util/strategicpatch/patch.go @ v1.32
 * @throws {StatusError} BadRequest
 */
export function applyStrategicPatch(target: JsonObject, patch: JsonObject, type: TypeSchema): JsonObject {
  return mergeMap(target, patch, type) ?? {};
}

function mergeMap(target: unknown, patch: JsonObject, type: TypeSchema | undefined): JsonObject | undefined {
  const directive = patch[DIRECTIVE];
  if (directive !== undefined) {
    if (directive === "replace") return cleaned(patch);
    if (directive === "delete") return undefined;
    if (directive !== "merge") {
      throw badPatch(`unknown patch type: ${goText(directive)} in map: ${goText(patch)}`);
    }
  }
  const merged: JsonObject = isObject(target) ? { ...target } : {};
  retainKeys(merged, patch);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(DELETE_FROM)) {
      const field = key.slice(DELETE_FROM.length);
      const gone = new Set(requireList(value, key).map(textOf));
      const present = merged[field];
      if (Array.isArray(present)) merged[field] = present.filter((item) => !gone.has(textOf(item)));
    }
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    const field = fieldOf(type, key);
    if (value === null) delete merged[key];
    else if (Array.isArray(value)) {
      const order = patch[ELEMENT_ORDER + key];
      const list = field !== undefined && typeof field === "object" && "list" in field ? field : undefined;
      setField(merged, key, mergeList(merged[key], value, list, order));
    } else if (isObject(value)) {
      const result = replacesWhole(type, key)
        ? mergeMap(undefined, value, field)
        : mergeMap(merged[key], value, field);
      if (result === undefined) delete merged[key];
      else setField(merged, key, result);
    } else {
      if (isObject(merged[key])) throw notRestored(patch, value);
      setField(merged, key, value);
    }
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(ELEMENT_ORDER)) continue;
    const field = key.slice(ELEMENT_ORDER.length);
    const present = merged[field];
    if (Object.hasOwn(patch, field) || !Array.isArray(present)) continue;
    const list = fieldOf(type, field);
    const schema = list !== undefined && typeof list === "object" && "list" in list ? list : undefined;
    merged[field] = sortList(present, requireList(order, key), schema);
  }
  return merged;
}

function replacesWhole(type: TypeSchema | undefined, key: string): boolean {
  return structOf(type)?.patch?.[key]?.split(",").includes("replace") ?? false;
}

/** Drops the keys of a union that the patch does not name. */
function retainKeys(merged: JsonObject, patch: JsonObject): void {
  const retained = patch[RETAIN_KEYS];
  if (retained === undefined) return;
  const kept = new Set(requireList(retained, RETAIN_KEYS));
  for (const key of Object.keys(merged)) if (!kept.has(key)) delete merged[key];
}

function mergeList(
  target: unknown,
  patch: unknown[],
  schema: ListSchema | undefined,
  order: unknown,
): unknown[] {
  const present = Array.isArray(target) ? target : [];
  if (!(schema?.patch?.split(",").includes("merge") ?? false)) return cleanedList(patch);
  const wholly = patch.some((item) => isObject(item) && item[DIRECTIVE] === "replace");
  if (wholly) return cleanedList(patch.filter((item) => !isObject(item) || item[DIRECTIVE] !== "replace"));
  const sort = (items: unknown[]) =>
    order === undefined ? items : sortList(items, requireList(order, ELEMENT_ORDER), schema);
  if (schema?.mergeKey === undefined) {
    const had = new Set(present.map(textOf));
    const added = new Map(patch.map((item) => [textOf(item), item]));
    for (const text of had) added.delete(text);
    return sort([...present, ...added.values()]);
  }
  const key = schema.mergeKey;
  const items = [...present];
  // Where the items of a key are, in their order: looking through all items for each of a patch would take minutes for long lists.
  const places = new Map<string, number[]>();
  const placesOf = (id: unknown) => {
    const text = textOf(id);
    let found = places.get(text);
    if (found === undefined) places.set(text, found = []);
    return found;
  };
  present.forEach((item, i) => {
    if (isObject(item)) placesOf(item[key]).push(i);
  });
  for (const item of patch) {
    if (!isObject(item)) throw badPatch(`expected an object in a list merged by ${key}`);
    const id = item[key];
    const at = placesOf(id);
    if (item[DIRECTIVE] === "delete") {
      if (id === undefined && Object.keys(item).length === 1) {
        items.length = 0;
        places.clear();
        continue;
      }
      if (id === undefined) {
        throw badPatch(`map: ${goText(item)} does not contain declared merge key: ${key}`);
      }
      for (const place of at.splice(0)) delete items[place];
      continue;
    }
    if (id === undefined) throw badPatch(`map: ${goText(item)} does not contain declared merge key: ${key}`);
    const [place] = at;
    const merged = mergeMap(place === undefined ? undefined : items[place], item, schema.list);
    if (merged === undefined) continue;
    if (place === undefined) at.push(items.push(merged) - 1);
    else items[place] = merged;
  }
  // What was deleted left a hole.
  return sort(items.filter(() => true));
}

/** A text by which values can be told apart; only texts, numbers and the like are keys or items of lists without keys. */
function textOf(value: unknown): string {
  return JSON.stringify(value) ?? "";
}

/** Puts the items that `order` names into its order; the others keep their place after the item they followed. */
function sortList(items: unknown[], order: unknown[], schema: ListSchema | undefined): unknown[] {
  const key = schema?.mergeKey;
  const idOf = (item: unknown) => JSON.stringify(key !== undefined && isObject(item) ? item[key] : item);
  const rank = new Map(order.map((item, i) => [idOf(item), i]));
  const named = items.filter((item) => rank.has(idOf(item)))
    .sort((a, b) => rank.get(idOf(a))! - rank.get(idOf(b))!);
  const result: unknown[] = [];
  let next = 0;
  for (const item of items) {
    if (rank.has(idOf(item))) result.push(named[next++]);
    else result.push(item);
  }
  return result;
}

function cleanedList(list: unknown[]): unknown[] {
  return list.filter((item) => !isObject(item) || item[DIRECTIVE] !== "delete").map((item) =>
    isObject(item) ? cleaned(item) : item
  );
}

/** A value from a patch without directives and nulls. */
function cleaned(value: JsonObject): JsonObject {
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (
      key === DIRECTIVE || key === RETAIN_KEYS || key.startsWith(ELEMENT_ORDER) || key.startsWith(DELETE_FROM)
    ) continue;
    if (item === null) continue;
    setField(copy, key, isObject(item) ? cleaned(item) : Array.isArray(item) ? cleanedList(item) : item);
  }
  return copy;
}

function requireList(value: unknown, key: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw badPatch(`${key} must be a list`);
}

/** The error for a scalar in the place of an object. */
function notRestored(patch: JsonObject, value: unknown): StatusError {
  const type = typeof value === "number" ? "int64" : typeof value === "boolean" ? "bool" : "string";
  const message = `Invalid value: ${JSON.stringify(goText(patch))}: cannot restore map from ${type}`;
  return new StatusError("Invalid", ` "" is invalid: patch: ${message}`, {
    details: { causes: [{ reason: "FieldValueInvalid", message, field: "patch" }] },
  });
}

function badPatch(why: string): StatusError {
  return new StatusError("BadRequest", why);
}

/** A value as Go prints it, cut off where it is long. */
function goText(value: unknown): string {
  const print = (v: unknown): string => {
    if (Array.isArray(v)) return `[${v.map(print).join(" ")}]`;
    if (!isObject(v)) return v === null || v === undefined ? "<nil>" : String(v);
    return `map[${Object.keys(v).sort().map((key) => `${key}:${print(v[key])}`).join(" ")}]`;
  };
  return print(value).slice(0, 1000);
}
