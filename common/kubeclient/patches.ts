function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Applies a JSON merge patch (RFC 7396) and leaves its arguments alone. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return structuredClone(patch);
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else define(result, name, mergePatch(Object.hasOwn(result, name) ? result[name] : undefined, value));
  }
  return result;
}

/** Sets a member that may be called `__proto__` without touching the prototype. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}

/**
 * Applies a JSON patch (RFC 6902) with add, remove, replace and test, and leaves its arguments alone.
 * @throws {SyntaxError} for a patch that is malformed, RangeError for one that does not fit the target
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new SyntaxError("Cannot apply JSON patch: it is not an array");
  const root: Record<string, unknown> = { root: structuredClone(target) };
  for (const step of patch) {
    if (!isRecord(step) || typeof step.op !== "string" || typeof step.path !== "string") {
      throw new SyntaxError("Cannot apply JSON patch: a step needs op and path");
    }
    applyStep(root, step.op, step.path, step.value);
  }
  return root.root;
}

function applyStep(root: Record<string, unknown>, op: string, path: string, value: unknown): void {
  const missing = () => new RangeError(`Cannot apply JSON patch: ${path} does not exist`);
  const names = ["root", ...path.split("/").slice(1).map((n) => n.replace(/~1/g, "/").replace(/~0/g, "~"))];
  const last = names.pop()!;
  let at: unknown = root;
  for (const name of names) {
    if (Array.isArray(at)) at = at[Number(name)];
    else if (isRecord(at) && Object.hasOwn(at, name)) at = at[name];
    else throw missing();
  }
  if (Array.isArray(at)) {
    const index = last === "-" ? at.length : /^\d+$/.test(last) ? Number(last) : NaN;
    if (!(index <= at.length) || (op !== "add" && index === at.length)) throw missing();
    if (op === "add") at.splice(index, 0, value);
    else if (op === "remove") at.splice(index, 1);
    else if (op === "replace") at[index] = value;
    else testValue(op, path, at[index], value);
    return;
  }
  if (!isRecord(at)) throw missing();
  if (op !== "add" && !Object.hasOwn(at, last)) throw missing();
  if (op === "add" || op === "replace") define(at, last, value);
  else if (op === "remove") delete at[last];
  else testValue(op, path, at[last], value);
}

function testValue(op: string, path: string, actual: unknown, expected: unknown): void {
  if (op !== "test") throw new SyntaxError(`Cannot apply JSON patch: ${JSON.stringify(op)} is not supported`);
  if (!equalJson(actual, expected)) {
    throw new RangeError(`Cannot apply JSON patch: the test of ${path} failed`);
  }
}

/** Whether two JSON values are the same, whatever the order of members; a member that is undefined counts as absent. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equalJson(item, b[i]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const name of names) if (!equalJson(a[name], b[name])) return false;
  return true;
}
