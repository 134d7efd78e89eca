/** Clocks that differ by less are taken for equal: an answer takes its time, and tells the time in whole seconds. */
const TOLERANCE_MS = 60_000;

/**
 * Says how far this machine's clock is from the cloud's; undefined when they agree or the cloud did not tell its time.
 * @param now this machine's time, Unix milliseconds
 * @param serverTime the cloud's time, Unix milliseconds; nothing vouches for it, so it is for messages only
 */
export function clockDifference(now: number, serverTime: number | undefined): string | undefined {
  if (serverTime === undefined || Math.abs(now - serverTime) < TOLERANCE_MS) return undefined;
  return `this machine's clock is ${duration(Math.abs(now - serverTime))} ${
    now < serverTime ? "behind" : "ahead of"
  } the cloud's`;
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1440)} days`;
}
