import type { Node, Taint, Toleration } from "../../../../common/api/core_v1.ts";
import { findCondition } from "../conditions.ts";

/**
 * Whether one of the tolerations covers a taint.
 * Upstream: k8s.io/component-helpers/scheduling/corev1/helpers.go, k8s.io/api/core/v1/toleration.go @ v0.32
 */
export function tolerates(tolerations: readonly Toleration[] | undefined, taint: Taint): boolean {
  return tolerationsOf(tolerations, taint).length > 0;
}

/** The tolerations that cover a taint. */
export function tolerationsOf(tolerations: readonly Toleration[] | undefined, taint: Taint): Toleration[] {
  return (tolerations ?? []).filter(({ key, operator, value, effect }) => {
    if (effect && effect !== taint.effect) return false;
    if (key && key !== taint.key) return false;
    if (operator === "Exists") return true;
    return (operator === undefined || operator === "" || operator === "Equal") && !!key &&
      (value ?? "") === (taint.value ?? "");
  });
}

/**
 * The taints that keep new pods from a node: its own and, until the node lifecycle has written it, the one its Ready condition
 * calls for.
 */
export function schedulingTaints({ spec, status }: Node): Taint[] {
  const own = (spec?.taints ?? []).filter(({ effect }) => effect === "NoSchedule" || effect === "NoExecute");
  const ready = findCondition(status?.conditions, "Ready")?.status;
  if (ready === "True") return own;
  const key = ready === "Unknown" ? "node.kubernetes.io/unreachable" : "node.kubernetes.io/not-ready";
  return own.some((taint) => taint.key === key) ? own : [...own, { key, effect: "NoSchedule" }];
}
