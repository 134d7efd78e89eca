import type { ControllerRevision, StatefulSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { isNotFound } from "../../../../common/errors/mod.ts";
import {
  equalJson,
  type Informer,
  type KubeReader,
  type KubeWriter,
  PODS,
  type ReconcileResult,
  requirementsOf,
  STATEFUL_SETS,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { controllerOf } from "../owners.ts";
import { type PodControl, podControl } from "../pod_control.ts";
import { Expectations } from "../replicaset/expectations.ts";
import { ensureRevision, ownedRevisions, pruneRevisions, REVISION_LABEL, templateOf } from "../revisions.ts";
import {
  identityLabels,
  ordinalOf,
  planStateful,
  type Revisions,
  type StatefulPlan,
  statefulPod,
  statefulSetStatus,
} from "./plan.ts";

/** What the stateful set controller works with. */
export interface StatefulSetComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "create" | "update" | "patch" | "delete">;
  statefulSets: Informer<StatefulSet>;
  revisions: Informer<ControllerRevision>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

const COMPONENT = "statefulset-controller";

/**
 * Keeps the pods of stateful sets, each with its name, in their order.
 * Upstream: k8s.io/kubernetes pkg/controller/statefulset/stateful_set.go @ v1.32
 */
export function statefulSetController(components: StatefulSetComponents): Controller {
  const { statefulSets, revisions } = components;
  const expectations = new Expectations();
  const control = podControl({ ...components, expectations }, STATEFUL_SETS, COMPONENT);
  return controller(components, {
    name: "statefulset",
    workers: 2,
    watch: (queue) => [
      statefulSets.subscribe(({ type, object }) => {
        if (type === "deleted") expectations.forget(keyOf(object));
        queue.add(keyOf(object));
      }),
      control.watch(statefulSets, (key) => queue.add(key)),
      revisions.subscribe(({ object }) => {
        const owner = controllerOf(object);
        if (owner?.kind === "StatefulSet") queue.add(`${object.metadata?.namespace}/${owner.name}`);
      }),
    ],
    reconcile: (key, { signal }) => reconcile(components, control, expectations, key, signal),
  });
}

async function reconcile(
  components: StatefulSetComponents,
  control: PodControl<StatefulSet>,
  expectations: Expectations,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, statefulSets, clock, events } = components;
  const set = statefulSets.get(key);
  if (set === undefined) return expectations.forget(key);
  // An empty selector would take every pod of the namespace; the real API refuses to store it.
  if ((requirementsOf(set.spec?.selector) ?? []).length === 0) return;
  const claimed = await control.claim(set, (pod) => ordinalOf(set, pod) !== undefined, signal);
  // The collector of garbage deletes what a set that is going leaves; it must make nothing more.
  if (set.metadata?.deletionTimestamp !== undefined) return;
  // Refused by the API of today; one that was stored before would run without the volumes it relies on.
  if ((set.spec?.volumeClaimTemplates ?? []).length > 0) {
    events.record(STATEFUL_SETS, set, {
      component: COMPONENT,
      type: "Warning",
      reason: "FailedCreate",
      message:
        "No pods are made: spec.volumeClaimTemplates needs a storage provisioner, and there is none; " +
        "use spec.template.spec.volumes instead",
    });
    return;
  }
  const newest = await ensureRevision(components, set, "StatefulSet", signal);
  if (newest === "collision") {
    const collisionCount = (set.status?.collisionCount ?? 0) + 1;
    const status = { replicas: 0, ...set.status, collisionCount };
    await kube.update(STATEFUL_SETS, { ...set, status }, { subresource: "status", signal });
    return;
  }
  const revisions = revisionsOf(components, set, newest);
  const waitMs = expectations.pendingMs(key, clock.now());
  const failures: unknown[] = [];
  if (waitMs === 0) {
    const plan = planStateful(set, claimed, revisions, clock.now());
    await carryOut(components, control, set, newest, plan, failures, signal);
  }
  const { status, againInMs = 0 } = statefulSetStatus(set, claimed, revisions, clock.now());
  if (!equalJson(status, set.status)) {
    await kube.update(STATEFUL_SETS, { ...set, status }, { subresource: "status", signal });
  }
  if (failures.length > 0) throw failures[0];
  const used = claimed.map((pod) => pod.metadata?.labels?.[REVISION_LABEL] ?? "");
  await pruneRevisions(components, set, new Set([revisions.current, revisions.update, ...used]), signal);
  const again = [waitMs, againInMs].filter((ms) => ms > 0);
  return again.length > 0 ? { afterMs: Math.min(...again) } : undefined;
}

function revisionsOf(
  { revisions }: StatefulSetComponents,
  set: StatefulSet,
  newest: ControllerRevision,
): Revisions {
  const update = newest.metadata?.name ?? "";
  const named = set.status?.currentRevision ?? "";
  const known = ownedRevisions(set, revisions).some((revision) => revision.metadata?.name === named);
  return { current: known ? named : update, update };
}

async function carryOut(
  { kube, revisions }: StatefulSetComponents,
  control: PodControl<StatefulSet>,
  set: StatefulSet,
  newest: ControllerRevision,
  plan: StatefulPlan,
  failures: unknown[],
  signal: AbortSignal,
): Promise<void> {
  for (const pod of plan.relabel) {
    const { name = "", namespace = "", uid } = pod.metadata ?? {};
    const body = { metadata: { uid, labels: identityLabels(set, ordinalOf(set, pod)!) } };
    try {
      await kube.patch(PODS, { name, namespace }, { type: "merge", body }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  const templates = new Map([newest, ...ownedRevisions(set, revisions)].map((revision) => [
    revision.metadata?.name ?? "",
    templateOf(revision),
  ]));
  for (const { ordinal, revision } of plan.create) {
    // A revision whose data is not a template was written by someone else; today's template is right in any case.
    const template = templates.get(revision) ?? set.spec?.template ?? {};
    try {
      await control.create(set, statefulPod(set, ordinal, template, revision), signal);
    } catch (error) {
      failures.push(error);
      return;
    }
  }
  const results = await Promise.allSettled(plan.delete.map(({ pod }) => control.delete(set, pod, signal)));
  failures.push(...results.filter((result) => result.status === "rejected").map(({ reason }) => reason));
}
