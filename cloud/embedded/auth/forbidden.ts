import { StatusError } from "../../../common/errors/mod.ts";
import { qualifiedResource } from "../resources/errors.ts";
import type { Attributes } from "./rules.ts";
import type { User } from "./user.ts";

/**
 * The refusal of what a user may not do.
 * Upstream: k8s.io/apiserver pkg/endpoints/handlers/responsewriters/errors.go (ForbiddenStatusError) @ v0.33
 */
export function forbidden(user: User, asked: Attributes): StatusError {
  const who = `User ${JSON.stringify(user.username)} cannot ${asked.verb}`;
  if (asked.kind === "path") {
    return new StatusError("Forbidden", `forbidden: ${who} path ${JSON.stringify(asked.path)}`, {
      details: {},
    });
  }
  const { group, resource, subresource, namespace, name } = asked;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined
    ? "at the cluster scope"
    : `in the namespace ${JSON.stringify(namespace)}`;
  return new StatusError(
    "Forbidden",
    `${qualifiedResource({ group, resource })}${
      name === undefined ? "" : ` ${JSON.stringify(name)}`
    } is forbidden: ${who} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}`,
    {
      details: {
        ...(name === undefined ? {} : { name }),
        ...(group === "" ? {} : { group }),
        kind: resource,
      },
    },
  );
}
