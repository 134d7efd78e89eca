/** What the conditions of all kinds have in common. */
export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** A time as the API writes it, to the second. */
export function timestamp(now: number): string {
  return new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Unix milliseconds of a time of the API; undefined when it is missing or no time. */
export function parseTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** The condition of a type. */
export function findCondition<C extends { type: string }>(
  conditions: readonly C[] | undefined,
  type: string,
): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/**
 * Conditions with one put in place of the one of its type. `lastTransitionTime` moves only when the status changes.
 */
export function setCondition<C extends Condition>(
  conditions: readonly C[] | undefined,
  next: C,
  now: number,
): C[] {
  const old = findCondition(conditions, next.type);
  const lastTransitionTime =
    old !== undefined && old.status === next.status && old.lastTransitionTime !== undefined
      ? old.lastTransitionTime
      : timestamp(now);
  const placed = { ...next, lastTransitionTime };
  if (old === undefined) return [...(conditions ?? []), placed];
  return conditions!.map((condition) => condition === old ? placed : condition);
}
