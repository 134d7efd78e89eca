/** One rule of a ClusterRole. */
export interface PolicyRule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
}

/**
 * What the edgecontroller does at the API server, all of it. ConfigMaps and Secrets are listed and watched only by name and
 * namespace, so where the names are known the rule for them can be narrowed with `resourceNames`.
 */
export const EDGE_CONTROLLER_RULES: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch", "create", "patch"] },
  { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch", "update"] },
  { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch", "create", "patch", "delete"] },
  { apiGroups: [""], resources: ["pods/status"], verbs: ["patch", "update"] },
  { apiGroups: [""], resources: ["configmaps", "secrets"], verbs: ["get", "list", "watch"] },
  { apiGroups: [""], resources: ["persistentvolumes", "persistentvolumeclaims"], verbs: ["get"] },
  { apiGroups: [""], resources: ["serviceaccounts/token"], verbs: ["create"] },
  { apiGroups: [""], resources: ["events"], verbs: ["get", "create", "update", "patch"] },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] },
  { apiGroups: ["reliablesyncs.kubeedge.io"], resources: ["objectsyncs"], verbs: ["list", "delete"] },
  { apiGroups: ["storage.k8s.io"], resources: ["volumeattachments"], verbs: ["get"] },
];
