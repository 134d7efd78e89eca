/*
 * Strategic merge patches of a status, as Go's CreateTwoWayMergePatch makes them.
 *
 *   field     the new value; null when it is gone
 *   object    the fields that differ
 *   list with a merge key      changed items with what differs in them and the key, new items whole, gone items as
 *                              {"$patch":"delete",key}; and "$setElementOrder/<field>" with the keys in order
 *   any other list             whole
 *
 * Upstream: k8s.io/apimachinery pkg/util/strategicpatch/patch.go @ v1.32
 */

type Json = Record<string, unknown>;

/** Merge keys of lists by the name of their field. */
export type MergeKeys = Readonly<Record<string, string>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether two JSON values are equal; a key that is absent equals one that is undefined. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => sameJson(a[key], b[key]));
}

/** What turns `before` into `after`; empty when they are equal. Keys are in order, as Go prints them. */
export function strategicDiff(before: Json, after: Json, mergeKeys: MergeKeys): Json {
  const patch: Json = {};
  for (const name of Object.keys({ ...before, ...after })) {
    const was = before[name];
    const is = after[name];
    if (sameJson(was, is)) continue;
    const key = mergeKeys[name];
    if (is === undefined) {
      patch[name] = null;
    } else if (isObject(was) && isObject(is)) {
      patch[name] = strategicDiff(was, is, mergeKeys);
    } else if (key !== undefined && Array.isArray(was) && Array.isArray(is) && was.length > 0) {
      patch[`$setElementOrder/${name}`] = is.map((item) => ({ [key]: item[key] }));
      const changes = listDiff(was, is, key);
      if (changes.length > 0) patch[name] = changes;
    } else {
      patch[name] = is;
    }
  }
  return sortKeys(patch) as Json;
}

function listDiff(before: readonly Json[], after: readonly Json[], key: string): Json[] {
  const old = new Map(before.map((item) => [item[key], item]));
  const changes: Json[] = [];
  for (const item of after) {
    const was = old.get(item[key]);
    old.delete(item[key]);
    if (was === undefined) changes.push(item);
    else if (!sameJson(was, item)) changes.push({ ...strategicDiff(was, item, {}), [key]: item[key] });
  }
  for (const gone of old.keys()) changes.push({ $patch: "delete", [key]: gone });
  return changes;
}

/** A copy with the keys of every object in order. */
export function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value).sort().filter((key) => value[key] !== undefined).map((
      key,
    ) => [key, sortKeys(value[key])]),
  );
}
