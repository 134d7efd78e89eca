import type { Deployment } from "../../../../common/api/apps_v1.ts";
import { findCondition, parseTime, timestamp } from "../conditions.ts";
import { rollingLimits, sizeOf, sum, wantedReplicas } from "./numbers.ts";
import type { Rollout } from "./plan.ts";

type Status = NonNullable<Deployment["status"]>;
type DeploymentCondition = NonNullable<Status["conditions"]>[number];

/** Why a deployment is where it is, as `kubectl rollout status` reads it. */
export type ProgressReason =
  | "NewReplicaSetCreated"
  | "FoundNewReplicaSet"
  | "ReplicaSetUpdated"
  | "NewReplicaSetAvailable"
  | "ProgressDeadlineExceeded";

/** Whether a deployment has a deadline for progress; the largest 32-bit number means none. */
export function hasProgressDeadline({ spec }: Deployment): boolean {
  return (spec?.progressDeadlineSeconds ?? 600) < 2147483647;
}

/** Puts a condition in place; both times move on only as upstream moves them. */
export function setDeploymentCondition(
  conditions: readonly DeploymentCondition[],
  next: { type: string; status: "True" | "False" | "Unknown"; reason: string; message: string },
  now: number,
  { touch = false }: { touch?: boolean } = {},
): DeploymentCondition[] {
  const old = findCondition(conditions, next.type);
  const same = old?.status === next.status && old.reason === next.reason;
  if (old !== undefined && same && !touch) return [...conditions];
  const time = timestamp(now);
  const lastTransitionTime = old?.status === next.status ? old.lastTransitionTime ?? time : time;
  const others = conditions.filter((condition) => condition !== old);
  return [...others, { ...next, lastUpdateTime: time, lastTransitionTime }];
}

/** A step of the rollout worth telling in the Progressing condition. */
export function progress(
  conditions: readonly DeploymentCondition[],
  reason: ProgressReason,
  message: string,
  now: number,
): DeploymentCondition[] {
  const status = reason === "ProgressDeadlineExceeded" ? "False" : "True";
  return setDeploymentCondition(conditions, { type: "Progressing", status, reason, message }, now);
}

/**
 * The status of a deployment, all but the Progressing condition.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/sync.go (calculateStatus) @ v1.32
 */
export function deploymentStatus({ deployment, current, old }: Rollout, now: number): Status {
  const all = current === undefined ? old : [...old, current];
  const availableReplicas = sum(all, ({ status }) => status?.availableReplicas);
  const counts = {
    replicas: sum(all, ({ status }) => status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(all, ({ status }) => status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum(all, sizeOf) - availableReplicas),
  };
  const enough = availableReplicas >= wantedReplicas(deployment) - rollingLimits(deployment).maxUnavailable;
  const conditions = setDeploymentCondition(
    deployment.status?.conditions ?? [],
    enough
      ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
      : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      },
    now,
  );
  const { collisionCount } = deployment.status ?? {};
  const { generation } = deployment.metadata ?? {};
  // As in the Go types, a count of zero is left out.
  const written = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  return {
    ...written,
    ...(generation !== undefined && { observedGeneration: generation }),
    ...(collisionCount !== undefined && { collisionCount }),
    conditions,
  };
}

/**
 * The status with its Progressing and ReplicaFailure conditions brought up to date.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/progress.go (syncRolloutStatus) @ v1.32
 */
export function rolloutStatus(rollout: Rollout, now: number): Status {
  const { deployment, current, old } = rollout;
  const status = deploymentStatus(rollout, now);
  let conditions = status.conditions ?? [];
  const progressing = findCondition(conditions, "Progressing");
  if (!hasProgressDeadline(deployment)) {
    conditions = conditions.filter((condition) => condition !== progressing);
  } else if (
    (status.replicas ?? 0) !== (status.updatedReplicas ?? 0) ||
    progressing?.reason !== "NewReplicaSetAvailable"
  ) {
    const name = current?.metadata?.name;
    const what = name === undefined
      ? `Deployment ${JSON.stringify(deployment.metadata?.name)}`
      : `ReplicaSet ${JSON.stringify(name)}`;
    if (isComplete(deployment, status)) {
      conditions = progress(
        conditions,
        "NewReplicaSetAvailable",
        `${what} has successfully progressed.`,
        now,
      );
    } else if (isMoving(deployment.status ?? {}, status)) {
      conditions = setDeploymentCondition(
        conditions,
        {
          type: "Progressing",
          status: "True",
          reason: "ReplicaSetUpdated",
          message: `${what} is progressing.`,
        },
        now,
        { touch: true },
      );
    } else if (deadlineInMs(deployment, status, now) === 0) {
      conditions = progress(
        conditions,
        "ProgressDeadlineExceeded",
        `${what} has timed out progressing.`,
        now,
      );
    }
  }
  const failures = [...(current === undefined ? [] : [current]), ...old]
    .map((replicaSet) => findCondition(replicaSet.status?.conditions, "ReplicaFailure"));
  const failure = failures.find((condition) => condition?.status === "True");
  conditions = failure === undefined
    ? conditions.filter(({ type }) => type !== "ReplicaFailure")
    : setDeploymentCondition(conditions, {
      type: "ReplicaFailure",
      status: "True",
      reason: failure.reason ?? "FailedCreate",
      message: failure.message ?? "",
    }, now);
  return { ...status, conditions };
}

/** Whether every replica is of the present template and available, and none else is there. */
export function isComplete(deployment: Deployment, status: Status): boolean {
  const wanted = wantedReplicas(deployment);
  return (status.updatedReplicas ?? 0) === wanted && (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata?.generation ?? 0);
}

function isMoving(before: Status, after: Status): boolean {
  const old = ({ replicas = 0, updatedReplicas = 0 }: Status) => replicas - updatedReplicas;
  return (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) || old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0);
}

/** Milliseconds until the lack of progress must be told, 0 when that is now; undefined when nothing is awaited. */
export function deadlineInMs(deployment: Deployment, status: Status, now: number): number | undefined {
  const progressing = findCondition(status.conditions, "Progressing");
  if (!hasProgressDeadline(deployment) || deployment.spec?.paused === true || progressing === undefined) {
    return undefined;
  }
  if (progressing.reason === "NewReplicaSetAvailable" || progressing.reason === "ProgressDeadlineExceeded") {
    return undefined;
  }
  const since = parseTime(progressing.lastUpdateTime) ?? now;
  return Math.max(0, since + (deployment.spec?.progressDeadlineSeconds ?? 600) * 1000 - now);
}

/** The condition that tells whether the rollout is held; unchanged when there is nothing to tell. */
export function pausedConditions(deployment: Deployment, now: number): DeploymentCondition[] {
  const conditions = deployment.status?.conditions ?? [];
  if (!hasProgressDeadline(deployment)) return conditions;
  const progressing = findCondition(conditions, "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") return conditions;
  const wasPaused = progressing?.reason === "DeploymentPaused";
  if (deployment.spec?.paused === true && !wasPaused) {
    return setDeploymentCondition(
      conditions,
      { type: "Progressing", status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" },
      now,
    );
  }
  if (deployment.spec?.paused !== true && wasPaused) {
    return setDeploymentCondition(
      conditions,
      {
        type: "Progressing",
        status: "Unknown",
        reason: "DeploymentResumed",
        message: "Deployment is resumed",
      },
      now,
    );
  }
  return conditions;
}
