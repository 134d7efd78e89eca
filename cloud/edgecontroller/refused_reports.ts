import type { Event } from "../../common/api/core_v1.ts";
import { errorText, type StatusError } from "../../common/errors/mod.ts";
import { EVENTS, type KubeWriter } from "../../common/kubeclient/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { RequestKind, UpstreamRequest } from "./request.ts";

/** What telling of refused reports uses. */
export interface RefusedReportsComponents {
  kube: Pick<KubeWriter, "create">;
  /** UID of a pod. */
  uidOf: (namespace: string, name: string) => string | undefined;
  clock: Clock;
  log: Logger;
}

/** Reports of which an object's state in the cloud is made: refused, what one sees there is not what is. */
const REPORTS: ReadonlySet<RequestKind> = new Set([
  "pod-insert",
  "pod-patch",
  "podstatus-update",
  "node-insert",
  "node-patch",
  "node-update",
  "nodestatus-update",
]);

/** How the API says that the same again would be refused again. */
const FINAL: ReadonlySet<number> = new Set([400, 413, 422]);

/** An object of an edge is told of so often, and so many objects are remembered. */
const TELL_EVERY_MS = 600_000;
const MAX_TOLD = 10_000;

/**
 * Tells in the log and by an Event of the pod or node that the API refused what its edge reported about it; once in a while for each
 * object. The edge is answered with the refusal, which ends its tries.
 */
export function refusedReports(
  { kube, uidOf, clock, log }: RefusedReportsComponents,
): (request: UpstreamRequest, status: StatusError, signal: AbortSignal) => Promise<void> {
  const told = new Map<string, number>();
  return async ({ kind, nodeName, namespace, name }, status, signal) => {
    if (!REPORTS.has(kind) || !FINAL.has(status.code)) return;
    const isPod = kind.startsWith("pod");
    const object = isPod ? { namespace, name } : { namespace: "default", name: nodeName };
    const key = `${isPod} ${object.namespace}/${object.name}`;
    const now = clock.now();
    if (now - (told.get(key) ?? -Infinity) < TELL_EVERY_MS) return;
    if (told.size >= MAX_TOLD) told.clear();
    told.set(key, now);
    const what = isPod ? `pod ${namespace}/${name}` : `node ${nodeName}`;
    log.warning("The API refused what an edge reports; the edge goes on without", {
      node: nodeName,
      about: what,
      kind,
      err: status.message.slice(0, 500),
    });
    const uid = isPod ? uidOf(namespace, name) : nodeName;
    if (uid === undefined) return;
    const time = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
    const event: Event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: {
        namespace: object.namespace,
        name: `${object.name.slice(0, 200)}.${now.toString(16)}${told.size.toString(16)}`,
      },
      involvedObject: {
        apiVersion: "v1",
        ...(isPod ? { kind: "Pod", namespace } : { kind: "Node" }),
        name: object.name,
        uid,
      },
      reason: "ReportRefused",
      message: `The API refused what edge ${nodeName} reports about this ${
        isPod ? "pod" : "node"
      }: ${status.message}`
        .slice(0, 1024),
      type: "Warning",
      source: { component: "cloudcore", host: nodeName },
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
    };
    try {
      await kube.create(EVENTS, event, { signal });
    } catch (error) {
      if (!signal.aborted) log.debug("Cannot record an event", { about: what, err: errorText(error) });
    }
  };
}
