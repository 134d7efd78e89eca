import { StatusError } from "../../../common/errors/mod.ts";
import { duplicateFields } from "./duplicate_fields.ts";
import { decodeProtobuf } from "../schema/protobuf.ts";
import { SCHEMA } from "../schema/schema.ts";
import { checkDepth, isObject, type JsonObject, parseJsonBody } from "../object.ts";
import { printTwice, readYaml, type YamlValue } from "./yaml.ts";

/** Largest request body, bytes. Upstream: k8s.io/apiserver pkg/server/config.go (MaxRequestBodyBytes) @ v1.32 */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** The media type of a request body without parameters; JSON when it names none. */
export function contentTypeOf(request: Request): string {
  return (request.headers.get("content-type") ?? "application/json").split(";")[0]!.trim().toLowerCase();
}

const PROTOBUF = "application/vnd.kubernetes.protobuf";

/** Reads a body within the limit. @throws {StatusError} RequestEntityTooLarge */
export async function readBytes(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = () =>
    new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${MAX_BODY_BYTES}`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) {
    await request.body?.cancel();
    throw tooLarge();
  }
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

/** Reads a body as text. @throws {StatusError} RequestEntityTooLarge */
export async function readText(request: Request): Promise<string> {
  return new TextDecoder().decode(await readBytes(request));
}

/**
 * Reads the object in a request, in JSON, YAML, or for kinds that have such a form in protobuf; undefined when there is no body.
 * @param schemas structs of the kinds that are expected
 * @param duplicates takes what is to be said of fields that the body has twice
 * @throws {StatusError} RequestEntityTooLarge, UnsupportedMediaType, BadRequest
 */
export async function readValue(
  request: Request,
  schemas: Readonly<Record<string, string>>,
  duplicates?: string[],
): Promise<unknown> {
  const contentType = contentTypeOf(request);
  const bytes = await readBytes(request);
  if (bytes.length === 0) return undefined;
  if (contentType === PROTOBUF && Object.values(schemas).every((name) => SCHEMA[name]?.wire !== undefined)) {
    return decodeProtobuf(
      bytes,
      (_apiVersion, kind) => Object.hasOwn(schemas, kind) ? schemas[kind] : undefined,
    );
  }
  const text = new TextDecoder().decode(bytes);
  switch (contentType) {
    case "":
    case "application/json": {
      const value = parseJsonBody(text, Object.keys(schemas)[0]);
      duplicates?.push(...duplicateFields(text).map((path) => `duplicate field ${JSON.stringify(path)}`));
      return value;
    }
    case "application/yaml":
      return await parseYamlBody(text, duplicates);
    default:
      throw unsupported(contentType, ["application/json", "application/yaml", PROTOBUF]);
  }
}

async function parseYamlBody(text: string, duplicates?: string[]): Promise<unknown> {
  let read: YamlValue | undefined;
  try {
    read = await readYaml(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new StatusError("BadRequest", `error converting YAML to JSON: ${cause.message}`, { cause });
  }
  if (read === undefined) return null;
  checkDepth(read.value);
  duplicates?.push(...read.twice.map(printTwice));
  return read.value;
}

/** The error for a body in a format that is not read here. */
export function unsupported(contentType: string, accepted: readonly string[]): StatusError {
  return new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
    { details: { causes: [{ message: `the body is ${JSON.stringify(contentType.slice(0, 200))}` }] } },
  );
}

/** What a JSON value is in the words of Go's decoder. */
export function goKind(value: unknown): string {
  if (value === null || value === undefined) return "null";
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}

/**
 * A body that is an object with apiVersion and kind.
 * @param wanted the kind it should be of
 * @throws {StatusError} BadRequest
 */
export function requireObject(
  value: unknown,
  wanted = "Object",
): JsonObject & { apiVersion: string; kind: string } {
  const unrecognized =
    `the object provided is unrecognized (must be of type ${wanted}): couldn't get version/kind`;
  if (!isObject(value)) {
    throw new StatusError(
      "BadRequest",
      `${unrecognized}; json parse error: json: cannot unmarshal ${goKind(value)} into an object`,
    );
  }
  const { apiVersion = "", kind = "" } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") {
    throw new StatusError(
      "BadRequest",
      `${unrecognized}; json parse error: apiVersion and kind must be strings`,
    );
  }
  return { ...value, apiVersion, kind };
}
