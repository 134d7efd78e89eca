import { StatusError } from "../../../common/errors/mod.ts";
import { applyConfiguration } from "../apply/field_manager.ts";
import { type ApiObject, checkDepth, isObject, type JsonObject } from "../object.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { conflict, notFound } from "../resources/errors.ts";
import { readText } from "./body.ts";
import { outputForm } from "./negotiate.ts";
import {
  checkName,
  printWritten,
  type ResourceComponents,
  type ResourceRequest,
} from "./resource_handler.ts";
import { decodeObject, type FieldValidation, kindOf, readDryRun, readFieldValidation } from "./write.ts";
import { readApplyOptions } from "./write_options.ts";
import { printTwice, readYaml, type YamlValue } from "./yaml.ts";

/** Media type of an applied configuration. */
export const APPLY_TYPE = "application/apply-patch+yaml";

/**
 * Answers a request to apply a configuration: makes the object where there is none, merges into it where there is.
 * Upstream: k8s.io/apiserver pkg/endpoints/handlers/patch.go (applyPatcher) @ v1.33
 * @throws {StatusError}
 */
export async function applyObject(
  components: ResourceComponents,
  asked: ResourceRequest,
  subresource: "status" | undefined,
): Promise<Response> {
  const { request, definition, path, query } = asked;
  const { registry } = components;
  outputForm(request.headers.get("accept"));
  const { manager, force } = readApplyOptions(query);
  const dryRun = readDryRun(query.getAll("dryRun"));
  const warnings: string[] = [];
  const config = await parseApplied(await readText(request), readFieldValidation(query), warnings);
  const ref = { namespace: path.namespace ?? "", name: path.name ?? "" };
  const write = { definition, manager, subresource: subresource ?? "", now: components.now() };
  const merge = (live: ApiObject | undefined) =>
    checked(applyConfiguration(live, config, write, force), definition, ref, live === undefined);
  if (registry.cache(definition).get(ref.namespace, ref.name) !== undefined) {
    const updated = registry.update(definition, ref, merge, { dryRun, subresource, patched: true });
    return printWritten(components, asked, updated, { warnings });
  }
  if (subresource !== undefined) throw notFound(definition, ref.name);
  const made = merge(undefined);
  delete made.metadata.resourceVersion;
  const created = registry.create(definition, ref.namespace, made, { dryRun });
  return printWritten(components, asked, created, { status: 201, warnings });
}

/** A merged object, checked against the schema and the path of the request. @param made whether there is no such object yet */
function checked(
  merged: JsonObject,
  definition: ResourceDefinition,
  ref: { namespace: string; name: string },
  made: boolean,
): ApiObject {
  // What is not of the type was refused before, in the words of what is merged.
  const object = decodeObject(merged, kindOf(definition), "Ignore", []);
  const { uid = "" } = object.metadata;
  if (made && uid !== "") {
    throw conflict(
      definition,
      ref.name,
      `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
    );
  }
  checkAppliedName(object, { ...ref, namespace: definition.namespaced ? ref.namespace : undefined });
  return object;
}

/** An applied configuration must be of the object that the path names. @throws {StatusError} BadRequest */
export function checkAppliedName(
  object: ApiObject,
  { name, namespace }: { name: string; namespace: string | undefined },
): void {
  const given = object.metadata.namespace ?? "";
  if (namespace !== undefined && given !== "" && given !== namespace) {
    throw new StatusError(
      "BadRequest",
      "the namespace of the provided object does not match the namespace sent on the request",
    );
  }
  if ((object.metadata.name ?? "") === "") {
    throw new StatusError(
      "BadRequest",
      `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
    );
  }
  checkName(object, name, namespace);
}

/** Reads an applied configuration, in YAML or JSON. @throws {StatusError} BadRequest */
export async function parseApplied(
  text: string,
  validation: FieldValidation,
  warnings: string[],
): Promise<JsonObject> {
  const value = parseJson(text) ?? await parseYaml(text, validation, warnings);
  checkDepth(value);
  if (isObject(value)) return value;
  if (value === null || value === undefined) return {};
  const kind = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  throw new StatusError(
    "BadRequest",
    `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`,
  );
}

/** JSON, as programs send it; undefined where the text is none and may yet be YAML. */
function parseJson(text: string): unknown {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function parseYaml(text: string, validation: FieldValidation, warnings: string[]): Promise<unknown> {
  let read: YamlValue | undefined;
  try {
    read = await readYaml(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new StatusError(
      "BadRequest",
      `error decoding YAML: error converting YAML to JSON: ${cause.message}`,
      { cause },
    );
  }
  if (read === undefined) return null;
  if (read.twice.length > 0) {
    const told = read.twice.map((twice) => `\n  ${printTwice(twice)}`);
    const problem = `error converting YAML to JSON: yaml: unmarshal errors:${told.join("")}`;
    if (validation === "Strict") {
      throw new StatusError("BadRequest", `error strict decoding YAML: ${problem}`);
    }
    if (validation === "Warn") warnings.push(problem);
  }
  return read.value;
}
