import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { isConflict, isNotFound } from "../../../../common/errors/mod.ts";
import {
  type Informer,
  type KubeReader,
  type KubeWriter,
  NODES,
  PODS,
  type ReconcileResult,
} from "../../../../common/kubeclient/mod.ts";
import { parseTime, timestamp } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import { isPodFinished } from "../pod_state.ts";

/** What the pod garbage collector works with. */
export interface PodGcComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "patch" | "delete">;
  nodes: Informer<Node>;
  pods: Informer<Pod>;
}

/** How long a node must be missing before its pods are given up, milliseconds. Upstream: podgc (quarantineTime) */
const QUARANTINE_MS = 40_000;
/** Ended pods that are kept. Upstream: TerminatedPodGCThreshold */
export const KEPT_FINISHED_PODS = 12_500;

/** Why a pod will not end by itself: its node is gone, or it is to be deleted and never had one. */
export function lostReason(
  pod: Pod,
  hasNode: (name: string) => boolean,
): "orphaned" | "unscheduledTerminating" | undefined {
  const nodeName = pod.spec?.nodeName;
  if (nodeName) return hasNode(nodeName) ? undefined : "orphaned";
  return pod.metadata?.deletionTimestamp !== undefined ? "unscheduledTerminating" : undefined;
}

/** The ended pods beyond those that are kept, the oldest first. */
export function excessFinished(pods: readonly Pod[], kept: number): Pod[] {
  const finished = pods.filter((pod) => isPodFinished(pod) && pod.metadata?.deletionTimestamp === undefined);
  if (finished.length <= kept) return [];
  const created = (pod: Pod) => parseTime(pod.metadata?.creationTimestamp) ?? 0;
  return finished.sort((a, b) => created(a) - created(b)).slice(0, finished.length - kept);
}

/**
 * Deletes pods that nobody else can end.
 * Upstream: k8s.io/kubernetes pkg/controller/podgc/gc_controller.go @ v1.32
 */
export function podGarbageCollector(components: PodGcComponents): Controller {
  const { nodes, pods } = components;
  const missingSince = new Map<string, number>();
  const hasNode = (name: string) => nodes.get(name) !== undefined;
  return controller(components, {
    name: "podgc",
    watch: (queue) => [
      pods.subscribe(({ type, object }) => {
        if (type === "deleted") return;
        if (lostReason(object, hasNode) !== undefined) queue.add(keyOf(object));
        if (isPodFinished(object)) {
          for (const pod of excessFinished(pods.list(), KEPT_FINISHED_PODS)) queue.add(keyOf(pod));
        }
      }),
      nodes.subscribe(({ type, object }) => {
        const name = object.metadata?.name ?? "";
        if (type !== "deleted") {
          missingSince.delete(name);
          return;
        }
        for (const pod of pods.list()) if (pod.spec?.nodeName === name) queue.add(keyOf(pod));
      }),
    ],
    reconcile: (key, { signal }) => collect(components, missingSince, key, signal),
  });
}

async function collect(
  { kube, nodes, pods, clock }: PodGcComponents,
  missingSince: Map<string, number>,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const pod = pods.get(key);
  if (pod === undefined) return;
  const reason = lostReason(pod, (name) => nodes.get(name) !== undefined);
  if (reason === undefined) {
    if (excessFinished(pods.list(), KEPT_FINISHED_PODS).includes(pod)) await remove(kube, pod, signal);
    return;
  }
  const now = clock.now();
  if (reason === "orphaned") {
    const nodeName = pod.spec?.nodeName ?? "";
    const since = missingSince.get(nodeName) ?? now;
    missingSince.set(nodeName, since);
    if (now - since < QUARANTINE_MS) return { afterMs: since + QUARANTINE_MS - now };
    if (await exists(kube, nodeName, signal)) return { afterMs: QUARANTINE_MS };
    if (!isPodFinished(pod)) await fail(kube, pod, now, signal);
  }
  await remove(kube, pod, signal);
}

async function exists(kube: PodGcComponents["kube"], name: string, signal: AbortSignal): Promise<boolean> {
  try {
    await kube.get(NODES, { name }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Says in the pod's status why it is being deleted, since nothing else will. */
async function fail(
  kube: PodGcComponents["kube"],
  pod: Pod,
  now: number,
  signal: AbortSignal,
): Promise<void> {
  const { name = "", namespace = "", uid } = pod.metadata ?? {};
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByPodGC",
    message: "PodGC: node no longer exists",
    lastTransitionTime: timestamp(now),
  };
  const body = { metadata: { uid }, status: { phase: "Failed", conditions: [condition] } };
  try {
    await kube.patch(PODS, { name, namespace }, { type: "strategic", body }, {
      subresource: "status",
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function remove(kube: PodGcComponents["kube"], pod: Pod, signal: AbortSignal): Promise<void> {
  const { name = "", namespace = "", uid } = pod.metadata ?? {};
  const options = { gracePeriodSeconds: 0, ...(uid && { preconditions: { uid } }) };
  try {
    await kube.delete(PODS, { name, namespace }, options, { signal });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
