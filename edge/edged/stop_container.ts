import type { CheckedPod, PodIdentity } from "./parse_pod.ts";
import type { PodStep } from "./plan_pod.ts";
import type { StarterComponents } from "./start_container.ts";

/** Which container to stop, and what is known of its pod. */
export interface StopOrder {
  step: PodStep & { do: "stop-container" };
  identity: PodIdentity;
  /** Undefined for one that the API does not know. */
  pod: CheckedPod | undefined;
  podIP: string;
  /** When its time is over, Unix milliseconds. */
  deadline: number;
  /** Containers whose preStop hook was run, by id. */
  hooked: Set<string>;
  /** Breaks the stop off, for another with less time. */
  signal: AbortSignal;
}

/**
 * Ends one container: the preStop hook, then the engine with what is left of the time.
 * Upstream: kubelet pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer) @ v1.32
 * @throws {RuntimeError} `unavailable` when the engine does not answer
 */
export async function stopContainer(
  { runtime, clock, runHandler, event, log }: Pick<
    StarterComponents,
    "runtime" | "clock" | "runHandler" | "event" | "log"
  >,
  { step, identity, pod, podIP, deadline, hooked, signal }: StopOrder,
): Promise<void> {
  const { id, name, reason } = step;
  const leftMs = () => Math.max(0, deadline - clock.now());
  const why = reason.startsWith("Container ") ? reason : `Stopping container ${name}`;
  // Of a pod that the API does not know it takes no events.
  if (pod !== undefined) event({ kind: "Pod", pod: identity, container: name }, "Normal", "Killing", why);
  log.info("Stopping container", { ...identity, container: name, reason });
  const container = [...pod?.spec.initContainers ?? [], ...pod?.spec.containers ?? []]
    .find((one) => one.name === name);
  const hook = container?.lifecycle?.preStop;
  try {
    if (step.preStop && hook !== undefined && container !== undefined && leftMs() > 0 && !hooked.has(id)) {
      hooked.add(id);
      const target = { containerId: id, container, podIP, timeoutMs: leftMs(), signal };
      const { ok, output } = await runHandler(hook, target);
      if (!ok) {
        log.warning("preStop hook failed", { ...identity, container: name, output: output.slice(0, 512) });
      }
    }
    await runtime.stopContainer(id, Math.max(1, Math.ceil(leftMs() / 1000)), { signal });
  } catch (error) {
    // The next round stops with the shorter time.
    if (!signal.aborted) throw error;
  }
}
