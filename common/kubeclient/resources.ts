import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../api/apps_v1.ts";
import type { CronJob, Job } from "../api/batch_v1.ts";
import type { Lease } from "../api/coordination_v1.ts";
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Service,
  ServiceAccount,
} from "../api/core_v1.ts";
import type { EndpointSlice } from "../api/discovery_v1.ts";
import type { KubeObject } from "../api/meta_v1.ts";
import type { PodDisruptionBudget } from "../api/policy_v1.ts";
import type { ResourceType } from "./types.ts";

function resource<T extends KubeObject>(
  groupVersion: string,
  resource: string,
  kind: string,
  scope: "namespaced" | "cluster",
): ResourceType<T> {
  const slash = groupVersion.indexOf("/");
  return {
    group: slash < 0 ? "" : groupVersion.slice(0, slash),
    version: groupVersion.slice(slash + 1),
    resource,
    kind,
    namespaced: scope === "namespaced",
  };
}

export const NAMESPACES: ResourceType<Namespace> = resource("v1", "namespaces", "Namespace", "cluster");
export const NODES: ResourceType<Node> = resource("v1", "nodes", "Node", "cluster");
export const PODS: ResourceType<Pod> = resource("v1", "pods", "Pod", "namespaced");
export const CONFIG_MAPS: ResourceType<ConfigMap> = resource("v1", "configmaps", "ConfigMap", "namespaced");
export const SECRETS: ResourceType<Secret> = resource("v1", "secrets", "Secret", "namespaced");
export const SERVICES: ResourceType<Service> = resource("v1", "services", "Service", "namespaced");
export const SERVICE_ACCOUNTS: ResourceType<ServiceAccount> = resource(
  "v1",
  "serviceaccounts",
  "ServiceAccount",
  "namespaced",
);
export const EVENTS: ResourceType<Event> = resource("v1", "events", "Event", "namespaced");
export const PERSISTENT_VOLUMES: ResourceType<PersistentVolume> = resource(
  "v1",
  "persistentvolumes",
  "PersistentVolume",
  "cluster",
);
export const PERSISTENT_VOLUME_CLAIMS: ResourceType<PersistentVolumeClaim> = resource(
  "v1",
  "persistentvolumeclaims",
  "PersistentVolumeClaim",
  "namespaced",
);
export const LEASES: ResourceType<Lease> = resource(
  "coordination.k8s.io/v1",
  "leases",
  "Lease",
  "namespaced",
);
export const DEPLOYMENTS: ResourceType<Deployment> = resource(
  "apps/v1",
  "deployments",
  "Deployment",
  "namespaced",
);
export const REPLICA_SETS: ResourceType<ReplicaSet> = resource(
  "apps/v1",
  "replicasets",
  "ReplicaSet",
  "namespaced",
);
export const CONTROLLER_REVISIONS: ResourceType<ControllerRevision> = resource(
  "apps/v1",
  "controllerrevisions",
  "ControllerRevision",
  "namespaced",
);
export const DAEMON_SETS: ResourceType<DaemonSet> = resource(
  "apps/v1",
  "daemonsets",
  "DaemonSet",
  "namespaced",
);
export const STATEFUL_SETS: ResourceType<StatefulSet> = resource(
  "apps/v1",
  "statefulsets",
  "StatefulSet",
  "namespaced",
);
export const JOBS: ResourceType<Job> = resource("batch/v1", "jobs", "Job", "namespaced");
export const CRON_JOBS: ResourceType<CronJob> = resource("batch/v1", "cronjobs", "CronJob", "namespaced");
export const ENDPOINTS: ResourceType<Endpoints> = resource("v1", "endpoints", "Endpoints", "namespaced");
export const ENDPOINT_SLICES: ResourceType<EndpointSlice> = resource(
  "discovery.k8s.io/v1",
  "endpointslices",
  "EndpointSlice",
  "namespaced",
);
export const POD_DISRUPTION_BUDGETS: ResourceType<PodDisruptionBudget> = resource(
  "policy/v1",
  "poddisruptionbudgets",
  "PodDisruptionBudget",
  "namespaced",
);
