import type { ApiObject } from "../object.ts";
import type { Cell, Column } from "../resources/definition.ts";
import { since } from "../resources/printing.ts";
import type { CrdColumn } from "./definition.ts";
import { followJsonPath, type JsonPath, parseJsonPath } from "./json_path.ts";

const NAME: Column = {
  name: "Name",
  format: "name",
  description:
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
};

const AGE: CrdColumn = {
  name: "Age",
  type: "date",
  description:
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  jsonPath: ".metadata.creationTimestamp",
};

/** The columns of a version and how they are filled: the name, then what the definition says, or the age where it says nothing. */
export function columnsOf(
  given: readonly CrdColumn[] = [],
): { columns: Column[]; row(object: ApiObject, now: number): Cell[] } {
  const own = given.length > 0 ? given : [AGE];
  const readers = own.map(({ type, jsonPath }): [string, JsonPath | undefined] => [
    type,
    parseJsonPath(jsonPath),
  ]);
  return {
    columns: [NAME, ...own.map(columnOf)],
    row: (object, now) => [
      object.metadata.name ?? "",
      ...readers.map(([type, path]) =>
        cellOf(type, path === undefined ? [] : followJsonPath(object, path), now)
      ),
    ],
  };
}

function columnOf({ name, type, format = "", description = "", priority = 0, jsonPath }: CrdColumn): Column {
  return {
    name,
    type: type as NonNullable<Column["type"]>,
    format,
    priority,
    description: description === ""
      ? `Custom resource definition column (in JSONPath format): ${jsonPath}`
      : description,
  };
}

/**
 * A cell out of what the path of its column leads to: the first value, if it is of the type of the column.
 * Upstream: k8s.io/apiextensions-apiserver pkg/registry/customresource/tableconvertor/tableconvertor.go @ v1.33
 */
function cellOf(type: string, found: readonly unknown[], now: number): Cell {
  const value = found[0];
  if (value === undefined || value === null) return type === "string" && found.length > 0 ? "<nil>" : null;
  switch (type) {
    case "string":
      return typeof value === "string"
        ? value
        : typeof value === "object"
        ? JSON.stringify(value)
        : String(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      if (typeof value !== "string") return null;
      if (value === "") return "<unknown>";
      return Number.isNaN(Date.parse(value)) ? "<invalid>" : since(value, now);
    default:
      return null;
  }
}
