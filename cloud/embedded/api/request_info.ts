/** What a request is about, out of its path. */
export interface ResourcePath {
  group: string;
  version: string;
  /** Namespace of the path; undefined for cluster-scoped paths and for all namespaces. */
  namespace: string | undefined;
  resource: string;
  name: string | undefined;
  subresource: string | undefined;
}

/**
 * Reads the path of a resource:
 *
 *     path = ( "/api/" version | "/apis/" group "/" version ) [ "/namespaces/" ns ] "/" resource [ "/" name [ "/" subresource ] ]
 *
 * `namespaces/x` and `namespaces/x/status` are the namespace itself.
 * Upstream: k8s.io/apiserver pkg/endpoints/request/requestinfo.go @ v1.32
 * @returns undefined when the path is of another kind
 */
export function parseResourcePath(pathname: string): ResourcePath | undefined {
  const parts: string[] = [];
  for (const part of pathname.replace(/^\/+|\/+$/g, "").split("/")) {
    const decoded = decodePart(part);
    if (decoded === undefined || decoded === "") return undefined;
    parts.push(decoded);
  }
  const core = parts[0] === "api";
  if (!core && parts[0] !== "apis") return undefined;
  const [group, version, rest] = core ? ["", parts[1], parts.slice(2)] : [parts[1], parts[2], parts.slice(3)];
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  let namespace: string | undefined;
  if (rest[0] === "namespaces" && rest.length > 2 && !NAMESPACE_SUBRESOURCES.has(rest[2]!)) {
    namespace = rest[1];
    rest.splice(0, 2);
  }
  const [resource, name, subresource, more] = rest;
  if (resource === undefined || more !== undefined) return undefined;
  return { group, version, namespace, resource, name, subresource };
}

/**
 * The path and query of a watch asked for in the old way, with `watch` in the path before the resource, in today's; others stay as
 * they are. One object is watched by a field selector.
 * @param query is changed
 */
export function modernWatch(path: string, query: URLSearchParams): string {
  const found = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)\/watch(\/.+)$/.exec(path);
  if (found === null) return path;
  const modern = `${found[1]}${found[2]}`;
  const asked = parseResourcePath(modern);
  if (asked === undefined || asked.subresource !== undefined) return path;
  query.set("watch", "true");
  if (asked.name === undefined) return modern;
  query.set("fieldSelector", `metadata.name=${asked.name}`);
  return modern.slice(0, modern.lastIndexOf("/"));
}

const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(["status", "finalize"]);

function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
