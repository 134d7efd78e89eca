import type { Node, NodeCondition, Taint } from "../../../../common/api/core_v1.ts";
import type { Lease } from "../../../../common/api/coordination_v1.ts";
import { findCondition, parseTime, timestamp } from "../conditions.ts";

/** How long a node may be silent. Upstream: pkg/controller/nodelifecycle/node_lifecycle_controller.go */
export interface NodeHealthOptions {
  /** Without a renewed lease or status for this long a node's state is unknown, milliseconds. */
  gracePeriodMs: number;
  /** The same for a node that never posted a status. */
  startupGracePeriodMs: number;
}

/** What was last heard of a node, and when this process heard it: its clock need not agree with the node's. */
export interface NodeSign {
  renewTime: string | undefined;
  heartbeat: string | undefined;
  /** Unix milliseconds. */
  heardAt: number;
}

/** The sign a node gives now; its time moves on only when something changed. */
export function hearNode(
  node: Node,
  lease: Lease | undefined,
  last: NodeSign | undefined,
  now: number,
): NodeSign {
  const ready = findCondition(node.status?.conditions, "Ready");
  // A heartbeat this side wrote itself is none.
  const heartbeat = ready?.status === "Unknown" ? last?.heartbeat : ready?.lastHeartbeatTime;
  const renewTime = lease?.spec?.renewTime;
  if (last !== undefined && last.renewTime === renewTime && last.heartbeat === heartbeat) return last;
  if (last !== undefined || ready !== undefined) return { renewTime, heartbeat, heardAt: now };
  return { renewTime, heartbeat, heardAt: parseTime(node.metadata?.creationTimestamp) ?? now };
}

const WATCHED = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;

/**
 * The conditions of a node that has gone silent; undefined when they stay as they are.
 * Upstream: k8s.io/kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go (tryUpdateNodeHealth) @ v1.32
 */
export function silentConditions(
  node: Node,
  sign: NodeSign,
  now: number,
  options: NodeHealthOptions,
): NodeCondition[] | undefined {
  if (now - sign.heardAt <= allowedSilenceMs(node, options)) return undefined;
  const time = timestamp(now);
  const changed: NodeCondition[] = [];
  for (const type of WATCHED) {
    const old = findCondition(node.status?.conditions, type);
    if (old === undefined) {
      changed.push({
        type,
        status: "Unknown",
        reason: "NodeStatusNeverUpdated",
        message: "Kubelet never posted node status.",
        lastHeartbeatTime: node.metadata?.creationTimestamp ?? time,
        lastTransitionTime: time,
      });
    } else if (old.status !== "Unknown") {
      changed.push({
        ...old,
        status: "Unknown",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
        lastTransitionTime: time,
      });
    }
  }
  return changed.length > 0 ? changed : undefined;
}

/** How long this node may be silent, milliseconds. */
export function allowedSilenceMs({ status }: Node, options: NodeHealthOptions): number {
  return findCondition(status?.conditions, "Ready") === undefined
    ? options.startupGracePeriodMs
    : options.gracePeriodMs;
}

export const NOT_READY = "node.kubernetes.io/not-ready";
export const UNREACHABLE = "node.kubernetes.io/unreachable";

const BY_CONDITION: ReadonlyArray<readonly [type: string, status: string, key: string]> = [
  ["Ready", "False", NOT_READY],
  ["Ready", "Unknown", UNREACHABLE],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";
const OURS: ReadonlySet<string> = new Set([...BY_CONDITION.map(([, , key]) => key), UNSCHEDULABLE]);

/**
 * The taints a node is to have: those its conditions call for, and all others as they are. A taint that stays keeps the time it
 * was added, which is when the tolerationSeconds of pods began to run.
 * Upstream: k8s.io/kubernetes pkg/controller/nodelifecycle/node_lifecycle_controller.go (doNoScheduleTaintingPass,
 * processTaintBaseEviction) @ v1.32
 * @returns undefined when they are right already
 */
export function planTaints({ spec, status }: Node, now: number): Taint[] | undefined {
  const present = spec?.taints ?? [];
  const wanted: Taint[] = [];
  const want = (key: string, effect: "NoSchedule" | "NoExecute") => {
    const old = present.find((taint) => taint.key === key && taint.effect === effect);
    wanted.push(old ?? { key, effect, timeAdded: timestamp(now) });
  };
  for (const [type, value, key] of BY_CONDITION) {
    if (findCondition(status?.conditions, type)?.status !== value) continue;
    want(key, "NoSchedule");
    if (type === "Ready") want(key, "NoExecute");
  }
  // A node that has not said anything yet takes no pods.
  if (findCondition(status?.conditions, "Ready") === undefined) want(NOT_READY, "NoSchedule");
  if (spec?.unschedulable === true) want(UNSCHEDULABLE, "NoSchedule");
  const same = present.filter((taint) => OURS.has(taint.key));
  if (same.length === wanted.length && wanted.every((taint) => same.includes(taint))) return undefined;
  return [...present.filter((taint) => !OURS.has(taint.key)), ...wanted];
}
