import { isObject, type JsonObject, objectsAt } from "../object.ts";

/** A rule of a Role: what may be done to what. */
export interface PolicyRule {
  verbs: readonly string[];
  apiGroups: readonly string[];
  resources: readonly string[];
  resourceNames: readonly string[];
  nonResourceURLs: readonly string[];
}

/** What someone asks to do. */
export type Attributes = ResourceAttributes | NonResourceAttributes;

/** With a resource of the API. */
export interface ResourceAttributes {
  kind: "resource";
  verb: string;
  group: string;
  resource: string;
  subresource?: string;
  /** Absent for cluster-scoped resources and for all namespaces. */
  namespace?: string;
  name?: string;
}

/** With any other path. */
export interface NonResourceAttributes {
  kind: "path";
  verb: string;
  path: string;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** The rules of a Role or ClusterRole. */
export function rulesOf(role: JsonObject): PolicyRule[] {
  return objectsAt(role, "rules").map(readRule);
}

function readRule(rule: JsonObject): PolicyRule {
  return {
    verbs: strings(rule.verbs),
    apiGroups: strings(rule.apiGroups),
    resources: strings(rule.resources),
    resourceNames: strings(rule.resourceNames),
    nonResourceURLs: strings(rule.nonResourceURLs),
  };
}

/** A rule as it is written, without what is empty. */
export function printRule(rule: PolicyRule): JsonObject {
  const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } = rule;
  return {
    verbs: [...verbs],
    ...(apiGroups.length > 0 && { apiGroups: [...apiGroups] }),
    ...(resources.length > 0 && { resources: [...resources] }),
    ...(resourceNames.length > 0 && { resourceNames: [...resourceNames] }),
    ...(nonResourceURLs.length > 0 && { nonResourceURLs: [...nonResourceURLs] }),
  };
}

const hasOrAll = (list: readonly string[], one: string) => list.includes("*") || list.includes(one);

/**
 * Whether a rule allows what is asked.
 * Upstream: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac/rbac.go (RuleAllows), pkg/apis/rbac/v1/evaluation_helpers.go @ v1.33
 */
export function ruleAllows(rule: PolicyRule, asked: Attributes): boolean {
  if (!hasOrAll(rule.verbs, asked.verb)) return false;
  if (asked.kind === "path") return rule.nonResourceURLs.some((url) => urlMatches(url, asked.path));
  return hasOrAll(rule.apiGroups, asked.group) &&
    resourceMatches(rule.resources, asked.resource, asked.subresource) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(asked.name ?? ""));
}

function urlMatches(url: string, path: string): boolean {
  return url === "*" || url === path || (url.endsWith("*") && path.startsWith(url.slice(0, -1)));
}

function resourceMatches(
  resources: readonly string[],
  resource: string,
  subresource: string | undefined,
): boolean {
  const combined = subresource === undefined ? resource : `${resource}/${subresource}`;
  return resources.some((one) =>
    one === "*" || one === combined || (subresource !== undefined && one === `*/${subresource}`)
  );
}

/**
 * Splits a rule into rules that each name one thing.
 * Upstream: k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go (BreakdownRule) @ v0.33
 */
export function splitRule(rule: PolicyRule): PolicyRule[] {
  const parts: PolicyRule[] = [];
  const none = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [] };
  for (const group of rule.apiGroups) {
    for (const resource of rule.resources) {
      for (const verb of rule.verbs) {
        const part = { ...none, verbs: [verb], apiGroups: [group], resources: [resource] };
        if (rule.resourceNames.length === 0) parts.push(part);
        else for (const name of rule.resourceNames) parts.push({ ...part, resourceNames: [name] });
      }
    }
  }
  for (const url of rule.nonResourceURLs) {
    for (const verb of rule.verbs) parts.push({ ...none, verbs: [verb], nonResourceURLs: [url] });
  }
  return parts;
}

/** Whether a rule allows all that a rule which names one thing does. */
function ruleCovers(
  owner: PolicyRule,
  { verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule,
): boolean {
  if (!hasOrAll(owner.verbs, verbs[0] ?? "")) return false;
  const [url] = nonResourceURLs;
  if (url !== undefined) {
    return owner.nonResourceURLs.some((own) =>
      own === url || (own.endsWith("*") && url.startsWith(own.slice(0, -1)))
    );
  }
  const resource = resources[0] ?? "";
  const slash = resource.indexOf("/");
  return hasOrAll(owner.apiGroups, apiGroups[0] ?? "") &&
    (hasOrAll(owner.resources, resource) ||
      (slash >= 0 && owner.resources.includes(`*${resource.slice(slash)}`))) &&
    (owner.resourceNames.length === 0 ||
      (resourceNames.length > 0 && owner.resourceNames.includes(resourceNames[0]!)));
}

/** What of the rules nothing that is owned covers, in parts that each name one thing. Upstream: policy_comparator.go (Covers) */
export function uncovered(owned: readonly PolicyRule[], rules: readonly PolicyRule[]): PolicyRule[] {
  return rules.flatMap(splitRule).filter((part) => !owned.some((owner) => ruleCovers(owner, part)));
}

/** Rules with one subject as messages print them: verbs of one thing together. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const compact = new Map<string, PolicyRule>();
  for (const rule of rules) {
    const key = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames, rule.nonResourceURLs]);
    const before = compact.get(key);
    const verbs = new Set([...before?.verbs ?? [], ...rule.verbs]);
    compact.set(key, { ...rule, verbs: [...verbs].sort() });
  }
  return [...compact.values()];
}

/** A rule in Go's short form, as messages about escalation have it. */
export function ruleText(rule: PolicyRule): string {
  const list = (name: string, values: readonly string[]) =>
    values.length === 0 ? [] : [`${name}:[${values.map((value) => JSON.stringify(value)).join(" ")}]`];
  return `{${
    [
      ...list("APIGroups", rule.apiGroups),
      ...list("Resources", rule.resources),
      ...list("ResourceNames", rule.resourceNames),
      ...list("NonResourceURLs", rule.nonResourceURLs),
      ...list("Verbs", rule.verbs),
    ].join(", ")
  }}`;
}

/** Whether a value is an object that names a role. */
export function isRoleRef(value: unknown): value is { kind: string; name: string } {
  return isObject(value) && typeof value.kind === "string" && typeof value.name === "string";
}
