import { CloudModule, isStatusContent, type Message, OK_CONTENT, Operation } from "../../common/model/mod.ts";

/** The object inside a message, as far as delivery needs it. */
export interface DeliveredObject {
  /** Empty when the content has none, as deletes of unknown pods. */
  uid: string;
  namespace: string;
  name: string;
  apiVersion: string;
  kind: string;
  /** Whether the object is on its way out. */
  deleting: boolean;
}

/** How a message to a node is delivered. */
export type DeliveryClass =
  /** Sent again until it is acknowledged. */
  | { kind: "acknowledged"; object: DeliveredObject; version: string }
  /** Sent once, when and if the node is connected. */
  | { kind: "once" }
  /** Cannot be delivered; the reason is for the log. */
  | { kind: "undeliverable"; reason: string };

const CSI_OPERATIONS: ReadonlySet<string> = new Set([
  "createvolume",
  "deletevolume",
  "controllerpublishvolume",
  "controllerunpublishvolume",
]);

/** Types that edgecontroller answers for and nobody acknowledges. */
const ONCE_TYPES: ReadonlySet<string> = new Set([
  "lease",
  "nodepatch",
  "podpatch",
  "podstatus",
  "certificatesigningrequest",
]);

/**
 * Whether a message must be acknowledged. Pure.
 *
 * Upstream looks for some words anywhere in the resource; here they count as whole path elements, so that an object whose
 * name contains one is still delivered reliably. A reply that cannot be acknowledged is sent once instead of dropped.
 * Upstream: kubeedge cloud/pkg/cloudhub/common/helper.go (noAckRequired) @ 16cd854
 * @param resource the resource as it goes over the wire, without the node
 */
export function deliveryClassOf(message: Message, resource: string): DeliveryClass {
  const { route, header, content } = message;
  if (isSentOnce(message, resource)) return { kind: "once" };
  const object = deliveredObject(content);
  const version = header.resourceVersion ?? "";
  const problem = route.group !== "resource"
    ? `group is ${JSON.stringify(route.group)} instead of "resource"`
    : object === undefined
    ? "the content is not an object with metadata"
    : version === "" && route.operation !== Operation.delete
    ? "it has no resourceVersion"
    : undefined;
  if (problem === undefined) return { kind: "acknowledged", object: object!, version };
  if (route.operation === Operation.response || route.operation === Operation.error) return { kind: "once" };
  return { kind: "undeliverable", reason: problem };
}

function isSentOnce({ route, content }: Message, resource: string): boolean {
  const { source, group, operation } = route;
  const [first, type = "", ...rest] = resource.split("/");
  if (first === "membership" || type === "podlist" || type === "serviceaccounttoken") return true;
  if (resource === "k8s/ca.crt" || (first === "device" && rest.join("/").endsWith("twin/cloud_updated"))) {
    return true;
  }
  if (first === "twin" && type === "cloud_updated") return true;
  if (CSI_OPERATIONS.has(operation) || operation === "applicationResponse") return true;
  if (group === "user" || source === CloudModule.taskManager || source === "nodeupgradejobcontroller") {
    return true;
  }
  if (operation === Operation.error) return true;
  if (operation === Operation.response && (content === OK_CONTENT || isStatusContent(content))) return true;
  if (source !== CloudModule.edgeController) return false;
  if (type === "node") return operation !== Operation.update;
  if (type === "pod") return operation === Operation.response;
  return ONCE_TYPES.has(type);
}

function deliveredObject(content: unknown): DeliveredObject | undefined {
  if (typeof content !== "object" || content === null || !("metadata" in content)) return undefined;
  const { metadata, apiVersion, kind } = content as Record<string, unknown>;
  if (typeof metadata !== "object" || metadata === null) return undefined;
  const { uid, name, namespace, deletionTimestamp } = metadata as Record<string, unknown>;
  const text = (value: unknown) => typeof value === "string" ? value : "";
  return {
    uid: text(uid),
    namespace: text(namespace),
    name: text(name),
    apiVersion: text(apiVersion),
    kind: text(kind),
    deleting: deletionTimestamp !== undefined && deletionTimestamp !== null,
  };
}

/**
 * Compares two resourceVersions as numbers; what is not a number comes before every number, and among such the text counts.
 * Upstream panics on those: kubeedge cloud/pkg/synccontroller (CompareResourceVersion) @ 16cd854
 */
export function compareResourceVersion(a: string, b: string): number {
  const [x, y] = [versionNumber(a), versionNumber(b)];
  if (x === undefined || y === undefined) {
    if (x !== undefined) return 1;
    if (y !== undefined) return -1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return x < y ? -1 : x > y ? 1 : 0;
}

function versionNumber(text: string): bigint | undefined {
  return /^\d{1,40}$/.test(text) ? BigInt(text) : undefined;
}

/** What is known when a message that must be acknowledged comes. */
export interface EnqueueFacts {
  operation: string;
  deleting: boolean;
  version: string;
  /** The message for the same object that is not acknowledged yet. */
  stored: { operation: string; version: string } | undefined;
  /** The version the node confirmed last; undefined when it confirmed none. */
  recorded: string | undefined;
}

/**
 * Whether a message must be queued or says nothing new. Pure.
 * Upstream: kubeedge cloud/pkg/cloudhub/dispatcher/message_dispatcher.go (enqueueAckMessage) @ 16cd854
 */
export function decideEnqueue(
  { operation, deleting, version, stored, recorded }: EnqueueFacts,
): "enqueue" | "discard" {
  if (operation === Operation.delete || operation === Operation.response) return "enqueue";
  if (stored !== undefined) {
    // Nothing comes after a deletion: a uid is never used twice.
    if (stored.operation === Operation.delete) return "discard";
    if (deleting) return "enqueue";
    return compareResourceVersion(version, stored.version) > 0 ? "enqueue" : "discard";
  }
  if (deleting || recorded === undefined) return "enqueue";
  return compareResourceVersion(version, recorded) > 0 ? "enqueue" : "discard";
}
