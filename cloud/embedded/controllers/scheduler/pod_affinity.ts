import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import type { NodeLoad } from "./plan.ts";
import { selectorMatches } from "./selectors.ts";

type Terms = NonNullable<
  NonNullable<NonNullable<NonNullable<Pod["spec"]>["affinity"]>["podAffinity"]>[
    "requiredDuringSchedulingIgnoredDuringExecution"
  ]
>;
/** A demand on the pods around, as a pod that has it makes it. */
export type Term = Terms[number];

/** Labels of a namespace; undefined when it is not known. */
export type NamespaceLabels = (name: string) => Readonly<Record<string, string>> | undefined;

const required = (pod: Pod, kind: "podAffinity" | "podAntiAffinity"): Terms =>
  pod.spec?.affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];

/**
 * Whether a pod is one of those that a term of another pod is about.
 * Upstream: k8s.io/kubernetes pkg/scheduler/framework/types.go (AffinityTerm.Matches) @ v1.33
 */
export function termMatches(term: Term, owner: Pod, other: Pod, namespaceLabels: NamespaceLabels): boolean {
  const namespace = other.metadata?.namespace ?? "";
  const named = term.namespaces ?? [];
  const home = named.length === 0 && term.namespaceSelector === undefined
    ? namespace === (owner.metadata?.namespace ?? "")
    : named.includes(namespace) ||
      (term.namespaceSelector !== undefined &&
        selectorMatches(term.namespaceSelector, namespaceLabels(namespace) ?? {}));
  if (!home || term.labelSelector === undefined) return false;
  const labels = other.metadata?.labels ?? {};
  const own = owner.metadata?.labels ?? {};
  const { matchLabelKeys = [], mismatchLabelKeys = [] } = term as {
    matchLabelKeys?: string[];
    mismatchLabelKeys?: string[];
  };
  return selectorMatches(term.labelSelector, labels) &&
    matchLabelKeys.every((key) => own[key] === undefined || own[key] === labels[key]) &&
    mismatchLabelKeys.every((key) => own[key] === undefined || own[key] !== labels[key]);
}

function topologyOf(node: Node, key: string): string | undefined {
  const labels = node.metadata?.labels ?? {};
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/**
 * Looks at the demands of a pod and of those that run on the pods around them once; the result tells for a node why it does not
 * meet them.
 * Upstream: k8s.io/kubernetes pkg/scheduler/framework/plugins/interpodaffinity/filtering.go @ v1.33
 */
export function podAffinityFilter(
  pod: Pod,
  loads: readonly NodeLoad[],
  namespaceLabels: NamespaceLabels,
): (node: Node) => string | undefined {
  const affinity = required(pod, "podAffinity");
  const anti = required(pod, "podAntiAffinity");
  /** Topologies, as key and value, that are out of bounds, or have pods that are looked for. */
  const refusedByOthers = new Set<string>();
  const refused = new Set<string>();
  const wanted = new Set<string>();
  const at = (key: string, value: string) => `${key}\n${value}`;
  for (const { node, pods } of loads) {
    for (const other of pods) {
      for (const term of required(other, "podAntiAffinity")) {
        const value = topologyOf(node, term.topologyKey);
        if (value !== undefined && termMatches(term, other, pod, namespaceLabels)) {
          refusedByOthers.add(at(term.topologyKey, value));
        }
      }
      for (const term of anti) {
        const value = topologyOf(node, term.topologyKey);
        if (value !== undefined && termMatches(term, pod, other, namespaceLabels)) {
          refused.add(at(term.topologyKey, value));
        }
      }
      // A pod counts only where it meets all terms together.
      if (
        affinity.length === 0 || !affinity.every((term) => termMatches(term, pod, other, namespaceLabels))
      ) continue;
      for (const { topologyKey } of affinity) {
        const value = topologyOf(node, topologyKey);
        if (value !== undefined) wanted.add(at(topologyKey, value));
      }
    }
  }
  // The first of a group that wants to be together finds nobody yet.
  const first = wanted.size === 0 && affinity.every((term) => termMatches(term, pod, pod, namespaceLabels));
  return (node) => {
    const isIn = (set: ReadonlySet<string>, key: string) => {
      const value = topologyOf(node, key);
      return value !== undefined && set.has(at(key, value));
    };
    for (const { topologyKey } of affinity) {
      const placed = topologyOf(node, topologyKey) !== undefined && (first || isIn(wanted, topologyKey));
      if (!placed) return "node(s) didn't match pod affinity rules";
    }
    if (anti.some(({ topologyKey }) => isIn(refused, topologyKey))) {
      return "node(s) didn't match pod anti-affinity rules";
    }
    for (const [key, value] of Object.entries(node.metadata?.labels ?? {})) {
      if (refusedByOthers.has(at(key, value))) {
        return "node(s) didn't satisfy existing pods anti-affinity rules";
      }
    }
    return undefined;
  };
}
