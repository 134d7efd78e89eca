import { StatusError } from "../../../common/errors/mod.ts";
import { objectOf, type Registry } from "../registry.ts";
import { apiVersionOf, type ResourceDefinition, type StoredEntry } from "../resources/definition.ts";
import { type Matcher, parseFieldSelector, parseLabelSelector } from "../selectors.ts";
import type { CacheEntry } from "../storage/watch_cache.ts";
import type { OutputForm } from "./negotiate.ts";
import { type IncludeObject, type ListMeta, partialMetadata, printTable } from "./table_output.ts";

/** Which objects of a resource a list or watch is about. */
export interface Selection {
  namespace: string | undefined;
  matches(entry: CacheEntry): boolean;
}

/** Reads the selectors of a list or watch. @throws {StatusError} BadRequest */
export function readSelection(
  definition: ResourceDefinition,
  namespace: string | undefined,
  query: URLSearchParams,
  name?: string,
): Selection {
  const labels = query.get("labelSelector") ?? "";
  const fields = query.get("fieldSelector") ?? "";
  const byLabels = labels === "" ? undefined : parseLabelSelector(labels);
  const byFields = fields === "" ? undefined : parseFieldSelector(
    fields,
    knownFields(definition),
    definition.selectableFields !== undefined,
  );
  return {
    namespace,
    matches: (entry) =>
      (namespace === undefined || entry.namespace === namespace) &&
      (name === undefined || entry.name === name) &&
      (byLabels?.(entry.labels) ?? true) && matchesFields(byFields, entry),
  };
}

function matchesFields(byFields: Matcher | undefined, entry: CacheEntry): boolean {
  return byFields?.({
    ...entry.fields,
    "metadata.name": entry.name,
    "metadata.namespace": entry.namespace,
  }) ?? true;
}

function knownFields(definition: ResourceDefinition): Set<string> {
  const own = definition.selectableFields ?? [];
  return new Set(["metadata.name", ...(definition.namespaced ? ["metadata.namespace"] : []), ...own]);
}

/** An entry in the resource's own version. */
export function textOf(definition: ResourceDefinition, entry: StoredEntry): string {
  const { storedAs } = definition;
  if (storedAs === undefined || storedAs.isCurrent?.(entry)) return entry.text;
  const text = JSON.stringify(objectOf(definition, entry.text));
  if (text === entry.text) storedAs.foundCurrent?.(entry);
  return text;
}

/** Reads `includeObject`. @throws {StatusError} BadRequest */
export function readIncludeObject(query: URLSearchParams): IncludeObject {
  const value = query.get("includeObject") ?? "Metadata";
  if (value === "Metadata" || value === "None" || value === "Object") return value;
  throw new StatusError(
    "BadRequest",
    `unrecognized includeObject value: ${JSON.stringify(value.slice(0, 100))}`,
  );
}

/** One object, printed. */
export function printObject(
  definition: ResourceDefinition,
  entry: StoredEntry,
  form: OutputForm,
  query: URLSearchParams,
  now: number,
): string {
  if (form === "object") return textOf(definition, entry);
  const object = objectOf(definition, entry.text);
  if (form === "metadata") return JSON.stringify(partialMetadata(object));
  return printTable(definition, [entry.text], { resourceVersion: object.metadata.resourceVersion }, {
    include: readIncludeObject(query),
    now,
  });
}

interface ContinueToken {
  version: number;
  /** Namespace and name of the last object given. */
  after: [string, string];
}

/** A list, printed. */
export function printList(
  registry: Registry,
  definition: ResourceDefinition,
  selection: Selection,
  { query, form, now }: { query: URLSearchParams; form: OutputForm; now: number },
): string {
  const token = readContinue(query.get("continue"));
  const limit = readLimit(query.get("limit"));
  checkVersion(registry, query);
  let entries = registry.cache(definition).list(selection.namespace);
  if (token !== undefined) {
    const [ns, name] = token.after;
    entries = entries.filter((e) => e.namespace > ns || (e.namespace === ns && e.name > name));
  }
  entries = entries.filter(selection.matches);
  // Later pages carry the version of the first: whatever changed since then, a watch from there will tell.
  const version = token?.version ?? registry.version;
  const metadata: ListMeta = { resourceVersion: String(version) };
  if (limit > 0 && entries.length > limit) {
    const last = entries[limit - 1]!;
    metadata.continue = printContinue({ version, after: [last.namespace, last.name] });
    if (!query.get("labelSelector") && !query.get("fieldSelector")) {
      metadata.remainingItemCount = entries.length - limit;
    }
    entries = entries.slice(0, limit);
  }
  if (form === "table") {
    const texts = entries.map((entry) => entry.text);
    return printTable(definition, texts, metadata, { include: readIncludeObject(query), now });
  }
  if (form === "metadata") {
    const items = entries.map((entry) => partialMetadata(objectOf(definition, entry.text)));
    return JSON.stringify({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items,
    });
  }
  const head = JSON.stringify({
    kind: definition.listKind ?? `${definition.kind}List`,
    apiVersion: apiVersionOf(definition),
    metadata,
  });
  return `${head.slice(0, -1)},"items":[${entries.map((entry) => textOf(definition, entry)).join(",")}]}`;
}

function readLimit(text: string | null): number {
  if (text === null || text === "") return 0;
  if (!/^\d{1,9}$/.test(text)) {
    throw new StatusError("BadRequest", `Invalid value for limit: ${JSON.stringify(text.slice(0, 100))}`);
  }
  return Number(text);
}

/** Reads `resourceVersion` of a list: one that is newer than anything stored cannot be served. */
function checkVersion(registry: Registry, query: URLSearchParams): void {
  const text = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  if (text === "" || text === "0") return;
  const version = parseVersion(text);
  if (version > registry.version) throw tooLarge(version, registry.version);
  if (match === "Exact" && version !== registry.version) {
    throw new StatusError(
      "Expired",
      "The provided resource version is too old: only the newest state is kept",
    );
  }
}

/** Reads a resourceVersion. @throws {StatusError} BadRequest */
export function parseVersion(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new StatusError(
    "BadRequest",
    `Invalid value: ${JSON.stringify(text.slice(0, 100))}: invalid resource version`,
  );
}

/** The error for a resourceVersion from the future, such as one of another control plane. */
export function tooLarge(version: number, newest: number): StatusError {
  return new StatusError("Timeout", `Too large resource version: ${version}, current: ${newest}`, {
    details: {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    },
  });
}

function printContinue(token: ContinueToken): string {
  return new TextEncoder().encode(JSON.stringify(token)).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
}

function readContinue(text: string | null): ContinueToken | undefined {
  if (text === null || text === "") return undefined;
  const bad = (cause?: unknown) => new StatusError("BadRequest", "continue key is not valid", { cause });
  let value: unknown;
  try {
    value = JSON.parse(
      new TextDecoder().decode(Uint8Array.fromBase64(text.slice(0, 4096), { alphabet: "base64url" })),
    );
  } catch (cause) {
    throw bad(cause);
  }
  if (typeof value !== "object" || value === null || !("version" in value) || !("after" in value)) {
    throw bad();
  }
  const { version, after } = value;
  if (typeof version !== "number" || !Number.isSafeInteger(version) || !Array.isArray(after)) throw bad();
  const [ns, name] = after;
  if (typeof ns !== "string" || typeof name !== "string") throw bad();
  return { version, after: [ns, name] };
}
