/*
 * How long to wait before something that failed is tried again.
 * Upstream: k8s.io/client-go util/flowcontrol/backoff.go; kubelet pkg/kubelet/kubelet.go (MaxContainerBackOff, 10 s doubling to 5 min) @ v1.32
 */

/** One thing that failed: how long it waits now and when that was decided. */
export interface Backoff {
  delayMs: number;
  updatedAt: number;
}

export const FIRST_DELAY_MS = 10_000;
export const MAX_DELAY_MS = 300_000;

/** What ran or lay still for this long begins anew with the first delay. */
export const RESET_AFTER_MS = 2 * MAX_DELAY_MS;

const isOver = (backoff: Backoff, eventAt: number) => eventAt - backoff.updatedAt > RESET_AFTER_MS;

/**
 * Until when to wait after an event at `eventAt`; undefined when there is nothing to wait for, or when the event lies ahead:
 * the clock was set back since, and how long ago it was is not known.
 */
export function waitUntil(backoff: Backoff | undefined, eventAt: number, now: number): number | undefined {
  if (backoff === undefined || eventAt > now || isOver(backoff, eventAt)) return undefined;
  const until = eventAt + backoff.delayMs;
  return until > now ? until : undefined;
}

/** The backoff after one more failure at `eventAt`. */
export function nextBackoff(backoff: Backoff | undefined, eventAt: number, now: number): Backoff {
  const delayMs = backoff === undefined || isOver(backoff, eventAt)
    ? FIRST_DELAY_MS
    : Math.min(MAX_DELAY_MS, backoff.delayMs * 2);
  return { delayMs, updatedAt: now };
}

/** A time span as Go prints it in whole seconds: "10s", "1m20s", "5m0s". */
export function printSeconds(ms: number): string {
  const total = Math.round(ms / 1000);
  return total < 60 ? `${total}s` : `${Math.floor(total / 60)}m${total % 60}s`;
}
