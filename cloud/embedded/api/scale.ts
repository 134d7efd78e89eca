import { StatusError } from "../../../common/errors/mod.ts";
import { applyConfiguration, type TrackedKind, trackWrite } from "../apply/field_manager.ts";
import { parentManagedFields, scaleManagedFields } from "../apply/scale.ts";
import {
  type ApiObject,
  type JsonObject,
  numberAt,
  objectAt,
  parseJsonBody,
  setField,
  textAt,
  valueAt,
} from "../object.ts";
import { apiVersionOf, type ResourceDefinition } from "../resources/definition.ts";
import { methodNotAllowed } from "../resources/errors.ts";
import { invalid, invalidObject } from "../resources/field_error.ts";
import { labelSelectorText } from "../resources/printing.ts";
import { APPLY_TYPE, checkAppliedName, parseApplied } from "./apply.ts";
import { contentTypeOf, readText, readValue, unsupported } from "./body.ts";
import { outputForm } from "./negotiate.ts";
import {
  checkName,
  jsonResponse,
  type ResourceComponents,
  type ResourceRequest,
} from "./resource_handler.ts";
import {
  applyPatch,
  decodeObject,
  type KindOf,
  PATCH_TYPES,
  readDryRun,
  readFieldValidation,
} from "./write.ts";
import { readApplyOptions, readManager, refuseForce } from "./write_options.ts";

const SCALE: KindOf = { apiVersion: "autoscaling/v1", kind: "Scale", schema: "autoscaling.v1.Scale" };
const TRACKED: TrackedKind = {
  group: "autoscaling",
  version: "v1",
  kind: SCALE.kind,
  schema: SCALE.schema,
};

/** What `…/scale` of a resource reads and writes; undefined for a number that is not there. */
function scalePaths(
  { scale }: ResourceDefinition,
): { replicas: readonly string[]; statusReplicas: readonly string[] } {
  if (scale === undefined || "selector" in scale) {
    return { replicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"] };
  }
  return scale;
}

function selectorText(object: ApiObject, { scale }: ResourceDefinition): string {
  if (scale === undefined || "selector" in scale) {
    const text = labelSelectorText(valueAt(object, "spec", "selector"));
    return text === "<none>" ? "" : text;
  }
  return scale.selectorText === undefined ? "" : textAt(object, ...scale.selectorText);
}

/** A copy of an object with the value at a path changed, which is made where it is not there. */
function withValue(object: JsonObject, [name = "", ...rest]: readonly string[], value: unknown): JsonObject {
  const copy = { ...object };
  setField(copy, name, rest.length === 0 ? value : withValue(objectAt(object, name), rest, value));
  return copy;
}

function scaleOf(object: ApiObject, definition: ResourceDefinition): ApiObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const { replicas, statusReplicas } = scalePaths(definition);
  const selector = selectorText(object, definition);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(object, ...replicas) },
    status: {
      replicas: numberAt(object, ...statusReplicas),
      ...(selector === "" ? {} : { selector }),
    },
  };
}

/** Makes the wanted scale out of the present one, with `metadata.managedFields` as they are then. */
type Rescale = (scale: ApiObject) => ApiObject;

/** Reads what a request wants of a scale. @throws {StatusError} */
async function readRescale(
  { request, query, path }: ResourceRequest,
  now: number,
  warnings: string[],
): Promise<Rescale> {
  const [name, validation] = [path.name ?? "", readFieldValidation(query)];
  const tracked = (manager: string, wanted: Rescale): Rescale => (present) => {
    const scale = wanted(present);
    trackWrite(present, scale, { definition: TRACKED, manager, subresource: "scale", now });
    return scale;
  };
  if (request.method === "PUT") {
    const body = await readValue(request, { [SCALE.kind]: SCALE.schema });
    const given = decodeObject(body, SCALE, validation, warnings);
    checkName(given, name, path.namespace);
    return tracked(readManager(request, query, "UpdateOptions"), () => given);
  }
  if (request.method !== "PATCH") throw methodNotAllowed();
  const contentType = contentTypeOf(request);
  if (contentType === APPLY_TYPE) {
    const { manager, force } = readApplyOptions(query);
    const config = await parseApplied(await readText(request), validation, warnings);
    const write = { definition: TRACKED, manager, subresource: "scale", now };
    return (present) => {
      const scale = decodeObject(applyConfiguration(present, config, write, force), SCALE, "Ignore", []);
      checkAppliedName(scale, { name, namespace: path.namespace });
      return scale;
    };
  }
  if (!(PATCH_TYPES as readonly string[]).includes(contentType)) {
    await request.body?.cancel();
    throw unsupported(contentType, [...PATCH_TYPES, APPLY_TYPE]);
  }
  refuseForce(query);
  const manager = readManager(request, query, "PatchOptions");
  const patch = parseJsonBody(await readText(request));
  return tracked(
    manager,
    (present) =>
      decodeObject(applyPatch(present, patch, contentType, SCALE.schema), SCALE, validation, warnings),
  );
}

/** Answers a request for the scale of an object. @throws {StatusError} */
export async function handleScale(components: ResourceComponents, asked: ResourceRequest): Promise<Response> {
  const { request, definition, query, path } = asked;
  const { registry } = components;
  outputForm(request.headers.get("accept"));
  const ref = { namespace: path.namespace ?? "", name: path.name ?? "" };
  if (request.method === "GET") {
    const object = registry.get(definition, ref);
    const { replicas } = scalePaths(definition);
    if (definition.custom !== undefined && valueAt(object, ...replicas) === undefined) {
      const why = `the spec replicas field ".${replicas.join(".")}" does not exist`;
      throw new StatusError("InternalError", `Internal error occurred: ${why}`, {
        details: { causes: [{ message: why }] },
      });
    }
    return jsonResponse(JSON.stringify(scaleOf(object, definition)));
  }
  const warnings: string[] = [];
  const rescale = await readRescale(asked, components.now(), warnings);
  const updated = registry.update(
    definition,
    ref,
    (current) => rescaled(current, definition, rescale),
    { dryRun: readDryRun(query.getAll("dryRun")) },
  );
  return jsonResponse(JSON.stringify(scaleOf(updated, definition)), { warnings });
}

/** An object with the replicas of the wanted scale, and with the managers of that number. */
function rescaled(current: ApiObject, definition: ResourceDefinition, rescale: Rescale): ApiObject {
  const { metadata } = current;
  const present = scaleOf(current, definition);
  const path = scalePaths(definition).replicas;
  const resource = { apiVersion: apiVersionOf(definition), replicas: path };
  const managedFields = scaleManagedFields(metadata.managedFields, resource);
  if (managedFields !== undefined) present.metadata.managedFields = managedFields;
  const missing = definition.custom !== undefined && valueAt(current, ...path) === undefined;
  const scale = rescale(missing ? { ...present, spec: {} } : present);
  if (missing && valueAt(scale, "spec", "replicas") === undefined) {
    throw new StatusError("BadRequest", `the spec replicas field ".${path.join(".")}" cannot be empty`);
  }
  const replicas = numberAt(scale, "spec", "replicas");
  // A custom object is checked as a whole.
  if (replicas < 0 && definition.custom === undefined) {
    throw invalidObject({ group: "autoscaling", kind: "Scale" }, metadata.name ?? "", [
      invalid("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  return {
    ...current,
    ...withValue(current, path, replicas),
    metadata: {
      ...metadata,
      resourceVersion: scale.metadata.resourceVersion || metadata.resourceVersion,
      managedFields: parentManagedFields(metadata.managedFields, scale.metadata.managedFields, resource),
    },
  };
}
