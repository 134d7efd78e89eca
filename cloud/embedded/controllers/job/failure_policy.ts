import type { PodFailurePolicy } from "../../../../common/api/batch_v1.ts";
import type { ContainerStatus, Pod } from "../../../../common/api/core_v1.ts";

type Rule = PodFailurePolicy["rules"][number];

/** What a failed pod means to its Job; without an action it counts as any failure does. */
export interface FailureMatch {
  action?: string;
  /** For FailJob: why. */
  message?: string;
}

/**
 * The first rule that a failed pod meets.
 * Upstream: k8s.io/kubernetes pkg/controller/job/pod_failure_policy.go (matchPodFailurePolicy) @ v1.33
 */
export function matchFailurePolicy(policy: PodFailurePolicy | undefined, pod: Pod): FailureMatch {
  for (const [i, rule] of (policy?.rules ?? []).entries()) {
    const { namespace, name } = pod.metadata ?? {};
    const tail = `matching ${rule.action} rule at index ${i}`;
    if (rule.onExitCodes !== undefined) {
      const container = containerOf(pod, rule.onExitCodes);
      if (container === undefined) continue;
      const code = container.state?.terminated?.exitCode;
      return {
        action: rule.action,
        message:
          `Container ${container.name} for pod ${namespace}/${name} failed with exit code ${code} ${tail}`,
      };
    }
    const condition = pod.status?.conditions?.find(({ type, status }) =>
      (rule.onPodConditions ?? []).some((pattern) => pattern.type === type && pattern.status === status)
    );
    if (condition !== undefined) {
      return {
        action: rule.action,
        message: `Pod ${namespace}/${name} has condition ${condition.type} ${tail}`,
      };
    }
  }
  return {};
}

function containerOf(
  { status }: Pod,
  { containerName, operator, values }: NonNullable<Rule["onExitCodes"]>,
): ContainerStatus | undefined {
  return [...status?.containerStatuses ?? [], ...status?.initContainerStatuses ?? []].find(
    ({ name, state }) => {
      const code = state?.terminated?.exitCode;
      if (code === undefined || code === 0) return false;
      if (containerName !== undefined && containerName !== name) return false;
      return operator === "In" ? values.includes(code) : operator === "NotIn" && !values.includes(code);
    },
  );
}
