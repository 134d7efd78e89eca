import type { Event } from "../../common/api/core_v1.ts";
import { errorText } from "../../common/errors/mod.ts";
import { EVENTS, type KubeWriter } from "../../common/kubeclient/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { DeliveredObject } from "./delivery_class.ts";

/** What telling of messages that are too large uses. */
export interface TooLargeComponents {
  kube: Pick<KubeWriter, "create">;
  clock: Clock;
  log: Logger;
}

/** A message that no session can carry. */
export interface TooLargeMessage {
  node: string;
  /** The resource without the node. */
  resource: string;
  object: DeliveredObject | undefined;
  chars: number;
  limitChars: number;
}

/** An object is told of so often, and so many objects are remembered. */
const TELL_EVERY_MS = 600_000;
const MAX_TOLD = 10_000;

/** Tells in the log, and by an Event of the object where there is one, what does not reach its node because of its size; once in a while for each. */
export function tooLarge(
  { kube, clock, log }: TooLargeComponents,
): (message: TooLargeMessage, signal: AbortSignal) => Promise<void> {
  const told = new Map<string, number>();
  return async ({ node, resource, object, chars, limitChars }, signal) => {
    const key = `${node} ${resource}`;
    const now = clock.now();
    if (now - (told.get(key) ?? -Infinity) < TELL_EVERY_MS) return;
    if (told.size >= MAX_TOLD) told.clear();
    told.set(key, now);
    log.warning("A message is too large for a node, which goes on without", {
      node,
      resource,
      chars,
      limitChars,
    });
    if (object === undefined || object.uid === "") return;
    const { apiVersion, kind, namespace, name, uid } = object;
    const time = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
    const event: Event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        namespace: namespace || "default",
        name: `${name.slice(0, 200)}.${now.toString(16)}${told.size.toString(16)}`,
      },
      involvedObject: { apiVersion, kind, name, uid, ...(namespace === "" ? {} : { namespace }) },
      reason: "TooLargeForEdge",
      message: `Edge ${node} is not sent this object: it takes ${chars} characters of ${limitChars} at most`,
      type: "Warning",
      source: { component: "cloudcore", host: node },
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
    };
    try {
      await kube.create(EVENTS, event, { signal });
    } catch (error) {
      if (!signal.aborted) log.debug("Cannot record an event", { about: key, err: errorText(error) });
    }
  };
}
