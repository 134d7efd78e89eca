import type { Logger } from "../../common/module/mod.ts";
import { isNotFound } from "../../common/errors/mod.ts";
import { type ApiObject, textAt } from "./object.ts";
import type { Registry } from "./registry.ts";

/** How long events are kept. Upstream: k8s.io/kubernetes, `--event-ttl` of kube-apiserver @ v1.32 */
export const EVENT_TTL_MS = 3600_000;
/** Most events that are kept; beyond it the oldest go first. */
export const MAX_EVENTS = 10_000;

/** Removes the events that nothing happened to for an hour, and the oldest where there are too many. Returns how many. */
export function expireEvents(registry: Registry, now: number, log: Logger): number {
  const definition = registry.table.find("", "v1", "events");
  if (definition === undefined) return 0;
  const entries = registry.cache(definition).list().map((entry) => ({
    entry,
    at: timeOf(JSON.parse(entry.text)),
  }));
  const surplus = Math.max(0, entries.length - MAX_EVENTS);
  const byAge = entries.toSorted((a, b) => a.at - b.at);
  let removed = 0;
  for (const [i, { entry, at }] of byAge.entries()) {
    if (i >= surplus && now - at < EVENT_TTL_MS) break;
    try {
      registry.delete(definition, { namespace: entry.namespace, name: entry.name });
      removed++;
    } catch (error) {
      if (isNotFound(error)) continue;
      log.error("Cannot remove an old event; trying again later", error, {
        namespace: entry.namespace,
        name: entry.name,
      });
      break;
    }
  }
  return removed;
}

function timeOf(event: ApiObject): number {
  const times = [
    textAt(event, "series", "lastObservedTime"),
    textAt(event, "lastTimestamp"),
    textAt(event, "eventTime"),
    event.metadata.creationTimestamp ?? "",
  ].map((text) => Date.parse(text)).filter((time) => !Number.isNaN(time));
  return Math.max(0, ...times);
}
