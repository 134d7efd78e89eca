import { parse as parseYaml } from "yaml";
import { StatusError } from "../../../common/errors/mod.ts";
import { checkDepth, isObject, type JsonObject, parseJsonBody } from "../object.ts";

/** Largest request body, bytes. Upstream: k8s.io/apiserver pkg/server/config.go (MaxRequestBodyBytes) @ v1.32 */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** The media type of a request body without parameters; JSON when it names none. */
export function contentTypeOf(request: Request): string {
  return (request.headers.get("content-type") ?? "application/json").split(";")[0]!.trim().toLowerCase();
}

/** Reads a body within the limit. @throws {StatusError} RequestEntityTooLarge */
export async function readText(request: Request): Promise<string> {
  const tooLarge = () =>
    new StatusError("RequestEntityTooLarge", `Request entity too large: limit is ${MAX_BODY_BYTES}`);
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY_BYTES) {
    await request.body?.cancel();
    throw tooLarge();
  }
  if (request.body === null) return "";
  const decoder = new TextDecoder();
  let text = "", bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw tooLarge();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** A JSON or YAML value out of a body. @throws {StatusError} UnsupportedMediaType, BadRequest */
export function parseBody(text: string, contentType: string): unknown {
  switch (contentType) {
    case "":
    case "application/json":
      return parseJsonBody(text);
    case "application/yaml":
    case "application/apply-patch+yaml":
      return parseYamlBody(text);
    default:
      throw unsupported(contentType, ["application/json", "application/yaml"]);
  }
}

function parseYamlBody(text: string): unknown {
  try {
    const value: unknown = parseYaml(text, { maxAliasCount: 50, schema: "core" });
    checkDepth(value);
    return value;
  } catch (cause) {
    if (cause instanceof StatusError) throw cause;
    throw new StatusError(
      "BadRequest",
      `error converting YAML to JSON: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    );
  }
}

/** The error for a body in a format that is not read here. */
export function unsupported(contentType: string, accepted: readonly string[]): StatusError {
  return new StatusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
    { details: { causes: [{ message: `the body is ${JSON.stringify(contentType.slice(0, 200))}` }] } },
  );
}

/** A body that is an object with apiVersion and kind. @throws {StatusError} BadRequest */
export function requireObject(value: unknown): JsonObject & { apiVersion: string; kind: string } {
  if (!isObject(value)) {
    throw new StatusError(
      "BadRequest",
      "the object provided is unrecognized (must be of type Object): it is not an object",
    );
  }
  const { apiVersion = "", kind = "" } = value;
  if (typeof apiVersion !== "string" || typeof kind !== "string") {
    throw new StatusError(
      "BadRequest",
      "the object provided is unrecognized (must be of type Object): apiVersion and kind must be strings",
    );
  }
  return { ...value, apiVersion, kind };
}
