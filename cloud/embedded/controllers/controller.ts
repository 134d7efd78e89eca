import {
  type Reconcile,
  runWorkers,
  type WorkQueue,
  workQueue,
  type WorkQueueMetrics,
} from "../../../common/kubeclient/mod.ts";
import type { Clock, Logger } from "../../../common/module/mod.ts";

/** One control loop; it works until the signal aborts. */
export interface Controller {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
}

/** What every control loop runs with. */
export interface LoopComponents {
  clock: Clock;
  log: Logger;
  /** @default none */
  queues?: WorkQueueMetrics;
}

/** A control loop: what fills its queue, and what is done for a key. */
export interface Loop {
  name: string;
  /** Subscribes to what makes keys worth a look; gives what ends the subscriptions. */
  watch: (queue: WorkQueue) => Array<() => void>;
  reconcile: Reconcile;
  /** Keys worked on at a time. @default 1 */
  workers?: number;
}

/** A controller out of a loop. */
export function controller({ clock, log, queues }: LoopComponents, loop: Loop): Controller {
  const { name, watch, reconcile, workers = 1 } = loop;
  return {
    name,
    run: async (signal) => {
      const queue = workQueue({ name, clock, ...(queues && { metrics: queues }) });
      const leave = watch(queue);
      try {
        await runWorkers(queue, reconcile, signal, { log, workers });
      } finally {
        for (const end of leave) end();
      }
    },
  };
}

/** Splits the key of an informer or queue; the namespace is empty for a cluster-scoped object. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0
    ? { namespace: "", name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
