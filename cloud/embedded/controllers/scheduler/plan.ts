import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { matchesNodeAffinity } from "./node_affinity.ts";
import { type NamespaceLabels, podAffinityFilter } from "./pod_affinity.ts";
import { preferenceOf } from "./preferences.ts";
import { amountsOf, hostPorts, podRequests, portsConflict } from "./requests.ts";
import { schedulingTaints, tolerates } from "./taints.ts";
import { topologySpreadFilter } from "./topology_spread.ts";

/** A node and the pods that are on it or on their way to it. */
export interface NodeLoad {
  node: Node;
  pods: readonly Pod[];
}

/** Where a pod goes, or why it goes nowhere. */
export type Placement = { kind: "bind"; nodeName: string } | { kind: "unschedulable"; message: string };

/**
 * Chooses the node for a pod: of those that fit, the one it likes most, then the one with the fewest pods.
 * Upstream: k8s.io/kubernetes pkg/scheduler/framework/plugins, framework/types.go (FitError) @ v1.33
 * @param namespaceLabels for demands on the pods of other namespaces
 */
export function placePod(
  pod: Pod,
  loads: readonly NodeLoad[],
  namespaceLabels: NamespaceLabels = () => undefined,
): Placement {
  if ((pod.spec?.resourceClaims ?? []).length > 0) {
    return { kind: "unschedulable", message: "resourceClaims are not supported by the embedded scheduler." };
  }
  if (loads.length === 0) return { kind: "unschedulable", message: "no nodes available to schedule pods" };
  const spread = topologySpreadFilter(pod, loads);
  const around = podAffinityFilter(pod, loads, namespaceLabels);
  const preference = preferenceOf(pod, loads, namespaceLabels);
  let best: { load: NodeLoad; score: number } | undefined;
  const counts = new Map<string, number>();
  for (const load of loads) {
    const reasons = misfits(pod, load, [spread, around]);
    for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    if (reasons.length > 0) continue;
    const candidate = { load, score: preference(load.node) };
    if (best === undefined || compareCandidates(candidate, best) < 0) best = candidate;
  }
  if (best !== undefined) return { kind: "bind", nodeName: best.load.node.metadata?.name ?? "" };
  const reasons = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return { kind: "unschedulable", message: `0/${loads.length} nodes are available: ${reasons.join(", ")}.` };
}

function compareCandidates(
  a: { load: NodeLoad; score: number },
  b: { load: NodeLoad; score: number },
): number {
  return b.score - a.score || a.load.pods.length - b.load.pods.length ||
    ((a.load.node.metadata?.name ?? "") < (b.load.node.metadata?.name ?? "") ? -1 : 1);
}

/** Why a pod does not fit a node, in the real scheduler's words; the first kind of reason only, as there. */
function misfits(
  pod: Pod,
  { node, pods }: NodeLoad,
  filters: ReadonlyArray<(node: Node) => string | undefined>,
): string[] {
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
  const lacking = insufficiencies(pod, node, pods);
  if (lacking.length > 0) return lacking;
  for (const filter of filters) {
    const reason = filter(node);
    if (reason !== undefined) return [reason];
  }
  return [];
}

function insufficiencies(pod: Pod, node: Node, pods: readonly Pod[]): string[] {
  const allocatable = amountsOf(node.status?.allocatable);
  const reasons: string[] = [];
  if (pods.length + 1 > (allocatable.get("pods") ?? 0)) reasons.push("Too many pods");
  for (const [name, amount] of podRequests(pod)) {
    if (amount <= 0) continue;
    const taken = pods.reduce((sum, other) => sum + (podRequests(other).get(name) ?? 0), 0);
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
