import { StatusError } from "../../common/errors/mod.ts";
import { parseJson } from "../../common/model/mod.ts";

/** A JSON object whose members are still to be looked at. */
export type JsonObject = Record<string, unknown>;

/** Whether a value is a JSON object: not null, not an array. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** About how many characters a JSON value takes as text. */
export function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length + 2;
  if (typeof value !== "object" || value === null) return 8;
  let size = 8;
  for (const [key, item] of Object.entries(value)) size += key.length + sizeOf(item);
  return size;
}

const bad = (what: string, expected: string) =>
  new StatusError("BadRequest", `Cannot read ${what}: ${expected} is expected`);

/** The value as an object. @throws {StatusError} BadRequest */
export function asObject(value: unknown, what: string): JsonObject {
  if (isObject(value)) return value;
  throw bad(what, "an object");
}

/** The value as an object, an empty one when it is absent or null. @throws {StatusError} BadRequest */
export function asOptionalObject(value: unknown, what: string): JsonObject {
  return value === undefined || value === null ? {} : asObject(value, what);
}

/** The value as text, empty when it is absent or null. @throws {StatusError} BadRequest */
export function asText(value: unknown, what: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  throw bad(what, "text");
}

/** The most labels or annotations that are taken from one object. */
const MAX_MAP_ENTRIES = 1000;

/** A map of texts, as labels and annotations are; null stands for "remove" in patches. @throws {StatusError} BadRequest */
export function asTextMap(value: unknown, what: string): Record<string, string | null> {
  const entries = Object.entries(asOptionalObject(value, what));
  if (entries.length > MAX_MAP_ENTRIES) throw bad(what, `at most ${MAX_MAP_ENTRIES} entries`);
  for (const [key, text] of entries) {
    if (typeof text !== "string" && text !== null) throw bad(`${what}[${JSON.stringify(key)}]`, "text");
  }
  return Object.fromEntries(entries) as Record<string, string | null>;
}

/**
 * The object in a content, in every form edges have sent one: an object, JSON text, or JSON text in base64 (which is how Go
 * prints a byte slice); undefined when it is none of them.
 */
export function contentObject(content: unknown): JsonObject | undefined {
  if (isObject(content)) return content;
  if (typeof content !== "string") return undefined;
  return objectFromText(content) ?? objectFromText(decodeBase64(content) ?? "");
}

/** Like {@linkcode contentObject}. @throws {StatusError} BadRequest when there is none */
export function requireContentObject(content: unknown, what: string): JsonObject {
  const object = contentObject(content);
  if (object === undefined) throw bad(what, "an object, or the JSON text of one,");
  return object;
}

function objectFromText(text: string): JsonObject | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  const value = parseJson(text);
  return isObject(value) ? value : undefined;
}

function decodeBase64(text: string): string | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return new TextDecoder().decode(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
}

/** What a pod deletion asks for. */
export interface PodDeletion {
  /** The incarnation meant; undefined when the edge does not say. */
  uid?: string;
  gracePeriodSeconds: number;
}

const UID = /^[0-9A-Za-z][0-9A-Za-z-]{0,127}$/;

/**
 * Reads the content of a pod deletion: DeleteOptions as an object (v1.13 on), as base64 (v1.12), or a bare UID (before).
 * @throws {StatusError} BadRequest
 */
export function parsePodDeletion(content: unknown): PodDeletion {
  if (content === null || content === undefined || content === "") return { gracePeriodSeconds: 0 };
  const options = contentObject(content);
  if (options === undefined) {
    if (typeof content === "string" && UID.test(content)) return { uid: content, gracePeriodSeconds: 0 };
    throw bad("the pod deletion", "DeleteOptions or a UID");
  }
  const grace = options.gracePeriodSeconds ?? 0;
  if (typeof grace !== "number" || !Number.isInteger(grace) || grace < 0) {
    throw bad("gracePeriodSeconds", "a number of seconds");
  }
  const uid = asText(asOptionalObject(options.preconditions, "preconditions").uid, "preconditions.uid");
  if (uid === "") return { gracePeriodSeconds: grace };
  if (!UID.test(uid)) throw bad("preconditions.uid", "a UID");
  return { uid, gracePeriodSeconds: grace };
}

/** One entry of the deprecated pod status report. */
export interface PodStatusEntry {
  uid: string;
  name: string;
  status: JsonObject;
}

/** The most pods one deprecated report may name: the most that a node may be configured to run. */
const MAX_PODS = 2000;

/**
 * Reads the deprecated pod status report: one `{UID, Name, Status}` or an array of them.
 * @param name the pod in the resource, used when the entry has none
 * @throws {StatusError} BadRequest
 */
export function parsePodStatusReport(content: unknown, name: string): PodStatusEntry[] {
  const parsed = typeof content === "string" ? parseJson(content) : content;
  const entries = Array.isArray(parsed) ? parsed : [parsed];
  if (entries.length > MAX_PODS) throw bad("the pod status report", `at most ${MAX_PODS} pods`);
  return entries.map((value) => {
    const entry = asObject(value, "the pod status report");
    const podName = asText(entry.Name, "Name") || name;
    if (podName === "") throw bad("the pod status report", "Name");
    return {
      uid: asText(entry.UID, "UID"),
      name: podName,
      status: asOptionalObject(entry.Status, "Status"),
    };
  });
}
