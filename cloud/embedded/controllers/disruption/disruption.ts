import type { Deployment, ReplicaSet, StatefulSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import type { PodDisruptionBudget } from "../../../../common/api/policy_v1.ts";
import { errorText } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  type KubeWriter,
  matchesLabels,
  POD_DISRUPTION_BUDGETS,
  type ReconcileResult,
  requirementsOf,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { controllerOf } from "../owners.ts";
import { budgetStatus, type Expected, expectedOf } from "./plan.ts";

/** What the controller of disruption budgets works with. */
export interface DisruptionComponents extends LoopComponents {
  kube: Pick<KubeWriter, "update">;
  budgets: Informer<PodDisruptionBudget>;
  pods: Informer<Pod>;
  deployments: Informer<Deployment>;
  replicaSets: Informer<ReplicaSet>;
  statefulSets: Informer<StatefulSet>;
  events: EventRecorder;
}

/**
 * Says in the status of every disruption budget how many of its pods may be evicted.
 * Upstream: k8s.io/kubernetes pkg/controller/disruption/disruption.go @ v1.33
 */
export function disruptionController(components: DisruptionComponents): Controller {
  const { budgets, pods, deployments, replicaSets, statefulSets } = components;
  return controller(components, {
    name: "disruption",
    watch: (queue) => {
      const around = (namespace: string | undefined) => {
        for (const budget of budgets.list(namespace)) queue.add(keyOf(budget));
      };
      return [
        budgets.subscribe(({ object }) => queue.add(keyOf(object))),
        pods.subscribe((event) => {
          const states = event.type === "updated" ? [event.object, event.old] : [event.object];
          for (const budget of budgets.list(event.object.metadata?.namespace)) {
            if (states.some((pod) => covers(budget, pod))) queue.add(keyOf(budget));
          }
        }),
        ...[deployments, replicaSets, statefulSets].map((sets) =>
          (sets as Informer<Deployment>).subscribe((event) => {
            if (event.type === "updated" && event.old.spec?.replicas === event.object.spec?.replicas) return;
            around(event.object.metadata?.namespace);
          })
        ),
      ];
    },
    reconcile: (key, { signal }) => reconcile(components, key, signal),
  });
}

function covers({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  const selector = requirementsOf(spec?.selector);
  return selector !== undefined && matchesLabels(selector, metadata?.labels);
}

async function reconcile(
  components: DisruptionComponents,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, budgets, pods, clock, events } = components;
  const budget = budgets.get(key);
  if (budget === undefined) return;
  const tell = (type: "Normal" | "Warning", reason: string, message: string) =>
    events.record(POD_DISRUPTION_BUDGETS, budget, { component: "controllermanager", type, reason, message });
  const covered = pods.list(budget.metadata?.namespace).filter((pod) => covers(budget, pod));
  if (covered.length === 0) tell("Normal", "NoPods", "No matching pods found");
  let expected: Expected;
  try {
    expected = expectedOf(budget, covered, (pod) => scaleOf(components, pod));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    tell(
      "Warning",
      "CalculateExpectedPodCountFailed",
      `Failed to calculate the number of expected pods: ${errorText(error)}`,
    );
    // Nothing may be evicted while that is not known.
    expected = { expected: 0, desired: 0, unmanaged: [] };
  }
  if (expected.unmanaged.length > 0) {
    tell(
      "Warning",
      "UnmanagedPods",
      'Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.',
    );
  }
  const { status, againInMs } = budgetStatus(budget, covered, expected, clock.now());
  if (!equalJson(status, budget.status)) {
    await kube.update(POD_DISRUPTION_BUDGETS, { ...budget, status }, { subresource: "status", signal });
  }
  return againInMs === undefined ? undefined : { afterMs: againInMs };
}

/** The number that what controls a pod is to have. */
function scaleOf(
  { deployments, replicaSets, statefulSets }: DisruptionComponents,
  pod: Pod,
): { uid: string; replicas: number } | undefined {
  const owner = controllerOf(pod);
  const at = `${pod.metadata?.namespace}/${owner?.name}`;
  const scale = (object: Deployment | StatefulSet | ReplicaSet | undefined, uid: string | undefined) =>
    object === undefined || uid === undefined || object.metadata?.uid !== uid
      ? undefined
      : { uid, replicas: object.spec?.replicas ?? 1 };
  if (owner?.kind === "StatefulSet") return scale(statefulSets.get(at), owner.uid);
  if (owner?.kind !== "ReplicaSet") return undefined;
  const replicaSet = replicaSets.get(at);
  const deployment = replicaSet && controllerOf(replicaSet);
  if (deployment?.kind !== "Deployment") return scale(replicaSet, owner.uid);
  return scale(deployments.get(`${pod.metadata?.namespace}/${deployment.name}`), deployment.uid);
}
