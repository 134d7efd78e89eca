import { errorText, findStatusError, type StatusReason } from "../../common/errors/mod.ts";
import { backoffMs, type Clock, type Logger } from "../../common/module/mod.ts";

const RETRY = { baseMs: 500, maxMs: 30_000 };

/** Failures of the API that somebody, or time, can end while this program runs. */
const PASSING: ReadonlySet<StatusReason> = new Set([
  "Forbidden",
  "Unauthorized",
  "ServiceUnavailable",
  "Timeout",
  "ServerTimeout",
  "TooManyRequests",
  "InternalError",
]);

/**
 * Does something at the API server until it succeeds, however long rights, credentials or the server itself are missing. What waits
 * is told once for each reason.
 * @throws what is not a passing failure of the API, and the signal's reason
 */
export async function persist<T>(
  work: () => Promise<T>,
  { what, clock, log, signal }: { what: string; clock: Clock; log: Logger; signal: AbortSignal },
): Promise<T> {
  let told = "";
  for (let attempt = 0;; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const status = findStatusError(error);
      if (status === undefined || !PASSING.has(status.reason)) throw error;
      const reason = errorText(error);
      if (reason !== told) log.warning("Nodes cannot connect yet, trying again", { for: what, err: reason });
      told = reason;
      await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
    }
  }
}
