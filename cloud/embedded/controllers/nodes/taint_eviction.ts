import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { isConflict, isNotFound } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  type KubeWriter,
  PODS,
  type ReconcileResult,
} from "../../../../common/kubeclient/mod.ts";
import { parseTime, timestamp } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { tolerationsOf } from "../scheduler/taints.ts";

/** What taint-based eviction works with. */
export interface TaintEvictionComponents extends LoopComponents {
  kube: Pick<KubeWriter, "patch" | "delete">;
  nodes: Informer<Node>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

/**
 * When a pod must leave its node because of NoExecute taints: Unix milliseconds, or undefined when it may stay.
 * The time a pod tolerates a taint runs from when the taint was added, so that it does not begin anew with this process.
 * Upstream: k8s.io/kubernetes pkg/controller/tainteviction/taint_eviction.go (processPodOnNode) @ v1.32
 */
export function evictionTime(pod: Pod, node: Node, now: number): number | undefined {
  const times: number[] = [];
  for (const taint of node.spec?.taints ?? []) {
    if (taint.effect !== "NoExecute") continue;
    const tolerations = tolerationsOf(pod.spec?.tolerations, taint);
    if (tolerations.length === 0) return now;
    const seconds = tolerations.map((toleration) => toleration.tolerationSeconds ?? Infinity);
    times.push((parseTime(taint.timeAdded) ?? now) + Math.max(0, Math.min(...seconds)) * 1000);
  }
  const first = Math.min(...times);
  return Number.isFinite(first) ? first : undefined;
}

/**
 * Deletes pods from nodes whose NoExecute taints they do not tolerate, or no longer.
 * Upstream: k8s.io/kubernetes pkg/controller/tainteviction/taint_eviction.go @ v1.32
 */
export function taintEvictionController(components: TaintEvictionComponents): Controller {
  const { nodes, pods } = components;
  return controller(components, {
    name: "tainteviction",
    workers: 4,
    watch: (queue) => [
      pods.subscribe(({ type, object }) => {
        if (type !== "deleted" && object.spec?.nodeName) queue.add(keyOf(object));
      }),
      nodes.subscribe((event) => {
        if (event.type === "deleted") return;
        const { object } = event;
        if (event.type === "updated" && equalJson(event.old.spec?.taints, object.spec?.taints)) return;
        for (const pod of pods.list()) {
          if (pod.spec?.nodeName === object.metadata?.name) queue.add(keyOf(pod));
        }
      }),
    ],
    reconcile: (key, { signal }) => evict(components, key, signal),
  });
}

async function evict(
  { kube, nodes, pods, clock, events }: TaintEvictionComponents,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const pod = pods.get(key);
  const node = nodes.get(pod?.spec?.nodeName ?? "");
  if (pod === undefined || node === undefined || pod.metadata?.deletionTimestamp !== undefined) return;
  const now = clock.now();
  const at = evictionTime(pod, node, now);
  if (at === undefined) return;
  if (at > now) return { afterMs: at - now };
  const { name = "", namespace = "", uid } = pod.metadata ?? {};
  const message = `Marking for deletion Pod ${namespace}/${name}`;
  events.record(PODS, pod, {
    component: "taint-eviction-controller",
    type: "Normal",
    reason: "TaintManagerEviction",
    message,
  });
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
    lastTransitionTime: timestamp(now),
  };
  const body = { metadata: { uid }, status: { conditions: [condition] } };
  try {
    await kube.patch(PODS, { name, namespace }, { type: "strategic", body }, {
      subresource: "status",
      signal,
    });
    await kube.delete(PODS, { name, namespace }, uid ? { preconditions: { uid } } : {}, { signal });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
