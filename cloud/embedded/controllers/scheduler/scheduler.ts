import type { Namespace, Node, Pod } from "../../../../common/api/core_v1.ts";
import { keyOf, type KubeObject, type ObjectMeta } from "../../../../common/api/meta_v1.ts";
import { isConflict, isNotFound } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  type KubeWriter,
  PODS,
  type ReconcileResult,
} from "../../../../common/kubeclient/mod.ts";
import { findCondition, timestamp } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { isPodFinished } from "../pod_state.ts";
import { type NodeLoad, placePod, schedulingView } from "./plan.ts";
import { Waiting } from "./waiting.ts";

/** What the scheduler works with. */
export interface SchedulerComponents extends LoopComponents {
  kube: Pick<KubeWriter, "createSubresource" | "patch">;
  nodes: Informer<Node>;
  pods: Informer<Pod>;
  namespaces: Pick<Informer<Namespace>, "get">;
  events: EventRecorder;
}

/** The body of pods/binding. */
interface Binding extends KubeObject {
  metadata: ObjectMeta;
  target: { apiVersion: string; kind: string; name: string };
}

const COMPONENT = "default-scheduler";
/** A pod that fits nowhere is looked at again after this, even when nothing changed, milliseconds. */
const RETRY_MS = 300_000;

/**
 * Binds pods that name no node to the node that suits them.
 * Upstream: k8s.io/kubernetes pkg/scheduler/schedule_one.go @ v1.32
 */
export function scheduler(components: SchedulerComponents): Controller {
  const { nodes, pods } = components;
  /** Pods that were bound and whose binding the informer has not brought yet. */
  const assumed = new Map<string, { uid: string; nodeName: string }>();
  const waiting = new Waiting();
  let again: (key: string) => void = () => {};
  return controller(components, {
    name: "scheduler",
    watch: (queue) => {
      again = (key) => queue.add(key);
      const enqueue = (pod: Pod) => {
        waiting.add(keyOf(pod), pod.spec?.priority ?? 0);
        queue.add(keyOf(pod));
      };
      const retryAll = () => {
        for (const pod of pods.list().filter(isUnscheduled)) enqueue(pod);
      };
      return [
        pods.subscribe((event) => {
          const { type, object } = event;
          const key = keyOf(object);
          if (
            object.spec?.nodeName && (type === "added" || (type === "updated" && !event.old.spec?.nodeName))
          ) {
            // One more pod may be the one that others want to be near to, or spread with.
            for (const pod of pods.list()) if (isUnscheduled(pod) && looksAround(pod)) enqueue(pod);
          }
          if (type === "deleted" || object.spec?.nodeName) {
            assumed.delete(key);
            waiting.take(key);
          }
          if (type !== "deleted" && isUnscheduled(object)) enqueue(object);
          // A pod that ends makes room.
          else if (object.spec?.nodeName && (type === "deleted" || isPodFinished(object))) retryAll();
        }),
        nodes.subscribe((event) => {
          if (event.type === "deleted") return;
          const { object } = event;
          if (event.type === "updated" && equalJson(schedulingView(event.old), schedulingView(object))) {
            return;
          }
          retryAll();
        }),
      ];
    },
    reconcile: async (key, { signal }) => {
      const pod = pods.get(key);
      if (pod !== undefined && isUnscheduled(pod) && waiting.hasHigher(pod.spec?.priority ?? 0)) {
        // Those of a higher priority are in the queue as well, and go first.
        again(key);
        return undefined;
      }
      waiting.take(key);
      return await schedule(components, assumed, key, signal);
    },
  });
}

/** Whether a pod waits for this scheduler. */
export function isUnscheduled(pod: Pod): boolean {
  const { spec, metadata } = pod;
  return !spec?.nodeName && metadata?.deletionTimestamp === undefined && !isPodFinished(pod) &&
    (spec?.schedulerName ?? COMPONENT) === COMPONENT && (spec?.schedulingGates ?? []).length === 0;
}

/** Whether where a pod fits depends on where others are, so that more of them may help. */
function looksAround({ spec }: Pod): boolean {
  return (spec?.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0 ||
    (spec?.topologySpreadConstraints ?? []).some((one) => one.whenUnsatisfiable === "DoNotSchedule");
}

async function schedule(
  components: SchedulerComponents,
  assumed: Map<string, { uid: string; nodeName: string }>,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, nodes, pods, namespaces, events } = components;
  const pod = pods.get(key);
  if (pod === undefined || !isUnscheduled(pod) || assumed.has(key)) return;
  const loads = loadsOf(nodes.list(), pods.list(), assumed);
  const placement = placePod(pod, loads, (name) => namespaces.get(name)?.metadata?.labels);
  if (placement.kind === "unschedulable") {
    await tellUnschedulable(components, pod, placement.message, signal);
    return { afterMs: RETRY_MS };
  }
  const { nodeName } = placement;
  const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
  const binding: Binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name, namespace, uid },
    target: { apiVersion: "v1", kind: "Node", name: nodeName },
  };
  assumed.set(key, { uid, nodeName });
  try {
    await kube.createSubresource(PODS, { name, namespace }, "binding", binding, { signal });
  } catch (error) {
    assumed.delete(key);
    // Deleted, or bound by someone else: the informer brings what is true.
    if (isNotFound(error) || isConflict(error)) return { afterMs: 1000 };
    throw error;
  }
  if (pods.get(key)?.spec?.nodeName) assumed.delete(key);
  const message = `Successfully assigned ${namespace}/${name} to ${nodeName}`;
  events.record(PODS, pod, { component: COMPONENT, type: "Normal", reason: "Scheduled", message });
}

/** Every node with its pods, counting those just bound. */
function loadsOf(
  nodes: readonly Node[],
  pods: readonly Pod[],
  assumed: ReadonlyMap<string, { nodeName: string }>,
): NodeLoad[] {
  const byNode = new Map<string, Pod[]>(nodes.map((node) => [node.metadata?.name ?? "", []]));
  for (const pod of pods) {
    const nodeName = pod.spec?.nodeName || assumed.get(keyOf(pod))?.nodeName;
    if (nodeName && !isPodFinished(pod)) byNode.get(nodeName)?.push(pod);
  }
  return nodes.filter((node) => node.metadata?.deletionTimestamp === undefined)
    .map((node) => ({ node, pods: byNode.get(node.metadata?.name ?? "") ?? [] }));
}

async function tellUnschedulable(
  { kube, events, clock }: SchedulerComponents,
  pod: Pod,
  message: string,
  signal: AbortSignal,
): Promise<void> {
  events.record(PODS, pod, { component: COMPONENT, type: "Warning", reason: "FailedScheduling", message });
  const old = findCondition(pod.status?.conditions, "PodScheduled");
  const reason = "Unschedulable";
  if (old?.status === "False" && old.reason === reason && old.message === message) return;
  const lastTransitionTime = old?.status === "False" && old.lastTransitionTime !== undefined
    ? old.lastTransitionTime
    : timestamp(clock.now());
  const condition = { type: "PodScheduled", status: "False", reason, message, lastTransitionTime };
  const { name = "", namespace = "", uid } = pod.metadata ?? {};
  const body = { metadata: { uid }, status: { conditions: [condition] } };
  try {
    await kube.patch(PODS, { name, namespace }, { type: "strategic", body }, {
      subresource: "status",
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
