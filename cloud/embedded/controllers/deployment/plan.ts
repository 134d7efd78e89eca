import type { Deployment, ReplicaSet } from "../../../../common/api/apps_v1.ts";
import {
  annotatedNumber,
  byAge,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  maxReplicas,
  REVISION,
  rollingLimits,
  sizeOf,
  sum,
  wantedReplicas,
} from "./numbers.ts";

/** A replica set and the size it is to have. */
export interface ScaleStep {
  replicaSet: ReplicaSet;
  replicas: number;
}

/** A deployment with its replica sets, told apart by whether they have its present template. */
export interface Rollout {
  deployment: Deployment;
  current: ReplicaSet | undefined;
  old: readonly ReplicaSet[];
}

/** Pods that serve and stay: a status from before the last scaling down may still count those that go. */
const available = (replicaSet: ReplicaSet) =>
  Math.min(sizeOf(replicaSet), replicaSet.status?.availableReplicas ?? 0);
const all = ({ current, old }: Rollout) => current === undefined ? [...old] : [...old, current];

/**
 * How large the replica set of the present template may be now.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/util/deployment_util.go (NewRSNewReplicas) @ v1.32
 */
export function nextSize({ deployment, current, old }: Rollout): number {
  const wanted = wantedReplicas(deployment);
  if (deployment.spec?.strategy?.type === "Recreate") return wanted;
  const size = current === undefined ? 0 : sizeOf(current);
  const room = maxReplicas(deployment) - sum(old, sizeOf) - size;
  return room <= 0 ? size : size + Math.max(0, Math.min(room, wanted - size));
}

/** Whether the number of replicas was changed since the replica sets were last scaled. */
export function isScaling({ deployment, ...rest }: Rollout): boolean {
  return all({ deployment, ...rest }).some((replicaSet) => {
    const desired = annotatedNumber(replicaSet, DESIRED_REPLICAS);
    return sizeOf(replicaSet) > 0 && desired !== undefined && desired !== wantedReplicas(deployment);
  });
}

/**
 * The next moves of a rolling update: first the new replica set up, then the old ones down as far as availability allows,
 * those that do not serve first.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/rolling.go @ v1.32
 */
export function planRollingUpdate(rollout: Rollout): ScaleStep[] {
  const { deployment, current, old } = rollout;
  if (current === undefined) return [];
  const wanted = wantedReplicas(deployment);
  const size = sizeOf(current);
  const next = size > wanted ? wanted : nextSize(rollout);
  if (next !== size) return [{ replicaSet: current, replicas: next }];
  return planScaleDown(deployment, current, old);
}

function planScaleDown(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): ScaleStep[] {
  const minAvailable = wantedReplicas(deployment) - rollingLimits(deployment).maxUnavailable;
  const unavailableNew = sizeOf(current) - available(current);
  const mayGo = sum(old, sizeOf) + sizeOf(current) - minAvailable - unavailableNew;
  if (sum(old, sizeOf) === 0 || mayGo <= 0) return [];
  const oldest = old.filter((replicaSet) => sizeOf(replicaSet) > 0).sort(byAge);
  const sizes = new Map(oldest.map((replicaSet) => [replicaSet, sizeOf(replicaSet)]));
  const takeFrom = (limit: number, of: (replicaSet: ReplicaSet, size: number) => number) => {
    for (const [replicaSet, size] of sizes) {
      const down = Math.max(0, Math.min(limit, of(replicaSet, size)));
      sizes.set(replicaSet, size - down);
      limit -= down;
    }
  };
  takeFrom(mayGo, (replicaSet, size) => size - available(replicaSet));
  takeFrom(sum([...old, current], available) - minAvailable, (_, size) => size);
  return [...sizes].filter(([replicaSet, size]) => size !== sizeOf(replicaSet))
    .map(([replicaSet, replicas]) => ({ replicaSet, replicas }));
}

/**
 * The next moves of a deployment that must not have two templates at a time.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/recreate.go @ v1.32
 * @param oldPodsRun whether a pod of an old replica set has not ended
 * @returns "wait" while old pods run
 */
export function planRecreate(
  { deployment, current, old }: Rollout,
  oldPodsRun: boolean,
): ScaleStep[] | "wait" {
  const down = old.filter((replicaSet) => sizeOf(replicaSet) > 0).map((replicaSet) => ({
    replicaSet,
    replicas: 0,
  }));
  if (down.length > 0) return down;
  if (oldPodsRun) return "wait";
  const wanted = wantedReplicas(deployment);
  return current === undefined || sizeOf(current) === wanted
    ? []
    : [{ replicaSet: current, replicas: wanted }];
}

/**
 * Spreads a changed number of replicas over the replica sets there are, in proportion to their sizes.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/sync.go (scale) @ v1.32
 */
export function planScale(rollout: Rollout): ScaleStep[] {
  const { deployment, current, old } = rollout;
  const wanted = wantedReplicas(deployment);
  const active = all(rollout).filter((replicaSet) => sizeOf(replicaSet) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? current ?? old.toSorted(byAge).at(-1);
    return only === undefined || sizeOf(only) === wanted ? [] : [{ replicaSet: only, replicas: wanted }];
  }
  const saturated = current !== undefined && sizeOf(current) === wanted && available(current) === wanted &&
    annotatedNumber(current, DESIRED_REPLICAS) === wanted;
  if (saturated) {
    return active.filter((replicaSet) => replicaSet !== current).map((replicaSet) => ({
      replicaSet,
      replicas: 0,
    }));
  }
  if (deployment.spec?.strategy?.type === "Recreate") return [];
  const toAdd = (wanted > 0 ? maxReplicas(deployment) : 0) - sum(active, sizeOf);
  const ordered = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)));
  let added = 0;
  const steps = ordered.map((replicaSet) => {
    const part = proportion(deployment, replicaSet, toAdd - added);
    added += part;
    return { replicaSet, replicas: sizeOf(replicaSet) + part };
  });
  const first = steps[0];
  if (first !== undefined) first.replicas = Math.max(0, first.replicas + toAdd - added);
  return steps.filter(({ replicaSet, replicas }) => replicas !== sizeOf(replicaSet));
}

/** Upstream: k8s.io/kubernetes pkg/controller/deployment/util/deployment_util.go (getReplicaSetFraction) @ v1.32 */
function proportion(deployment: Deployment, replicaSet: ReplicaSet, left: number): number {
  if (left === 0) return 0;
  const size = sizeOf(replicaSet);
  const before = annotatedNumber(replicaSet, MAX_REPLICAS) || deployment.status?.replicas || size;
  const part = wantedReplicas(deployment) === 0
    ? -size
    : Math.round(size * maxReplicas(deployment) / before) - size;
  return left > 0 ? Math.max(0, Math.min(part, left)) : Math.min(0, Math.max(part, left));
}

/**
 * The old replica sets beyond the history limit that may go: empty, settled, the oldest revisions first.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/sync.go (cleanupDeployment) @ v1.32
 */
export function planCleanup(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const kept = old.filter((replicaSet) => replicaSet.metadata?.deletionTimestamp === undefined);
  const excess = kept.length - (deployment.spec?.revisionHistoryLimit ?? 10);
  if (excess <= 0) return [];
  const revision = (replicaSet: ReplicaSet) => annotatedNumber(replicaSet, REVISION) ?? 0;
  return kept.sort((a, b) => revision(a) - revision(b)).slice(0, excess).filter((
    { metadata, spec, status },
  ) =>
    (spec?.replicas ?? 1) === 0 && (status?.replicas ?? 0) === 0 &&
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 0)
  );
}
