import { StatusError } from "../../../common/errors/mod.ts";
import { isObject, jsonEqual, setField } from "../object.ts";

/** Most operations in one patch. Upstream: k8s.io/apiserver pkg/endpoints/handlers/patch.go (maxJSONPatchOperations) @ v1.32 */
const MAX_OPERATIONS = 10_000;

/**
 * Characters that all copies of one patch may make: of a few copies of a value into itself any size can come.
 * Upstream: k8s.io/apiserver pkg/server/config.go (JSONPatchMaxCopyBytes) @ v1.32
 */
const MAX_COPIED_CHARS = 3 * 1024 * 1024;

interface Operation {
  op: string;
  path: string[];
  from?: string[];
  value?: unknown;
}

/**
 * Applies a JSON patch (RFC 6902) to a value, which is left as it is.
 * @throws {StatusError} BadRequest when it is not a patch; Invalid when it does not fit the value
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw new StatusError(
      "BadRequest",
      `error decoding patch: json: cannot unmarshal ${
        typeof patch === "boolean" ? "bool" : typeof patch
      } into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (patch.length > MAX_OPERATIONS) {
    throw new StatusError(
      "RequestEntityTooLarge",
      `Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  let document = structuredClone(target);
  let copied = 0;
  const copy = (value: unknown, path: readonly string[]) => {
    copied += JSON.stringify(value).length;
    if (copied > MAX_COPIED_CHARS) {
      throw misfit("copy", path, `copies make more than ${MAX_COPIED_CHARS} bytes`);
    }
    return structuredClone(value);
  };
  for (const operation of patch.map(readOperation)) document = applyOperation(document, operation, copy);
  return document;
}

function readOperation(value: unknown): Operation {
  if (!isObject(value) || typeof value.op !== "string" || typeof value.path !== "string") {
    throw new StatusError("BadRequest", "error decoding patch: every operation needs an op and a path");
  }
  const operation: Operation = { op: value.op, path: parsePointer(value.path) };
  if (value.op === "move" || value.op === "copy") {
    if (typeof value.from !== "string") {
      throw new StatusError("BadRequest", `error decoding patch: ${value.op} needs a from`);
    }
    operation.from = parsePointer(value.from);
  }
  if (["add", "replace", "test"].includes(value.op)) {
    if (!Object.hasOwn(value, "value")) {
      throw new StatusError("BadRequest", `error decoding patch: ${value.op} needs a value`);
    }
    operation.value = value.value;
  }
  return operation;
}

function parsePointer(text: string): string[] {
  if (text === "") return [];
  if (!text.startsWith("/")) {
    throw new StatusError(
      "BadRequest",
      `error decoding patch: path ${JSON.stringify(text.slice(0, 200))} does not begin with "/"`,
    );
  }
  return text.slice(1).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function applyOperation(
  document: unknown,
  { op, path, from, value }: Operation,
  copy: (value: unknown, path: readonly string[]) => unknown,
): unknown {
  switch (op) {
    case "add":
      return add(document, path, structuredClone(value));
    case "remove":
      return remove(document, path);
    case "replace":
      return path.length === 0 ? structuredClone(value) : replace(document, path, structuredClone(value));
    case "move": {
      const moved = get(document, from!);
      if (path.length > from!.length && from!.every((part, i) => part === path[i])) {
        throw misfit("move", path, "a value cannot be moved into itself");
      }
      return add(remove(document, from!), path, moved);
    }
    case "copy":
      return add(document, path, copy(getOrNull(document, from!), path));
    case "test":
      if (!jsonEqual(getOrNull(document, path), value)) throw misfit("test", path, "the value is another");
      return document;
    default:
      throw misfit("apply", path, `${JSON.stringify(op.slice(0, 100))} is no operation`);
  }
}

/** The value at a path; null where an object lacks the last member, which is as good to a test and a copy. */
function getOrNull(document: unknown, path: readonly string[]): unknown {
  const last = path.at(-1);
  if (last === undefined) return document;
  const parent = get(document, path.slice(0, -1));
  return isObject(parent) && !Object.hasOwn(parent, last) ? null : get(document, path);
}

function get(document: unknown, path: readonly string[]): unknown {
  let at = document;
  for (const part of path) {
    if (Array.isArray(at)) at = at[indexOf(part, at.length - 1, path)];
    else if (isObject(at) && Object.hasOwn(at, part)) at = at[part];
    else throw misfit("get", path, "there is no such value");
  }
  return at;
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = get(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    parent.splice(last === "-" ? parent.length : indexOf(last, parent.length, path), 0, value);
  } else if (isObject(parent)) setField(parent, last, value);
  else throw misfit("add", path, "there is nothing to add to");
  return document;
}

/** Puts a value in the place of another; into an object also where there is none, as the library that upstream uses does. */
function replace(document: unknown, path: readonly string[], value: unknown): unknown {
  const parent = get(document, path.slice(0, -1));
  const last = path.at(-1)!;
  if (Array.isArray(parent)) parent[indexOf(last, parent.length - 1, path)] = value;
  else if (isObject(parent)) setField(parent, last, value);
  else throw misfit("replace", path, "there is nothing to replace it in");
  return document;
}

function remove(document: unknown, path: readonly string[]): unknown {
  const last = path.at(-1);
  if (last === undefined) return null;
  const parent = get(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(indexOf(last, parent.length - 1, path), 1);
  else if (isObject(parent) && Object.hasOwn(parent, last)) delete parent[last];
  else throw misfit("remove", path, "there is no such value");
  return document;
}

function indexOf(part: string, max: number, path: readonly string[]): number {
  if (/^(?:0|[1-9]\d{0,8})$/.test(part) && Number(part) <= max) return Number(part);
  throw misfit("find", path, `${JSON.stringify(part.slice(0, 100))} is no index of the array`);
}

function misfit(doing: string, path: readonly string[], why: string): StatusError {
  const pointer = path.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("").slice(
    0,
    500,
  );
  return new StatusError("Invalid", "the server rejected our request due to an error in our request", {
    details: { causes: [{ message: `Cannot ${doing} ${JSON.stringify(pointer)}: ${why}` }] },
  });
}
