import type { CronFields, Schedule } from "./schedule.ts";
import type { WallClock } from "./time_zone.ts";

const DAY_MS = 86_400_000;
/** A schedule that does not fire in so many days never will. Upstream: robfig/cron spec.go (five years) */
const HORIZON_DAYS = 5 * 366;

/**
 * The first moment after another at which a schedule fires; undefined when it never does. A local time that a clock skips does not
 * come; one that it repeats comes twice.
 * Upstream: github.com/robfig/cron/v3 spec.go, constantdelay.go (Next)
 * @param after Unix milliseconds
 */
export function nextTime(schedule: Schedule, after: number, clock: WallClock): number | undefined {
  const second = Math.floor(after / 1000) * 1000;
  if (schedule.kind === "every") return second + schedule.ms;
  const { fields } = schedule;
  const local = after + clock.offsetMs(after);
  const today = Math.floor(local / DAY_MS) * DAY_MS;
  // The day before counts too: where clocks went back over midnight, part of it is still to come.
  for (let i = -1; i < HORIZON_DAYS; i++) {
    const day = today + i * DAY_MS;
    if (!matchesDay(fields, new Date(day))) continue;
    const found = firstOfDay(fields, day, after, clock);
    if (found !== undefined) return found;
  }
  return undefined;
}

function has(bits: bigint, value: number): boolean {
  return (bits >> BigInt(value) & 1n) === 1n;
}

function matchesDay(fields: CronFields, date: Date): boolean {
  if (!has(fields.month, date.getUTCMonth() + 1)) return false;
  const ofMonth = has(fields.dayOfMonth, date.getUTCDate());
  const ofWeek = has(fields.dayOfWeek, date.getUTCDay());
  return fields.anyDayOfMonth || fields.anyDayOfWeek ? ofMonth && ofWeek : ofMonth || ofWeek;
}

/** @param day midnight of the local day, as if it were UTC */
function firstOfDay(
  fields: CronFields,
  day: number,
  after: number,
  clock: WallClock,
): number | undefined {
  const offsets = new Set(
    [day - DAY_MS / 2, day, day + DAY_MS / 2, day + DAY_MS].map((at) => clock.offsetMs(at)),
  );
  let best: number | undefined;
  for (const offset of offsets) {
    for (let hour = 0; hour < 24; hour++) {
      if (!has(fields.hour, hour)) continue;
      const start = day + hour * 3_600_000 - offset;
      if (start + 3_600_000 <= after) continue;
      if (best !== undefined && start >= best) break;
      const at = firstOfHour(fields, start, after, offset, offsets.size > 1 ? clock : undefined);
      if (at !== undefined && (best === undefined || at < best)) best = at;
    }
  }
  return best;
}

function firstOfHour(
  fields: CronFields,
  start: number,
  after: number,
  offset: number,
  clock: WallClock | undefined,
): number | undefined {
  for (let minute = 0; minute < 60; minute++) {
    const at = start + minute * 60_000;
    if (at <= after || !has(fields.minute, minute)) continue;
    if (clock === undefined || clock.offsetMs(at) === offset) return at;
  }
  return undefined;
}
