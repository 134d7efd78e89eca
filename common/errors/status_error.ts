import type { Status } from "kubernetes-types/meta/v1.d.ts";

/**
 * Why a request failed, in Kubernetes' own words.
 * Upstream: k8s.io/apimachinery pkg/apis/meta/v1/types.go (StatusReason) @ v1.32
 */
export type StatusReason =
  | "BadRequest"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "MethodNotAllowed"
  | "NotAcceptable"
  | "AlreadyExists"
  | "Conflict"
  | "Expired"
  | "Gone"
  | "RequestEntityTooLarge"
  | "UnsupportedMediaType"
  | "Invalid"
  | "TooManyRequests"
  | "InternalError"
  | "ServiceUnavailable"
  | "Timeout"
  | "ServerTimeout"
  | "Unknown";

/** The one table between reasons and HTTP status codes; the first row of a code is what that code means alone. */
const HTTP_STATUS: ReadonlyArray<readonly [StatusReason, number]> = [
  ["BadRequest", 400],
  ["Unauthorized", 401],
  ["Forbidden", 403],
  ["NotFound", 404],
  ["MethodNotAllowed", 405],
  ["NotAcceptable", 406],
  ["Conflict", 409],
  ["AlreadyExists", 409],
  ["Expired", 410],
  ["Gone", 410],
  ["RequestEntityTooLarge", 413],
  ["UnsupportedMediaType", 415],
  ["Invalid", 422],
  ["TooManyRequests", 429],
  ["InternalError", 500],
  ["Unknown", 500],
  ["ServiceUnavailable", 503],
  ["Timeout", 504],
  ["ServerTimeout", 504],
];

/** HTTP status code of a reason; 500 for one that has none. */
export function httpStatusOf(reason: StatusReason): number {
  return HTTP_STATUS.find(([r]) => r === reason)?.[1] ?? 500;
}

/** The reason that an HTTP status code means on its own; "Unknown" for a code outside the table. */
export function reasonOf(code: number): StatusReason {
  return HTTP_STATUS.find(([, c]) => c === code)?.[0] ?? "Unknown";
}

/** What {@linkcode StatusError} takes besides the message. */
export interface StatusErrorOptions {
  /** HTTP status code. @default the reason's own code */
  code?: number;
  /** `details` of a Kubernetes Status: kind, name, causes, retryAfterSeconds. */
  details?: Status["details"];
  /** `metadata` of the Status, such as a token to go on with. @default {} */
  metadata?: Status["metadata"];
  /** The error beneath this one. */
  cause?: unknown;
}

/**
 * A failure that can be told to a client as a Kubernetes `Status`.
 * Upstream: k8s.io/apimachinery pkg/api/errors/errors.go (StatusError)
 */
export class StatusError extends Error {
  override readonly name = "StatusError";
  /** Why, as a word both programs and people know. */
  readonly reason: StatusReason;
  /** HTTP status code. */
  readonly code: number;
  readonly details: Status["details"];
  readonly metadata: NonNullable<Status["metadata"]>;

  constructor(reason: StatusReason, message: string, options: StatusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.code = options.code ?? httpStatusOf(reason);
    this.details = options.details;
    this.metadata = options.metadata ?? {};
  }

  /** This error as the `Status` object the Kubernetes API returns. */
  toStatus(): Status {
    const status: Status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: this.metadata,
      status: "Failure",
      message: this.message,
      reason: this.reason,
      code: this.code,
    };
    if (this.details !== undefined) status.details = this.details;
    return status;
  }
}

const REASONS: ReadonlySet<string> = new Set(HTTP_STATUS.map(([reason]) => reason));

/** The error that a `Status` read from the outside stands for; anything missing is filled from the HTTP code. */
export function statusErrorFrom(value: unknown, httpCode = 500): StatusError {
  const status = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const code = typeof status.code === "number" && status.code >= 400 && status.code < 600
    ? status.code
    : httpCode;
  const reason = typeof status.reason === "string" && REASONS.has(status.reason)
    ? status.reason as StatusReason
    : reasonOf(code);
  const message = typeof status.message === "string" && status.message !== ""
    ? status.message
    : `The server answered HTTP ${code} (${reason})`;
  const details = typeof status.details === "object" && status.details !== null
    ? status.details as NonNullable<Status["details"]>
    : undefined;
  return new StatusError(reason, message, details === undefined ? { code } : { code, details });
}

/** The first StatusError in an error and its causes. */
export function findStatusError(error: unknown): StatusError | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 16; e = e.cause, depth++) {
    if (e instanceof StatusError) return e;
  }
  return undefined;
}

/** Whether an error, or one of its causes, has this reason. */
export function hasReason(error: unknown, reason: StatusReason): boolean {
  return findStatusError(error)?.reason === reason;
}

/** The object does not exist. */
export const isNotFound = (error: unknown): boolean => hasReason(error, "NotFound");
/** The object exists already. */
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, "AlreadyExists");
/** The object changed since it was read. */
export const isConflict = (error: unknown): boolean => hasReason(error, "Conflict");
/** The resourceVersion asked for is no longer kept: list again. */
export const isExpired = (error: unknown): boolean => hasReason(error, "Expired") || hasReason(error, "Gone");
/** The caller may not do this. */
export const isForbidden = (error: unknown): boolean => hasReason(error, "Forbidden");

/** The namespace takes no more objects, since it is on its way out. Upstream: k8s.io/api core/v1 (NamespaceTerminatingCause) */
export const isNamespaceTerminating = (error: unknown): boolean =>
  findStatusError(error)?.details?.causes?.some(({ reason }) => reason === "NamespaceTerminating") ?? false;

/** The text of anything thrown, with the causes behind it. */
export function errorText(error: unknown): string {
  const texts: string[] = [];
  for (let e = error, depth = 0; e !== undefined && e !== null && depth < 8; depth++) {
    const text = e instanceof Error ? e.message || e.name : String(e);
    if (!texts.some((seen) => seen.includes(text))) texts.push(text);
    e = e instanceof Error ? e.cause : undefined;
  }
  return texts.join(": ");
}
