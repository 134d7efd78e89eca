import type { ReplicaSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { errorText } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  type KubeWriter,
  type ReconcileResult,
  REPLICA_SETS,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { controllerOf } from "../owners.ts";
import { type PodControl, podControl } from "../pod_control.ts";
import { Expectations } from "./expectations.ts";
import { planReplicas, podOf, replicaSetStatus } from "./plan.ts";

/** What the replica set controller works with. */
export interface ReplicaSetComponents extends LoopComponents {
  kube: Pick<KubeWriter, "create" | "update" | "patch" | "delete">;
  replicaSets: Informer<ReplicaSet>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

const COMPONENT = "replicaset-controller";
type Failure = { reason: "FailedCreate" | "FailedDelete"; message: string; cause: unknown };

/**
 * Keeps the wanted number of pods of every replica set.
 * Upstream: k8s.io/kubernetes pkg/controller/replicaset/replica_set.go @ v1.32
 */
export function replicaSetController(components: ReplicaSetComponents): Controller {
  const expectations = new Expectations();
  const control = podControl({ ...components, expectations }, REPLICA_SETS, COMPONENT);
  return controller(components, {
    name: "replicaset",
    workers: 4,
    watch: (queue) => [
      components.replicaSets.subscribe(({ type, object }) => {
        if (type === "deleted") expectations.forget(keyOf(object));
        queue.add(keyOf(object));
      }),
      control.watch(components.replicaSets, (key) => queue.add(key)),
    ],
    reconcile: (key, { signal }) => reconcile(components, control, expectations, key, signal),
  });
}

async function reconcile(
  components: ReplicaSetComponents,
  control: PodControl<ReplicaSet>,
  expectations: Expectations,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, replicaSets, clock } = components;
  const replicaSet = replicaSets.get(key);
  if (replicaSet === undefined) return expectations.forget(key);
  const owned = await control.claim(replicaSet, () => true, signal);
  let failure: Failure | undefined;
  const waitMs = expectations.pendingMs(key, clock.now());
  if (waitMs === 0) failure = await manage(components, control, replicaSet, owned, signal);
  const { status, againInMs } = replicaSetStatus(
    replicaSet,
    owned,
    failure && { reason: failure.reason, message: failure.message },
    clock.now(),
  );
  if (!equalJson(status, replicaSet.status)) {
    await kube.update(REPLICA_SETS, { ...replicaSet, status }, { subresource: "status", signal });
  }
  if (failure !== undefined) throw failure.cause;
  const again = [waitMs, againInMs].filter((ms): ms is number => ms !== undefined && ms > 0);
  return again.length > 0 ? { afterMs: Math.min(...again) } : undefined;
}

async function manage(
  { pods, replicaSets }: ReplicaSetComponents,
  control: PodControl<ReplicaSet>,
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const deployment = controllerOf(replicaSet)?.uid;
  const siblings = new Set(
    replicaSets.list(replicaSet.metadata?.namespace)
      .filter((other) => deployment !== undefined && controllerOf(other)?.uid === deployment)
      .map((other) => other.metadata?.uid),
  );
  const related = siblings.size === 0
    ? owned
    : pods.list(replicaSet.metadata?.namespace).filter((pod) => siblings.has(controllerOf(pod)?.uid));
  const plan = planReplicas(replicaSet, owned, related);
  if (plan.create > 0) return await createPods(control, replicaSet, plan.create, signal);
  return await deletePods(control, replicaSet, plan.delete, signal);
}

/** Makes pods in batches that double, so that a template that is refused is refused once and not five hundred times. */
async function createPods(
  control: PodControl<ReplicaSet>,
  replicaSet: ReplicaSet,
  count: number,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  for (let batch = 1; count > 0; batch *= 2) {
    const size = Math.min(batch, count);
    const results = await Promise.allSettled(
      Array.from({ length: size }, () => control.create(replicaSet, podOf(replicaSet), signal)),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      return { reason: "FailedCreate", message: errorText(failed.reason), cause: failed.reason };
    }
    count -= size;
  }
  return undefined;
}

async function deletePods(
  control: PodControl<ReplicaSet>,
  replicaSet: ReplicaSet,
  victims: readonly Pod[],
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const results = await Promise.allSettled(victims.map((pod) => control.delete(replicaSet, pod, signal)));
  const failed = results.find((result) => result.status === "rejected");
  return failed && { reason: "FailedDelete", message: errorText(failed.reason), cause: failed.reason };
}
