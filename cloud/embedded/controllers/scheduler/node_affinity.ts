import type { Node, Pod } from "../../../../common/api/core_v1.ts";

interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

/**
 * Whether a node is one of those a pod asks for by nodeSelector and required node affinity.
 * Upstream: k8s.io/component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go @ v0.32
 */
export function matchesNodeAffinity({ spec }: Pod, node: Node): boolean {
  const labels = node.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(spec?.nodeSelector ?? {})) {
    if (!Object.hasOwn(labels, key) || labels[key] !== value) return false;
  }
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required === undefined) return true;
  return required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Whether a node is one of those a term of a node selector is about. */
export function matchesTerm(
  { matchExpressions = [], matchFields = [] }: {
    matchExpressions?: Requirement[];
    matchFields?: Requirement[];
  },
  node: Node,
): boolean {
  const labels = node.metadata?.labels ?? {};
  const fields = { "metadata.name": node.metadata?.name ?? "" };
  // A term without any requirement matches nothing.
  return matchExpressions.length + matchFields.length > 0 &&
    matchExpressions.every((requirement) => matches(requirement, labels)) &&
    matchFields.every((requirement) => matches(requirement, fields));
}

function matches(
  { key, operator, values = [] }: Requirement,
  from: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
    case "Lt": {
      if (
        value === undefined || values.length !== 1 || !/^-?\d+$/.test(value) || !/^-?\d+$/.test(values[0]!)
      ) {
        return false;
      }
      return operator === "Gt" ? BigInt(value) > BigInt(values[0]!) : BigInt(value) < BigInt(values[0]!);
    }
    default:
      return false;
  }
}
