import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { matchesNodeAffinity } from "./node_affinity.ts";
import { amountsOf, hostPorts, podRequests, portsConflict } from "./requests.ts";
import { schedulingTaints, tolerates } from "./taints.ts";

/** A node and the pods that are on it or on their way to it. */
export interface NodeLoad {
  node: Node;
  pods: readonly Pod[];
}

/** Where a pod goes, or why it goes nowhere. */
export type Placement = { kind: "bind"; nodeName: string } | { kind: "unschedulable"; message: string };

/**
 * Chooses the node for a pod: of those that fit, the one with the fewest pods.
 * Upstream: k8s.io/kubernetes pkg/scheduler/framework/plugins, framework/types.go (FitError) @ v1.32
 */
export function placePod(pod: Pod, loads: readonly NodeLoad[]): Placement {
  const unsupported = unsupportedDemand(pod);
  if (unsupported !== undefined) return { kind: "unschedulable", message: unsupported };
  if (loads.length === 0) return { kind: "unschedulable", message: "no nodes available to schedule pods" };
  let best: NodeLoad | undefined;
  const counts = new Map<string, number>();
  for (const load of loads) {
    const reasons = misfits(pod, load);
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    if (reasons.length === 0 && (best === undefined || compareLoads(load, best) < 0)) best = load;
  }
  if (best !== undefined) return { kind: "bind", nodeName: best.node.metadata?.name ?? "" };
  const reasons = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return { kind: "unschedulable", message: `0/${loads.length} nodes are available: ${reasons.join(", ")}.` };
}

function compareLoads(a: NodeLoad, b: NodeLoad): number {
  return a.pods.length - b.pods.length ||
    ((a.node.metadata?.name ?? "") < (b.node.metadata?.name ?? "") ? -1 : 1);
}

/** What a pod insists on that this scheduler cannot judge; placing it anyway could break what it relies on. */
function unsupportedDemand({ spec }: Pod): string | undefined {
  const refuse = (what: string) =>
    `${what} is not supported by the embedded scheduler; use nodeSelector or node affinity.`;
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  if ((podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0) {
    return refuse("required podAffinity");
  }
  if ((podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0) {
    return refuse("required podAntiAffinity");
  }
  if ((spec?.topologySpreadConstraints ?? []).some((c) => c.whenUnsatisfiable !== "ScheduleAnyway")) {
    return refuse("topologySpreadConstraints with DoNotSchedule");
  }
  if ((spec?.resourceClaims ?? []).length > 0) return refuse("resourceClaims");
  return undefined;
}

/** Why a pod does not fit a node, in the real scheduler's words; the first kind of reason only, as there. */
function misfits(pod: Pod, { node, pods }: NodeLoad): string[] {
  const tolerations = pod.spec?.tolerations;
  const unschedulable = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
  if (node.spec?.unschedulable === true && !tolerates(tolerations, unschedulable)) {
    return ["node(s) were unschedulable"];
  }
  const taint = schedulingTaints(node).find((taint) => !tolerates(tolerations, taint));
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  if (!matchesNodeAffinity(pod, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  const wanted = hostPorts(pod);
  if (wanted.length > 0 && pods.some((other) => portsConflict(wanted, hostPorts(other)))) {
    return ["node(s) didn't have free ports for the requested pod ports"];
  }
  return insufficiencies(pod, node, pods);
}

function insufficiencies(pod: Pod, node: Node, pods: readonly Pod[]): string[] {
  const allocatable = amountsOf(node.status?.allocatable);
  const reasons: string[] = [];
  if (pods.length + 1 > (allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
  const used = pods.map(podRequests);
  for (const [name, amount] of podRequests(pod)) {
    if (amount <= 0) continue;
    const taken = used.reduce((sum, requests) => sum + (requests.get(name) ?? 0), 0);
    // Sums of decimal fractions are off by less than a millionth of any unit that is scheduled.
    if (taken + amount > (allocatable.get(name) ?? 0) * (1 + 1e-9)) reasons.push(`Insufficient ${name}`);
  }
  return reasons;
}

/** Whether a change of a node can make a pod fit that did not; heartbeats cannot. */
export function schedulingView({ metadata, spec, status }: Node): unknown {
  return {
    labels: metadata?.labels,
    taints: spec?.taints,
    unschedulable: spec?.unschedulable,
    allocatable: status?.allocatable,
    conditions: status?.conditions?.map(({ type, status }) => [type, status]),
  };
}
