import type { ControllerRevision, DaemonSet } from "../../../../common/api/apps_v1.ts";
import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import {
  DAEMON_SETS,
  equalJson,
  type Informer,
  type KubeReader,
  type KubeWriter,
  type ReconcileResult,
  requirementsOf,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { controllerOf } from "../owners.ts";
import { type PodControl, podControl } from "../pod_control.ts";
import { Expectations } from "../replicaset/expectations.ts";
import { ensureRevision, ownedRevisions, pruneRevisions, REVISION_LABEL } from "../revisions.ts";
import { schedulingView } from "../scheduler/plan.ts";
import { FailureBackoff } from "./backoff.ts";
import { type DaemonPlan, daemonPod, daemonSetStatus, planDaemons } from "./plan.ts";

/** What the daemon set controller works with. */
export interface DaemonSetComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "create" | "update" | "patch" | "delete">;
  daemonSets: Informer<DaemonSet>;
  revisions: Informer<ControllerRevision>;
  nodes: Informer<Node>;
  pods: Informer<Pod>;
  events: EventRecorder;
}

const COMPONENT = "daemonset-controller";

interface Work {
  control: PodControl<DaemonSet>;
  expectations: Expectations;
  backoff: FailureBackoff;
}

/**
 * Keeps one pod of every daemon set on every node it is meant for.
 * Upstream: k8s.io/kubernetes pkg/controller/daemon/daemon_controller.go @ v1.32
 */
export function daemonSetController(components: DaemonSetComponents): Controller {
  const { daemonSets, nodes, revisions } = components;
  const expectations = new Expectations();
  const control = podControl({ ...components, expectations }, DAEMON_SETS, COMPONENT);
  const work: Work = { control, expectations, backoff: new FailureBackoff() };
  return controller(components, {
    name: "daemonset",
    workers: 2,
    watch: (queue) => [
      daemonSets.subscribe(({ type, object }) => {
        if (type === "deleted") expectations.forget(keyOf(object));
        queue.add(keyOf(object));
      }),
      control.watch(daemonSets, (key) => queue.add(key)),
      revisions.subscribe(({ object }) => {
        const owner = controllerOf(object);
        if (owner?.kind === "DaemonSet") queue.add(`${object.metadata?.namespace}/${owner.name}`);
      }),
      nodes.subscribe((event) => {
        const same = event.type === "updated" &&
          equalJson(schedulingView(event.old), schedulingView(event.object)) &&
          event.old.metadata?.deletionTimestamp === event.object.metadata?.deletionTimestamp;
        if (!same) { for (const daemonSet of daemonSets.list()) queue.add(keyOf(daemonSet)); }
      }),
    ],
    reconcile: (key, { signal }) => reconcile(components, work, key, signal),
  });
}

async function reconcile(
  components: DaemonSetComponents,
  work: Work,
  key: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const { kube, daemonSets, nodes, clock } = components;
  const { control, expectations } = work;
  const daemonSet = daemonSets.get(key);
  if (daemonSet === undefined) return expectations.forget(key);
  // An empty selector would take every pod of the namespace; the real API refuses to store it.
  if ((requirementsOf(daemonSet.spec?.selector) ?? []).length === 0) return;
  const owned = await control.claim(daemonSet, () => true, signal);
  const hash = await hashOf(components, daemonSet, signal);
  if (hash === undefined) return;
  const all = nodes.list().toSorted((a, b) => (a.metadata?.name ?? "") < (b.metadata?.name ?? "") ? -1 : 1);
  const waits = [expectations.pendingMs(key, clock.now())];
  const failures: unknown[] = [];
  if (waits[0] === 0) {
    const plan = planDaemons(daemonSet, owned, all, hash, clock.now());
    waits.push(await carryOut(components, work, daemonSet, hash, plan, failures, signal));
  }
  const { status, againInMs } = daemonSetStatus(daemonSet, owned, all, hash, clock.now());
  if (!equalJson(status, daemonSet.status)) {
    await kube.update(DAEMON_SETS, { ...daemonSet, status }, { subresource: "status", signal });
  }
  if (failures.length > 0) throw failures[0];
  await prune(components, daemonSet, owned, hash, signal);
  const again = [...waits, againInMs ?? 0].filter((ms) => ms > 0);
  return again.length > 0 ? { afterMs: Math.min(...again) } : undefined;
}

/** The hash of the revision of today's template; undefined when the set must be looked at again first, or makes nothing more. */
async function hashOf(
  components: DaemonSetComponents,
  daemonSet: DaemonSet,
  signal: AbortSignal,
): Promise<string | undefined> {
  // The collector of garbage deletes what a set that is going leaves; it must make nothing more.
  if (daemonSet.metadata?.deletionTimestamp !== undefined) return undefined;
  const newest = await ensureRevision(components, daemonSet, "DaemonSet", signal);
  if (newest !== "collision") return newest.metadata?.labels?.[REVISION_LABEL] ?? newest.metadata?.name ?? "";
  const none = {
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  };
  const collisionCount = (daemonSet.status?.collisionCount ?? 0) + 1;
  const status = { ...none, ...daemonSet.status, collisionCount };
  await components.kube.update(DAEMON_SETS, { ...daemonSet, status }, { subresource: "status", signal });
  return undefined;
}

/** Forgets old templates that no pod is made by any longer. */
async function prune(
  components: DaemonSetComponents,
  daemonSet: DaemonSet,
  owned: readonly Pod[],
  hash: string,
  signal: AbortSignal,
): Promise<void> {
  const hashes = new Set([hash, ...owned.map((pod) => pod.metadata?.labels?.[REVISION_LABEL])]);
  const used = ownedRevisions(daemonSet, components.revisions)
    .filter(({ metadata }) => hashes.has(metadata?.labels?.[REVISION_LABEL] ?? metadata?.name))
    .map(({ metadata }) => metadata?.name ?? "");
  await pruneRevisions(components, daemonSet, new Set(used), signal);
}

/** @returns milliseconds until pods that ended may be replaced, 0 when none waits */
async function carryOut(
  { clock, events }: DaemonSetComponents,
  { control, backoff }: Work,
  daemonSet: DaemonSet,
  hash: string,
  plan: DaemonPlan,
  failures: unknown[],
  signal: AbortSignal,
): Promise<number> {
  const pauses: number[] = [];
  const remove = [...plan.delete];
  for (const { pod, nodeName } of plan.finished) {
    const pause = backoff.pauseMs(`${daemonSet.metadata?.uid}/${hash}/${nodeName}`, clock.now());
    if (pause > 0) {
      pauses.push(pause);
      continue;
    }
    const failed = pod.status?.phase === "Failed";
    events.record(DAEMON_SETS, daemonSet, {
      component: COMPONENT,
      type: failed ? "Warning" : "Normal",
      reason: failed ? "FailedDaemonPod" : "SucceededDaemonPod",
      message: `Found ${failed ? "failed" : "succeeded"} daemon pod ${
        keyOf(pod)
      } on node ${nodeName}, will try to ${failed ? "kill" : "delete"} it`,
    });
    remove.push(pod);
  }
  // In batches that double, so that a template that is refused is refused once and not on every node.
  for (let from = 0, size = 1; from < plan.create.length; from += size, size *= 2) {
    const batch = plan.create.slice(from, from + size);
    const results = await Promise.allSettled(
      batch.map((nodeName) => control.create(daemonSet, daemonPod(daemonSet, nodeName, hash), signal)),
    );
    failures.push(...results.filter((result) => result.status === "rejected").map(({ reason }) => reason));
    if (failures.length > 0) break;
  }
  const results = await Promise.allSettled(remove.map((pod) => control.delete(daemonSet, pod, signal)));
  failures.push(...results.filter((result) => result.status === "rejected").map(({ reason }) => reason));
  return pauses.length > 0 ? Math.min(...pauses) : 0;
}
