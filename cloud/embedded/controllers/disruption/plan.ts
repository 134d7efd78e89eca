import type { Pod } from "../../../../common/api/core_v1.ts";
import type { PodDisruptionBudget } from "../../../../common/api/policy_v1.ts";
import { parseTime, timestamp } from "../conditions.ts";
import { controllerOf } from "../owners.ts";
import { isPodFinished, isPodReady } from "../pod_state.ts";

type Status = NonNullable<PodDisruptionBudget["status"]>;

/** How long an eviction that was allowed may take to show. Upstream: pkg/controller/disruption/disruption.go (DeletionTimeout) @ v1.33 */
const DELETION_TIMEOUT_MS = 120_000;

/** What pods a budget counts on. */
export interface Expected {
  expected: number;
  desired: number;
  /** Names of pods whose number nobody keeps. */
  unmanaged: string[];
}

function amountOf(amount: number | string, total: number): number {
  if (typeof amount === "number") return amount;
  return Math.ceil(Number.parseInt(amount, 10) * total / 100);
}

/**
 * How many pods a budget expects, and how many of them must stay healthy.
 * Upstream: k8s.io/kubernetes pkg/controller/disruption/disruption.go (getExpectedPodCount) @ v1.33
 * @param scaleOf the wanted number of pods of what controls one; undefined when that is not known
 * @throws {TypeError} when a pod's controller has no number
 */
export function expectedOf(
  { spec }: PodDisruptionBudget,
  pods: readonly Pod[],
  scaleOf: (pod: Pod) => { uid: string; replicas: number } | undefined,
): Expected {
  const { minAvailable, maxUnavailable } = spec ?? {};
  if (maxUnavailable === undefined && typeof minAvailable !== "string") {
    return { expected: pods.length, desired: minAvailable ?? 0, unmanaged: [] };
  }
  const scales = new Map<string, number>();
  const unmanaged: string[] = [];
  for (const pod of pods) {
    if (controllerOf(pod) === undefined) {
      unmanaged.push(pod.metadata?.name ?? "");
      continue;
    }
    const scale = scaleOf(pod);
    if (scale === undefined) {
      throw new TypeError(`found no controllers for pod ${JSON.stringify(pod.metadata?.name)}`);
    }
    scales.set(scale.uid, scale.replicas);
  }
  const expected = [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  const desired = maxUnavailable !== undefined
    ? Math.max(0, expected - amountOf(maxUnavailable, expected))
    : amountOf(minAvailable ?? 0, expected);
  return { expected, desired, unmanaged };
}

/**
 * The status of a budget.
 * Upstream: k8s.io/kubernetes pkg/controller/disruption/disruption.go (updatePdbStatus, countHealthyPods) @ v1.33
 * @returns the status, and in how many milliseconds an eviction under way counts no longer, if any is
 */
export function budgetStatus(
  { metadata, status }: PodDisruptionBudget,
  pods: readonly Pod[],
  { expected, desired }: Expected,
  now: number,
): { status: Status; againInMs?: number } {
  const disruptedPods: Record<string, string> = {};
  let againInMs: number | undefined;
  for (const pod of pods) {
    const name = pod.metadata?.name ?? "";
    const since = status?.disruptedPods?.[name];
    const left = (parseTime(since) ?? 0) + DELETION_TIMEOUT_MS - now;
    if (since === undefined || pod.metadata?.deletionTimestamp !== undefined || left <= 0) continue;
    disruptedPods[name] = since;
    againInMs = Math.min(againInMs ?? left, left);
  }
  const currentHealthy = pods.filter((pod) =>
    pod.metadata?.deletionTimestamp === undefined &&
    disruptedPods[pod.metadata?.name ?? ""] === undefined &&
    isPodReady(pod) && !isPodFinished(pod)
  ).length;
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, currentHealthy - desired);
  const allowed = disruptionsAllowed > 0;
  const observedGeneration = metadata?.generation ?? 0;
  const before = status?.conditions?.find(({ type }) => type === "DisruptionAllowed");
  const value = allowed ? "True" : "False";
  const condition = {
    type: "DisruptionAllowed",
    status: value,
    reason: allowed ? "SufficientPods" : "InsufficientPods",
    message: "",
    observedGeneration,
    lastTransitionTime: before?.status === value ? before.lastTransitionTime : timestamp(now),
  };
  return {
    status: {
      conditions: [
        ...(status?.conditions ?? []).filter(({ type }) => type !== "DisruptionAllowed"),
        condition,
      ],
      currentHealthy,
      desiredHealthy: desired,
      ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
      disruptionsAllowed,
      expectedPods: expected,
      observedGeneration,
    },
    ...(againInMs !== undefined && { againInMs }),
  };
}
