import type { JsonObject } from "../object.ts";
import type { CustomOpenApi } from "../resources/definition.ts";
import { type Crd, type CrdVersion, schemaOf } from "./definition.ts";
import { itemsOf, type JsonSchema, keepsUnknown, valuesOf } from "./schema/json_schema.ts";

const API_VERSION =
  "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND =
  "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const METADATA =
  "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/** The keywords that are published, besides those of kubectl's own. */
const KEYWORDS = [
  "type",
  "description",
  "title",
  "format",
  "default",
  "enum",
  "required",
  "maximum",
  "exclusiveMaximum",
  "minimum",
  "exclusiveMinimum",
  "multipleOf",
  "maxLength",
  "minLength",
  "pattern",
  "maxItems",
  "minItems",
  "maxProperties",
  "minProperties",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
] as const satisfies ReadonlyArray<keyof JsonSchema>;

/**
 * What OpenAPI documents say of a version: its name there, and its schema with the fields that every object has.
 * Upstream: k8s.io/apiextensions-apiserver pkg/controller/openapi/builder/builder.go @ v1.33
 */
export function customOpenApi({ spec: { group }, status }: Crd, version: CrdVersion): CustomOpenApi {
  const { kind } = status.acceptedNames;
  return {
    name: `${group.split(".").reverse().join(".")}.${version.name}.${kind}`,
    schema: (form, metadata) => {
      const printed = printSchema({ ...schemaOf(version), type: "object" }, form);
      return {
        ...printed,
        properties: {
          ...printed.properties as JsonObject | undefined,
          apiVersion: { description: API_VERSION, type: "string" },
          kind: { description: KIND, type: "string" },
          metadata: { description: METADATA, ...metadata },
        },
      };
    },
  };
}

function printSchema(schema: JsonSchema, form: "v2" | "v3"): JsonObject {
  const printed: JsonObject = {};
  for (const key of KEYWORDS) if (schema[key] !== undefined) printed[key] = schema[key];
  const items = itemsOf(schema);
  const values = valuesOf(schema);
  if (items !== undefined) printed.items = printSchema(items, form);
  if (values !== undefined) printed.additionalProperties = printSchema(values, form);
  else if (schema.additionalProperties !== undefined) {
    printed.additionalProperties = schema.additionalProperties;
  }
  if (schema.properties !== undefined) {
    printed.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, field]) => [name, printSchema(field, form)]),
    );
  }
  if (form === "v2") return simplify(printed, schema);
  if (schema.nullable) printed.nullable = true;
  for (const key of ["anyOf", "allOf", "oneOf"] as const) {
    if (schema[key] !== undefined) printed[key] = schema[key].map((one) => printSchema(one, form));
  }
  if (schema.not !== undefined) printed.not = printSchema(schema.not, form);
  return printed;
}

/** What the second version of OpenAPI, and those who read it, do not know is left out. Upstream: pkg/controller/openapi/v2/conversion.go @ v1.33 */
function simplify(printed: JsonObject, schema: JsonSchema): JsonObject {
  delete printed.default;
  if (schema.nullable || keepsUnknown(schema)) {
    delete printed.items;
    delete printed.properties;
  }
  if (schema.nullable || (keepsUnknown(schema) && printed.type === "object")) delete printed.type;
  if (printed.items === undefined && printed.type === "array") delete printed.type;
  const nullable = Object.entries(schema.properties ?? {}).filter(([, field]) => field.nullable);
  if (Array.isArray(printed.required) && nullable.length > 0) {
    printed.required = printed.required.filter((name) => !nullable.some(([field]) => field === name));
  }
  if (valuesOf(schema)?.nullable) delete printed.required;
  return printed;
}
