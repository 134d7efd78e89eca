import type { TokenRequest } from "../../common/api/authentication_v1.ts";
import type { Lease } from "../../common/api/coordination_v1.ts";
import type { Event, Node, Pod } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { type Message, parseNodeResource } from "../../common/model/mod.ts";
import {
  asOptionalObject,
  asText,
  type JsonObject,
  parsePodDeletion,
  parsePodStatusReport,
  type PodDeletion,
  type PodStatusEntry,
  requireContentObject,
} from "./content.ts";

/** What an edge can ask for, by kind; the rest of a request depends on it. */
export interface RequestContents {
  "node-insert": { node: Node };
  "node-query": Nothing;
  "node-update": { node: Node };
  "node-patch": { patch: JsonObject };
  "nodestatus-insert": { node: Node };
  "nodestatus-update": { status: JsonObject; extendResources: JsonObject };
  "lease-query": Nothing;
  "lease-insert": { lease: Lease };
  "lease-update": { lease: Lease };
  "pod-insert": { pod: Pod };
  "pod-patch": { patch: JsonObject };
  "pod-delete": { deletion: PodDeletion };
  "podstatus-update": { entry: PodStatusEntry };
  "configmap-query": Nothing;
  "secret-query": Nothing;
  "persistentvolumeclaim-query": Nothing;
  "persistentvolume-query": Nothing;
  "volumeattachment-query": Nothing;
  "token-query": { tokenRequest: TokenRequest };
  "event-insert": { event: Event };
  "event-update": { event: Event };
  "event-patch": { event: Event; patch: JsonObject };
  "csr-insert": Nothing;
  "csr-query": Nothing;
}

type Nothing = Record<never, never>;

export type RequestKind = keyof RequestContents;

/** What every request has. */
export interface RequestBase {
  /** The node whose connection it came over. */
  nodeName: string;
  /** "null" for cluster-scoped objects. */
  namespace: string;
  name: string;
}

/** One thing an edge asks for, read and checked for shape, not yet for permission. */
export type UpstreamRequest = {
  [K in RequestKind]: RequestBase & { kind: K } & RequestContents[K];
}[RequestKind];

/** A request of one kind. */
export type RequestOf<K extends RequestKind> = Extract<UpstreamRequest, { kind: K }>;

/**
 * How the edge expects the answer: the wrapper with `Object` and `Err`, the bare object, just "OK", or the text of the
 * error; and none where it does not wait.
 */
export type ReplyForm = "wrapper" | "object" | "ok" | "ok-or-text" | "none";

/** What waits for what: heartbeats never wait behind pod status, nor pod status behind reads. */
export type Lane = "heartbeat" | "status" | "bulk";

/** How a request of a kind is treated. */
export interface RequestTraits {
  kind: RequestKind;
  reply: ReplyForm;
  lane: Lane;
  /** Requests of one node with the same group and name are worked on one after the other. */
  group: string;
  /** Type in the reply's resource, where it differs. */
  replyType?: string;
}

const traits = (kind: RequestKind, reply: ReplyForm, lane: Lane, group: string, replyType?: string) => ({
  kind,
  reply,
  lane,
  group,
  ...(replyType === undefined ? {} : { replyType }),
});

/** From `<type> <operation>` to how it is treated. Upstream: cloud/pkg/edgecontroller/controller/upstream.go @ 16cd854 */
const ROUTES: ReadonlyMap<string, RequestTraits> = new Map(Object.entries({
  "node insert": traits("node-insert", "wrapper", "heartbeat", "node"),
  "node query": traits("node-query", "object", "heartbeat", "node"),
  "node update": traits("node-update", "ok", "heartbeat", "node"),
  "nodepatch patch": traits("node-patch", "wrapper", "heartbeat", "node"),
  "nodestatus insert": traits("nodestatus-insert", "ok-or-text", "heartbeat", "node", "node"),
  "nodestatus update": traits("nodestatus-update", "ok", "heartbeat", "node", "node"),
  "lease query": traits("lease-query", "wrapper", "heartbeat", "lease"),
  "lease insert": traits("lease-insert", "wrapper", "heartbeat", "lease"),
  "lease update": traits("lease-update", "wrapper", "heartbeat", "lease"),
  "pod insert": traits("pod-insert", "wrapper", "status", "pod"),
  "pod delete": traits("pod-delete", "ok", "status", "pod"),
  "podpatch patch": traits("pod-patch", "wrapper", "status", "pod"),
  "podstatus update": traits("podstatus-update", "ok", "status", "pod"),
  "configmap query": traits("configmap-query", "object", "bulk", "configmap"),
  "secret query": traits("secret-query", "object", "bulk", "secret"),
  "persistentvolumeclaim query": traits("persistentvolumeclaim-query", "object", "bulk", "claim"),
  "persistentvolume query": traits("persistentvolume-query", "object", "bulk", "volume"),
  "volumeattachment query": traits("volumeattachment-query", "object", "bulk", "attachment"),
  "serviceaccounttoken query": traits("token-query", "object", "bulk", "token"),
  "event insert": traits("event-insert", "none", "bulk", "event"),
  "event update": traits("event-update", "none", "bulk", "event"),
  "event patch": traits("event-patch", "none", "bulk", "event"),
  "certificatesigningrequest insert": traits("csr-insert", "wrapper", "bulk", "csr"),
  "certificatesigningrequest query": traits("csr-query", "object", "bulk", "csr"),
}));

/** How a message is treated; undefined for types and operations that no edge sends. */
export function routeMessage(type: string, operation: string): RequestTraits | undefined {
  return ROUTES.get(`${type} ${operation}`);
}

/** Names as Kubernetes has them: a path segment that cannot leave its place. */
const NAME = /^[a-z0-9](?:[-a-z0-9.:]{0,251}[a-z0-9])?$/;

/**
 * The requests in a message: one, except for the deprecated pod status report, which may name many pods.
 * @param message with the resource `node/<node>/<namespace>/<type>[/<name>]`
 * @throws {StatusError} BadRequest
 */
export function parseRequests({ kind }: RequestTraits, message: Message): UpstreamRequest[] {
  const { node, namespace, name } = parseNodeResource(message.route.resource);
  if (kind === "podstatus-update") {
    return parsePodStatusReport(message.content, name).map((entry) => ({
      kind,
      nodeName: node,
      namespace: checkedName(namespace, "namespace"),
      name: checkedName(entry.name, "name"),
      entry,
    }));
  }
  const base = {
    nodeName: node,
    namespace: checkedName(namespace, "namespace"),
    name: checkedName(name, "name"),
  };
  return [{ ...base, ...READERS[kind](message.content, base), kind } as UpstreamRequest];
}

function checkedName(name: string, what: string): string {
  if (NAME.test(name)) return name;
  throw new StatusError("BadRequest", `Cannot use ${what} ${JSON.stringify(name.slice(0, 300))}`);
}

type Readers = {
  [K in Exclude<RequestKind, "podstatus-update">]: (
    content: unknown,
    base: RequestBase,
  ) => RequestContents[K];
};

const nothing = (): Nothing => ({});

const READERS: Readers = {
  "node-insert": (content) => ({ node: readObject(content, "the Node") as Node }),
  "node-query": nothing,
  "node-update": (content) => ({ node: readObject(content, "the Node") as Node }),
  "node-patch": (content) => ({ patch: requireContentObject(content, "the patch of the node") }),
  "nodestatus-insert": (content) => ({ node: readObject(content, "the Node") as Node }),
  "nodestatus-update": (content) => {
    const report = requireContentObject(content, "the node status report");
    return {
      status: asOptionalObject(report.Status, "Status"),
      extendResources: asOptionalObject(report.ExtendResources, "ExtendResources"),
    };
  },
  "lease-query": nothing,
  "lease-insert": (content) => ({ lease: readObject(content, "the Lease") as Lease }),
  "lease-update": (content) => ({ lease: readObject(content, "the Lease") as Lease }),
  "pod-insert": (content) => ({ pod: readObject(content, "the Pod") as Pod }),
  "pod-patch": (content) => ({ patch: requireContentObject(content, "the patch of the pod") }),
  "pod-delete": (content) => ({ deletion: parsePodDeletion(content) }),
  "configmap-query": nothing,
  "secret-query": nothing,
  "persistentvolumeclaim-query": nothing,
  "persistentvolume-query": nothing,
  "volumeattachment-query": nothing,
  "token-query": (content) => ({ tokenRequest: readTokenRequest(content) }),
  "event-insert": (content) => ({ event: readEvent(content) }),
  "event-update": (content) => ({ event: readEvent(content) }),
  "event-patch": (content) => {
    const { event, patchData } = requireContentObject(content, "the patch of the event");
    return { event: readEvent(event), patch: requireContentObject(patchData, "patchData") };
  },
  "csr-insert": nothing,
  "csr-query": nothing,
};

/** An object whose metadata, spec and status are objects where they are given; the API server checks the rest. */
function readObject(content: unknown, what: string): JsonObject {
  const object = requireContentObject(content, what);
  for (const part of ["metadata", "spec", "status"]) asOptionalObject(object[part], `${part} of ${what}`);
  return withoutNulls(object, ["metadata", "spec", "status"]);
}

function withoutNulls(object: JsonObject, keys: readonly string[]): JsonObject {
  const kept = { ...object };
  for (const key of keys) if (kept[key] === null) delete kept[key];
  return kept;
}

/** Only what decides about the token is taken over. */
function readTokenRequest(content: unknown): TokenRequest {
  const spec = asOptionalObject(requireContentObject(content, "the TokenRequest").spec, "spec");
  const reference = asOptionalObject(spec.boundObjectRef, "spec.boundObjectRef");
  const audiences = spec.audiences ?? [];
  if (!Array.isArray(audiences) || audiences.length > 100) {
    throw new StatusError("BadRequest", "Cannot read spec.audiences: a list of at most 100 is expected");
  }
  const seconds = spec.expirationSeconds ?? undefined;
  if (seconds !== undefined && (typeof seconds !== "number" || !Number.isSafeInteger(seconds))) {
    throw new StatusError("BadRequest", "Cannot read spec.expirationSeconds: a number is expected");
  }
  return {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {
      audiences: audiences.map((audience) => asText(audience, "spec.audiences")),
      ...(seconds === undefined ? {} : { expirationSeconds: seconds }),
      boundObjectRef: {
        apiVersion: asText(reference.apiVersion, "spec.boundObjectRef.apiVersion"),
        kind: asText(reference.kind, "spec.boundObjectRef.kind"),
        name: asText(reference.name, "spec.boundObjectRef.name"),
        uid: asText(reference.uid, "spec.boundObjectRef.uid"),
      },
    },
  };
}

/** The longest message of an event that is kept; the API server refuses longer ones. */
const MAX_EVENT_CHARS = 1024;

function readEvent(content: unknown): Event {
  const event = requireContentObject(content, "the Event");
  const involved = asOptionalObject(event.involvedObject, "involvedObject of the Event");
  for (const key of ["kind", "namespace", "name", "uid"]) asText(involved[key], `involvedObject.${key}`);
  const metadata = asOptionalObject(event.metadata, "metadata of the Event");
  for (const key of ["name", "namespace", "resourceVersion"]) asText(metadata[key], `metadata.${key}`);
  const source = asOptionalObject(event.source, "source of the Event");
  return {
    ...event,
    message: asText(event.message, "message").slice(0, MAX_EVENT_CHARS),
    involvedObject: involved,
    metadata,
    source: { component: asText(source.component, "source.component"), host: asText(source.host, "host") },
  } as unknown as Event;
}
