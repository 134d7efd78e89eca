import { type ApiObject, isObject, jsonEqual, objectAt, objectsAt, textAt, valueAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { Cell, ResourceDefinition } from "./definition.ts";
import { type FieldError, invalid, notSupported, required } from "./field_error.ts";
import { ageOf } from "./printing.ts";

const GROUP = "rbac.authorization.k8s.io";
const SUBJECTS = ["ServiceAccount", "User", "Group"];

function count(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

/** Upstream: k8s.io/kubernetes pkg/apis/rbac/validation/validation.go (ValidatePolicyRule) @ v1.33 */
function validateRules(role: ApiObject, namespaced: boolean): FieldError[] {
  const errors: FieldError[] = [];
  objectsAt(role, "rules").forEach((rule, i) => {
    const at = `rules[${i}]`;
    if (count(rule.verbs) === 0) {
      errors.push(required(`${at}.verbs`, "verbs must contain at least one value"));
    }
    if (count(rule.nonResourceURLs) > 0) {
      const urls = rule.nonResourceURLs;
      if (namespaced) {
        errors.push(
          invalid(`${at}.nonResourceURLs`, urls, "namespaced rules cannot apply to non-resource URLs"),
        );
      }
      if (count(rule.apiGroups) + count(rule.resources) + count(rule.resourceNames) > 0) {
        errors.push(
          invalid(
            `${at}.nonResourceURLs`,
            urls,
            "rules cannot apply to both regular resources and non-resource URLs",
          ),
        );
      }
      return;
    }
    if (count(rule.apiGroups) === 0) {
      errors.push(required(`${at}.apiGroups`, "resource rules must supply at least one api group"));
    }
    if (count(rule.resources) === 0) {
      errors.push(required(`${at}.resources`, "resource rules must supply at least one resource"));
    }
  });
  if (!isObject(role.aggregationRule)) return errors;
  if (objectsAt(role, "aggregationRule", "clusterRoleSelectors").length === 0) {
    errors.push(
      required(
        "aggregationRule.clusterRoleSelectors",
        "at least one clusterRoleSelector required if aggregationRule is non-nil",
      ),
    );
  }
  return errors;
}

function defaultRules(role: ApiObject): void {
  if (!Array.isArray(role.rules)) role.rules = null;
}

/** Upstream: k8s.io/kubernetes pkg/apis/rbac/v1/defaults.go @ v1.33 */
function defaultBinding(binding: ApiObject): void {
  if (isObject(binding.roleRef) && textAt(binding.roleRef, "apiGroup") === "") {
    binding.roleRef.apiGroup = GROUP;
  }
  for (const subject of objectsAt(binding, "subjects")) {
    if (textAt(subject, "apiGroup") !== "") continue;
    if (subject.kind === "User" || subject.kind === "Group") subject.apiGroup = GROUP;
    else delete subject.apiGroup;
  }
}

/** Upstream: k8s.io/kubernetes pkg/apis/rbac/validation/validation.go (ValidateRoleBinding, ValidateRoleBindingSubject) @ v1.33 */
function validateBinding(binding: ApiObject, namespaced: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const ref = objectAt(binding, "roleRef");
  const kinds = namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"];
  if (textAt(ref, "apiGroup") !== GROUP) {
    errors.push(notSupported("roleRef.apiGroup", textAt(ref, "apiGroup"), [GROUP]));
  }
  if (!kinds.includes(textAt(ref, "kind"))) {
    errors.push(notSupported("roleRef.kind", textAt(ref, "kind"), kinds));
  }
  const name = textAt(ref, "name");
  if (name === "") errors.push(required("roleRef.name"));
  else if (name === "." || name === ".." || /[/%]/.test(name)) {
    errors.push(
      invalid("roleRef.name", name, /[/]/.test(name) ? "may not contain '/'" : "may not contain '%'"),
    );
  }
  objectsAt(binding, "subjects").forEach((subject, i) => {
    const at = `subjects[${i}]`;
    const kind = textAt(subject, "kind");
    if (textAt(subject, "name") === "") errors.push(required(`${at}.name`));
    const group = textAt(subject, "apiGroup");
    if (!SUBJECTS.includes(kind)) errors.push(notSupported(`${at}.kind`, kind, SUBJECTS));
    else if (group !== (kind === "ServiceAccount" ? "" : GROUP)) {
      errors.push(notSupported(`${at}.apiGroup`, group, [kind === "ServiceAccount" ? "" : GROUP]));
    }
    if (kind === "ServiceAccount" && !namespaced && textAt(subject, "namespace") === "") {
      errors.push(required(`${at}.namespace`));
    }
  });
  return errors;
}

function validateBindingUpdate(binding: ApiObject, old: ApiObject): FieldError[] {
  return jsonEqual(binding.roleRef, old.roleRef)
    ? []
    : [invalid("roleRef", binding.roleRef, "cannot change roleRef")];
}

/** Upstream: k8s.io/kubernetes pkg/printers/internalversion/printers.go (printRoleBinding) @ v1.33 */
function bindingRow(binding: ApiObject, now: number): Cell[] {
  const names = (kind: string) =>
    objectsAt(binding, "subjects").filter((subject) => subject.kind === kind).map((subject) =>
      kind === "ServiceAccount"
        ? `${textAt(subject, "namespace")}/${textAt(subject, "name")}`
        : textAt(subject, "name")
    ).join(", ");
  return [
    binding.metadata.name ?? "",
    `${textAt(binding, "roleRef", "kind")}/${textAt(binding, "roleRef", "name")}`,
    ageOf(binding, now),
    names("User"),
    names("Group"),
    names("ServiceAccount"),
  ];
}

const BINDING_COLUMNS = [
  NAME,
  { name: "Role" },
  AGE,
  { name: "Users", wide: true },
  { name: "Groups", wide: true },
  { name: "ServiceAccounts", wide: true },
] as const;

const role = (namespaced: boolean): ResourceDefinition => ({
  group: GROUP,
  version: "v1",
  resource: namespaced ? "roles" : "clusterroles",
  singular: namespaced ? "role" : "clusterrole",
  kind: namespaced ? "Role" : "ClusterRole",
  namespaced,
  schema: namespaced ? "rbac.v1.Role" : "rbac.v1.ClusterRole",
  nameRule: "path",
  columns: [NAME, { name: "Created At", type: "date" }],
  row: (o) => [o.metadata.name ?? "", textAt(valueAt(o, "metadata"), "creationTimestamp")],
  applyDefaults: defaultRules,
  validate: (o) => validateRules(o, namespaced),
});

const binding = (namespaced: boolean): ResourceDefinition => ({
  group: GROUP,
  version: "v1",
  resource: namespaced ? "rolebindings" : "clusterrolebindings",
  singular: namespaced ? "rolebinding" : "clusterrolebinding",
  kind: namespaced ? "RoleBinding" : "ClusterRoleBinding",
  namespaced,
  schema: namespaced ? "rbac.v1.RoleBinding" : "rbac.v1.ClusterRoleBinding",
  nameRule: "path",
  columns: BINDING_COLUMNS,
  row: bindingRow,
  applyDefaults: defaultBinding,
  validate: (o) => validateBinding(o, namespaced),
  validateUpdate: validateBindingUpdate,
});

/** Roles and what gives them to someone. */
export const RBAC: readonly ResourceDefinition[] = [binding(false), role(false), binding(true), role(true)];
