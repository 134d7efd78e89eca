import { matchesLabels, requirementsOf } from "../../../../common/kubeclient/mod.ts";

/** Whether a LabelSelector of a pod's spec selects labels; one with an operator that there is not selects nothing. */
export function selectorMatches(
  selector: Parameters<typeof requirementsOf>[0],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  try {
    const requirements = requirementsOf(selector);
    return requirements !== undefined && matchesLabels(requirements, labels);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
