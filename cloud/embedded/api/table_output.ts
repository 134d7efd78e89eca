import type { ApiObject } from "../object.ts";
import { objectOf } from "../registry.ts";
import type { Column, ResourceDefinition } from "../resources/definition.ts";

/** What `includeObject` asks a table to carry beside the cells. */
export type IncludeObject = "Metadata" | "None" | "Object";

/** `metadata` of a list. */
export interface ListMeta {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

/**
 * Objects as the table that `kubectl get` prints.
 * Upstream: k8s.io/apimachinery pkg/apis/meta/v1/types.go (Table) @ v1.32
 */
export function printTable(
  definition: ResourceDefinition,
  texts: readonly string[],
  metadata: ListMeta,
  { include = "Metadata", now, columns = true }: { include?: IncludeObject; now: number; columns?: boolean },
): string {
  const columnDefinitions = definition.columns.map((column) => {
    const { name, type = "string", format = "", description = describe(column), wide } = column;
    return { name, type, format, description, priority: column.priority ?? (wide ? 1 : 0) };
  });
  const rows = texts.map((text) => {
    const object = objectOf(definition, text);
    const cells = JSON.stringify(definition.row(object, now));
    const carried = include === "None"
      ? "null"
      : include === "Object"
      ? JSON.stringify(object)
      : JSON.stringify(partialMetadata(object));
    return `{"cells":${cells},"object":${carried}}`;
  });
  return `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":${
    JSON.stringify(metadata)
  },"columnDefinitions":${JSON.stringify(columns ? columnDefinitions : null)},"rows":[${rows.join(",")}]}`;
}

/** What a column shows, where its definition does not say. */
function describe({ name, format }: Pick<Column, "name" | "format">): string {
  if (format === "name") return "Name of the object, of which there is one in a namespace.";
  return name === "Age" ? "Time since the object was created." : `${name} of the object.`;
}

/** The metadata of an object as an object of its own. */
export function partialMetadata({ metadata }: ApiObject): ApiObject {
  return { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };
}
