/** Consecutive completion indexes, both ends included. */
export interface Interval {
  first: number;
  last: number;
}

/**
 * Reads completion indexes such as `1,3-5,7`; what is no number is passed over, what is `limit` or more is cut off.
 * Upstream: k8s.io/kubernetes pkg/controller/job/indexed_job_utils.go (parseIndexesFromString) @ v1.33
 */
export function parseIndexes(text: string, limit: number): Interval[] {
  const indexes: Interval[] = [];
  for (const part of text === "" ? [] : text.split(",")) {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
    if (match === null) continue;
    const first = Number(match[1]);
    if (first >= limit) break;
    const last = Math.min(match[2] === undefined ? first : Number(match[2]), limit - 1);
    if (last >= first) indexes.push({ first, last });
  }
  return mergeIndexes(indexes, []);
}

/** Completion indexes as text; two neighbours are listed, more are written as a span. */
export function printIndexes(indexes: readonly Interval[]): string {
  return indexes.map(({ first, last }) =>
    last === first ? `${first}` : `${first}${last === first + 1 ? "," : "-"}${last}`
  ).join(",");
}

/** How many indexes there are. */
export function countIndexes(indexes: readonly Interval[]): number {
  return indexes.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** Whether an index is among them. */
export function hasIndex(indexes: readonly Interval[], index: number): boolean {
  return indexes.some(({ first, last }) => first <= index && index <= last);
}

/** All indexes of both, in order. */
export function mergeIndexes(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const { first, last } of [...a, ...b].sort((x, y) => x.first - y.first)) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged;
}

/** Indexes out of single ones. */
export function indexesOf(single: Iterable<number>): Interval[] {
  return mergeIndexes([...single].map((index) => ({ first: index, last: index })), []);
}

/** The first so many indexes below `limit` that are not taken. */
export function firstFree(taken: readonly Interval[], count: number, limit: number): number[] {
  const free: number[] = [];
  let candidate = 0;
  for (const { first, last } of [...taken, { first: limit, last: limit }]) {
    for (; candidate < Math.min(first, limit) && free.length < count; candidate++) free.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return free;
}

/** How many indexes both have. */
export function countShared(a: readonly Interval[], b: readonly Interval[]): number {
  let shared = 0;
  for (const x of a) {
    for (const y of b) shared += Math.max(0, Math.min(x.last, y.last) - Math.max(x.first, y.first) + 1);
  }
  return shared;
}
