import { type ApiObject, jsonEqual } from "../object.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { forbiddenWrite, notFound } from "../resources/errors.ts";
import { type Authorizer, isRbac, roleRefOf } from "./rbac.ts";
import { compactRules, type PolicyRule, rulesOf, ruleText, uncovered } from "./rules.ts";
import { isAdmin, type User } from "./user.ts";

/**
 * The definition through which a user writes a role or binding: nobody gives what they do not have, unless they may `escalate`
 * roles or `bind` them.
 * Upstream: k8s.io/kubernetes pkg/registry/rbac/{role,rolebinding,…}/policybased/storage.go, escalation_check.go @ v1.33
 */
export function guardEscalation(
  definition: ResourceDefinition,
  user: User,
  authorizer: Authorizer,
): ResourceDefinition {
  if (!isRbac(definition) || isAdmin(user)) return definition;
  const check = (object: ApiObject, old: ApiObject | undefined) => {
    if (definition.resource.endsWith("bindings")) checkBinding(definition, user, authorizer, object, old);
    else checkRole(definition, user, authorizer, object, old);
  };
  return {
    ...definition,
    prepareForCreate: (object, around) => {
      definition.prepareForCreate?.(object, around);
      check(object, undefined);
    },
    prepareForUpdate: (object, old, around) => {
      definition.prepareForUpdate?.(object, old, around);
      check(object, old);
    },
  };
}

function checkRole(
  definition: ResourceDefinition,
  user: User,
  authorizer: Authorizer,
  object: ApiObject,
  old: ApiObject | undefined,
): void {
  const { name = "", namespace } = object.metadata;
  if (
    old !== undefined && jsonEqual(object.rules, old.rules) &&
    jsonEqual(object.aggregationRule, old.aggregationRule)
  ) {
    return;
  }
  const { group, resource } = definition;
  const attributes = {
    kind: "resource",
    verb: "escalate",
    group,
    resource,
    name,
    ...(namespace && { namespace }),
  } as const;
  if (authorizer.authorize(user, attributes).allowed) return;
  refuseUncovered(definition, user, authorizer, object, rulesOf(object));
  // What an aggregation brings later is not known, so it takes the right to everything.
  if (object.aggregationRule !== undefined && !jsonEqual(object.aggregationRule, old?.aggregationRule)) {
    const all = { apiGroups: ["*"], resources: ["*"], verbs: ["*"], resourceNames: [], nonResourceURLs: [] };
    refuseUncovered(definition, user, authorizer, object, [all]);
  }
}

function checkBinding(
  definition: ResourceDefinition,
  user: User,
  authorizer: Authorizer,
  object: ApiObject,
  old: ApiObject | undefined,
): void {
  if (
    old !== undefined && jsonEqual(object.roleRef, old.roleRef) && jsonEqual(object.subjects, old.subjects)
  ) return;
  const role = roleRefOf(object);
  const { namespace } = object.metadata;
  const { group } = definition;
  const resource = role.kind === "Role" ? "roles" : "clusterroles";
  const attributes = {
    kind: "resource",
    verb: "bind",
    group,
    resource,
    name: role.name,
    ...(namespace && { namespace }),
  } as const;
  if (authorizer.authorize(user, attributes).allowed) return;
  const rules = authorizer.rulesOfRole(role, namespace);
  if (rules === undefined) throw notFound({ group, resource }, role.name);
  refuseUncovered(definition, user, authorizer, object, rules);
}

function refuseUncovered(
  definition: ResourceDefinition,
  user: User,
  authorizer: Authorizer,
  { metadata }: ApiObject,
  rules: readonly PolicyRule[],
): void {
  const missing = uncovered(authorizer.rulesFor(user, metadata.namespace), rules);
  if (missing.length === 0) return;
  const groups = user.groups.map((group) => JSON.stringify(group)).join(" ");
  throw forbiddenWrite(
    definition,
    metadata.name ?? "",
    `user ${
      JSON.stringify(user.username)
    } (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${
      compactRules(missing).map(ruleText).sort().join("\n")
    }`,
  );
}
