import { StatusError } from "../../../common/errors/mod.ts";
import { objectOf, type Registry } from "../registry.ts";
import { apiVersionOf, type ResourceDefinition, type StoredEntry } from "../resources/definition.ts";
import { type Matcher, parseFieldSelector, parseLabelSelector } from "../selectors.ts";
import type { CacheEntry } from "../storage/watch_cache.ts";
import type { OutputForm } from "./negotiate.ts";
import { readPage } from "./paging.ts";
import { type IncludeObject, partialMetadata, printTable } from "./table_output.ts";

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
      (byLabels?.(entry.labels) ?? true) && matchesFields(byFields, entry, definition.fieldNames),
  };
}

function matchesFields(
  byFields: Matcher | undefined,
  entry: CacheEntry,
  names: ResourceDefinition["fieldNames"] = {},
): boolean {
  if (byFields === undefined) return true;
  const named = Object.entries(names).map(([name, field]) => [name, entry.fields?.[field] ?? ""]);
  return byFields({
    ...entry.fields,
    ...Object.fromEntries(named),
    "metadata.name": entry.name,
    "metadata.namespace": entry.namespace,
  });
}

function knownFields(definition: ResourceDefinition): Set<string> {
  const own = [...definition.selectableFields ?? [], ...Object.keys(definition.fieldNames ?? {})];
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
  const value = query.get("includeObject") || "Metadata";
  if (value === "Metadata" || value === "None" || value === "Object") return value;
  throw new StatusError(
    "BadRequest",
    `Unable to convert to Table as requested: includeObject: Invalid value: ${
      JSON.stringify(value.slice(0, 100))
    }: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

/** One object, printed. */
export function printObject(
  definition: ResourceDefinition,
  entry: StoredEntry,
  form: OutputForm,
  query: URLSearchParams,
  now: number,
  { columns = true }: { columns?: boolean } = {},
): string {
  if (form === "object") return textOf(definition, entry);
  const object = objectOf(definition, entry.text);
  if (form === "metadata") return JSON.stringify(partialMetadata(object));
  return printTable(definition, [entry.text], { resourceVersion: object.metadata.resourceVersion }, {
    include: readIncludeObject(query),
    now,
    columns,
  });
}

/** A list, printed in pieces: of objects as they are, each when it is asked for, since a list may be very long. */
export function printList(
  registry: Registry,
  definition: ResourceDefinition,
  selection: Selection,
  { query, form, now }: { query: URLSearchParams; form: OutputForm; now: number },
): Iterable<string> {
  const { entries, metadata } = readPage(registry.cache(definition), registry.version, selection, query);
  if (form === "table") {
    const texts = entries.map((entry) => entry.text);
    return [printTable(definition, texts, metadata, { include: readIncludeObject(query), now })];
  }
  if (form === "metadata") {
    const items = entries.map((entry) => partialMetadata(objectOf(definition, entry.text)));
    return [JSON.stringify({
      kind: "PartialObjectMetadataList",
      apiVersion: "meta.k8s.io/v1",
      metadata,
      items,
    })];
  }
  const head = JSON.stringify({
    kind: definition.listKind ?? `${definition.kind}List`,
    apiVersion: apiVersionOf(definition),
    metadata,
  });
  return listPieces(`${head.slice(0, -1)},"items":[`, definition, entries);
}

function* listPieces(
  head: string,
  definition: ResourceDefinition,
  entries: readonly CacheEntry[],
): Generator<string> {
  yield head;
  let separator = "";
  for (const entry of entries) {
    yield separator + itemOf(definition, textOf(definition, entry));
    separator = ",";
  }
  yield "]}";
}

/** The text of an object as an item of a list: what the list says of all is left out, but custom objects say it themselves. */
function itemOf(definition: ResourceDefinition, text: string): string {
  if (definition.custom !== undefined) return text;
  const head = `{"apiVersion":${JSON.stringify(apiVersionOf(definition))},"kind":${
    JSON.stringify(definition.kind)
  },`;
  return text.startsWith(head) ? `{${text.slice(head.length)}` : text;
}
