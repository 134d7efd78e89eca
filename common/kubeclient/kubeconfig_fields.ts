/** Reading the fields of a kubeconfig, with their places for messages. */

/** A value of the file and where it is. */
export interface Field {
  /** As shown to people: `clusters[0].cluster.server`. */
  path: string;
  value: unknown;
}

/** Refuses the file. @throws {KubeConfigError} */
export type Fail = (what: string) => never;

/** A map of fields. */
export function asRecord({ path, value }: Field, fail: Fail): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  return fail(`${path} is ${value === null || value === undefined ? "empty" : "not a map of fields"}`);
}

/** A field of a field. */
export function member({ path, value }: Field, name: string): Field {
  return { path: `${path}.${name}`, value: (value as Record<string, unknown>)[name] };
}

/** Text, unless it is empty. */
export function optionalText({ path, value }: Field, fail: Fail): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  return typeof value === "string" ? value : fail(`${path} is not text; put it in quotes`);
}

/** PEM that is written as base64. */
export function pem(at: Field, fail: Fail): string | undefined {
  const text = optionalText(at, fail);
  if (text === undefined) return undefined;
  let decoded: string;
  try {
    decoded = atob(text.replace(/\s/g, ""));
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    return fail(`${at.path} is not base64; encode the PEM file with: base64 -w0 FILE`);
  }
  if (!decoded.includes("-----BEGIN ")) {
    fail(`${at.path} is not base64 of PEM; encode the file with: base64 -w0 FILE`);
  }
  return decoded;
}

/** A path of a kubeconfig; a relative one is relative to the kubeconfig's own folder. */
export function absolute(path: string | undefined, file: string): string | undefined {
  if (path === undefined || path.startsWith("/")) return path;
  const slash = file.lastIndexOf("/");
  return slash < 0 ? path : `${file.slice(0, slash + 1)}${path}`;
}

/** The object without what is undefined. */
export function defined<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
