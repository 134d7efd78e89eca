/** What metamanager looks at in an object; everything else is kept as it came. */
export interface ObjectIdentity {
  /** Empty when the object does not say. */
  name: string;
  namespace: string;
  uid: string;
  resourceVersion: string;
  /** RFC 3339. */
  creationTimestamp: string;
}

/** A JSON object of any kind. */
export type JsonObject = Record<string, unknown>;

/** Whether a value is a JSON object, and neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The identity in an object's metadata; undefined for what is not an object with metadata. */
export function identityOf(value: unknown): ObjectIdentity | undefined {
  if (!isJsonObject(value) || !isJsonObject(value.metadata)) return undefined;
  const { metadata } = value;
  const text = (key: string) => typeof metadata[key] === "string" ? metadata[key] : "";
  return {
    name: text("name"),
    namespace: text("namespace"),
    uid: text("uid"),
    resourceVersion: text("resourceVersion"),
    creationTimestamp: text("creationTimestamp"),
  };
}

/** A resourceVersion as a number; undefined for one that is not, which the API allows but no server in use does. */
export function parseResourceVersion(text: string): bigint | undefined {
  return /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}

/** How an arriving object stands to the stored one. */
export type Freshness = "newer" | "same" | "older";

/**
 * Whether an arriving object replaces the stored one.
 *
 * Versions decide while both have them. For an object that was deleted and made again the creation time decides too, so that
 * a cluster whose versions began anew (etcd restored) is not ignored for ever.
 */
export function compareObjects(stored: ObjectIdentity | undefined, arriving: ObjectIdentity): Freshness {
  if (stored === undefined) return "newer";
  const was = parseResourceVersion(stored.resourceVersion);
  const is = parseResourceVersion(arriving.resourceVersion);
  if (was === undefined || is === undefined || is > was) return "newer";
  if (stored.uid !== arriving.uid && arriving.creationTimestamp > stored.creationTimestamp) return "newer";
  return is === was && stored.uid === arriving.uid ? "same" : "older";
}

/**
 * Whether a deletion concerns the stored object: always when one of the two does not say its UID.
 * A deletion for another UID is about an earlier object of the same name.
 */
export function deletes(stored: ObjectIdentity | undefined, deletedUid: string): boolean {
  return stored !== undefined && (deletedUid === "" || stored.uid === "" || stored.uid === deletedUid);
}

/**
 * Whether a pod changed in what its worker acts on: everything but status and the server's own bookkeeping.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/downstream.go @ 16cd854 decides likewise what to send
 */
export function podChanged(stored: unknown, arriving: unknown): boolean {
  return JSON.stringify(actedOn(stored)) !== JSON.stringify(actedOn(arriving));
}

const BOOKKEEPING: ReadonlySet<string> = new Set(["resourceVersion", "generation", "managedFields"]);

function actedOn(pod: unknown): unknown {
  if (!isJsonObject(pod)) return pod;
  const metadata = isJsonObject(pod.metadata)
    ? Object.entries(pod.metadata).filter(([key]) => !BOOKKEEPING.has(key)).sort(([a], [b]) => a < b ? -1 : 1)
    : [];
  return [metadata, pod.spec];
}
