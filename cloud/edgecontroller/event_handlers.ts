import type { Event } from "../../common/api/core_v1.ts";
import { EVENTS } from "../../common/kubeclient/mod.ts";
import { authorizeEvent, forbidden } from "./authorize.ts";
import { asText } from "./content.ts";
import type { HandlerContext, Handlers } from "./handler.ts";
import type { RequestOf } from "./request.ts";

type EventKinds = "event-insert" | "event-update" | "event-patch";

/** What may change when an event happens again. */
const REPEATED = ["count", "lastTimestamp", "message", "series", "eventTime"] as const;

/**
 * Events that a node reports about itself and its pods. Nobody waits for an answer.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/upstream.go (processEvent) @ 16cd854
 */
export const EVENT_HANDLERS: Handlers<EventKinds> = {
  "event-insert": ({ nodeName, namespace, name, event }, { kube, signal }) =>
    kube.create(EVENTS, eventToCreate(nodeName, namespace, name, event), { signal }),

  "event-update": async (request, context) => {
    const stored = await ownStored(request, context);
    const { kube, signal } = context;
    return kube.update(EVENTS, { ...stored, ...repeated(request.event) }, { signal });
  },

  "event-patch": async (request, context) => {
    await ownStored(request, context);
    const { namespace, name, patch } = request;
    const { kube, signal } = context;
    return kube.patch(EVENTS, { namespace, name }, { type: "merge", body: repeated(patch) }, { signal });
  },
};

/** The event as it is stored; who it is about was decided when it was made, so that decides again. */
async function ownStored(
  request: RequestOf<"event-update" | "event-patch">,
  { kube, index, signal }: HandlerContext,
): Promise<Event> {
  const { namespace, name, nodeName } = request;
  const stored = await kube.get(EVENTS, { namespace, name }, { signal });
  const decision = authorizeEvent(nodeName, stored, index);
  if (!decision.allowed) throw forbidden(request, decision.reason);
  return stored;
}

function repeated(from: Partial<Event> | Record<string, unknown>): Partial<Event> {
  const values = from as Record<string, unknown>;
  return Object.fromEntries(
    REPEATED.filter((key) => values[key] !== undefined).map((key) => [key, values[key]]),
  );
}

/** Only what an event says is taken over; who says it is the node whose connection it came over. */
function eventToCreate(node: string, namespace: string, name: string, event: Event): Event {
  const { kind, namespace: of, name: about, uid, apiVersion, resourceVersion, fieldPath } =
    event.involvedObject;
  const text = (key: string, value: unknown) => {
    const read = asText(value, key);
    return read === "" ? {} : { [key]: read };
  };
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace, name },
    involvedObject: {
      ...text("kind", kind),
      ...text("namespace", of),
      ...text("name", about),
      ...text("uid", uid),
      ...text("apiVersion", apiVersion),
      ...text("resourceVersion", resourceVersion),
      ...text("fieldPath", fieldPath),
    },
    ...repeated(event),
    ...text("reason", event.reason),
    ...text("type", event.type),
    ...text("action", event.action),
    ...text("firstTimestamp", event.firstTimestamp),
    ...text("reportingComponent", event.reportingComponent),
    ...(event.reportingInstance ? { reportingInstance: node } : {}),
    source: { ...text("component", event.source?.component), host: node },
  };
}
