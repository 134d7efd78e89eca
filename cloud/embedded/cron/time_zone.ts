/** The clock on the wall of a place. */
export interface WallClock {
  /** How far its clock is ahead of UTC at a moment, milliseconds. @param at Unix milliseconds */
  offsetMs(at: number): number;
}

/** The time zone of this process, as the real controller uses where a CronJob names none. */
export const LOCAL_CLOCK: WallClock = {
  offsetMs: (at) => -new Date(at).getTimezoneOffset() * 60_000,
};

/**
 * The clock of a zone of the IANA database.
 * @throws {RangeError} when there is no such zone
 */
export function zoneClock(name: string): WallClock {
  // Offsets such as "+01:00" are known here and not to Go.
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{0,99}$/.test(name)) throw new RangeError(`unknown time zone ${name}`);
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (cause) {
    throw new RangeError(`unknown time zone ${name}`, { cause });
  }
  return {
    offsetMs: (at) => {
      const part: Record<string, number> = {};
      for (const { type, value } of format.formatToParts(at)) part[type] = Number(value);
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
      return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1000) * 1000;
    },
  };
}
