import type { ApiObject, JsonObject } from "../object.ts";

const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
const RBAC_VERSION = "rbac.authorization.k8s.io/v1";
const BOOTSTRAP = { "kubernetes.io/bootstrapping": "rbac-defaults" };
const HEALTH = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

const rule = (apiGroup: string, resources: string[], verbs: string[]): JsonObject => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
});
const paths = (nonResourceURLs: string[]): JsonObject => ({ nonResourceURLs, verbs: ["get"] });
const metadata = (name: string, labels: Record<string, string> = {}) => ({
  name,
  labels: { ...BOOTSTRAP, ...labels },
  annotations: { "rbac.authorization.kubernetes.io/autoupdate": "true" },
});
const aggregateTo = (name: string) => ({ [`rbac.authorization.k8s.io/aggregate-to-${name}`]: "true" });

const role = (name: string, rules: JsonObject[], labels?: Record<string, string>): ApiObject => ({
  apiVersion: RBAC_VERSION,
  kind: "ClusterRole",
  metadata: metadata(name, labels),
  rules,
});
const aggregate = (name: string, labels?: Record<string, string>): ApiObject => ({
  ...role(name, [], labels),
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregateTo(name) }] },
});
const binding = (name: string, ...groups: string[]): ApiObject => ({
  apiVersion: RBAC_VERSION,
  kind: "ClusterRoleBinding",
  metadata: metadata(name),
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
  subjects: groups.map((group) => ({ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: group })),
});

/**
 * The ClusterRoles that every cluster has, with the rules for what is served here.
 * Upstream: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go @ v1.33
 */
export const BOOTSTRAP_ROLES: readonly ApiObject[] = [
  role("cluster-admin", [rule("*", ["*"], ["*"]), { nonResourceURLs: ["*"], verbs: ["*"] }]),
  aggregate("admin"),
  aggregate("edit", aggregateTo("admin")),
  aggregate("view", aggregateTo("edit")),
  role("system:aggregate-to-admin", [
    rule("authorization.k8s.io", ["localsubjectaccessreviews"], ["create"]),
    rule("rbac.authorization.k8s.io", ["rolebindings", "roles"], [...WRITE, ...READ].sort()),
  ], aggregateTo("admin")),
  role("system:aggregate-to-edit", [
    rule(
      "",
      ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"],
      READ,
    ),
    rule("", ["serviceaccounts"], ["impersonate"]),
    rule("", ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"], WRITE),
    rule("", ["pods/eviction"], ["create"]),
    rule("", [
      "configmaps",
      "events",
      "persistentvolumeclaims",
      "secrets",
      "serviceaccounts",
      "services",
      "services/proxy",
    ], WRITE),
    rule("", ["serviceaccounts/token"], ["create"]),
    rule("apps", [
      "daemonsets",
      "deployments",
      "deployments/scale",
      "replicasets",
      "replicasets/scale",
      "statefulsets",
      "statefulsets/scale",
    ], WRITE),
    rule("batch", ["cronjobs", "jobs"], WRITE),
    rule("policy", ["poddisruptionbudgets"], WRITE),
    rule("coordination.k8s.io", ["leases"], [...WRITE, ...READ].sort()),
  ], aggregateTo("edit")),
  role("system:aggregate-to-view", [
    rule("", [
      "configmaps",
      "endpoints",
      "persistentvolumeclaims",
      "persistentvolumeclaims/status",
      "pods",
      "serviceaccounts",
      "services",
      "services/status",
    ], READ),
    rule("", ["bindings", "events", "namespaces/status", "pods/log", "pods/status"], READ),
    rule("", ["namespaces"], READ),
    rule("discovery.k8s.io", ["endpointslices"], READ),
    rule("apps", [
      "controllerrevisions",
      "daemonsets",
      "daemonsets/status",
      "deployments",
      "deployments/scale",
      "deployments/status",
      "replicasets",
      "replicasets/scale",
      "replicasets/status",
      "statefulsets",
      "statefulsets/scale",
      "statefulsets/status",
    ], READ),
    rule("batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"], READ),
    rule("policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"], READ),
  ], aggregateTo("view")),
  role("system:basic-user", [
    rule("authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"], ["create"]),
    rule("authentication.k8s.io", ["selfsubjectreviews"], ["create"]),
  ]),
  role("system:discovery", [
    paths(["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", ...HEALTH].sort()),
  ]),
  role("system:public-info-viewer", [paths(HEALTH)]),
  role("system:monitoring", [
    paths([
      "/healthz",
      "/healthz/*",
      "/livez",
      "/livez/*",
      "/metrics",
      "/metrics/slis",
      "/readyz",
      "/readyz/*",
    ]),
  ]),
  role("system:node", [
    rule("authentication.k8s.io", ["tokenreviews"], ["create"]),
    rule("authorization.k8s.io", ["localsubjectaccessreviews", "subjectaccessreviews"], ["create"]),
    rule("", ["services"], READ),
    rule("", ["nodes"], ["create", "get", "list", "patch", "update", "watch"]),
    rule("", ["nodes/status", "pods/status"], ["patch", "update"]),
    rule("", ["events"], ["create", "patch", "update"]),
    rule("", ["pods"], ["create", "delete", "get", "list", "watch"]),
    rule("", ["pods/eviction", "serviceaccounts/token"], ["create"]),
    rule("", ["configmaps", "secrets"], READ),
    rule("", ["endpoints", "persistentvolumeclaims", "persistentvolumes"], ["get"]),
    rule("coordination.k8s.io", ["leases"], ["create", "delete", "get", "patch", "update"]),
  ]),
];

/** The bindings that every cluster has. `system:node` is bound to nobody: edges reach the API through cloudcore only. */
export const BOOTSTRAP_BINDINGS: readonly ApiObject[] = [
  binding("cluster-admin", "system:masters"),
  binding("system:basic-user", "system:authenticated"),
  binding("system:discovery", "system:authenticated"),
  binding("system:monitoring", "system:monitoring"),
  binding("system:public-info-viewer", "system:authenticated", "system:unauthenticated"),
];
