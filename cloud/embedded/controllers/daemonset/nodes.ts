import type { DaemonSet } from "../../../../common/api/apps_v1.ts";
import type { Node, Pod, Toleration } from "../../../../common/api/core_v1.ts";
import { matchesNodeAffinity } from "../scheduler/node_affinity.ts";
import { schedulingTaints, tolerates } from "../scheduler/taints.ts";

type PodSpec = NonNullable<Pod["spec"]>;

const NODE_NAME_FIELD = "metadata.name";

/** Whether a daemon set wants a pod on a node, and whether a pod that is there already may stay. */
export interface Eligibility {
  run: boolean;
  keep: boolean;
}

/**
 * Judges a node for a daemon set by the rules the scheduler places pods by, room aside.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/daemon_controller.go (NodeShouldRunDaemonPod) @ v1.32
 */
export function eligibility({ spec }: DaemonSet, node: Node): Eligibility {
  const template: PodSpec = spec?.template.spec ?? { containers: [] };
  const named = template.nodeName;
  if (node.metadata?.deletionTimestamp !== undefined || (named && named !== node.metadata?.name)) {
    return { run: false, keep: false };
  }
  if (!matchesNodeAffinity({ spec: template }, node)) return { run: false, keep: false };
  const tolerations = daemonTolerations(template);
  const untolerated = schedulingTaints(node).filter((taint) => !tolerates(tolerations, taint));
  return { run: untolerated.length === 0, keep: untolerated.every(({ effect }) => effect !== "NoExecute") };
}

/**
 * The tolerations of a template and those every daemon pod has, so that it outlives the troubles of its node.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/util/daemonset_util.go (AddOrUpdateDaemonPodTolerations) @ v1.32
 */
export function daemonTolerations({ tolerations = [], hostNetwork }: PodSpec): Toleration[] {
  const toleration = (name: string, effect: string): Toleration => ({
    key: `node.kubernetes.io/${name}`,
    operator: "Exists",
    effect,
  });
  const added = [
    toleration("not-ready", "NoExecute"),
    toleration("unreachable", "NoExecute"),
    toleration("disk-pressure", "NoSchedule"),
    toleration("memory-pressure", "NoSchedule"),
    toleration("pid-pressure", "NoSchedule"),
    toleration("unschedulable", "NoSchedule"),
    ...(hostNetwork === true ? [toleration("network-unavailable", "NoSchedule")] : []),
  ];
  // The template's own may have a time limit; a daemon pod has none.
  const replaced = (own: Toleration) =>
    added.some(({ key, effect }) => own.key === key && own.effect === effect && own.operator === "Exists");
  return [...tolerations.filter((own) => !replaced(own)), ...added];
}

/**
 * The affinity that lets the scheduler bind a pod to one node only, within what the template asks for.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/util/daemonset_util.go (ReplaceDaemonSetPodNodeNameNodeAffinity) @ v1.32
 */
export function pinToNode(affinity: PodSpec["affinity"], nodeName: string): NonNullable<PodSpec["affinity"]> {
  const matchFields = [{ key: NODE_NAME_FIELD, operator: "In", values: [nodeName] }];
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ??
    [];
  // A term without any requirement matches nothing, and must not begin to because of the name.
  const asking = terms.filter(({ matchExpressions = [], matchFields = [] }) =>
    matchExpressions.length + matchFields.length > 0
  );
  return {
    ...affinity,
    nodeAffinity: {
      ...affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: asking.length === 0
          ? [{ matchFields }]
          : asking.map((term) => ({ ...term, matchFields })),
      },
    },
  };
}

/** The node a daemon pod is on or is meant for. */
export function targetNode({ spec }: Pod): string | undefined {
  if (spec?.nodeName) return spec.nodeName;
  const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms ?? [];
  return terms.flatMap(({ matchFields = [] }) => matchFields)
    .find(({ key, operator, values }) => key === NODE_NAME_FIELD && operator === "In" && values?.length === 1)
    ?.values?.[0];
}
