import type { Attributes } from "../auth/rules.ts";
import { isTrue } from "./list_options.ts";
import type { ResourcePath } from "./request_info.ts";

/**
 * What a request asks to do.
 * Upstream: k8s.io/apiserver pkg/endpoints/request/requestinfo.go (NewRequestInfo) @ v0.33
 * @param asked undefined for a path that is not of a resource
 */
export function attributesOf(
  { method }: { method: string },
  path: string,
  asked: ResourcePath | undefined,
  query: URLSearchParams,
): Attributes {
  if (asked === undefined) return { kind: "path", verb: pathVerb(method), path };
  const { group, resource, subresource } = asked;
  // What is made has the name that its object says, whatever is selected beside.
  const selected = method === "GET" || method === "HEAD"
    ? namedBySelector(query.get("fieldSelector"))
    : undefined;
  const name = asked.name ?? selected;
  // A namespace is within itself.
  const namespace = group === "" && resource === "namespaces" ? asked.name : asked.namespace;
  return {
    kind: "resource",
    verb: resourceVerb(method, asked.name, query),
    group,
    resource,
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  };
}

function pathVerb(method: string): string {
  return method === "HEAD" ? "get" : method.toLowerCase();
}

function resourceVerb(method: string, name: string | undefined, query: URLSearchParams): string {
  switch (method) {
    case "GET":
    case "HEAD":
      if (name !== undefined) return "get";
      return query.has("watch") && isTrue(query.get("watch")) ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return name === undefined ? "deletecollection" : "delete";
    default:
      return method.toLowerCase();
  }
}

/** The one object that a field selector leaves. */
function namedBySelector(selector: string | null): string | undefined {
  return /^metadata\.name==?([^,!=]+)$/.exec(selector ?? "")?.[1];
}
