import type { Deployment, ReplicaSet } from "../../../../common/api/apps_v1.ts";
import { parseTime } from "../conditions.ts";

/** Annotations by which a deployment and its replica sets know each other's past. */
export const REVISION = "deployment.kubernetes.io/revision";
export const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas";
export const MAX_REPLICAS = "deployment.kubernetes.io/max-replicas";

/** How many pods a deployment wants. */
export function wantedReplicas({ spec }: Deployment): number {
  return spec?.replicas ?? 1;
}

/** How many pods a replica set wants. */
export function sizeOf({ spec }: ReplicaSet): number {
  return spec?.replicas ?? 1;
}

/** The sum over replica sets. */
export function sum(
  replicaSets: readonly ReplicaSet[],
  of: (replicaSet: ReplicaSet) => number | undefined,
): number {
  return replicaSets.reduce((total, replicaSet) => total + (of(replicaSet) ?? 0), 0);
}

function share(value: number | string | undefined, of: number, round: (n: number) => number): number {
  if (typeof value === "number") return Math.max(0, Math.trunc(value));
  const percent = /^(\d{1,9})%$/.exec(value ?? "25%");
  return percent === null ? 0 : round(Number(percent[1]) * of / 100);
}

/**
 * How many pods a rolling update may have too many and too few. Never both none, or it could not begin.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/util/deployment_util.go (ResolveFenceposts, MaxUnavailable) @ v1.32
 */
export function rollingLimits(deployment: Deployment): { maxSurge: number; maxUnavailable: number } {
  if (deployment.spec?.strategy?.type === "Recreate") return { maxSurge: 0, maxUnavailable: 0 };
  const wanted = wantedReplicas(deployment);
  const rolling = deployment.spec?.strategy?.rollingUpdate;
  const maxSurge = share(rolling?.maxSurge, wanted, Math.ceil);
  let maxUnavailable = share(rolling?.maxUnavailable, wanted, Math.floor);
  if (maxSurge === 0 && maxUnavailable === 0) maxUnavailable = 1;
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, wanted) };
}

/** The most pods a deployment may have at a time. */
export function maxReplicas(deployment: Deployment): number {
  return wantedReplicas(deployment) + rollingLimits(deployment).maxSurge;
}

/** A whole number in an annotation; undefined when it is missing or no number. */
export function annotatedNumber(
  object: { metadata?: Deployment["metadata"] },
  name: string,
): number | undefined {
  const text = object.metadata?.annotations?.[name];
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Orders replica sets from the oldest to the newest. */
export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const created = (replicaSet: ReplicaSet) => parseTime(replicaSet.metadata?.creationTimestamp) ?? 0;
  return created(a) - created(b) || ((a.metadata?.name ?? "") < (b.metadata?.name ?? "") ? -1 : 1);
}
