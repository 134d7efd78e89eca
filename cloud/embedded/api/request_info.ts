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

const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(["status", "finalize"]);

function decodePart(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
