/**
 * Makes `kubernetes_v1_32.json` out of the OpenAPI v3 documents that a Kubernetes release publishes, and the protobuf tags of
 * its Go types: names, types, numbers, keys of lists and patch strategies of the fields, nothing else. Run by hand when a
 * resource is added:
 *
 *     deno run -R -W=cloud/embedded/schema cloud/embedded/schema/generate.ts \
 *       <k8s.io/kubernetes>/api/openapi-spec/v3 <k8s.io/api> <k8s.io/apimachinery>
 *     deno fmt cloud/embedded/schema
 *
 * @module
 */
import type { SchemaData, StructSchema, TypeSchema } from "./schema.ts";

/** Documents read, and the kinds whose types (with all they refer to) are kept. */
const ROOTS: Readonly<Record<string, readonly string[]>> = {
  "api__v1_openapi.json": [
    "core.v1.Namespace",
    "core.v1.Node",
    "core.v1.Pod",
    "core.v1.ConfigMap",
    "core.v1.Secret",
    "core.v1.ServiceAccount",
    "core.v1.Event",
    "core.v1.Service",
    "core.v1.Endpoints",
    "core.v1.PersistentVolume",
    "core.v1.PersistentVolumeClaim",
    "core.v1.Binding",
    "authentication.v1.TokenRequest",
    "policy.v1.Eviction",
    "autoscaling.v1.Scale",
    "meta.v1.DeleteOptions",
    "meta.v1.Status",
  ],
  "apis__apps__v1_openapi.json": [
    "apps.v1.Deployment",
    "apps.v1.ReplicaSet",
    "apps.v1.DaemonSet",
    "apps.v1.StatefulSet",
    "apps.v1.ControllerRevision",
  ],
  "apis__batch__v1_openapi.json": ["batch.v1.Job", "batch.v1.CronJob"],
  "apis__coordination.k8s.io__v1_openapi.json": ["coordination.v1.Lease"],
  "apis__discovery.k8s.io__v1_openapi.json": ["discovery.v1.EndpointSlice"],
  "apis__events.k8s.io__v1_openapi.json": ["events.v1.Event"],
  "apis__authentication.k8s.io__v1_openapi.json": [
    "authentication.v1.SelfSubjectReview",
    "authentication.v1.TokenReview",
  ],
  "apis__authorization.k8s.io__v1_openapi.json": [
    "authorization.v1.LocalSubjectAccessReview",
    "authorization.v1.SelfSubjectAccessReview",
    "authorization.v1.SubjectAccessReview",
    "authorization.v1.SelfSubjectRulesReview",
  ],
  "apis__policy__v1_openapi.json": ["policy.v1.PodDisruptionBudget"],
  "apis__rbac.authorization.k8s.io__v1_openapi.json": [
    "rbac.v1.ClusterRole",
    "rbac.v1.ClusterRoleBinding",
    "rbac.v1.Role",
    "rbac.v1.RoleBinding",
  ],
  "apis__scheduling.k8s.io__v1_openapi.json": ["scheduling.v1.PriorityClass"],
};

interface OpenApi {
  $ref?: string;
  allOf?: OpenApi[];
  oneOf?: OpenApi[];
  type?: string;
  format?: string;
  items?: OpenApi;
  properties?: Record<string, OpenApi>;
  additionalProperties?: OpenApi;
  required?: string[];
  default?: unknown;
  "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  "x-kubernetes-patch-strategy"?: string;
}

function shortName(name: string): string {
  return name.replace(/^.*#\/components\/schemas\//, "").replace(
    /^io\.k8s\.(api|apimachinery\.pkg\.apis)\./,
    "",
  );
}

const SCALARS: Readonly<Record<string, TypeSchema>> = {
  "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intOrString",
  "meta.v1.Time": "time",
  "meta.v1.MicroTime": "microTime",
  "meta.v1.FieldsV1": "object",
  "io.k8s.apimachinery.pkg.runtime.RawExtension": "object",
};

function typeOf(schema: OpenApi): TypeSchema {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (ref !== undefined) {
    const name = shortName(ref);
    return SCALARS[name] ?? `@${name}`;
  }
  switch (schema.type) {
    case "string":
      return schema.format === "byte" ? "bytes" : "string";
    case "boolean":
      return "boolean";
    case "integer":
      return schema.format === "int64" ? "int64" : "int32";
    case "number":
      return "number";
    case "array": {
      const list: Extract<TypeSchema, { list: TypeSchema }> = { list: typeOf(schema.items ?? {}) };
      const kind = schema["x-kubernetes-list-type"];
      if (kind !== undefined && kind !== "atomic") list.kind = kind;
      const keys = schema["x-kubernetes-list-map-keys"];
      if (keys !== undefined) list.keys = keys;
      const strategy = schema["x-kubernetes-patch-strategy"];
      if (strategy !== undefined) list.patch = strategy;
      const mergeKey = schema["x-kubernetes-patch-merge-key"];
      if (mergeKey !== undefined) list.mergeKey = mergeKey;
      return list;
    }
    case "object":
      return schema.additionalProperties === undefined ? "object" : {
        map: typeOf(schema.additionalProperties),
        ...(schema["x-kubernetes-map-type"] === "atomic" ? { atomic: true } : {}),
      };
    default:
      return "object";
  }
}

function structOf(schema: OpenApi): StructSchema {
  const fields: StructSchema["fields"] = {};
  const defaults: Record<string, unknown> = {};
  const replace: Record<string, string> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    fields[name] = typeOf(field);
    const strategy = field["x-kubernetes-patch-strategy"];
    if (strategy !== undefined && field.type !== "array") replace[name] = strategy;
    const value = field.default;
    if (value !== undefined && value !== "" && value !== 0 && value !== false && typeof value !== "object") {
      defaults[name] = value;
    }
  }
  const struct: StructSchema = { fields };
  if (schema.required !== undefined) struct.required = schema.required;
  if (Object.keys(defaults).length > 0) struct.defaults = defaults;
  if (Object.keys(replace).length > 0) struct.patch = replace;
  if (schema["x-kubernetes-map-type"] === "atomic") struct.atomic = true;
  const granular = Object.entries(schema.properties ?? {})
    .filter(([, field]) => field["x-kubernetes-map-type"] === "granular").map(([name]) => name);
  if (granular.length > 0) struct.granular = granular;
  return struct;
}

function refsOf(type: TypeSchema): string[] {
  if (typeof type === "string") return type.startsWith("@") ? [type.slice(1)] : [];
  return refsOf("list" in type ? type.list : type.map);
}

/** A field of a Go struct with its protobuf number. */
interface GoField {
  type: string;
  pointer: boolean;
  /** Whether JSON leaves out its zero. */
  omitEmpty: boolean;
  /** Empty for a struct that is inlined in JSON. */
  json: string;
  number: string;
}

/** The structs of a Go file that have protobuf tags. */
function parseGoStructs(source: string): Map<string, GoField[]> {
  const structs = new Map<string, GoField[]>();
  for (const [, name = "", body = ""] of source.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const fields: GoField[] = [];
    for (const line of body.split("\n")) {
      const tag = /^\s*(?:\w+\s+)?(\*?)(\S+)\s+`(?=.*json:"([^",]*)([^"]*))(?=.*protobuf:"\w+,(\d+))/.exec(
        line,
      );
      if (tag === null) continue;
      const omitEmpty = tag[4]!.includes("omitempty");
      fields.push({ pointer: tag[1] === "*", type: tag[2]!, json: tag[3]!, omitEmpty, number: tag[5]! });
    }
    structs.set(name, fields);
  }
  return structs;
}

/** Structs of Go that are no objects in JSON, with the JSON of their zero. */
const SCALAR_STRUCTS: Readonly<Record<string, unknown>> = {
  time: null,
  microTime: null,
  object: null,
  quantity: "0",
  intOrString: 0,
};

/** What JSON has for a field of Go's zero struct; undefined when it leaves the field out. */
function zeroOf(type: TypeSchema, { pointer, omitEmpty }: GoField): unknown {
  if (pointer) return omitEmpty ? undefined : null;
  if (typeof type === "string" && type.startsWith("@")) return {};
  if (typeof type === "string" && Object.hasOwn(SCALAR_STRUCTS, type)) return SCALAR_STRUCTS[type];
  if (omitEmpty) return undefined;
  switch (type) {
    case "string":
      return "";
    case "boolean":
      return false;
    case "int32":
    case "int64":
    case "number":
      return 0;
    default:
      return null;
  }
}

/** Adds the protobuf numbers and the zeros to the structs of one Go package, and the structs that JSON inlines. */
function addWire(out: SchemaData, prefix: string, structs: ReadonlyMap<string, GoField[]>): void {
  const add = (name: string, target: StructSchema) => {
    const wire: Record<string, string> = {};
    for (const { type, pointer, json, number } of structs.get(name) ?? []) {
      if (json !== "") {
        if (Object.hasOwn(target.fields, json)) wire[number] = pointer ? `${json}*` : json;
        continue;
      }
      const inlined = type.replace(/^.*\./, "");
      wire[number] = `+${prefix}${inlined}`;
      const fields = Object.fromEntries(
        Object.entries(target.fields).filter(([field]) => has(inlined, field)),
      );
      add(inlined, out[`${prefix}${inlined}`] ??= { fields });
    }
    target.wire = wire;
    const zeros: Record<string, unknown> = {};
    for (const field of flattened(name)) {
      const type = target.fields[field.json];
      const zero = type === undefined ? undefined : zeroOf(type, field);
      if (zero !== undefined) zeros[field.json] = zero;
    }
    if (Object.keys(zeros).length > 0) target.zeros = zeros;
  };
  const flattened = (name: string): GoField[] =>
    structs.get(name)?.flatMap((f) => f.json === "" ? flattened(f.type.replace(/^.*\./, "")) : [f]) ?? [];
  const has = (name: string, field: string): boolean =>
    structs.get(name)?.some((f) => f.json === field || (f.json === "" && has(f.type, field))) ?? false;
  for (const name of structs.keys()) {
    const struct = out[`${prefix}${name}`];
    if (struct !== undefined) add(name, struct);
  }
}

if (import.meta.main) {
  const [dir, api, machinery] = Deno.args;
  if (dir === undefined || api === undefined || machinery === undefined) {
    throw new TypeError(
      "Cannot generate: name the openapi-spec/v3 directory, k8s.io/api and k8s.io/apimachinery",
    );
  }
  const out: SchemaData = {};
  for (const [file, roots] of Object.entries(ROOTS)) {
    const document: { components: { schemas: Record<string, OpenApi> } } = JSON.parse(
      await Deno.readTextFile(`${dir}/${file}`),
    );
    const byName = new Map(Object.entries(document.components.schemas).map(([k, v]) => [shortName(k), v]));
    const todo = [...roots];
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (out[name] !== undefined) continue;
      const schema = byName.get(name);
      if (schema === undefined) throw new TypeError(`Cannot generate: ${file} has no ${name}`);
      const struct = out[name] = structOf(schema);
      todo.push(...Object.values(struct.fields).flatMap(refsOf));
    }
  }
  for (
    const group of [
      "core",
      "apps",
      "authentication",
      "authorization",
      "autoscaling",
      "batch",
      "coordination",
      "discovery",
      "events",
      "policy",
      "rbac",
      "scheduling",
    ]
  ) {
    addWire(out, `${group}.v1.`, parseGoStructs(await Deno.readTextFile(`${api}/${group}/v1/types.go`)));
  }
  addWire(out, "meta.v1.", parseGoStructs(await Deno.readTextFile(`${machinery}/pkg/apis/meta/v1/types.go`)));
  const lines = Object.keys(out).sort().map((name) => `${JSON.stringify(name)}:${JSON.stringify(out[name])}`);
  await Deno.writeTextFile(
    new URL("./kubernetes_v1_32.json", import.meta.url),
    `{\n${lines.join(",\n")}\n}\n`,
  );
}
