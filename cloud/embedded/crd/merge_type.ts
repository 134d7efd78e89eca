import { ATOMIC, DEDUCED, type MergeType } from "../apply/merge_type.ts";
import { hasField, itemsOf, type JsonSchema, keepsUnknown, valuesOf } from "./schema/json_schema.ts";

/** Type of metadata of every object; what it consists of is merged as the built-in objects' is. */
const METADATA_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    annotations: { type: "object", additionalProperties: { type: "string" } },
    labels: { type: "object", additionalProperties: { type: "string" } },
    finalizers: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
    ownerReferences: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["uid"],
      items: { type: "object", "x-kubernetes-map-type": "atomic" },
    },
    managedFields: { type: "array" },
    ...Object.fromEntries(
      [
        "name",
        "namespace",
        "generateName",
        "uid",
        "resourceVersion",
        "selfLink",
        "creationTimestamp",
        "deletionTimestamp",
      ].map((name) => [name, { type: "string" }]),
    ),
    generation: { type: "integer" },
    deletionGracePeriodSeconds: { type: "integer" },
  },
};

/** How server-side apply merges the objects of a version. Upstream: k8s.io/kube-openapi pkg/schemaconv/openapi.go @ v1.33 */
export function mergeTypeOf(schema: JsonSchema | undefined): MergeType {
  return typeOf({
    ...schema,
    type: "object",
    "x-kubernetes-embedded-resource": true,
  });
}

function typeOf(schema: JsonSchema | undefined): MergeType {
  if (schema === undefined) return DEDUCED;
  const items = itemsOf(schema);
  switch (schema.type) {
    case "object":
      return objectType(schema);
    case "array":
      switch (schema["x-kubernetes-list-type"]) {
        case "set":
          return { kind: "set" };
        case "map":
          return {
            kind: "keyed",
            keys: schema["x-kubernetes-list-map-keys"] ?? [],
            ...keyDefaults(schema),
            item: typeOf(items),
          };
      }
      return ATOMIC;
    default:
      return keepsUnknown(schema) ? DEDUCED : ATOMIC;
  }
}

function objectType(schema: JsonSchema): MergeType {
  if (schema["x-kubernetes-map-type"] === "atomic") return ATOMIC;
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  const values = valuesOf(schema);
  const known = Object.keys(schema.properties ?? {}).length > 0 || embedded;
  if (!known && values === undefined) {
    return keepsUnknown(schema) ? DEDUCED : { kind: "map", field: () => undefined };
  }
  return {
    kind: "map",
    field: (name) => {
      if (embedded && (name === "apiVersion" || name === "kind")) return ATOMIC;
      if (embedded && name === "metadata") return typeOf(METADATA_SCHEMA);
      if (hasField(schema, name)) return typeOf(schema.properties![name]);
      if (values !== undefined) return typeOf(values);
      return keepsUnknown(schema) ? DEDUCED : undefined;
    },
    isEntry: (name) =>
      !hasField(schema, name) && !(embedded && ["apiVersion", "kind", "metadata"].includes(name)),
  };
}

/** Defaults of the keys of a map list, for items that leave them out. */
function keyDefaults(schema: JsonSchema): { defaults?: Record<string, string | number | boolean> } {
  const items = itemsOf(schema);
  const defaults: Record<string, string | number | boolean> = {};
  for (const key of schema["x-kubernetes-list-map-keys"] ?? []) {
    const value = items !== undefined && hasField(items, key) ? items.properties![key]!.default : undefined;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      defaults[key] = value;
    }
  }
  return Object.keys(defaults).length > 0 ? { defaults } : {};
}
