import { StatusError } from "../../../common/errors/mod.ts";
import { type FieldError, forbidden, invalidObject, notSupported } from "../resources/field_error.ts";

/** What a list or watch may be asked about versions. */
export interface ListOptions {
  /** 0 for no limit. */
  limit: number;
  /** 0 for none. */
  version: number;
  match: "" | "Exact" | "NotOlderThan";
  continueText: string;
  /** For watches: whether the objects there are come first; undefined when it is not said. */
  sendInitialEvents: boolean | undefined;
}

/**
 * Reads the options of a list or watch.
 * Upstream: k8s.io/apimachinery pkg/apis/meta/internalversion/validation (ValidateListOptions) @ v1.32
 * @throws {StatusError} BadRequest, Invalid
 */
export function readListOptions(query: URLSearchParams, { watch = false } = {}): ListOptions {
  const limit = readInteger(query.get("limit"));
  const text = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const continueText = query.get("continue") ?? "";
  const initial = query.get("sendInitialEvents");
  const sendInitialEvents = initial === null ? undefined : isTrue(initial);
  const errors = watch
    ? problemsOfWatch(match, sendInitialEvents)
    : problemsOfList({ text, match, continueText, sendInitialEvents });
  if (errors.length > 0) throw invalidObject({ group: "meta.k8s.io", kind: "ListOptions" }, "", errors);
  const wrap = (why: string) => watch ? why : `invalid resource version: ${why}`;
  return {
    limit: Math.max(limit, 0),
    version: text === "" ? 0 : parseVersion(text, wrap),
    match: match as ListOptions["match"],
    continueText,
    sendInitialEvents,
  };
}

function problemsOfWatch(match: string, sendInitialEvents: boolean | undefined): FieldError[] {
  if (sendInitialEvents !== undefined && match !== "NotOlderThan") {
    return [
      forbidden(
        "resourceVersionMatch",
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
      ),
    ];
  }
  if (sendInitialEvents === undefined && match !== "") {
    return [
      forbidden(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      ),
    ];
  }
  return [];
}

function problemsOfList(
  { text, match, continueText, sendInitialEvents }: {
    text: string;
    match: string;
    continueText: string;
    sendInitialEvents: boolean | undefined;
  },
): FieldError[] {
  const field = "resourceVersionMatch";
  const errors: FieldError[] = [];
  if (match !== "") {
    if (text === "") {
      errors.push(forbidden(field, `${field} is forbidden unless resourceVersion is provided`));
    }
    if (continueText !== "") errors.push(forbidden(field, `${field} is forbidden when continue is provided`));
    if (match !== "Exact" && match !== "NotOlderThan") {
      errors.push(notSupported(field, match, ["Exact", "NotOlderThan", ""]));
    }
    if (match === "Exact" && text === "0") {
      errors.push(forbidden(field, `${field} "exact" is forbidden for resourceVersion "0"`));
    }
  }
  if (sendInitialEvents !== undefined) {
    errors.push(forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  }
  return errors;
}

/** Reads a resourceVersion. @param wrap makes the message of what is wrong @throws {StatusError} BadRequest */
export function parseVersion(text: string, wrap = (why: string) => why): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const quoted = JSON.stringify(text.slice(0, 100));
  throw new StatusError(
    "BadRequest",
    wrap(`resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: invalid syntax`),
  );
}

/** Reads a whole number of the query, 0 when there is none. @throws {StatusError} BadRequest */
export function readInteger(text: string | null): number {
  if (text === null || text === "") return 0;
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text);
  throw new StatusError(
    "BadRequest",
    `strconv.ParseInt: parsing ${JSON.stringify(text.slice(0, 100))}: invalid syntax`,
  );
}

/** Whether a query value means true, as Go reads it. */
export function isTrue(text: string | null): boolean {
  return text !== null && ["", "1", "t", "T", "true", "TRUE", "True"].includes(text);
}
