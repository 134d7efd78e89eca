import type { Event } from "../../../common/api/core_v1.ts";
import type { KubeObject } from "../../../common/api/meta_v1.ts";
import { errorText, isNamespaceTerminating, isNotFound } from "../../../common/errors/mod.ts";
import { EVENTS, type KubeWriter, type ResourceType } from "../../../common/kubeclient/mod.ts";
import { type Clock, type Logger, Mailbox, throttle } from "../../../common/module/mod.ts";
import { timestamp } from "./conditions.ts";
import type { Controller } from "./controller.ts";

/** Something that happened to an object, as people see it in `kubectl describe`. */
export interface EventNote {
  /** The part that saw it: "default-scheduler", "deployment-controller". */
  component: string;
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

/** Tells people what happened to objects. Nothing depends on it: an event that cannot be kept is dropped. */
export interface EventRecorder {
  record<T extends KubeObject>(resource: ResourceType<T>, object: T, note: EventNote): void;
}

/** What an {@linkcode eventRecorder} works with. */
export interface EventRecorderComponents {
  kube: Pick<KubeWriter, "create" | "patch">;
  clock: Clock;
  log: Logger;
}

/** Events that wait to be written; more are dropped. */
const CAPACITY = 1000;
const COMPLAINT_INTERVAL_MS = 10_000;
/** Events remembered for counting repeats, as upstream's `maxLruCacheEntries`. */
const REMEMBERED = 4096;

interface Occurrence {
  name: string;
  namespace: string;
  count: number;
}

/**
 * A recorder that counts repeats of an event in the event that is there already.
 * Upstream: k8s.io/client-go tools/record/event.go, events_cache.go @ v0.32
 */
export function eventRecorder({ kube, clock, log }: EventRecorderComponents): EventRecorder & Controller {
  const waiting = new Mailbox<Event>("events", CAPACITY);
  const complain = throttle(clock, COMPLAINT_INTERVAL_MS);
  const seen = new Map<string, Occurrence>();
  let serial = 0;
  const write = async (event: Event, signal: AbortSignal) => {
    const key = repeatKey(event);
    const before = seen.get(key);
    seen.delete(key);
    if (before !== undefined) {
      const count = before.count + 1;
      try {
        const { name, namespace } = before;
        const body = { count, lastTimestamp: event.lastTimestamp };
        await kube.patch(EVENTS, { name, namespace }, { type: "merge", body }, { signal });
        seen.set(key, { ...before, count });
        return;
      } catch (error) {
        // Events expire on the server; then the count begins anew.
        if (!isNotFound(error)) throw error;
      }
    }
    await kube.create(EVENTS, event, { signal });
    seen.set(key, { name: event.metadata.name!, namespace: event.metadata.namespace!, count: 1 });
    for (const oldest of seen.keys()) {
      if (seen.size <= REMEMBERED) break;
      seen.delete(oldest);
    }
  };
  return {
    name: "events",
    record: (resource, object, note) => {
      const event = makeEvent(resource, object, note, clock.now(), serial++);
      if (waiting.trySend(event)) return;
      complain((held) => log.warning("Dropping an event, too many wait", { reason: note.reason, held }));
    },
    run: async (signal) => {
      while (!signal.aborted) {
        try {
          const event = await waiting.receive({ signal });
          if (event === undefined) return;
          await write(event, signal);
        } catch (error) {
          if (signal.aborted) return;
          const fields = { err: errorText(error) };
          // Nothing that anybody need mend: the events would go with the namespace.
          if (isNamespaceTerminating(error)) log.debug("Cannot write an event", fields);
          else log.warning("Cannot write an event", fields);
        }
      }
    },
  };
}

function repeatKey({ involvedObject, reason, message, type, source }: Event): string {
  return JSON.stringify([
    involvedObject.kind,
    involvedObject.uid,
    involvedObject.name,
    reason,
    message,
    type,
    source?.component,
  ]);
}

/** The event object of a note. */
export function makeEvent<T extends KubeObject>(
  resource: ResourceType<T>,
  object: T,
  { component, type, reason, message }: EventNote,
  now: number,
  serial: number,
): Event {
  const { name = "", namespace, uid, resourceVersion } = object.metadata ?? {};
  const time = timestamp(now);
  // Unique per process start and event, in upstream's form <object>.<hexadecimal>.
  const unique = (BigInt(now) * 1_000_000n + BigInt(serial % 1_000_000)).toString(16);
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name}.${unique}`, namespace: namespace ?? "default" },
    involvedObject: {
      apiVersion: resource.group === "" ? resource.version : `${resource.group}/${resource.version}`,
      kind: resource.kind,
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    type,
    reason,
    message: message.length > 1024 ? `${message.slice(0, 1021)}...` : message,
    source: { component },
    reportingComponent: component,
    reportingInstance: "",
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
