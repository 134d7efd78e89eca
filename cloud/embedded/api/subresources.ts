import { StatusError } from "../../../common/errors/mod.ts";
import { type ServiceAccountTokens, TOKEN_ISSUER } from "../auth/service_account_tokens.ts";
import {
  type ApiObject,
  type JsonObject,
  objectAt,
  objectsAt,
  textAt,
  timeText,
  valueAt,
} from "../object.ts";
import type { Registry } from "../registry.ts";
import { keyOfResource, type ResourceDefinition } from "../resources/definition.ts";
import { conflict, methodNotAllowed, noSuchPath, notFound } from "../resources/errors.ts";
import { invalid, invalidObject } from "../resources/field_error.ts";
import { validateBinding } from "../resources/pods.ts";
import { readValue } from "./body.ts";
import { evictPod } from "./eviction.ts";
import { outputForm } from "./negotiate.ts";
import { printObject } from "./read.ts";
import { handleScale } from "./scale.ts";
import {
  checkName,
  jsonResponse,
  patchObject,
  printWritten,
  type ResourceComponents,
  type ResourceRequest,
} from "./resource_handler.ts";
import {
  decodeObject,
  type KindOf,
  kindOf,
  readDeleteOptions,
  readDryRun,
  readFieldValidation,
} from "./write.ts";
import { readManager } from "./write_options.ts";

/** What subresources need besides the registry. */
export interface SubresourceComponents {
  tokens: ServiceAccountTokens;
}

/** The resource that conflicts of bindings name. */
const BINDINGS = { group: "", resource: "pods/binding" } as const;
const BINDING: KindOf = { apiVersion: "v1", kind: "Binding", schema: "core.v1.Binding" };
const EVICTION: KindOf = { apiVersion: "policy/v1", kind: "Eviction", schema: "policy.v1.Eviction" };
const TOKEN_REQUEST: KindOf = {
  apiVersion: "authentication.k8s.io/v1",
  kind: "TokenRequest",
  schema: "authentication.v1.TokenRequest",
};

/** Answers a request for a subresource. @throws {StatusError} */
export async function handleSubresource(
  components: ResourceComponents,
  asked: ResourceRequest,
): Promise<Response> {
  const { definition, path, request } = asked;
  const key = keyOfResource(definition);
  switch (path.subresource) {
    case "status":
      if (definition.status !== undefined) return await handleStatus(components, asked);
      break;
    case "scale":
      if (definition.scale !== undefined) return await handleScale(components, asked);
      break;
    case "finalize":
      if (key === "namespaces") return await finalize(components, asked);
      break;
    case "binding":
      if (key === "pods") return await bind(components, asked);
      break;
    case "eviction":
      if (key === "pods") return await evict(components, asked);
      break;
    case "token":
      if (key === "serviceaccounts") return await issueToken(components, asked);
      break;
  }
  await request.body?.cancel();
  if (definition.custom !== undefined) throw notFound(definition, path.name ?? "");
  throw noSuchPath();
}

function refOf({ path }: ResourceRequest): { namespace: string; name: string } {
  return { namespace: path.namespace ?? "", name: path.name ?? "" };
}

async function readBody(
  { request, query }: ResourceRequest,
  kind: KindOf,
  warnings: string[],
): Promise<ApiObject> {
  const body = await readValue(request, { [kind.kind]: kind.schema });
  return decodeObject(body, kind, readFieldValidation(query), warnings);
}

async function handleStatus(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, definition, query, path } = asked;
  const ref = refOf(asked);
  if (request.method === "GET") {
    const form = outputForm(request.headers.get("accept"));
    const entry = components.registry.entry(definition, ref);
    return jsonResponse(printObject(definition, entry, form, query, components.now()));
  }
  if (request.method === "PATCH") return await patchObject(components, asked, "status");
  if (request.method !== "PUT") throw methodNotAllowed();
  const warnings: string[] = [];
  const object = await readBody(asked, kindOf(definition), warnings);
  checkName(object, ref.name, path.namespace);
  const dryRun = readDryRun(query.getAll("dryRun"));
  const updated = components.registry.update(definition, ref, () => object, {
    subresource: "status",
    dryRun,
    manager: readManager(request, query, "UpdateOptions"),
  });
  return printWritten(components, asked, updated, { warnings });
}

async function finalize(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  if (asked.request.method !== "PUT") throw methodNotAllowed();
  const warnings: string[] = [];
  const object = await readBody(asked, kindOf(asked.definition), warnings);
  const manager = readManager(asked.request, asked.query, "UpdateOptions");
  checkName(object, asked.path.name ?? "", undefined);
  const updated = components.registry.update(asked.definition, refOf(asked), (current) => ({
    ...current,
    metadata: { ...current.metadata, resourceVersion: object.metadata.resourceVersion },
    spec: { ...objectAt(current, "spec"), finalizers: valueAt(object, "spec", "finalizers") },
  }), { subresource: "finalize", manager });
  return printWritten(components, asked, updated, { warnings });
}

async function bind(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  if (asked.request.method !== "POST") throw methodNotAllowed();
  const binding = await readBody(asked, BINDING, []);
  const ref = refOf(asked);
  const errors = validateBinding(binding);
  if (errors.length > 0) throw invalidObject({ group: "", kind: "Binding" }, ref.name, errors);
  components.registry.update(
    asked.definition,
    ref,
    (pod) => bound(pod, binding, asked.definition, components),
    {
      subresource: "binding",
      dryRun: readDryRun(asked.query.getAll("dryRun")),
    },
  );
  return success(201);
}

function bound(
  pod: ApiObject,
  binding: ApiObject,
  definition: ResourceDefinition,
  { now }: ResourceComponents,
): ApiObject {
  const name = pod.metadata.name ?? "";
  const uid = binding.metadata.uid ?? "";
  if (uid !== "" && uid !== pod.metadata.uid) {
    throw conflict(
      definition,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`,
    );
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(BINDINGS, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const nodeName = textAt(pod, "spec", "nodeName");
  if (nodeName !== "") {
    throw conflict(BINDINGS, name, `pod ${name} is already assigned to node ${JSON.stringify(nodeName)}`);
  }
  const status = objectAt(pod, "status");
  const conditions = objectsAt(status, "conditions").filter((c) => c.type !== "PodScheduled");
  conditions.push({
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: timeText(now()),
  });
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(binding.metadata.annotations === undefined
        ? {}
        : { annotations: { ...pod.metadata.annotations, ...binding.metadata.annotations } }),
    },
    spec: { ...objectAt(pod, "spec"), nodeName: textAt(binding, "target", "name") },
    status: { ...status, conditions },
  };
}

async function evict({ registry, now }: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  if (asked.request.method !== "POST") throw methodNotAllowed();
  const eviction = await readBody(asked, EVICTION, []);
  const options = readDeleteOptions(
    { ...objectAt(eviction, "deleteOptions"), kind: "DeleteOptions" },
    asked.query,
  );
  evictPod(registry, asked.definition, refOf(asked), options, now());
  return success(201);
}

function success(code: number): Response {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code };
  return jsonResponse(JSON.stringify(status), { status: code });
}

const DEFAULT_TOKEN_SECONDS = 3600;
const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const BOUND: Readonly<Record<string, string>> = { Pod: "pods", Secret: "secrets", Node: "nodes" };

async function issueToken(
  { registry, tokens, now }: ResourceComponents,
  asked: ResourceRequest,
): Promise<Response> {
  if (asked.request.method !== "POST") throw methodNotAllowed();
  const given = await readBody(asked, TOKEN_REQUEST, []);
  const { namespace, name } = refOf(asked);
  const account = registry.get(asked.definition, { namespace, name });
  const seconds = valueAt(given, "spec", "expirationSeconds") ?? DEFAULT_TOKEN_SECONDS;
  if (typeof seconds !== "number" || seconds < MIN_TOKEN_SECONDS || seconds > MAX_TOKEN_SECONDS) {
    throw invalidObject({ group: "authentication.k8s.io", kind: "TokenRequest" }, "", [
      invalid(
        "spec.expirationSeconds",
        seconds,
        typeof seconds === "number" && seconds < MIN_TOKEN_SECONDS
          ? "may not specify a duration less than 10 minutes"
          : "may not specify a duration larger than 2^32 seconds",
      ),
    ]);
  }
  const asking = valueAt(given, "spec", "audiences");
  const audiences = Array.isArray(asking) && asking.length > 0 ? asking.map(String) : [TOKEN_ISSUER];
  const bound = boundObject(registry, namespace, account, objectAt(given, "spec", "boundObjectRef"));
  const at = now();
  const expiresAt = at + seconds * 1000;
  const subject = {
    namespace,
    name,
    uid: account.metadata.uid ?? "",
    audiences,
    ...(bound === undefined ? {} : { bound }),
  };
  const token = await tokens.sign(subject, at, expiresAt);
  const answer: JsonObject = {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace, creationTimestamp: timeText(at) },
    spec: {
      ...objectAt(given, "spec"),
      audiences,
      expirationSeconds: seconds,
      boundObjectRef: objectAt(given, "spec").boundObjectRef ?? null,
    },
    status: { token, expirationTimestamp: timeText(expiresAt) },
  };
  return jsonResponse(JSON.stringify(answer), { status: 201 });
}

function boundObject(
  registry: Registry,
  namespace: string,
  account: ApiObject,
  ref: JsonObject,
): { kind: string; name: string; uid: string } | undefined {
  const [kind, apiVersion] = [textAt(ref, "kind"), textAt(ref, "apiVersion")];
  if (kind === "") return undefined;
  const definition = registry.table.find("", "v1", BOUND[kind] ?? "");
  if (definition === undefined) {
    throw new StatusError(
      "BadRequest",
      `cannot bind token to object of type ${
        (apiVersion.includes("/") ? apiVersion : `/${apiVersion}`).slice(0, 100)
      }, Kind=${kind.slice(0, 100)}`,
    );
  }
  const name = textAt(ref, "name");
  const object = registry.get(definition, { namespace: definition.namespaced ? namespace : "", name });
  const uid = object.metadata.uid ?? "";
  const asked = textAt(ref, "uid");
  if (asked !== "" && asked !== uid) {
    throw conflict(
      definition,
      name,
      `the UID in the bound object reference (${asked}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const accountName = account.metadata.name ?? "";
  if (kind === "Pod" && textAt(object, "spec", "serviceAccountName") !== accountName) {
    throw new StatusError(
      "BadRequest",
      `cannot bind token for serviceaccount ${
        JSON.stringify(accountName)
      } to pod running with different serviceaccount name.`,
    );
  }
  return { kind, name, uid };
}
