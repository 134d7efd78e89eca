import type { Clock } from "./clock.ts";

/**
 * Lets an action through at most once in an interval, for log lines that a flood would repeat.
 * The action is told how many were held back since the last one.
 */
export function throttle(
  clock: Pick<Clock, "elapsed">,
  intervalMs: number,
): (act: (held: number) => void) => void {
  let next = -Infinity;
  let held = 0;
  return (act) => {
    const now = clock.elapsed();
    if (now < next) {
      held++;
      return;
    }
    next = now + intervalMs;
    const told = held;
    held = 0;
    act(told);
  };
}
