import type { Container } from "../../common/api/core_v1.ts";
import { type Backoff, printSeconds, waitUntil } from "./crash_backoff.ts";
import { HASH_ANNOTATION, hashContainer } from "./container_hash.ts";
import { planEnd } from "./plan_end.ts";
import type { CheckedPod } from "./parse_pod.ts";
import { isSidecar, newestPerName, type PodRuntime, restartsAfter } from "./pod_runtime.ts";
import type { ContainerRuntimeStatus } from "./runtime/types.ts";

/** One thing to do for a pod. */
export type PodStep =
  | { do: "create-sandbox"; attempt: number }
  | { do: "stop-sandbox"; id: string }
  | { do: "remove-sandbox"; id: string }
  | { do: "start-container"; name: string; attempt: number; after?: CrashedContainer }
  | { do: "stop-container"; id: string; name: string; graceSeconds: number; preStop: boolean; reason: string }
  | { do: "remove-container"; id: string };

/** The end of a container that is started again. */
export interface CrashedContainer {
  finishedAt: number;
}

/** What a container waits for, as its status shows it. */
export interface Waiting {
  reason: string;
  message?: string;
}

/** A container that could not be started and is left alone until a time. */
export interface Hold {
  untilMs: number;
  waiting: Waiting;
  /** What it is said to wait for once the failure itself is old. */
  later?: { atMs: number; waiting: Waiting };
}

/** What is to be done now. */
export interface PodPlan {
  /** Stages one after the other; the steps of a stage may run side by side. Empty: nothing to do now. */
  stages: PodStep[][];
  /** Containers that wait for more than their turn. */
  waiting: Map<string, Waiting>;
  /** When to look again, Unix milliseconds; absent when only an event can change anything. */
  wakeAt?: number;
  /** All containers ended for good: the pod has Succeeded or Failed. */
  finished: boolean;
}

/** What the plan is made from. */
export interface PodPlanInput {
  pod: CheckedPod;
  runtime: PodRuntime;
  /** By container name and definition hash: `${name} ${hash}`. */
  backoffs: ReadonlyMap<string, Backoff>;
  /** By container name. */
  holds: ReadonlyMap<string, Hold>;
  health: ContainerHealth;
  now: number;
}

/** What probes and hooks say of containers, by id. */
export interface ContainerHealth {
  /** The startup probe passed, or there is none. */
  started(containerId: string): boolean;
  /** Why the container must be stopped and started again; undefined when it need not. */
  unhealthy(containerId: string): { reason: string; graceSeconds?: number } | undefined;
}

export const backoffKey = (container: Container): string => `${container.name} ${hashContainer(container)}`;

/** Grace for containers that are stopped because of themselves: the pod's own. */
export const graceOf = (pod: CheckedPod): number => Math.max(1, pod.spec.terminationGracePeriodSeconds ?? 30);

/**
 * What to do to bring a pod that should run from what it is to what it should be.
 *
 * Sandbox first; then init containers in order, each to its end, those with `restartPolicy: Always` only until started; then
 * the containers. A container that ended is started again as the pod's `restartPolicy` says, the first time at once, then
 * after a wait that doubles. When none is left to run, the pod has finished and the rest of it is stopped.
 * Upstream: kubeedge vendor/k8s.io/kubernetes/pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions) @ 16cd854
 */
export function planPod(input: PodPlanInput): PodPlan {
  const { pod, runtime } = input;
  const sandbox = runtime.sandboxes[0];
  const usable = sandbox !== undefined && sandbox.state === "ready" &&
    (pod.spec.hostNetwork === true || sandbox.ips.length > 0) &&
    runtime.sandboxes.filter((s) => s.state === "ready").length === 1;
  const latest = newestPerName(runtime.containers);
  if (isFinished(pod, latest, usable)) return { ...planEnd(pod, runtime, graceOf(pod)), waiting: new Map() };
  if (!usable) {
    const end = planEnd(pod, runtime, graceOf(pod));
    const attempt = sandbox === undefined ? 0 : sandbox.attempt + 1;
    return {
      stages: [...end.stages, [{ do: "create-sandbox", attempt }]],
      waiting: new Map(),
      finished: false,
    };
  }
  return planContainers(input, sandbox.id, latest);
}

/** Whether nothing of a pod will ever run again. */
function isFinished(
  pod: CheckedPod,
  latest: ReadonlyMap<string, ContainerRuntimeStatus>,
  sandboxUsable: boolean,
): boolean {
  const policy = pod.spec.restartPolicy || "Always";
  if (policy === "Always") return false;
  const over = (container: Container) => {
    const status = latest.get(container.name);
    if (status === undefined) return false;
    if (status.state === "exited") return !restartsAfter(policy, status.exitCode ?? 0);
    // The sandbox is gone and with it what ran in it.
    return !sandboxUsable && policy === "Never" && status.state !== "created";
  };
  if (pod.spec.containers.every(over)) return true;
  if (policy !== "Never") return false;
  const failedInit = (pod.spec.initContainers ?? []).some((container) => {
    const status = latest.get(container.name);
    return !isSidecar(container) && status?.state === "exited" && status.exitCode !== 0;
  });
  if (failedInit) return true;
  // A pod that may not start anything twice is not given a second sandbox.
  return !sandboxUsable && pod.spec.containers.some((container) => latest.has(container.name));
}

function planContainers(
  input: PodPlanInput,
  sandboxId: string,
  latest: ReadonlyMap<string, ContainerRuntimeStatus>,
): PodPlan {
  const { pod, runtime, now } = input;
  const here = newestPerName(runtime.containers.filter((c) => c.sandboxId === sandboxId));
  const policy = pod.spec.restartPolicy || "Always";
  const waiting = new Map<string, Waiting>();
  const stops: PodStep[] = [];
  const removals: PodStep[] = [];
  const starts: PodStep[][] = [];
  let wakeAt: number | undefined;
  const wake = (at: number) => wakeAt = Math.min(wakeAt ?? at, at);

  /** Plans a start; false when it has to wait. */
  const start = (container: Container): boolean => {
    const last = latest.get(container.name);
    const hold = input.holds.get(container.name);
    if (hold !== undefined && hold.untilMs > now) {
      const old = hold.later !== undefined && hold.later.atMs <= now;
      waiting.set(container.name, old ? hold.later!.waiting : hold.waiting);
      wake(hold.later !== undefined && !old ? hold.later.atMs : hold.untilMs);
      return false;
    }
    // Until it runs, what kept it from running is still what there is to say.
    if (hold !== undefined) waiting.set(container.name, hold.later?.waiting ?? hold.waiting);
    const crashed = runtime.containers.find((c) => c.name === container.name && c.state === "exited");
    const finishedAt = crashed?.finishedAt ?? crashed?.createdAt;
    if (finishedAt !== undefined) {
      const backoff = input.backoffs.get(backoffKey(container));
      const until = waitUntil(backoff, finishedAt, now);
      if (until !== undefined) {
        const { name, namespace, uid } = pod.metadata;
        waiting.set(container.name, {
          reason: "CrashLoopBackOff",
          message: `back-off ${
            printSeconds(backoff!.delayMs)
          } restarting failed container=${container.name} pod=${name}_${namespace}(${uid})`,
        });
        wake(until);
        return false;
      }
    }
    const attempt = last === undefined ? restartsBefore(pod, container.name) : last.attempt + 1;
    const step: PodStep = { do: "start-container", name: container.name, attempt };
    starts.push([finishedAt === undefined ? step : { ...step, after: { finishedAt } }]);
    return true;
  };
  const stop = (status: ContainerRuntimeStatus, reason: string, graceSeconds = graceOf(pod)) =>
    stops.push({
      do: "stop-container",
      id: status.id,
      name: status.name,
      graceSeconds,
      preStop: true,
      reason,
    });
  /** Whether the container is up and stays so. */
  const keep = (
    container: Container,
    status: ContainerRuntimeStatus | undefined,
    restarts: boolean,
  ): boolean => {
    switch (status?.state) {
      case "running": {
        const hash = status.annotations[HASH_ANNOTATION];
        if (hash !== undefined && hash !== hashContainer(container)) {
          stop(status, `Container ${container.name} definition changed, will be restarted`);
          start(container);
          return false;
        }
        const unhealthy = input.health.unhealthy(status.id);
        if (unhealthy === undefined) return true;
        stop(status, unhealthy.reason, unhealthy.graceSeconds);
        return false;
      }
      case "exited":
        if (restarts) start(container);
        return false;
      case "created":
      case "unknown":
        // Made but never started, by a start that failed or was cut off.
        if (start(container)) removals.push({ do: "remove-container", id: status.id });
        return false;
      default:
        start(container);
        return false;
    }
  };

  const begun = pod.spec.containers.some(({ name }) => {
    const state = here.get(name)?.state;
    return state === "running" || state === "exited";
  });
  let initialized = true;
  for (const container of pod.spec.initContainers ?? []) {
    const status = here.get(container.name);
    if (isSidecar(container)) {
      const up = keep(container, status, true);
      if (!begun && !(up && input.health.started(status!.id))) {
        initialized = false;
        break;
      }
    } else if (!begun && !(status?.state === "exited" && status.exitCode === 0)) {
      if (status?.state !== "running") keep(container, status, true);
      initialized = false;
      break;
    }
  }
  if (initialized) {
    for (const container of pod.spec.containers) {
      const status = here.get(container.name);
      // One that ended for good in an earlier sandbox is not begun again in this one.
      const last = latest.get(container.name);
      if (status === undefined && last?.state === "exited" && !restartsAfter(policy, last.exitCode ?? 0)) {
        continue;
      }
      keep(container, status, status?.state !== "exited" || restartsAfter(policy, status.exitCode ?? 0));
    }
  }
  const stages = [stops, removals, ...starts, leftovers(runtime)].filter((stage) => stage.length > 0);
  const plan: PodPlan = { stages, waiting, finished: false };
  if (wakeAt !== undefined) plan.wakeAt = wakeAt;
  return plan;
}

/** Restarts of a container of which nothing is left here, as the pod's status remembers them. */
function restartsBefore(pod: CheckedPod, name: string): number {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  const known = [...containerStatuses, ...initContainerStatuses].find((status) => status.name === name);
  if (!known?.containerID) return 0;
  return (Number.isInteger(known.restartCount) ? known.restartCount : 0) + 1;
}

/** Ended containers but the newest of each name, and earlier sandboxes that hold none. */
function leftovers(runtime: PodRuntime): PodStep[] {
  const steps: PodStep[] = [];
  const newest = newestPerName(runtime.containers);
  const seen = new Set<string>();
  const kept = new Set<string>();
  for (const container of runtime.containers) {
    const older = newest.get(container.name) !== container;
    const wanted = container.state === "running" || !older ||
      (container.state === "exited" && !seen.has(container.name));
    if (wanted) kept.add(container.sandboxId);
    else steps.push({ do: "remove-container", id: container.id });
    if (container.state === "exited") seen.add(container.name);
  }
  for (const old of runtime.sandboxes.slice(1)) {
    if (!kept.has(old.id)) steps.push({ do: "remove-sandbox", id: old.id });
  }
  return steps;
}
