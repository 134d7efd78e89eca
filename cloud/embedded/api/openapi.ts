import { StatusError } from "../../../common/errors/mod.ts";
import { type JsonObject, objectAt } from "../object.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { noSuchPath } from "../resources/errors.ts";
import type { ResourceTable } from "../resources/table.ts";
import { SCHEMA, type StructSchema, type TypeSchema } from "../schema/schema.ts";
import { REVIEWS } from "./discovery.ts";
import { parseAccept } from "./negotiate.ts";
import { printOpenApiV2, V2_PROTOBUF } from "./openapi_protobuf.ts";

const INFO = { title: "Kubernetes", version: "v1.32.4" } as const;

/** What a document needs to know of a resource. */
type Described =
  & Pick<
    ResourceDefinition,
    | "group"
    | "version"
    | "resource"
    | "kind"
    | "namespaced"
    | "schema"
    | "custom"
    | "listKind"
    | "status"
    | "scale"
  >
  & { /** Whether it is asked and not stored. */ review?: true };

const REVIEWED: readonly Described[] = REVIEWS.map((
  { group, version, resource, kind, namespaced = false },
) => ({
  group,
  version,
  resource,
  kind,
  namespaced,
  schema: `${group.split(".")[0]}.${version}.${kind}`,
  review: true,
}));

const PREFIX: Readonly<Record<"v2" | "v3", string>> = { v2: "#/definitions/", v3: "#/components/schemas/" };

/** The types and paths of the API as OpenAPI documents, made when they are asked for: clients keep them by their hash. */
export class OpenApi {
  readonly #table: ResourceTable;
  #hashes = { changes: -1, byPath: new Map<string, string>() };

  constructor(table: ResourceTable) {
    this.#table = table;
  }

  #described(): Described[] {
    return [...this.#table.all(), ...REVIEWED];
  }

  /** Answers `/openapi/…`; 304 to who has the newest. @throws {StatusError} NotFound, NotAcceptable */
  answer(path: string, headers: Headers): Response {
    const accept = headers.get("accept");
    if (path === "/openapi/v2") {
      const types = parseAccept(accept).map(({ type }) => type);
      if (types.includes("application/json") || types.includes("*/*") || types.includes("application/*")) {
        return json(this.documentV2());
      }
      if (types.includes(V2_PROTOBUF)) {
        // "@" is no character of a media type, so the answer is named without it.
        return new Response(printOpenApiV2(this.documentV2()), {
          headers: { "content-type": V2_PROTOBUF.replace("@", ".") },
        });
      }
      throw new StatusError("NotAcceptable", "only the following media types are accepted: application/json");
    }
    if (path === "/openapi/v3") {
      const paths: JsonObject = {};
      for (const { group, version } of this.#versions()) {
        const at = group === "" ? `api/${version}` : `apis/${group}/${version}`;
        paths[at] = { serverRelativeURL: `/openapi/v3/${at}?hash=${this.#hashOf(at, group, version)}` };
      }
      return json({ paths });
    }
    const match = /^\/openapi\/v3\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(path);
    const [group, version] = [match?.[1] ?? "", match?.[2]];
    const definitions = this.#described().filter((d) => d.group === group && d.version === version);
    if (match === null || definitions.length === 0) throw noSuchPath();
    const etag = `"${this.#hashOf(path.slice("/openapi/v3/".length), group, version ?? "")}"`;
    if (headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers: { etag } });
    const response = json(this.#documentV3(definitions));
    response.headers.set("etag", etag);
    return response;
  }

  /** A hash that changes with the types of a version, so that clients fetch its document once. */
  #hashOf(path: string, group: string, version: string): string {
    const { changes } = this.#table;
    if (this.#hashes.changes !== changes) this.#hashes = { changes, byPath: new Map() };
    const known = this.#hashes.byPath.get(path);
    if (known !== undefined) return known;
    const custom = this.#table.all().filter((d) => d.group === group && d.version === version && d.custom);
    const hash = hashOf([path, ...custom.map((d) => `${d.resource} ${hashOfType(d)}`)].join("\n"));
    this.#hashes.byPath.set(path, hash);
    return hash;
  }

  #versions(): Array<{ group: string; version: string }> {
    const seen = new Set<string>();
    return this.#described().filter(({ group, version }) => {
      const key = `${group}/${version}`;
      return !seen.has(key) && seen.add(key);
    });
  }

  #documentV3(definitions: readonly Described[]): JsonObject {
    return {
      openapi: "3.0.0",
      info: INFO,
      paths: Object.fromEntries(definitions.flatMap((d) => pathsOf(d, "v3"))),
      components: { schemas: schemasOf(definitions, "v3") },
    };
  }

  /** The document of all types in the second version of OpenAPI. */
  documentV2(): JsonObject {
    const definitions = this.#described();
    return {
      swagger: "2.0",
      info: INFO,
      paths: Object.fromEntries(definitions.flatMap((d) => pathsOf(d, "v2"))),
      definitions: schemasOf(definitions, "v2"),
    };
  }
}

function json(value: object): Response {
  return new Response(JSON.stringify(value), {
    headers: { "content-type": "application/json", "cache-control": "no-cache, private" },
  });
}

/** A hash that changes with the schema, so that clients fetch a document once. */
function hashOf(path: string): string {
  let hash = 0xcbf29ce484222325n;
  for (
    const text of [
      path,
      INFO.version,
      JSON.stringify(SCHEMA["core.v1.PodSpec"]),
      String(Object.keys(SCHEMA).length),
    ]
  ) {
    for (let i = 0; i < text.length; i++) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
    }
  }
  return hash.toString(16).toUpperCase();
}

/** A hash of the schema of a custom type. */
function hashOfType({ custom }: Described): string {
  const text = JSON.stringify(custom?.openApi.schema("v3", {}));
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  return `${(a >>> 0).toString(16)}${(b >>> 0).toString(16)}`;
}

/** Name of the schema of a resource's objects. */
function schemaName({ custom, schema }: Described): string {
  return custom?.openApi.name ?? fullName(schema);
}

function fullName(name: string): string {
  if (name.startsWith("apiextensions.")) return `io.k8s.apiextensions-apiserver.pkg.apis.${name}`;
  if (name.startsWith("meta.")) return `io.k8s.apimachinery.pkg.apis.${name}`;
  return name.startsWith("reliablesyncs.") ? `io.kubeedge.${name}` : `io.k8s.api.${name}`;
}

function pathsOf(definition: Described, form: "v2" | "v3"): Array<[string, JsonObject]> {
  const { group, version, resource, kind, namespaced } = definition;
  const base = `${group === "" ? "/api" : `/apis/${group}`}/${version}${
    namespaced ? "/namespaces/{namespace}" : ""
  }/${resource}`;
  const gvk = { group, version, kind };
  const ref = { $ref: PREFIX[form] + schemaName(definition) };
  const responses = {
    "200": {
      description: "OK",
      ...(form === "v2" ? { schema: ref } : { content: { "application/json": { schema: ref } } }),
    },
  };
  const parameter = (name: string, at = "query") => ({
    name,
    in: at,
    ...(at === "path" ? { required: true } : {}),
    ...(form === "v2"
      ? { type: "string", uniqueItems: true }
      : { schema: { type: "string", uniqueItems: true } }),
  });
  const operation = (action: string, id: string, written: boolean) => ({
    operationId: `${id}${group.split(".")[0]}${version}${namespaced ? "Namespaced" : ""}${kind}`,
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": gvk,
    parameters: written ? ["dryRun", "fieldManager", "fieldValidation"].map((name) => parameter(name)) : [],
    responses,
  });
  const common = namespaced ? [parameter("namespace", "path")] : [];
  if (definition.review) return [[base, { post: operation("post", "create", true), parameters: common }]];
  const paths: Array<[string, JsonObject]> = [
    [base, {
      get: operation("list", "list", false),
      post: operation("post", "create", true),
      parameters: common,
    }],
    [`${base}/{name}`, {
      get: operation("get", "read", false),
      put: operation("put", "replace", true),
      patch: operation("patch", "patch", true),
      delete: operation("delete", "delete", false),
      parameters: [...common, parameter("name", "path")],
    }],
  ];
  if (definition.custom === undefined) return paths;
  if (namespaced) {
    paths.push([`/apis/${group}/${version}/${resource}`, { get: operation("list", "listAll", false) }]);
  }
  for (const name of ["status", "scale"] as const) {
    if (definition[name] === undefined) continue;
    paths.push([`${base}/{name}/${name}`, {
      get: operation("get", `read${name}`, false),
      put: operation("put", `replace${name}`, true),
      patch: operation("patch", `patch${name}`, true),
      parameters: [...common, parameter("name", "path")],
    }]);
  }
  return paths;
}

function schemasOf(definitions: readonly Described[], form: "v2" | "v3"): JsonObject {
  const kinds = new Map<string, Described>(definitions.map((d) => [d.schema, d]));
  const schemas: JsonObject = {};
  const seen = new Set<string>();
  const custom = definitions.filter((d) => d.custom !== undefined);
  const todo = [...kinds.keys(), ...(custom.length > 0 ? ["meta.v1.ObjectMeta", "meta.v1.ListMeta"] : [])];
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    const struct = SCHEMA[name];
    if (struct === undefined || seen.has(name)) continue;
    seen.add(name);
    const schema = printStruct(struct, form);
    const kind = kinds.get(name);
    if (kind !== undefined) {
      schema["x-kubernetes-group-version-kind"] = [{
        group: kind.group,
        version: kind.version,
        kind: kind.kind,
      }];
    }
    schemas[fullName(name)] = schema;
    todo.push(...Object.values(struct.fields).flatMap(refsOf));
  }
  for (const definition of custom) Object.assign(schemas, customSchemas(definition, form));
  return schemas;
}

const CONVENTIONS =
  "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";

/** The schemas of a custom type and of lists of it. */
function customSchemas(definition: Described, form: "v2" | "v3"): JsonObject {
  const { group, version, kind, listKind = `${kind}List`, resource } = definition;
  const meta = (name: string) => printType(`@meta.v1.${name}`, form) as JsonObject;
  const name = schemaName(definition);
  const list = name.slice(0, name.length - kind.length) + listKind;
  const printed = definition.custom?.openApi.schema(form, meta("ObjectMeta")) ?? {};
  const { apiVersion, kind: kindField } = objectAt(printed, "properties");
  return {
    [name]: { ...printed, "x-kubernetes-group-version-kind": [{ group, version, kind }] },
    [list]: {
      description: `${listKind} is a list of ${kind}`,
      type: "object",
      required: ["items"],
      properties: {
        apiVersion,
        kind: kindField,
        metadata: { description: `Standard list metadata. ${CONVENTIONS}#types-kinds`, ...meta("ListMeta") },
        items: {
          description: `List of ${resource}. ${CONVENTIONS}`,
          type: "array",
          items: { $ref: PREFIX[form] + name },
        },
      },
      "x-kubernetes-group-version-kind": [{ group, version, kind: listKind }],
    },
  };
}

function refsOf(type: TypeSchema): string[] {
  if (typeof type === "string") return type.startsWith("@") ? [type.slice(1)] : [];
  return refsOf("list" in type ? type.list : type.map);
}

function printStruct(struct: StructSchema, form: "v2" | "v3"): JsonObject {
  const properties: JsonObject = {};
  for (const [name, type] of Object.entries(struct.fields)) {
    const property = printType(type, form);
    const strategy = struct.patch?.[name];
    if (strategy !== undefined) property["x-kubernetes-patch-strategy"] = strategy;
    const value = struct.defaults?.[name];
    if (value !== undefined) property.default = value;
    properties[name] = property;
  }
  return {
    type: "object",
    properties,
    ...(struct.required === undefined ? {} : { required: struct.required }),
    ...(struct.atomic ? { "x-kubernetes-map-type": "atomic" } : {}),
  };
}

const SCALARS: Readonly<Record<string, JsonObject>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  number: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
  quantity: { type: "string" },
  time: { type: "string", format: "date-time" },
  microTime: { type: "string", format: "date-time" },
  object: { type: "object" },
};

function printType(type: TypeSchema, form: "v2" | "v3"): JsonObject {
  if (typeof type === "string") {
    if (type.startsWith("@")) {
      const ref = { $ref: PREFIX[form] + fullName(type.slice(1)) };
      return form === "v2" ? ref : { allOf: [ref] };
    }
    if (type === "intOrString") {
      return form === "v2"
        ? { type: "string", format: "int-or-string" }
        : { oneOf: [{ type: "integer" }, { type: "string" }], format: "int-or-string" };
    }
    return { ...SCALARS[type] };
  }
  if ("map" in type) return { type: "object", additionalProperties: printType(type.map, form) };
  return {
    type: "array",
    items: printType(type.list, form),
    "x-kubernetes-list-type": type.kind ?? "atomic",
    ...(type.keys === undefined ? {} : { "x-kubernetes-list-map-keys": type.keys }),
    ...(type.patch === undefined ? {} : { "x-kubernetes-patch-strategy": type.patch }),
    ...(type.mergeKey === undefined ? {} : { "x-kubernetes-patch-merge-key": type.mergeKey }),
  };
}
