import { findStatusError, StatusError, statusErrorFrom } from "../errors/mod.ts";

/**
 * The wrapper in which the cloud answers create, update and patch: both keys are always present.
 * Upstream: kubeedge common/types/http.go (ObjectResp) @ 16cd854
 */
export interface ObjectResponse<T> {
  Object: T | null;
  Err: { ErrStatus: Record<string, unknown> } | null;
}

/** An error as Go prints a `*StatusError`: `{"ErrStatus": …}` with a reason and a code. */
export function statusContent(error: unknown): { ErrStatus: Record<string, unknown> } {
  const status = findStatusError(error) ??
    new StatusError("InternalError", error instanceof Error ? error.message : String(error), {
      cause: error,
    });
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = status.toStatus();
  return { ErrStatus: rest as Record<string, unknown> };
}

/** The wrapper for success. */
export function objectResponse<T>(object: T): ObjectResponse<T> {
  return { Object: object, Err: null };
}

/** The wrapper for failure. `object` is null or, as upstream sends after a failed write, an empty object of the type. */
export function errorObjectResponse<T>(error: unknown, object: T | null = null): ObjectResponse<T> {
  return { Object: object, Err: statusContent(error) };
}

/** Whether a content is the wrapper: both keys are there. */
export function isObjectResponse(content: unknown): content is ObjectResponse<unknown> {
  return typeof content === "object" && content !== null && "Object" in content && "Err" in content;
}

/**
 * The object inside a reply: unwraps {@linkcode ObjectResponse}, and recognises a bare `{"ErrStatus": …}`.
 * @throws {StatusError} what the reply says went wrong
 */
export function unwrapResponse(content: unknown): unknown {
  if (isObjectResponse(content)) {
    if (content.Err !== null && content.Err !== undefined) throw errorFromContent(content.Err);
    return content.Object;
  }
  if (isStatusContent(content)) throw errorFromContent(content);
  return content;
}

/** Whether a content is `{"ErrStatus": …}`, which is how an error looks that Go printed. */
export function isStatusContent(content: unknown): content is { ErrStatus: unknown } {
  return typeof content === "object" && content !== null && "ErrStatus" in content;
}

/** The text of an API server for what is not there: `configmaps "web" not found`. */
const NOT_FOUND_TEXT = /^[a-z][-a-z0-9.]* "[^"]{1,253}" not found$/;

/** The error that `{"ErrStatus": …}`, the text of an error, or any other error content, stands for. */
export function errorFromContent(content: unknown): StatusError {
  if (isStatusContent(content)) return statusErrorFrom(content.ErrStatus);
  if (typeof content === "string") {
    return new StatusError(NOT_FOUND_TEXT.test(content) ? "NotFound" : "InternalError", content);
  }
  return statusErrorFrom(content);
}
