import type { ResourceDefinition } from "../resources/definition.ts";
import { forbidden } from "./forbidden.ts";
import type { Authorizer } from "./rbac.ts";
import type { Attributes } from "./rules.ts";
import type { User } from "./user.ts";

/**
 * The definition through which a patch writes: where it makes an object, as applying a configuration may, its sender must be allowed
 * to create one.
 * Upstream: k8s.io/apiserver pkg/endpoints/handlers/patch.go (createAuthorizerAttributes) @ v1.33
 * @param asked what the sender was allowed
 */
export function guardCreation(
  definition: ResourceDefinition,
  user: User,
  authorizer: Authorizer,
  asked: Attributes,
): ResourceDefinition {
  if (asked.verb !== "patch") return definition;
  const create = { ...asked, verb: "create" };
  return {
    ...definition,
    prepareForCreate: (object, around) => {
      if (!authorizer.authorize(user, create).allowed) throw forbidden(user, create);
      definition.prepareForCreate?.(object, around);
    },
  };
}
