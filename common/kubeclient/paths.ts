import type { KubeObject } from "../api/meta_v1.ts";
import { StatusError } from "../errors/mod.ts";
import type { ObjectRef, PatchType, ResourceType, Selection } from "./types.ts";

/** Media types of patches on the wire. */
export const PATCH_MEDIA_TYPES: Readonly<Record<PatchType, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

/**
 * One segment of a path.
 * @throws {StatusError} BadRequest for a segment that would change which resource the path means
 */
function segment(what: string, value: string): string {
  if (value === "" || value === "." || value === ".." || /[/\\%\0]/.test(value) || value.length > 253) {
    throw new StatusError("BadRequest", `Cannot use ${JSON.stringify(value.slice(0, 260))} as ${what}`);
  }
  return encodeURIComponent(value);
}

/**
 * The path of a resource, within a namespace or over all of them.
 *
 *     path = ( "/api/" version / "/apis/" group "/" version ) [ "/namespaces/" namespace ] "/" resource
 *
 * @throws {StatusError} BadRequest
 */
export function resourcePath<T extends KubeObject>(type: ResourceType<T>, namespace?: string): string {
  const root = type.group === "" ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace ? `/namespaces/${segment("a namespace", namespace)}` : "";
  return `${root}${scope}/${type.resource}`;
}

/**
 * The path of an object or of its subresource.
 * @throws {StatusError} BadRequest, also when a namespaced object has no namespace
 */
export function objectPath<T extends KubeObject>(
  type: ResourceType<T>,
  ref: ObjectRef,
  subresource?: string,
): string {
  if (type.namespaced && !ref.namespace) {
    throw new StatusError(
      "BadRequest",
      `Cannot address ${type.kind} ${JSON.stringify(ref.name)}: no namespace`,
    );
  }
  const path = `${resourcePath(type, ref.namespace)}/${segment("a name", ref.name)}`;
  return subresource === undefined ? path : `${path}/${segment("a subresource", subresource)}`;
}

/** A query with a leading question mark; empty when every value is undefined. */
export function printQuery(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? "" : `?${query}`;
}

/** The part of a query that selects objects. */
export function selectionQuery(
  { labelSelector, fieldSelector }: Selection,
): Record<string, string | undefined> {
  return { labelSelector: labelSelector || undefined, fieldSelector: fieldSelector || undefined };
}
