import type { LanesOptions } from "./lanes.ts";

/** How the edgecontroller works. Upstream: `modules.edgeController` of cloudcore.config.kubeedge.io/v1alpha1 @ 16cd854 */
export interface EdgeControllerOptions extends Partial<LanesOptions> {
  /** This cloudcore's address: what the annotation `cloudcore` of the nodes it registers says. */
  advertiseAddress: string;
  /** Heartbeats older than this in the deprecated status report are renewed, milliseconds. @default 10000 */
  nodeUpdateFrequencyMs?: number;
  /** How long the API server may take for one request, milliseconds; edges wait 60 s. @default 30000 */
  requestTimeoutMs?: number;
}

/** What holds unless said otherwise. */
export const DEFAULT_OPTIONS: Required<Omit<EdgeControllerOptions, "advertiseAddress">> = {
  nodeUpdateFrequencyMs: 10_000,
  requestTimeoutMs: 30_000,
  workers: { heartbeat: 50, status: 50, bulk: 50 },
  workersPerNode: { heartbeat: 2, status: 4, bulk: 4 },
  queuePerNode: { heartbeat: 64, status: 1000, bulk: 1000 },
  queueCharsPerNode: 16 * 1024 * 1024,
};

/** The options with what was left out. @throws {RangeError} when a time is not positive; {TypeError} without an address */
export function completeOptions(options: EdgeControllerOptions): Required<EdgeControllerOptions> {
  const complete = { ...DEFAULT_OPTIONS, ...options };
  if (complete.advertiseAddress === "") {
    throw new TypeError("Cannot make the edgecontroller: advertiseAddress is empty");
  }
  for (const name of ["nodeUpdateFrequencyMs", "requestTimeoutMs"] as const) {
    if (!(complete[name] > 0)) {
      throw new RangeError(`Cannot make the edgecontroller: ${name} ${complete[name]}`);
    }
  }
  return complete;
}
