import type { ResourceDefinition } from "../resources/definition.ts";
import { SCHEMA, type StructSchema, type TypeSchema } from "../schema/schema.ts";
import { ATOMIC, type MergeType } from "./merge_type.ts";
import { compareText } from "./path_element.ts";

const structs = new Map<string, MergeType>();

/**
 * How objects of a resource are merged: as its definition says, or else as the struct in the schema does.
 * Upstream: k8s.io/kube-openapi pkg/schemaconv
 */
export function mergeTypeOf(definition: Pick<ResourceDefinition, "schema" | "mergeType">): MergeType {
  return definition.mergeType?.() ?? structType(definition.schema);
}

/** How a struct of the schema is merged. */
export function structType(name: string, granular = false): MergeType {
  const key = granular ? `${name} granular` : name;
  let type = structs.get(key);
  if (type === undefined) structs.set(key, type = makeStructType(SCHEMA[name], granular));
  return type;
}

function makeStructType(struct: StructSchema | undefined, granular: boolean): MergeType {
  if (struct === undefined || (struct.atomic && !granular)) return ATOMIC;
  // Types refer to each other and to themselves, so the fields are looked up when they are asked for.
  const fields = new Map<string, MergeType>();
  return {
    kind: "map",
    field: (name) => {
      let type = fields.get(name);
      if (type !== undefined || !Object.hasOwn(struct.fields, name)) return type;
      type = schemaType(struct.fields[name]!, struct.granular?.includes(name));
      fields.set(name, type);
      return type;
    },
    ...(struct.zeros === undefined ? {} : { zeros: struct.zeros }),
  };
}

/** How a value of the schema is merged. */
export function schemaType(schema: TypeSchema, granular = false): MergeType {
  if (typeof schema === "string") {
    return schema.startsWith("@") ? structType(schema.slice(1), granular) : ATOMIC;
  }
  if ("map" in schema) {
    if (schema.atomic) return ATOMIC;
    const value = schemaType(schema.map);
    return { kind: "map", field: () => value, isEntry: () => true };
  }
  if (schema.kind === "set") return { kind: "set" };
  if (schema.kind !== "map") return ATOMIC;
  const keys = [...schema.keys ?? []].sort(compareText);
  return { kind: "keyed", keys, defaults: keyDefaults(schema.list, keys), item: schemaType(schema.list) };
}

/** What keys are taken to be where an item leaves them out: their published default, or the zero they always have. */
function keyDefaults(item: TypeSchema, keys: readonly string[]): Record<string, string | number | boolean> {
  const struct = typeof item === "string" && item.startsWith("@") ? SCHEMA[item.slice(1)] : undefined;
  const defaults: Record<string, string | number | boolean> = {};
  for (const key of keys) {
    const value = struct?.defaults?.[key] ?? struct?.zeros?.[key];
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
      defaults[key] = value;
    }
  }
  return defaults;
}
