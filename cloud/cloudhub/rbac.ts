/** One rule of a Role or ClusterRole. */
interface PolicyRule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  resourceNames?: readonly string[];
}

/**
 * What cloudhub does at the API server outside its namespace. It makes that namespace only where it is missing: where it was
 * installed, that right is not needed.
 */
export const CLOUD_HUB_RULES: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["namespaces"], verbs: ["create"] },
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "patch"] },
  { apiGroups: [""], resources: ["events"], verbs: ["create"] },
  {
    apiGroups: ["reliablesyncs.kubeedge.io"],
    resources: ["objectsyncs", "clusterobjectsyncs"],
    verbs: ["list", "create", "delete"],
  },
  {
    apiGroups: ["reliablesyncs.kubeedge.io"],
    resources: ["objectsyncs/status", "clusterobjectsyncs/status"],
    verbs: ["patch"],
  },
];

/** What cloudhub does in its own namespace: its keys, certificates and join token. A `create` cannot be limited to names. */
export const CLOUD_HUB_NAMESPACE_RULES: readonly PolicyRule[] = [
  { apiGroups: [""], resources: ["namespaces"], verbs: ["get"], resourceNames: ["kubeedge"] },
  { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
  {
    apiGroups: [""],
    resources: ["secrets"],
    verbs: ["get", "update"],
    resourceNames: ["casecret", "cloudcoresecret", "tokensecret"],
  },
  { apiGroups: [""], resources: ["configmaps"], verbs: ["get"], resourceNames: ["kube-root-ca.crt"] },
];
