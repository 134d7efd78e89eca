import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { matchesTerm } from "./node_affinity.ts";
import type { NodeLoad } from "./plan.ts";
import { type NamespaceLabels, termMatches } from "./pod_affinity.ts";
import { tolerates } from "./taints.ts";
import { podsPerTopology } from "./topology_spread.ts";

/**
 * How much a pod would rather be on a node than on others; only what it says counts, not how full the node is.
 * Upstream: k8s.io/kubernetes pkg/scheduler/framework/plugins (nodeaffinity, interpodaffinity, podtopologyspread, tainttoleration:
 * Score) @ v1.33, whose weights are not the same
 */
export function preferenceOf(
  pod: Pod,
  loads: readonly NodeLoad[],
  namespaceLabels: NamespaceLabels,
): (node: Node) => number {
  const { nodeAffinity, podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const nodeTerms = nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const podTerms = [
    ...(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => ({
      ...term,
      sign: 1,
    })),
    ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => ({
      ...term,
      sign: -1,
    })),
  ].map(({ podAffinityTerm, weight, sign }) => {
    const perValue = new Map<string, number>();
    for (const { node, pods } of loads) {
      const value = node.metadata?.labels?.[podAffinityTerm.topologyKey];
      if (value === undefined) continue;
      const found = pods.filter((other) => termMatches(podAffinityTerm, pod, other, namespaceLabels)).length;
      perValue.set(value, (perValue.get(value) ?? 0) + found);
    }
    return { key: podAffinityTerm.topologyKey, weight: weight * sign, perValue };
  });
  const soft = (pod.spec?.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === "ScheduleAnyway")
    .map((constraint) => ({
      key: constraint.topologyKey,
      perValue: podsPerTopology(constraint, pod, loads),
    }));
  return (node) => {
    const labels = node.metadata?.labels ?? {};
    let score = 0;
    for (const { weight, preference } of nodeTerms) if (matchesTerm(preference, node)) score += weight;
    for (const { key, weight, perValue } of podTerms) {
      score += weight * (perValue.get(labels[key] ?? "") ?? 0);
    }
    for (const { key, perValue } of soft) score -= 10 * (perValue.get(labels[key] ?? "") ?? 0);
    const avoided = (node.spec?.taints ?? []).filter((taint) =>
      taint.effect === "PreferNoSchedule" && !tolerates(pod.spec?.tolerations, taint)
    );
    return score - 100 * avoided.length;
  };
}
