import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import type { Lease } from "../../../../common/api/coordination_v1.ts";
import { isNotFound } from "../../../../common/errors/mod.ts";
import {
  type Informer,
  type KubeWriter,
  NODES,
  PODS,
  type ReconcileResult,
} from "../../../../common/kubeclient/mod.ts";
import { findCondition, timestamp } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { isPodReady } from "../pod_state.ts";
import {
  allowedSilenceMs,
  hearNode,
  type NodeHealthOptions,
  type NodeSign,
  planTaints,
  silentConditions,
} from "./health.ts";

/** What the node lifecycle controller works with. */
export interface NodeLifecycleComponents extends LoopComponents {
  kube: Pick<KubeWriter, "patch">;
  nodes: Informer<Node>;
  /** Those of the namespace kube-node-lease at least. */
  leases: Informer<Lease>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

/** The namespace of the nodes' leases. */
export const LEASE_NAMESPACE = "kube-node-lease";
const COMPONENT = "node-controller";
/** Shortest time between two looks at a node that is due, milliseconds. Upstream: NodeMonitorPeriod */
const LOOK_MS = 1000;

/**
 * Tells which nodes have gone silent, taints nodes by their conditions, and takes pods on silent nodes out of service.
 * Upstream: k8s.io/kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go @ v1.32
 */
export function nodeLifecycleController(
  components: NodeLifecycleComponents,
  options: NodeHealthOptions,
): Controller {
  const { nodes, leases, pods, events } = components;
  const signs = new Map<string, NodeSign>();
  return controller(components, {
    name: "nodelifecycle",
    workers: 4,
    watch: (queue) => [
      nodes.subscribe(({ type, object }) => {
        const name = object.metadata?.name ?? "";
        queue.add(name);
        if (type === "deleted") signs.delete(name);
        if (type === "added") {
          events.record(NODES, object, {
            component: COMPONENT,
            type: "Normal",
            reason: "RegisteredNode",
            message: `Node ${name} event: Registered Node ${name} in Controller`,
          });
        }
      }),
      leases.subscribe(({ object }) => {
        const { namespace, name = "" } = object.metadata ?? {};
        if (namespace === LEASE_NAMESPACE) queue.add(name);
      }),
      pods.subscribe(({ type, object }) => {
        const node = object.spec?.nodeName;
        if (type !== "deleted" && node && isPodReady(object) && isOut(nodes.get(node))) queue.add(node);
      }),
    ],
    reconcile: (name, { signal }) => reconcile(components, options, signs, name, signal),
  });
}

/** Whether pods of a node cannot be reached any more, as far as its condition tells. */
function isOut(node: Node | undefined): boolean {
  return findCondition(node?.status?.conditions, "Ready")?.status === "Unknown";
}

async function reconcile(
  components: NodeLifecycleComponents,
  options: NodeHealthOptions,
  signs: Map<string, NodeSign>,
  name: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, nodes, leases, clock, events } = components;
  const node = nodes.get(name);
  if (node === undefined) return;
  const now = clock.now();
  const sign = hearNode(node, leases.get(`${LEASE_NAMESPACE}/${name}`), signs.get(name), now);
  signs.set(name, sign);
  const conditions = silentConditions(node, sign, now, options);
  if (conditions !== undefined) {
    const wasReady = findCondition(node.status?.conditions, "Ready")?.status === "True";
    const body = { metadata: { resourceVersion: node.metadata?.resourceVersion }, status: { conditions } };
    await kube.patch(NODES, { name }, { type: "strategic", body }, { subresource: "status", signal });
    if (wasReady) {
      const message = `Node ${name} status is now: NodeNotReady`;
      events.record(NODES, node, { component: COMPONENT, type: "Normal", reason: "NodeNotReady", message });
    }
    // The change comes back through the informer and brings the taints.
    return { afterMs: LOOK_MS };
  }
  const taints = planTaints(node, now);
  if (taints !== undefined) {
    const body = { metadata: { resourceVersion: node.metadata?.resourceVersion }, spec: { taints } };
    await kube.patch(NODES, { name }, { type: "merge", body }, { signal });
  }
  if (isOut(node)) await markPodsNotReady(components, name, signal);
  const left = sign.heardAt + allowedSilenceMs(node, options) - now;
  return isOut(node) ? undefined : { afterMs: Math.max(LOOK_MS, left + 1) };
}

/** Upstream: k8s.io/kubernetes pkg/controller/util/node/controller_utils.go (MarkPodsNotReady) @ v1.32 */
async function markPodsNotReady(
  { kube, pods, clock, events }: NodeLifecycleComponents,
  nodeName: string,
  signal: AbortSignal,
): Promise<void> {
  for (const pod of pods.list()) {
    if (pod.spec?.nodeName !== nodeName || !isPodReady(pod)) continue;
    const { name = "", namespace = "", uid } = pod.metadata ?? {};
    const ready = findCondition(pod.status?.conditions, "Ready");
    const condition = {
      ...ready,
      type: "Ready",
      status: "False",
      lastTransitionTime: timestamp(clock.now()),
    };
    const body = { metadata: { uid }, status: { conditions: [condition] } };
    try {
      await kube.patch(PODS, { name, namespace }, { type: "strategic", body }, {
        subresource: "status",
        signal,
      });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      continue;
    }
    events.record(PODS, pod, {
      component: COMPONENT,
      type: "Warning",
      reason: "NodeNotReady",
      message: "Node is not ready",
    });
  }
}
