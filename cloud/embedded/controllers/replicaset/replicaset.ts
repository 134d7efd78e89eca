import type { ReplicaSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { errorText, isNotFound } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  type KubeWriter,
  matchesLabels,
  PODS,
  type ReconcileResult,
  REPLICA_SETS,
  requirementsOf,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import {
  adoptPatch,
  type Claims,
  controllerOf,
  controllerReference,
  planClaims,
  releasePatch,
} from "../owners.ts";
import { isPodActive } from "../pod_state.ts";
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
  return controller(components, {
    name: "replicaset",
    workers: 4,
    watch: (queue) => [
      components.replicaSets.subscribe(({ type, object }) => {
        if (type === "deleted") expectations.forget(keyOf(object));
        queue.add(keyOf(object));
      }),
      components.pods.subscribe((event) => {
        const owners = ownersOf(event.object, components.replicaSets);
        if (event.type === "updated") owners.push(...ownersOf(event.old, components.replicaSets));
        const { uid = "", deletionTimestamp } = event.object.metadata ?? {};
        for (const key of new Set(owners)) {
          expectations.observed(key, uid);
          if (event.type === "deleted" || deletionTimestamp !== undefined) {
            expectations.observed(key, `-${uid}`);
          }
          queue.add(key);
        }
      }),
    ],
    reconcile: (key, { signal }) => reconcile(components, expectations, key, signal),
  });
}

/** Keys of the replica sets a pod belongs to or might be adopted by. */
function ownersOf(pod: Pod, replicaSets: Informer<ReplicaSet>): string[] {
  const namespace = pod.metadata?.namespace;
  const owner = controllerOf(pod);
  if (owner !== undefined) return owner.kind === "ReplicaSet" ? [`${namespace}/${owner.name}`] : [];
  return replicaSets.list(namespace).filter((replicaSet) => {
    const selector = requirementsOf(replicaSet.spec?.selector);
    return selector !== undefined && selector.length > 0 && matchesLabels(selector, pod.metadata?.labels);
  }).map(keyOf);
}

async function reconcile(
  components: ReplicaSetComponents,
  expectations: Expectations,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, replicaSets, pods, clock } = components;
  const replicaSet = replicaSets.get(key);
  if (replicaSet === undefined) return expectations.forget(key);
  const selector = requirementsOf(replicaSet.spec?.selector) ?? [];
  const around = pods.list(replicaSet.metadata?.namespace);
  const owned = await claim(kube, replicaSet, planClaims(replicaSet, selector, around), signal);
  let failure: Failure | undefined;
  const waitMs = expectations.pendingMs(key, clock.now());
  if (waitMs === 0) failure = await manage(components, expectations, replicaSet, owned, signal);
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

/** Adopts and releases; gives the pods that are owned afterwards. */
async function claim(
  kube: ReplicaSetComponents["kube"],
  replicaSet: ReplicaSet,
  { owned, adopt, release }: Claims<Pod>,
  signal: AbortSignal,
): Promise<Pod[]> {
  const all = [...owned];
  const ref = (pod: Pod) => ({ name: pod.metadata?.name ?? "", namespace: pod.metadata?.namespace ?? "" });
  for (const pod of adopt.filter(isPodActive)) {
    const body = adoptPatch(pod, controllerReference(replicaSet, "apps/v1", "ReplicaSet"));
    all.push(await kube.patch(PODS, ref(pod), { type: "merge", body }, { signal }));
  }
  for (const pod of release) {
    const body = releasePatch(pod, new Set([replicaSet.metadata?.uid ?? ""]));
    try {
      await kube.patch(PODS, ref(pod), { type: "merge", body }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return all;
}

async function manage(
  components: ReplicaSetComponents,
  expectations: Expectations,
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const { pods, replicaSets } = components;
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
  if (plan.create > 0) return await createPods(components, expectations, replicaSet, plan.create, signal);
  return await deletePods(components, expectations, replicaSet, plan.delete, signal);
}

/** Makes pods in batches that double, so that a template that is refused is refused once and not five hundred times. */
async function createPods(
  { kube, pods, events, clock }: ReplicaSetComponents,
  expectations: Expectations,
  replicaSet: ReplicaSet,
  count: number,
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const key = keyOf(replicaSet);
  const createOne = async () => {
    const pod = await kube.create(PODS, podOf(replicaSet), { signal });
    const uid = pod.metadata?.uid ?? "";
    if (pods.get(keyOf(pod))?.metadata?.uid !== uid) expectations.expect(key, uid, clock.now());
    const message = `Created pod: ${pod.metadata?.name}`;
    events.record(REPLICA_SETS, replicaSet, {
      component: COMPONENT,
      type: "Normal",
      reason: "SuccessfulCreate",
      message,
    });
  };
  for (let batch = 1; count > 0; batch *= 2) {
    const size = Math.min(batch, count);
    const results = await Promise.allSettled(Array.from({ length: size }, createOne));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) {
      const message = errorText(failed.reason);
      events.record(REPLICA_SETS, replicaSet, {
        component: COMPONENT,
        type: "Warning",
        reason: "FailedCreate",
        message: `Error creating: ${message}`,
      });
      return { reason: "FailedCreate", message, cause: failed.reason };
    }
    count -= size;
  }
  return undefined;
}

async function deletePods(
  { kube, pods, events, clock }: ReplicaSetComponents,
  expectations: Expectations,
  replicaSet: ReplicaSet,
  victims: readonly Pod[],
  signal: AbortSignal,
): Promise<Failure | undefined> {
  const key = keyOf(replicaSet);
  const deleteOne = async (pod: Pod) => {
    const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
    expectations.expect(key, `-${uid}`, clock.now());
    try {
      await kube.delete(PODS, { name, namespace }, { preconditions: { uid } }, { signal });
    } catch (error) {
      expectations.observed(key, `-${uid}`);
      if (!isNotFound(error)) throw error;
    }
    const seen = pods.get(keyOf(pod));
    if (seen === undefined || seen.metadata?.uid !== uid) expectations.observed(key, `-${uid}`);
    const message = `Deleted pod: ${name}`;
    events.record(REPLICA_SETS, replicaSet, {
      component: COMPONENT,
      type: "Normal",
      reason: "SuccessfulDelete",
      message,
    });
  };
  const results = await Promise.allSettled(victims.map(deleteOne));
  const failed = results.find((result) => result.status === "rejected");
  return failed && { reason: "FailedDelete", message: errorText(failed.reason), cause: failed.reason };
}
