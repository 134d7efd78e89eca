import type { DaemonSet } from "../../../../common/api/apps_v1.ts";
import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { parseTime } from "../conditions.ts";
import { controllerReference } from "../owners.ts";
import { availableInMs, isPodFinished, isPodReady } from "../pod_state.ts";
import { REVISION_LABEL } from "../revisions.ts";
import { daemonTolerations, eligibility, pinToNode, targetNode } from "./nodes.ts";

/** Pods one reconcile makes or deletes at most. Upstream: pkg/controller/daemon/daemon_controller.go (BurstReplicas) @ v1.32 */
export const BURST_REPLICAS = 250;

/** What brings the pods of a daemon set to its nodes. */
export interface DaemonPlan {
  /** Names of the nodes that get a pod. */
  create: string[];
  /** Pods that are too many, out of date or where they must not be. */
  delete: Pod[];
  /** Pods that ended, to be deleted so that another can take their place, and the nodes they ended on. */
  finished: Array<{ pod: Pod; nodeName: string }>;
}

/** The pod of a daemon set for a node. Upstream: k8s.io/kubernetes pkg/controller/controller_utils.go (GetPodFromTemplate) @ v1.32 */
export function daemonPod(daemonSet: DaemonSet, nodeName: string, hash: string): Pod {
  const { metadata, spec } = daemonSet;
  const { labels, annotations, finalizers } = spec?.template.metadata ?? {};
  const podSpec = structuredClone(spec?.template.spec ?? { containers: [] });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${metadata?.name}-`,
      namespace: metadata?.namespace ?? "",
      labels: { ...labels, [REVISION_LABEL]: hash },
      ...(annotations && { annotations: { ...annotations } }),
      ...(finalizers && { finalizers: [...finalizers] }),
      ownerReferences: [controllerReference(daemonSet, "apps/v1", "DaemonSet")],
    },
    spec: {
      ...podSpec,
      affinity: pinToNode(podSpec.affinity, nodeName),
      tolerations: daemonTolerations(podSpec),
    },
  };
}

/**
 * Compares the pods of a daemon set with the nodes there are: first what is missing or wrong, then, where nothing is, the update.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/daemon_controller.go (manage, podsShouldBeOnNode) @ v1.32
 * @param hash of the revision of today's template
 */
export function planDaemons(
  daemonSet: DaemonSet,
  owned: readonly Pod[],
  nodes: readonly Node[],
  hash: string,
  now: number,
): DaemonPlan {
  const plan: DaemonPlan = { create: [], delete: [], finished: [] };
  if (daemonSet.metadata?.deletionTimestamp !== undefined) return plan;
  const byNode = groupByNode(owned);
  const limits = updateLimits(daemonSet, nodes.filter((node) => eligibility(daemonSet, node).run).length);
  for (const node of nodes) {
    const nodeName = node.metadata?.name ?? "";
    const there = byNode.get(nodeName) ?? [];
    const { run, keep } = eligibility(daemonSet, node);
    const staying = there.filter((pod) => pod.metadata?.deletionTimestamp === undefined);
    if (!keep) plan.delete.push(...staying);
    else if (run && there.length === 0) plan.create.push(nodeName);
    else {
      plan.finished.push(...staying.filter(isPodFinished).map((pod) => ({ pod, nodeName })));
      const running = staying.filter((pod) => !isPodFinished(pod)).sort(byAge);
      plan.delete.push(...surplus(daemonSet, running, hash, limits.maxSurge > 0, now));
    }
  }
  // A pod whose node is gone before it was bound is no one else's business; a bound one is the pod collector's.
  const names = new Set(nodes.map((node) => node.metadata?.name ?? ""));
  plan.delete.push(
    ...owned.filter((pod) =>
      !pod.spec?.nodeName && pod.metadata?.deletionTimestamp === undefined &&
      !names.has(targetNode(pod) ?? "")
    ),
  );
  const doomed = new Set([...plan.delete, ...plan.finished.map(({ pod }) => pod)]);
  if (daemonSet.spec?.updateStrategy?.type !== "OnDelete") {
    const update = planUpdate(daemonSet, byNode, nodes, hash, limits, doomed, now);
    plan.create.push(...update.create);
    plan.delete.push(...update.delete);
  }
  return {
    create: plan.create.slice(0, BURST_REPLICAS),
    delete: plan.delete.slice(0, BURST_REPLICAS),
    finished: plan.finished.slice(0, BURST_REPLICAS),
  };
}

/** Pods of one node beyond the one it needs, or beyond one old and one new while the new one gets ready. */
function surplus(
  daemonSet: DaemonSet,
  running: readonly Pod[],
  hash: string,
  surging: boolean,
  now: number,
): Pod[] {
  if (!surging) return running.slice(1);
  const fresh = running.filter((pod) => isUpdated(pod, hash));
  const old = running.filter((pod) => !isUpdated(pod, hash));
  const over = [...fresh.slice(1), ...old.slice(1)];
  const [first, before] = [fresh[0], old[0]];
  if (first !== undefined && before !== undefined) {
    if (!isPodReady(before) || isAvailable(daemonSet, first, now)) over.push(before);
  }
  return over;
}

/** Upstream: k8s.io/kubernetes pkg/controller/daemon/update.go (rollingUpdate) @ v1.32 */
function planUpdate(
  daemonSet: DaemonSet,
  byNode: ReadonlyMap<string, Pod[]>,
  nodes: readonly Node[],
  hash: string,
  { maxSurge, maxUnavailable }: { maxSurge: number; maxUnavailable: number },
  doomed: ReadonlySet<Pod>,
  now: number,
): { create: string[]; delete: Pod[] } {
  let unavailable = 0, surging = 0;
  const broken: Array<{ pod: Pod; nodeName: string }> = [];
  const serving: Array<{ pod: Pod; nodeName: string }> = [];
  for (const node of nodes) {
    if (!eligibility(daemonSet, node).run) continue;
    const nodeName = node.metadata?.name ?? "";
    const staying = (byNode.get(nodeName) ?? [])
      .filter((pod) => pod.metadata?.deletionTimestamp === undefined && !doomed.has(pod));
    const old = staying.find((pod) => !isUpdated(pod, hash));
    const fresh = staying.find((pod) => isUpdated(pod, hash));
    if (staying.length !== 1) unavailable++;
    else if (fresh !== undefined) unavailable += isAvailable(daemonSet, fresh, now) ? 0 : 1;
    else if (isAvailable(daemonSet, old!, now)) serving.push({ pod: old!, nodeName });
    else {
      unavailable++;
      broken.push({ pod: old!, nodeName });
    }
    if (old !== undefined && fresh !== undefined) surging++;
  }
  const room = Math.max(0, maxSurge > 0 ? maxSurge - surging : maxUnavailable - unavailable);
  const turn = [...broken, ...serving.slice(0, room)];
  return maxSurge > 0
    ? { create: turn.map(({ nodeName }) => nodeName), delete: [] }
    : { create: [], delete: turn.map(({ pod }) => pod) };
}

/**
 * How many nodes may be without a serving pod, or with two, during an update. Percentages are rounded up; never both none, or the
 * update could not begin. Upstream: k8s.io/kubernetes pkg/controller/daemon/update.go (updatedDesiredNodeCounts) @ v1.32
 */
export function updateLimits(
  { spec }: DaemonSet,
  desired: number,
): { maxSurge: number; maxUnavailable: number } {
  const { maxSurge = 0, maxUnavailable = 1 } = spec?.updateStrategy?.rollingUpdate ?? {};
  const share = (value: number | string) => {
    if (typeof value === "number") return Math.max(0, Math.trunc(value));
    const percent = /^(\d{1,9})%$/.exec(value);
    return percent === null ? 0 : Math.ceil(Number(percent[1]) * desired / 100);
  };
  const limits = { maxSurge: share(maxSurge), maxUnavailable: share(maxUnavailable) };
  return limits.maxSurge === 0 && limits.maxUnavailable === 0 ? { ...limits, maxUnavailable: 1 } : limits;
}

/**
 * The status of a daemon set with these pods and nodes.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/daemon_controller.go (updateDaemonSetStatus) @ v1.32
 * @param hash of the revision of today's template
 * @returns the status, and in how many milliseconds another pod counts as available, if any will
 */
export function daemonSetStatus(
  daemonSet: DaemonSet,
  owned: readonly Pod[],
  nodes: readonly Node[],
  hash: string,
  now: number,
): { status: NonNullable<DaemonSet["status"]>; againInMs: number | undefined } {
  const byNode = groupByNode(owned);
  let desired = 0, current = 0, misscheduled = 0, ready = 0, available = 0, updated = 0;
  const waits: number[] = [];
  for (const node of nodes) {
    const pods = (byNode.get(node.metadata?.name ?? "") ?? []).toSorted(byAge);
    if (!eligibility(daemonSet, node).run) {
      if (pods.length > 0) misscheduled++;
      continue;
    }
    desired++;
    if (pods.length === 0) continue;
    current++;
    const wait = Math.min(
      ...pods.map((pod) =>
        pod.metadata?.deletionTimestamp === undefined
          ? availableInMs(pod, daemonSet.spec?.minReadySeconds ?? 0, now) ?? Infinity
          : Infinity
      ),
    );
    if (wait < Infinity) ready++;
    if (wait === 0) available++;
    else if (wait < Infinity) waits.push(wait);
    if (pods.some((pod) => isUpdated(pod, hash) && pod.metadata?.deletionTimestamp === undefined)) updated++;
  }
  return {
    status: {
      ...(daemonSet.status?.conditions && { conditions: daemonSet.status.conditions }),
      ...(daemonSet.status?.collisionCount !== undefined &&
        { collisionCount: daemonSet.status.collisionCount }),
      ...(daemonSet.metadata?.generation !== undefined &&
        { observedGeneration: daemonSet.metadata.generation }),
      desiredNumberScheduled: desired,
      currentNumberScheduled: current,
      numberMisscheduled: misscheduled,
      numberReady: ready,
      updatedNumberScheduled: updated,
      ...(available > 0 && { numberAvailable: available }),
      ...(desired > available && { numberUnavailable: desired - available }),
    },
    againInMs: waits.length > 0 ? Math.min(...waits) : undefined,
  };
}

function groupByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  return Map.groupBy(pods, (pod) => targetNode(pod) ?? "");
}

function isUpdated({ metadata }: Pod, hash: string): boolean {
  return metadata?.labels?.[REVISION_LABEL] === hash;
}

function isAvailable({ spec }: DaemonSet, pod: Pod, now: number): boolean {
  return availableInMs(pod, spec?.minReadySeconds ?? 0, now) === 0;
}

/** Bound before unbound, older before younger. */
function byAge(a: Pod, b: Pod): number {
  const created = (pod: Pod) => parseTime(pod.metadata?.creationTimestamp) ?? 0;
  return Number(!a.spec?.nodeName) - Number(!b.spec?.nodeName) || created(a) - created(b) ||
    ((a.metadata?.name ?? "") < (b.metadata?.name ?? "") ? -1 : 1);
}
