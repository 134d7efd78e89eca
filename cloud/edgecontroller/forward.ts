import { createHash } from "node:crypto";
import type { KubeObject, ObjectMeta } from "../../common/api/meta_v1.ts";
import { CLUSTER_SCOPE } from "../../common/model/mod.ts";

/** Types of objects that are pushed to edges. */
export type PushedType = "node" | "pod" | "configmap" | "secret";

/** Names one pushed object. */
export interface ObjectName {
  type: PushedType;
  /** "null" for the Node. */
  namespace: string;
  name: string;
}

/** `<namespace>/<type>/<name>`: the resource on the wire, and the key of what was delivered. */
export function objectKey({ type, namespace, name }: ObjectName): string {
  return `${namespace || CLUSTER_SCOPE}/${type}/${name}`;
}

/** Fingerprints of the two parts of an object that change for different reasons. */
export interface Fingerprints {
  /** Metadata without resourceVersion, generation and managedFields; spec; data. */
  base: string;
  /** Status without times that only tell that someone is alive. */
  status: string;
}

/** Objects of informers are never changed, so what was computed for one stays true. */
const known = new WeakMap<object, Fingerprints>();

/** Fingerprints of an object: equal ones need not be sent again. */
export function fingerprints(object: KubeObject): Fingerprints {
  let prints = known.get(object);
  if (prints === undefined) known.set(object, prints = computeFingerprints(object));
  return prints;
}

function computeFingerprints(object: KubeObject): Fingerprints {
  const { apiVersion: _apiVersion, kind: _kind, metadata = {}, status, ...rest } = object as
    & KubeObject
    & Record<string, unknown>;
  const { resourceVersion: _rv, generation: _generation, managedFields: _fields, ...kept } =
    metadata as ObjectMeta;
  return {
    base: digest([kept, withoutTolerationSeconds(rest)]),
    status: digest(status ?? null, HEARTBEAT_TIMES),
  };
}

/** How long a pod tolerates a taint is for whoever evicts it; its node does not act on it. */
function withoutTolerationSeconds(rest: Record<string, unknown>): Record<string, unknown> {
  const { spec } = rest as { spec?: { tolerations?: unknown } };
  if (!Array.isArray(spec?.tolerations)) return rest;
  const tolerations = spec.tolerations.map(({ tolerationSeconds: _, ...toleration }) => toleration);
  return { ...rest, spec: { ...spec, tolerations } };
}

/** Renewed with every heartbeat and probe, without anything having changed. */
const HEARTBEAT_TIMES: ReadonlySet<string> = new Set(["lastHeartbeatTime", "lastProbeTime"]);

/** A digest that does not depend on the order of keys, nor on keys that hold nothing. */
function digest(value: unknown, ignored: ReadonlySet<string> = new Set()): string {
  const text = JSON.stringify(value, (key, v) => {
    if (ignored.has(key) || v === null) return undefined;
    if (typeof v !== "object" || Array.isArray(v)) return v;
    return Object.fromEntries(Object.entries(v).sort(([a], [b]) => a < b ? -1 : 1));
  });
  return createHash("sha256").update(text ?? "null").digest("base64");
}

/** What an edge was last sent of an object, or returned as the answer to its own write. */
export interface Delivered extends ObjectName, Fingerprints {
  uid: string;
  resourceVersion: string;
  /** To be sent again whatever its fingerprints: the edge connected anew. */
  stale?: boolean;
}

/** What is remembered of an object that was delivered. */
export function deliveredOf(name: ObjectName, object: KubeObject): Delivered {
  const { uid = "", resourceVersion = "" } = object.metadata ?? {};
  return { ...name, ...fingerprints(object), uid, resourceVersion };
}

/**
 * Whether `a` is a later resourceVersion than `b`; ones that are not numbers cannot be compared and count as later.
 */
export function isLater(a: string, b: string): boolean {
  if (!/^\d{1,40}$/.test(a) || !/^\d{1,40}$/.test(b)) return a !== b;
  return BigInt(a) > BigInt(b);
}

/** How an object is to be sent now, if at all. */
export type Forwarding = "insert" | "update" | "none";

/**
 * Decides whether a node must be told of an object.
 *
 * A change of metadata or spec always is; a change of status only when someone other than this edge made it, which shows in
 * that it differs from what the edge's own last write returned. While such a write is under way nobody can tell yet.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/downstream.go (isPodUpdated), §6.1: managedFields do not count here
 * @param delivered what the node has of the same UID
 * @param writing whether the edge's own write of the status is under way
 */
export function decideForwarding(
  name: ObjectName,
  object: KubeObject,
  delivered: Delivered | undefined,
  writing: boolean,
): Forwarding {
  if (delivered === undefined) return firstOperation(name, object);
  if (delivered.stale) return "update";
  if (!isLater(object.metadata?.resourceVersion ?? "", delivered.resourceVersion)) return "none";
  const { base, status } = fingerprints(object);
  if (base !== delivered.base) return "update";
  return status !== delivered.status && !writing ? "update" : "none";
}

/** Nodes and secrets always come as updates, and so does a pod that is already being deleted. */
function firstOperation({ type }: ObjectName, object: KubeObject): "insert" | "update" {
  if (type === "node" || type === "secret") return "update";
  return type === "pod" && object.metadata?.deletionTimestamp !== undefined ? "update" : "insert";
}
