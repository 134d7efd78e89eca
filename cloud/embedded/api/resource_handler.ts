import { bodyOf } from "./pieces.ts";
import { StatusError } from "../../../common/errors/mod.ts";
import type { ApiObject } from "../object.ts";
import type { Registry } from "../registry.ts";
import { keyOfResource, type ResourceDefinition } from "../resources/definition.ts";
import { methodNotAllowed, noSuchPath } from "../resources/errors.ts";
import { APPLY_TYPE, applyObject } from "./apply.ts";
import { contentTypeOf, readText, readValue } from "./body.ts";
import { isTrue, parseVersion } from "./list_options.ts";
import { outputForm } from "./negotiate.ts";
import { tooLarge } from "./paging.ts";
import { printList, printObject, readSelection } from "./read.ts";
import type { ResourcePath } from "./request_info.ts";
import { handleSubresource, type SubresourceComponents } from "./subresources.ts";
import type { WatchHub } from "./watch.ts";
import {
  applyPatch,
  decodeObject,
  decodePatched,
  kindOf,
  parsePatch,
  patchTypesOf,
  readDeleteOptions,
  readDryRun,
  readFieldValidation,
  unsupportedPatch,
} from "./write.ts";
import { readManager, refuseForce } from "./write_options.ts";

/** What requests for resources are answered with. */
export interface ResourceComponents extends SubresourceComponents {
  registry: Registry;
  watches: WatchHub;
  now: () => number;
}

/** A request that was taken apart. */
export interface ResourceRequest {
  request: Request;
  definition: ResourceDefinition;
  path: ResourcePath;
  query: URLSearchParams;
}

/** JSON text as an answer. Warnings become headers that kubectl prints. */
export function jsonResponse(
  text: string | ReadableStream<Uint8Array>,
  { status = 200, warnings = [] }: { status?: number; warnings?: string[] } = {},
): Response {
  const headers = new Headers({
    "content-type": "application/json",
    "cache-control": "no-cache, private",
  });
  for (const warning of warnings.slice(0, 20)) {
    headers.append("warning", `299 - ${JSON.stringify(warning.replace(/[^ -~]/g, "?"))}`);
  }
  return new Response(text, { status, headers });
}

/** Answers a request for a resource. @throws {StatusError} */
export async function handleResource(
  components: ResourceComponents,
  asked: ResourceRequest,
): Promise<Response> {
  const { definition, path } = asked;
  if (!definition.namespaced && path.namespace !== undefined) throw noSuchPath();
  if (definition.namespaced && path.name !== undefined && path.namespace === undefined) throw noSuchPath();
  const { warning } = definition.custom ?? {};
  if (warning === undefined) return await handleObjects(components, asked);
  const response = await handleObjects(components, asked);
  const others = response.headers.get("warning");
  const told = `299 - ${JSON.stringify(warning)}`;
  response.headers.set("warning", others === null ? told : `${told}, ${others}`);
  return response;
}

async function handleObjects(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, path } = asked;
  if (path.subresource !== undefined) return await handleSubresource(components, asked);
  switch (request.method) {
    case "GET":
      return read(components, asked);
    case "POST":
      return await create(components, asked);
    case "PUT":
      return await update(components, asked);
    case "PATCH":
      return await patch(components, asked);
    case "DELETE":
      return path.name === undefined
        ? await deleteCollection(components, asked)
        : await remove(components, asked);
    default:
      throw methodNotAllowed();
  }
}

function read(
  { registry, watches, now }: ResourceComponents,
  { request, definition, path, query }: ResourceRequest,
): Response {
  const form = outputForm(request.headers.get("accept"));
  if (path.name === undefined && query.has("watch") && isTrue(query.get("watch"))) {
    return watches.open(definition, readSelection(definition, path.namespace, query), query, form);
  }
  if (path.name !== undefined) {
    checkVersion(query.get("resourceVersion") ?? "", registry.version);
    const entry = registry.entry(definition, { namespace: path.namespace ?? "", name: path.name });
    return jsonResponse(printObject(definition, entry, form, query, now()));
  }
  const selection = readSelection(definition, path.namespace, query);
  const pieces = printList(registry, definition, selection, { query, form, now: now() });
  return jsonResponse(bodyOf(pieces));
}

/** The newest object is at least as new as any version there was. @throws {StatusError} BadRequest, Timeout */
function checkVersion(text: string, newest: number): void {
  if (text === "") return;
  const version = parseVersion(text);
  if (version > newest) throw tooLarge(version, newest);
}

/** Prints a written object in the form that was asked for. */
export function printWritten(
  { now }: Pick<ResourceComponents, "now">,
  { request, definition, query }: ResourceRequest,
  object: ApiObject,
  options: { status?: number; warnings?: string[] } = {},
): Response {
  const form = outputForm(request.headers.get("accept"));
  if (form === "object") return jsonResponse(JSON.stringify(object), options);
  const stored = definition.storedAs?.toStored(object) ?? object;
  const entry = { text: JSON.stringify(stored), version: 0 };
  return jsonResponse(printObject(definition, entry, form, query, now()), options);
}

async function create(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, definition, path, query } = asked;
  if (path.name !== undefined) throw methodNotAllowed();
  if (definition.namespaced && path.namespace === undefined) throw methodNotAllowed();
  if (definition.custom?.terminating) {
    throw new StatusError(
      "MethodNotAllowed",
      "create not allowed while custom resource definition is terminating",
      { details: { group: definition.group, kind: definition.resource } },
    );
  }
  outputForm(request.headers.get("accept"));
  const dryRun = readDryRun(query.getAll("dryRun"));
  const validation = readFieldValidation(query);
  const warnings: string[] = [];
  const twice: string[] = [];
  const body = await readValue(request, { [definition.kind]: definition.schema }, twice);
  const object = decodeObject(body, kindOf(definition), validation, warnings, twice);
  const manager = readManager(request, query, "CreateOptions");
  const created = components.registry.create(definition, path.namespace ?? "", object, { dryRun, manager });
  return printWritten(components, asked, created, { status: 201, warnings });
}

async function update(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, definition, path, query } = asked;
  if (path.name === undefined) throw methodNotAllowed();
  outputForm(request.headers.get("accept"));
  const dryRun = readDryRun(query.getAll("dryRun"), "UpdateOptions");
  const validation = readFieldValidation(query, "UpdateOptions");
  const warnings: string[] = [];
  const twice: string[] = [];
  const body = await readValue(request, { [definition.kind]: definition.schema }, twice);
  const object = decodeObject(body, kindOf(definition), validation, warnings, twice);
  checkName(object, path.name, path.namespace);
  const ref = { namespace: path.namespace ?? "", name: path.name };
  const manager = readManager(request, query, "UpdateOptions");
  if (
    definition.createsOnUpdate &&
    components.registry.cache(definition).get(ref.namespace, ref.name) === undefined
  ) {
    const created = components.registry.create(definition, ref.namespace, object, { dryRun, manager });
    return printWritten(components, asked, created, { status: 201, warnings });
  }
  const updated = components.registry.update(definition, ref, () => object, { dryRun, manager });
  return printWritten(components, asked, updated, { warnings });
}

/** The object of an update must be the one that the path names. @throws {StatusError} BadRequest */
export function checkName({ metadata }: ApiObject, name: string, namespace: string | undefined): void {
  if (namespace !== undefined && (metadata.namespace ?? "") !== "" && metadata.namespace !== namespace) {
    throw new StatusError(
      "BadRequest",
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  if ((metadata.name ?? "") === "") {
    throw new StatusError(
      "BadRequest",
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (metadata.name !== name) {
    throw new StatusError(
      "BadRequest",
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  if (namespace !== undefined) metadata.namespace = namespace;
}

async function patch(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { path } = asked;
  if (path.name === undefined) throw methodNotAllowed();
  return await patchObject(components, asked, undefined);
}

/** Applies the patch in a request to an object, or to its status. @throws {StatusError} */
export async function patchObject(
  components: ResourceComponents,
  asked: ResourceRequest,
  subresource: "status" | undefined,
): Promise<Response> {
  const { request, definition, path, query } = asked;
  outputForm(request.headers.get("accept"));
  const contentType = contentTypeOf(request);
  const types = patchTypesOf(definition);
  if (contentType === APPLY_TYPE) return await applyObject(components, asked, subresource);
  if (!types.includes(contentType)) {
    await request.body?.cancel();
    throw unsupportedPatch();
  }
  refuseForce(query);
  const manager = readManager(request, query, "PatchOptions");
  const dryRun = readDryRun(query.getAll("dryRun"), "PatchOptions");
  const validation = readFieldValidation(query, "PatchOptions");
  const warnings: string[] = [];
  const document = parsePatch(await readText(request));
  const ref = { namespace: path.namespace ?? "", name: path.name ?? "" };
  const updated = components.registry.update(definition, ref, (current) => {
    const patched = applyPatch(current, document, contentType, definition.schema);
    warnings.length = 0;
    const object = decodePatched(patched, kindOf(definition), validation, warnings);
    checkName(object, ref.name, definition.namespaced ? ref.namespace : undefined);
    return object;
  }, { dryRun, subresource, manager, patched: true });
  return printWritten(components, asked, updated, { warnings });
}

/** Resources whose deletion is answered with the object. Upstream: k8s.io/kubernetes pkg/registry (ReturnDeletedObject) @ v1.33 */
const SHOWN_WHEN_DELETED: ReadonlySet<string> = new Set([
  "persistentvolumeclaims",
  "persistentvolumes",
  "pods",
  "podtemplates",
  "resourcequotas",
  "serviceaccounts",
  "services",
]);

const DELETE_OPTIONS = { DeleteOptions: "meta.v1.DeleteOptions" } as const;

async function remove({ registry, now }: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, definition, path, query } = asked;
  outputForm(request.headers.get("accept"));
  const options = readDeleteOptions(await readValue(request, DELETE_OPTIONS), query);
  const name = path.name ?? "";
  const { object, removed } = registry.delete(definition, { namespace: path.namespace ?? "", name }, options);
  const { orphansByDefault } = definition;
  const warnings = orphansByDefault !== undefined && options.propagationPolicy === undefined
    ? [orphansByDefault.warning]
    : [];
  if (!removed || SHOWN_WHEN_DELETED.has(keyOfResource(definition))) {
    return printWritten({ now }, asked, object, { warnings });
  }
  return jsonResponse(JSON.stringify({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name,
      ...(definition.group === "" ? {} : { group: definition.group }),
      kind: definition.resource,
      uid: object.metadata.uid,
    },
  }));
}

async function deleteCollection({ registry }: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, definition, path, query } = asked;
  if (definition.namespaced && path.namespace === undefined) throw methodNotAllowed();
  if (keyOfResource(definition) === "namespaces") throw methodNotAllowed();
  const options = readDeleteOptions(await readValue(request, DELETE_OPTIONS), query);
  const selection = readSelection(definition, path.namespace, query);
  const items: ApiObject[] = [];
  for (const entry of registry.cache(definition).list(path.namespace).filter(selection.matches)) {
    items.push(registry.delete(definition, { namespace: entry.namespace, name: entry.name }, options).object);
  }
  return jsonResponse(JSON.stringify({
    kind: definition.listKind ?? `${definition.kind}List`,
    apiVersion: kindOf(definition).apiVersion,
    metadata: { resourceVersion: String(registry.version) },
    items,
  }));
}
