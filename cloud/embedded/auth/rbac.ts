import type { ApiObject, JsonObject } from "../object.ts";
import { objectsAt, textAt, valueAt } from "../object.ts";
import type { Registry } from "../registry.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import type { WatchCache } from "../storage/watch_cache.ts";
import { type Attributes, isRoleRef, type PolicyRule, ruleAllows, rulesOf } from "./rules.ts";
import { isAdmin, type User } from "./user.ts";

/** Whether someone may do what they ask, and by which grant. */
export interface Decision {
  allowed: boolean;
  /** Of what allows it; empty where nothing does. */
  reason: string;
}

/** Answers who may do what. */
export interface Authorizer {
  authorize(user: User, asked: Attributes): Decision;
  /** All rules that hold for a user in a namespace, those for the whole cluster included. */
  rulesFor(user: User, namespace: string | undefined): PolicyRule[];
  /** The rules of a role that a binding names; undefined when there is no such role. */
  rulesOfRole(ref: { kind: string; name: string }, namespace: string | undefined): PolicyRule[] | undefined;
}

/** A binding, by one of its subjects. */
interface Grant {
  kind: "ClusterRoleBinding" | "RoleBinding";
  name: string;
  /** Empty for the whole cluster. */
  namespace: string;
  role: { kind: string; name: string };
  subject: string;
}

const GROUP = "rbac.authorization.k8s.io";
const ALL: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"], resourceNames: [], nonResourceURLs: [] },
  { verbs: ["*"], apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: ["*"] },
];

/**
 * Roles and bindings as they are stored, ready to be asked: grants by subject, rules by role. What changes is read again at the
 * next question, one object at a time.
 * Upstream: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac/rbac.go, pkg/registry/rbac/validation/rule.go @ v1.33
 */
export class RbacAuthorizer implements Authorizer, Disposable {
  readonly #caches: Record<"clusterroles" | "roles" | "clusterrolebindings" | "rolebindings", WatchCache>;
  /** Grants by `<namespace>/<subject>`. */
  readonly #grants = new Map<string, Grant[]>();
  /** Keys of the grants that a binding made, by the binding. */
  readonly #keys = new Map<string, string[]>();
  /** Rules by role; filled as they are asked for. */
  readonly #rules = new Map<string, readonly PolicyRule[]>();
  readonly #unsubscribe: Array<() => void> = [];

  constructor(registry: Registry) {
    const cache = (resource: string) => registry.cache(rbacDefinition(registry, resource));
    this.#caches = {
      clusterroles: cache("clusterroles"),
      roles: cache("roles"),
      clusterrolebindings: cache("clusterrolebindings"),
      rolebindings: cache("rolebindings"),
    };
    for (const resource of ["clusterroles", "roles"] as const) {
      this.#unsubscribe.push(
        this.#caches[resource].subscribe(({ entry }) =>
          this.#rules.delete(`${entry.namespace}/${entry.name}`)
        ),
      );
    }
    for (const resource of ["clusterrolebindings", "rolebindings"] as const) {
      const kind = resource === "rolebindings" ? "RoleBinding" : "ClusterRoleBinding";
      const bindings = this.#caches[resource];
      for (const { namespace, name, text } of bindings.list()) {
        this.#bind(kind, namespace, name, JSON.parse(text));
      }
      this.#unsubscribe.push(bindings.subscribe(({ type, entry: { namespace, name, text } }) => {
        this.#bind(kind, namespace, name, type === "DELETED" ? undefined : JSON.parse(text));
      }));
    }
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
  }

  authorize(user: User, asked: Attributes): Decision {
    if (isAdmin(user)) return { allowed: true, reason: "" };
    const namespace = asked.kind === "resource" ? asked.namespace : undefined;
    for (const grant of this.#grantsFor(user, namespace)) {
      const rules = this.rulesOfRole(grant.role, grant.namespace) ?? [];
      if (rules.some((rule) => ruleAllows(rule, asked))) return { allowed: true, reason: grantText(grant) };
    }
    return { allowed: false, reason: "" };
  }

  rulesFor(user: User, namespace: string | undefined): PolicyRule[] {
    const rules = isAdmin(user) ? [...ALL] : [];
    for (const grant of this.#grantsFor(user, namespace)) {
      rules.push(...this.rulesOfRole(grant.role, grant.namespace) ?? []);
    }
    return rules;
  }

  rulesOfRole(
    { kind, name }: { kind: string; name: string },
    namespace: string | undefined,
  ): PolicyRule[] | undefined {
    const inside = kind === "Role" ? namespace ?? "" : "";
    const key = `${inside}/${name}`;
    const known = this.#rules.get(key);
    if (known !== undefined) return [...known];
    const entry = this.#caches[kind === "Role" ? "roles" : "clusterroles"].get(inside, name);
    if (entry === undefined) return undefined;
    const rules = rulesOf(JSON.parse(entry.text));
    this.#rules.set(key, rules);
    return rules;
  }

  *#grantsFor(user: User, namespace: string | undefined): Generator<Grant> {
    const subjects = [`User/${user.username}`, ...user.groups.map((group) => `Group/${group}`)];
    for (const inside of namespace === undefined || namespace === "" ? [""] : ["", namespace]) {
      for (const subject of subjects) yield* this.#grants.get(`${inside}/${subject}`) ?? [];
    }
  }

  #bind(kind: Grant["kind"], namespace: string, name: string, binding: JsonObject | undefined): void {
    const id = `${kind}/${namespace}/${name}`;
    for (const key of this.#keys.get(id) ?? []) {
      const left = (this.#grants.get(key) ?? []).filter((grant) =>
        grant.kind !== kind || grant.name !== name || grant.namespace !== namespace
      );
      if (left.length > 0) this.#grants.set(key, left);
      else this.#grants.delete(key);
    }
    this.#keys.delete(id);
    const role = valueAt(binding, "roleRef");
    if (!isRoleRef(role)) return;
    const keys = new Set<string>();
    for (const one of objectsAt(binding, "subjects")) {
      const subject = subjectOf(one, namespace);
      const key = `${namespace}/${subject.key}`;
      if (keys.has(key)) continue;
      keys.add(key);
      const grant: Grant = {
        kind,
        name,
        namespace,
        role: { kind: role.kind, name: role.name },
        subject: subject.text,
      };
      this.#grants.set(key, [...this.#grants.get(key) ?? [], grant]);
    }
    this.#keys.set(id, [...keys]);
  }
}

/** A service account is the user of its name. */
function subjectOf(subject: JsonObject, namespace: string): { key: string; text: string } {
  const [kind, name] = [textAt(subject, "kind"), textAt(subject, "name")];
  if (kind !== "ServiceAccount") return { key: `${kind}/${name}`, text: `${kind} ${JSON.stringify(name)}` };
  const inside = textAt(subject, "namespace") || namespace;
  return {
    key: `User/system:serviceaccount:${inside}:${name}`,
    text: `ServiceAccount ${JSON.stringify(`${name}/${inside}`)}`,
  };
}

function grantText({ kind, name, namespace, role, subject }: Grant): string {
  const binding = JSON.stringify(namespace === "" ? name : `${name}/${namespace}`);
  return `RBAC: allowed by ${kind} ${binding} of ${role.kind} ${JSON.stringify(role.name)} to ${subject}`;
}

/** The definition of one of RBAC's resources. @throws {TypeError} when there is none */
export function rbacDefinition({ table }: Registry, resource: string): ResourceDefinition {
  const definition = table.find(GROUP, "v1", resource);
  if (definition === undefined) throw new TypeError(`Cannot authorize: there are no ${resource}`);
  return definition;
}

/** Whether a resource is one by which rights are given. */
export function isRbac({ group }: { group: string }): boolean {
  return group === GROUP;
}

/** A binding's role. */
export function roleRefOf(binding: ApiObject): { kind: string; name: string } {
  return { kind: textAt(binding, "roleRef", "kind"), name: textAt(binding, "roleRef", "name") };
}
