/** How many requests a client may send. */
export interface RateLimit {
  /** Requests per second on the long run. */
  qps: number;
  /** Requests that may go out at once after a pause. */
  burst: number;
}

/** A token bucket as plain data: how full it was, and when. */
export interface Bucket {
  tokens: number;
  /** Unix milliseconds. */
  at: number;
}

/**
 * Takes one token, on credit when there is none, and tells how long to wait before using it.
 * @returns the bucket afterwards and the wait in milliseconds
 */
export function takeToken(
  bucket: Bucket | undefined,
  { qps, burst }: RateLimit,
  now: number,
): { bucket: Bucket; waitMs: number } {
  const size = Math.max(1, burst);
  const filled = bucket === undefined
    ? size
    : Math.min(size, bucket.tokens + Math.max(0, now - bucket.at) / 1000 * qps);
  const tokens = filled - 1;
  return { bucket: { tokens, at: now }, waitMs: tokens >= 0 ? 0 : -tokens / qps * 1000 };
}
