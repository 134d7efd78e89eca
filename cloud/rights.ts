/** What gives cloudcore the rights it lacks, for messages. */
export const RIGHTS_FROM =
  "kubectl apply -f cloud/install/1-namespace.yaml -f cloud/install/2-rbac.yaml, whose ClusterRoles cloudcore, cloudcore-namespace and cloudcore-crds have it";
