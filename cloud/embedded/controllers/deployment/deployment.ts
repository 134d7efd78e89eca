import type { Deployment, ReplicaSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { errorText, isAlreadyExists, isNotFound } from "../../../../common/errors/mod.ts";
import {
  DEPLOYMENTS,
  equalJson,
  type Informer,
  type KubeReader,
  type KubeWriter,
  matchesLabels,
  type ReconcileResult,
  REPLICA_SETS,
  requirementsOf,
} from "../../../../common/kubeclient/mod.ts";
import { findCondition } from "../conditions.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { adoptPatch, controllerOf, controllerReference, planClaims, releasePatch } from "../owners.ts";
import { isPodFinished } from "../pod_state.ts";
import { sameTemplate } from "./hash.ts";
import { REVISION, sizeOf } from "./numbers.ts";
import {
  isScaling,
  planCleanup,
  planRecreate,
  planRollingUpdate,
  planScale,
  type Rollout,
  type ScaleStep,
} from "./plan.ts";
import {
  newReplicaSet,
  nextRevision,
  replicaSetAnnotations,
  sizeAnnotations,
  sortReplicaSets,
} from "./replica_sets.ts";
import {
  deadlineInMs,
  deploymentStatus,
  hasProgressDeadline,
  isComplete,
  pausedConditions,
  progress,
  rolloutStatus,
} from "./status.ts";

/** What the deployment controller works with. */
export interface DeploymentComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "create" | "update" | "patch" | "delete">;
  deployments: Informer<Deployment>;
  replicaSets: Informer<ReplicaSet>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

const COMPONENT = "deployment-controller";

/**
 * Rolls the pods of deployments from one template to the next.
 * Upstream: k8s.io/kubernetes pkg/controller/deployment/deployment_controller.go, sync.go @ v1.32
 */
export function deploymentController(components: DeploymentComponents): Controller {
  const { deployments, replicaSets, pods } = components;
  return controller(components, {
    name: "deployment",
    workers: 2,
    watch: (queue) => [
      deployments.subscribe(({ object }) => queue.add(keyOf(object))),
      replicaSets.subscribe((event) => {
        for (const key of ownersOf(event.object, deployments)) queue.add(key);
        if (event.type === "updated") { for (const key of ownersOf(event.old, deployments)) queue.add(key); }
      }),
      // Only Recreate waits for pods as such; everything else shows in the status of the replica sets.
      pods.subscribe(({ type, object }) => {
        if (type === "added") return;
        const owner = controllerOf(object);
        const replicaSet = owner && replicaSets.get(`${object.metadata?.namespace}/${owner.name}`);
        const deployment = replicaSet && controllerOf(replicaSet);
        const key = deployment && `${object.metadata?.namespace}/${deployment.name}`;
        if (key && deployments.get(key)?.spec?.strategy?.type === "Recreate") queue.add(key);
      }),
    ],
    reconcile: (key, { signal }) => reconcile(components, key, signal),
  });
}

function ownersOf(replicaSet: ReplicaSet, deployments: Informer<Deployment>): string[] {
  const namespace = replicaSet.metadata?.namespace;
  const owner = controllerOf(replicaSet);
  if (owner !== undefined) return owner.kind === "Deployment" ? [`${namespace}/${owner.name}`] : [];
  return deployments.list(namespace).filter((deployment) => {
    const selector = requirementsOf(deployment.spec?.selector);
    return selector !== undefined && selector.length > 0 &&
      matchesLabels(selector, replicaSet.metadata?.labels);
  }).map(keyOf);
}

async function reconcile(
  components: DeploymentComponents,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { deployments, replicaSets, clock } = components;
  const deployment = deployments.get(key);
  if (deployment === undefined) return;
  const selector = requirementsOf(deployment.spec?.selector) ?? [];
  // An empty selector would take every replica set of the namespace; the real API refuses to store it.
  if (selector.length === 0) return;
  const around = replicaSets.list(deployment.metadata?.namespace);
  const owned = await claim(components, deployment, planClaims(deployment, selector, around), signal);
  const rollout = sortReplicaSets(deployment, owned);
  if (deployment.metadata?.deletionTimestamp !== undefined) {
    await writeStatus(components, deployment, deploymentStatus(rollout, clock.now()), signal);
    return;
  }
  const conditions = pausedConditions(deployment, clock.now());
  if (
    conditions !== deployment.status?.conditions &&
    !equalJson(conditions, deployment.status?.conditions ?? [])
  ) {
    await writeStatus(components, deployment, { ...deployment.status, conditions }, signal);
    return;
  }
  return await roll(components, rollout, signal);
}

/** One move of the rollout; what it changes brings the next one. */
async function roll(
  components: DeploymentComponents,
  rollout: Rollout,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { clock } = components;
  const { deployment } = rollout;
  if (deployment.spec?.paused === true || isScaling(rollout)) {
    await scale(components, deployment, planScale(rollout), signal);
    const status = deploymentStatus(rollout, clock.now());
    await refreshAnnotations(components, rollout, signal);
    await writeStatus(components, deployment, status, signal);
    return;
  }
  const recreate = deployment.spec?.strategy?.type === "Recreate";
  const steps = recreate
    ? planRecreate(rollout, oldPodsRun(components, rollout))
    : planRollingUpdate(rollout);
  const mayCreate = !recreate || (steps !== "wait" && steps.length === 0);
  if (rollout.current === undefined && mayCreate) {
    await createCurrent(components, rollout, signal);
    return;
  }
  if (rollout.current !== undefined && await refreshCurrent(components, rollout, signal)) return;
  if (steps !== "wait" && steps.length > 0) await scale(components, deployment, steps, signal);
  const status = rolloutStatus(rollout, clock.now());
  const written = await writeStatus(components, deployment, status, signal);
  if (steps !== "wait" && steps.length === 0 && isComplete(deployment, status)) {
    for (const replicaSet of planCleanup(deployment, rollout.old)) {
      await remove(components, replicaSet, signal);
    }
  }
  const deadline = deadlineInMs(written, status, clock.now());
  // A second more, since times of the API have no milliseconds.
  return deadline === undefined ? undefined : { afterMs: deadline + 1000 };
}

async function claim(
  { kube }: DeploymentComponents,
  deployment: Deployment,
  { owned, adopt, release }: ReturnType<typeof planClaims<ReplicaSet>>,
  signal: AbortSignal,
): Promise<ReplicaSet[]> {
  const all = [...owned];
  for (const replicaSet of adopt) {
    const body = adoptPatch(replicaSet, controllerReference(deployment, "apps/v1", "Deployment"));
    all.push(await kube.patch(REPLICA_SETS, refOf(replicaSet), { type: "merge", body }, { signal }));
  }
  for (const replicaSet of release) {
    const body = releasePatch(replicaSet, new Set([deployment.metadata?.uid ?? ""]));
    await kube.patch(REPLICA_SETS, refOf(replicaSet), { type: "merge", body }, { signal });
  }
  return all;
}

function oldPodsRun({ pods }: DeploymentComponents, { deployment, old }: Rollout): boolean {
  const uids = new Set(old.map((replicaSet) => replicaSet.metadata?.uid));
  return pods.list(deployment.metadata?.namespace)
    .some((pod) => !isPodFinished(pod) && uids.has(controllerOf(pod)?.uid));
}

async function createCurrent(
  components: DeploymentComponents,
  rollout: Rollout,
  signal: AbortSignal,
): Promise<void> {
  const { kube, events, clock } = components;
  const { deployment } = rollout;
  const wanted = newReplicaSet(rollout);
  let made: ReplicaSet;
  try {
    made = await kube.create(REPLICA_SETS, wanted, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) {
      await tellCreateFailure(components, deployment, wanted, error, signal);
      throw error;
    }
    const there = await kube.get(REPLICA_SETS, refOf(wanted), { signal });
    const mine = controllerOf(there)?.uid === deployment.metadata?.uid;
    if (!mine || !sameTemplate(there.spec?.template ?? {}, wanted.spec?.template ?? {})) {
      const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
      await writeStatus(components, deployment, { ...deployment.status, collisionCount }, signal);
      return;
    }
    made = there;
  }
  const name = made.metadata?.name ?? "";
  if (sizeOf(made) > 0) {
    const message = `Scaled up replica set ${name} from 0 to ${sizeOf(made)}`;
    events.record(DEPLOYMENTS, deployment, {
      component: COMPONENT,
      type: "Normal",
      reason: "ScalingReplicaSet",
      message,
    });
  }
  const revised = await writeRevision(components, deployment, made.metadata?.annotations?.[REVISION], signal);
  const status = deploymentStatus({ ...rollout, deployment: revised, current: made }, clock.now());
  const conditions = hasProgressDeadline(deployment)
    ? progress(
      status.conditions ?? [],
      "NewReplicaSetCreated",
      `Created new replica set ${JSON.stringify(name)}`,
      clock.now(),
    )
    : status.conditions ?? [];
  await writeStatus(components, revised, { ...status, conditions }, signal);
}

async function tellCreateFailure(
  components: DeploymentComponents,
  deployment: Deployment,
  { metadata }: ReplicaSet,
  error: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { events, clock } = components;
  const message = `Failed to create new replica set ${JSON.stringify(metadata?.name)}: ${errorText(error)}`;
  events.record(DEPLOYMENTS, deployment, {
    component: COMPONENT,
    type: "Warning",
    reason: "ReplicaSetCreateError",
    message,
  });
  if (!hasProgressDeadline(deployment)) return;
  const others = (deployment.status?.conditions ?? []).filter(({ type }) => type !== "Progressing");
  const before = findCondition(deployment.status?.conditions, "Progressing");
  if (before?.reason === "ReplicaSetCreateError" && before.message === message) return;
  const [{ lastUpdateTime, lastTransitionTime } = {}] = progress([], "NewReplicaSetCreated", "", clock.now());
  const condition = {
    type: "Progressing",
    status: "False",
    reason: "ReplicaSetCreateError",
    message,
    lastUpdateTime,
    lastTransitionTime,
  };
  await writeStatus(
    components,
    deployment,
    { ...deployment.status, conditions: [...others, condition] },
    signal,
  );
}

/** Brings annotations and minReadySeconds of the present replica set up to date; true when something was written. */
async function refreshCurrent(
  components: DeploymentComponents,
  rollout: Rollout,
  signal: AbortSignal,
): Promise<boolean> {
  const { kube, clock } = components;
  const { deployment, current } = rollout;
  if (current === undefined) return false;
  const annotations = replicaSetAnnotations(deployment, current, nextRevision(rollout));
  const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
  if (
    !equalJson(annotations, current.metadata?.annotations ?? {}) ||
    minReadySeconds !== (current.spec?.minReadySeconds ?? 0)
  ) {
    const body = {
      metadata: { resourceVersion: current.metadata?.resourceVersion, annotations },
      spec: { minReadySeconds },
    };
    await kube.patch(REPLICA_SETS, refOf(current), { type: "merge", body }, { signal });
    return true;
  }
  const revision = annotations[REVISION];
  const missing = hasProgressDeadline(deployment) &&
    findCondition(deployment.status?.conditions, "Progressing") === undefined;
  if (deployment.metadata?.annotations?.[REVISION] === revision && !missing) return false;
  const revised = await writeRevision(components, deployment, revision, signal);
  if (missing) {
    const message = `Found new replica set ${JSON.stringify(current.metadata?.name)}`;
    const conditions = progress(
      deployment.status?.conditions ?? [],
      "FoundNewReplicaSet",
      message,
      clock.now(),
    );
    await writeStatus(components, revised, { ...revised.status, conditions }, signal);
  }
  return true;
}

/** While scaling or paused, the sizes that are right already still need the annotations that say so. */
async function refreshAnnotations(
  components: DeploymentComponents,
  rollout: Rollout,
  signal: AbortSignal,
): Promise<void> {
  const { deployment, current, old } = rollout;
  const planned = new Set(planScale(rollout).map(({ replicaSet }) => replicaSet));
  const wanted = sizeAnnotations(deployment);
  for (const replicaSet of current === undefined ? old : [...old, current]) {
    if (planned.has(replicaSet) || sizeOf(replicaSet) === 0) continue;
    const { annotations = {}, resourceVersion } = replicaSet.metadata ?? {};
    if (Object.entries(wanted).every(([name, value]) => annotations[name] === value)) continue;
    const body = { metadata: { resourceVersion, annotations: wanted } };
    await components.kube.patch(REPLICA_SETS, refOf(replicaSet), { type: "merge", body }, { signal });
  }
}

async function scale(
  { kube, events }: DeploymentComponents,
  deployment: Deployment,
  steps: readonly ScaleStep[],
  signal: AbortSignal,
): Promise<void> {
  for (const { replicaSet, replicas } of steps) {
    const { resourceVersion, name } = replicaSet.metadata ?? {};
    const body = {
      metadata: { resourceVersion, annotations: sizeAnnotations(deployment) },
      spec: { replicas },
    };
    await kube.patch(REPLICA_SETS, refOf(replicaSet), { type: "merge", body }, { signal });
    const from = sizeOf(replicaSet);
    const message = `Scaled ${
      replicas > from ? "up" : "down"
    } replica set ${name} from ${from} to ${replicas}`;
    events.record(DEPLOYMENTS, deployment, {
      component: COMPONENT,
      type: "Normal",
      reason: "ScalingReplicaSet",
      message,
    });
  }
}

async function remove(
  { kube }: DeploymentComponents,
  replicaSet: ReplicaSet,
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = replicaSet.metadata ?? {};
  const preconditions = { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  try {
    await kube.delete(REPLICA_SETS, refOf(replicaSet), { preconditions }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

async function writeRevision(
  { kube }: DeploymentComponents,
  deployment: Deployment,
  revision: string | undefined,
  signal: AbortSignal,
): Promise<Deployment> {
  if (revision === undefined || deployment.metadata?.annotations?.[REVISION] === revision) return deployment;
  const body = { metadata: { annotations: { [REVISION]: revision } } };
  return await kube.patch(DEPLOYMENTS, refOf(deployment), { type: "merge", body }, { signal });
}

async function writeStatus(
  { kube }: DeploymentComponents,
  deployment: Deployment,
  status: NonNullable<Deployment["status"]>,
  signal: AbortSignal,
): Promise<Deployment> {
  if (equalJson(status, deployment.status ?? {})) return deployment;
  return await kube.update(DEPLOYMENTS, { ...deployment, status }, { subresource: "status", signal });
}

function refOf({ metadata }: Deployment | ReplicaSet): { name: string; namespace: string } {
  return { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
}
