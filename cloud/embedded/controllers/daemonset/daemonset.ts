import type { DaemonSet } from "../../../../common/api/apps_v1.ts";
import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import {
  DAEMON_SETS,
  equalJson,
  type Informer,
  type KubeWriter,
  type ReconcileResult,
  requirementsOf,
} from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import type { EventRecorder } from "../events.ts";
import { type PodControl, podControl } from "../pod_control.ts";
import { Expectations } from "../replicaset/expectations.ts";
import { schedulingView } from "../scheduler/plan.ts";
import { FailureBackoff } from "./backoff.ts";
import { daemonHash, type DaemonPlan, daemonPod, daemonSetStatus, planDaemons } from "./plan.ts";

/** What the daemon set controller works with. */
export interface DaemonSetComponents extends LoopComponents {
  kube: Pick<KubeWriter, "create" | "update" | "patch" | "delete">;
  daemonSets: Informer<DaemonSet>;
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
  const { daemonSets, nodes } = components;
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
  const all = nodes.list().toSorted((a, b) => (a.metadata?.name ?? "") < (b.metadata?.name ?? "") ? -1 : 1);
  const waits = [expectations.pendingMs(key, clock.now())];
  const failures: unknown[] = [];
  if (waits[0] === 0) {
    const plan = planDaemons(daemonSet, owned, all, clock.now());
    waits.push(await carryOut(components, work, daemonSet, plan, failures, signal));
  }
  const { status, againInMs } = daemonSetStatus(daemonSet, owned, all, clock.now());
  if (!equalJson(status, daemonSet.status)) {
    await kube.update(DAEMON_SETS, { ...daemonSet, status }, { subresource: "status", signal });
  }
  if (failures.length > 0) throw failures[0];
  const again = [...waits, againInMs ?? 0].filter((ms) => ms > 0);
  return again.length > 0 ? { afterMs: Math.min(...again) } : undefined;
}

/** @returns milliseconds until pods that ended may be replaced, 0 when none waits */
async function carryOut(
  { clock, events }: DaemonSetComponents,
  { control, backoff }: Work,
  daemonSet: DaemonSet,
  plan: DaemonPlan,
  failures: unknown[],
  signal: AbortSignal,
): Promise<number> {
  const hash = daemonHash(daemonSet);
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
