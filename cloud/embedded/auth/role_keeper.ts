import { isAlreadyExists, isConflict } from "../../../common/errors/mod.ts";
import type { Logger } from "../../../common/module/mod.ts";
import { type ApiObject, jsonEqual, objectAt, objectsAt } from "../object.ts";
import type { Registry } from "../registry.ts";
import type { ResourceDefinition } from "../resources/definition.ts";
import { selects } from "../resources/selector_match.ts";
import { BOOTSTRAP_BINDINGS, BOOTSTRAP_ROLES } from "./bootstrap_roles.ts";
import { rbacDefinition } from "./rbac.ts";
import { printRule, rulesOf, uncovered } from "./rules.ts";

/** What keeping roles needs. */
export interface RoleKeeperComponents {
  registry: Registry;
  log: Logger;
}

/**
 * Makes the roles and bindings that every cluster has, and keeps aggregated ClusterRoles at the rules of those they gather.
 * Upstream: k8s.io/kubernetes pkg/registry/rbac/rest/storage_rbac.go, pkg/controller/clusterroleaggregation @ v1.33
 */
export class RoleKeeper implements Disposable {
  readonly #components: RoleKeeperComponents;
  readonly #roles: ResourceDefinition;
  #unsubscribe: (() => void) | undefined;
  #scheduled = false;
  #dirty = false;

  constructor(components: RoleKeeperComponents) {
    this.#components = components;
    this.#roles = rbacDefinition(components.registry, "clusterroles");
  }

  /** Makes what is missing, and follows the changes. @throws {StatusError} when it cannot be stored */
  start(): void {
    const { registry } = this.#components;
    for (const role of BOOTSTRAP_ROLES) this.#ensureRole(role);
    for (const binding of BOOTSTRAP_BINDINGS) {
      this.#create(rbacDefinition(registry, "clusterrolebindings"), binding);
    }
    this.#aggregate();
    this.#unsubscribe = registry.cache(this.#roles).subscribe(() => this.#look());
  }

  [Symbol.dispose](): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** Does again what failed. To be called now and then. */
  retry(): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      this.#aggregate();
    } catch (error) {
      this.#dirty = true;
      this.#components.log.error("Cannot keep aggregated roles; trying again", error, {});
    }
  }

  #look(): void {
    this.#dirty = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Never within the write that is being told of.
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.#unsubscribe !== undefined) this.retry();
    });
  }

  /** A role that is there keeps what was added to it and gets what it lacks, unless it is not to be updated. */
  #ensureRole(role: ApiObject): void {
    const { registry } = this.#components;
    const name = role.metadata.name ?? "";
    if (registry.cache(this.#roles).get("", name) === undefined) return this.#create(this.#roles, role);
    registry.update(this.#roles, { namespace: "", name }, (current) => {
      if (current.metadata.annotations?.["rbac.authorization.kubernetes.io/autoupdate"] !== "true") {
        return current;
      }
      if (role.aggregationRule !== undefined) return { ...current, aggregationRule: role.aggregationRule };
      const missing = uncovered(rulesOf(current), rulesOf(role));
      return missing.length === 0 ? current : {
        ...current,
        rules: [
          ...objectsAt(role, "rules"),
          ...uncovered(rulesOf(role), rulesOf(current)).map(printRule),
        ],
      };
    });
  }

  #create(definition: ResourceDefinition, object: ApiObject): void {
    if (this.#components.registry.cache(definition).get("", object.metadata.name ?? "") !== undefined) return;
    try {
      this.#components.registry.create(definition, "", structuredClone(object));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  #aggregate(): void {
    const { registry } = this.#components;
    const roles = registry.cache(this.#roles).list().map(({ text }): ApiObject => JSON.parse(text));
    for (const role of roles) {
      const selectors = objectsAt(role, "aggregationRule", "clusterRoleSelectors");
      if (selectors.length === 0) continue;
      const rules: unknown[] = [];
      for (const other of roles) {
        if (
          other === role ||
          !selectors.some((selector) => selects(selector, objectAt(other.metadata, "labels")))
        ) {
          continue;
        }
        for (const one of objectsAt(other, "rules")) {
          if (!rules.some((known) => jsonEqual(known, one))) rules.push(one);
        }
      }
      if (jsonEqual(objectsAt(role, "rules"), rules)) continue;
      try {
        const ref = { namespace: "", name: role.metadata.name ?? "" };
        registry.update(this.#roles, ref, (current) => ({ ...current, rules }));
      } catch (error) {
        if (!isConflict(error)) throw error;
        this.#dirty = true;
      }
    }
  }
}
