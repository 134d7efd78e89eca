/** One request. */
export interface ApplyCase {
  name: string;
  method: string;
  /** Path and query. */
  path: string;
  contentType: string;
  /** An object, or text that is sent as it is. */
  body?: unknown;
}

const TYPES = {
  apply: "application/apply-patch+yaml",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const;

function patch(type: keyof typeof TYPES) {
  return (name: string, path: string, body: unknown, query = "fieldManager=m1"): ApplyCase => ({
    name,
    method: "PATCH",
    path: query === "" ? path : `${path}?${query}`,
    contentType: TYPES[type],
    body,
  });
}

/** Patches of each type, by manager m1 unless the query says otherwise. */
export const [apply, merge, strategic, json] = [
  patch("apply"),
  patch("merge"),
  patch("strategic"),
  patch("json"),
];

/** Requests with an object. */
export function send(method: string) {
  return (name: string, path: string, body?: unknown): ApplyCase => ({
    name,
    method,
    path,
    contentType: "application/json",
    ...(body === undefined ? {} : { body }),
  });
}

/** Requests with an object, by their method. */
export const [post, put, get] = [send("POST"), send("PUT"), send("GET")];
