import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { matchesNodeAffinity } from "./node_affinity.ts";
import type { NodeLoad } from "./plan.ts";
import { selectorMatches } from "./selectors.ts";
import { schedulingTaints, tolerates } from "./taints.ts";

type Constraint = NonNullable<NonNullable<Pod["spec"]>["topologySpreadConstraints"]>[number];

const SPREAD = "node(s) didn't match pod topology spread constraints";

function counts(constraint: Constraint, pod: Pod, other: Pod): boolean {
  const { matchLabelKeys = [] } = constraint as { matchLabelKeys?: string[] };
  const own = pod.metadata?.labels ?? {};
  const labels = other.metadata?.labels ?? {};
  return other.metadata?.namespace === pod.metadata?.namespace &&
    other.metadata?.deletionTimestamp === undefined && selectorMatches(constraint.labelSelector, labels) &&
    matchLabelKeys.every((key) => own[key] === undefined || own[key] === labels[key]);
}

/** Whether the pods of a node count for a constraint. */
function isEligible(constraint: Constraint, pod: Pod, node: Node): boolean {
  const honorsAffinity = (constraint.nodeAffinityPolicy ?? "Honor") === "Honor";
  if (honorsAffinity && !matchesNodeAffinity(pod, node)) return false;
  return constraint.nodeTaintsPolicy !== "Honor" ||
    schedulingTaints(node).every((taint) => tolerates(pod.spec?.tolerations, taint));
}

/** How many pods of a constraint there are, by the value of its topology key. */
export function podsPerTopology(
  constraint: Constraint,
  pod: Pod,
  loads: readonly NodeLoad[],
): Map<string, number> {
  const perValue = new Map<string, number>();
  for (const { node, pods } of loads) {
    const value = node.metadata?.labels?.[constraint.topologyKey];
    if (value === undefined || !isEligible(constraint, pod, node)) continue;
    const found = pods.filter((other) => counts(constraint, pod, other)).length;
    perValue.set(value, (perValue.get(value) ?? 0) + found);
  }
  return perValue;
}

/**
 * Counts the pods that are to be spread once; the result tells for a node why it may not get another.
 * Upstream: k8s.io/kubernetes pkg/scheduler/framework/plugins/podtopologyspread/filtering.go @ v1.33
 */
export function topologySpreadFilter(
  pod: Pod,
  loads: readonly NodeLoad[],
): (node: Node) => string | undefined {
  const hard = (pod.spec?.topologySpreadConstraints ?? []).filter(({ whenUnsatisfiable }) =>
    whenUnsatisfiable === "DoNotSchedule"
  );
  if (hard.length === 0) return () => undefined;
  // A node counts only where it has a place in every topology.
  const placed = loads.filter(({ node }) =>
    hard.every(({ topologyKey }) => node.metadata?.labels?.[topologyKey] !== undefined)
  );
  const states = hard.map((constraint) => {
    const perValue = podsPerTopology(constraint, pod, placed);
    const enough = perValue.size >= (constraint.minDomains ?? 1);
    return { constraint, perValue, least: enough ? Math.min(...perValue.values()) : 0 };
  });
  return (node) => {
    for (const { constraint, perValue, least } of states) {
      const value = node.metadata?.labels?.[constraint.topologyKey];
      if (value === undefined) return `${SPREAD} (missing required label)`;
      const self = counts(constraint, pod, pod) ? 1 : 0;
      if ((perValue.get(value) ?? 0) + self - least > constraint.maxSkew) return SPREAD;
    }
    return undefined;
  };
}
