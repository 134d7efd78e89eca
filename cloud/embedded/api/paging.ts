import { StatusError } from "../../../common/errors/mod.ts";
import type { CacheEntry, WatchCache } from "../storage/watch_cache.ts";
import { readListOptions } from "./list_options.ts";
import type { Selection } from "./read.ts";
import type { ListMeta } from "./table_output.ts";

/** Where a list goes on. */
interface ContinueToken {
  /** The version that all pages are of; undefined for the newest at the time of each. */
  version: number | undefined;
  /** Namespace and name of the last object given. */
  after: readonly [string, string];
}

const FORGOTTEN =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/**
 * The objects that a list asks for, in its order, as they were at the version that it asks for or goes on with.
 * Upstream: k8s.io/apiserver pkg/storage/etcd3/store.go (GetList) @ v1.32
 * @param newest the newest version of anything
 * @throws {StatusError} BadRequest, Invalid; Timeout for a version from the future; Expired for one that is forgotten
 */
export function readPage(
  cache: WatchCache,
  newest: number,
  selection: Selection,
  query: URLSearchParams,
): { entries: readonly CacheEntry[]; metadata: ListMeta } {
  const { limit, version: asked, match, continueText } = readListOptions(query);
  const token = continueText === "" ? undefined : readContinue(continueText);
  if (token !== undefined && query.get("resourceVersion") && query.get("resourceVersion") !== "0") {
    throw new StatusError("BadRequest", "specifying resource version is not allowed when using continue");
  }
  if (asked > newest) throw tooLarge(asked, newest);
  const exact = asked > 0 && (match === "Exact" || (match === "" && limit > 0));
  const version = token?.version ?? (exact ? asked : newest);
  const listed = version === newest
    ? cache.list(selection.namespace)
    : listAt(cache, version, selection.namespace, token);
  const [ns, name] = token?.after ?? ["", ""];
  const entries = listed.filter((entry) =>
    (token === undefined || entry.namespace > ns || (entry.namespace === ns && entry.name > name)) &&
    selection.matches(entry)
  );
  const metadata: ListMeta = { resourceVersion: String(version) };
  if (limit === 0 || entries.length <= limit) return { entries, metadata };
  const last = entries[limit - 1]!;
  metadata.continue = printContinue({ version, after: [last.namespace, last.name] });
  if (!query.get("labelSelector") && !query.get("fieldSelector")) {
    metadata.remainingItemCount = entries.length - limit;
  }
  return { entries: entries.slice(0, limit), metadata };
}

function listAt(
  cache: WatchCache,
  version: number,
  namespace: string | undefined,
  token: ContinueToken | undefined,
): readonly CacheEntry[] {
  try {
    return cache.listAt(version, namespace);
  } catch (cause) {
    if (!(cause instanceof StatusError) || cause.reason !== "Expired") throw cause;
    if (token === undefined) {
      throw new StatusError("Expired", `The provided resource version is too old. ${cause.message}`, {
        cause,
      });
    }
    const metadata = { continue: printContinue({ version: undefined, after: token.after }) };
    throw new StatusError("Expired", FORGOTTEN, { cause, metadata });
  }
}

/** The error for a resourceVersion from the future, such as one of another control plane. */
export function tooLarge(version: number, newest: number): StatusError {
  return new StatusError("Timeout", `Timeout: Too large resource version: ${version}, current: ${newest}`, {
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
  });
}

function printContinue({ version, after }: ContinueToken): string {
  const text = JSON.stringify({ v: "meta.k8s.io/v1", rv: version ?? -1, start: after });
  return new TextEncoder().encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}

function readContinue(text: string): ContinueToken {
  const bad = (why: string, cause?: unknown) =>
    new StatusError("BadRequest", `invalid continue token: continue key is not valid: ${why}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(
      new TextDecoder().decode(Uint8Array.fromBase64(text.slice(0, 4096), { alphabet: "base64url" })),
    );
  } catch (cause) {
    throw bad(cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (typeof value !== "object" || value === null || !("rv" in value) || !("start" in value)) {
    throw bad("it has no version and start");
  }
  const { rv, start } = value;
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv < -1 || rv === 0) {
    throw bad(`incorrect version ${rv}`);
  }
  if (!Array.isArray(start)) throw bad("start is no list");
  const [ns, name] = start;
  if (typeof ns !== "string" || typeof name !== "string") throw bad("start names no object");
  return { version: rv === -1 ? undefined : rv, after: [ns, name] };
}
