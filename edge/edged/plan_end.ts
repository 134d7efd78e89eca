import type { CheckedPod } from "./parse_pod.ts";
import type { PodStep } from "./plan_pod.ts";
import { isSidecar, type PodRuntime } from "./pod_runtime.ts";

/**
 * How to stop everything of a pod: the containers side by side, then the sidecars one by one in reverse order, each stage
 * with the grace that is left, then the sandboxes.
 * @param pod undefined for an orphan, of which only what runs is known
 */
export function planEnd(
  pod: CheckedPod | undefined,
  runtime: PodRuntime,
  graceSeconds: number,
): { stages: PodStep[][]; finished: boolean } {
  const sidecars = (pod?.spec.initContainers ?? []).filter(isSidecar).map((c) => c.name);
  const running = runtime.containers.filter((c) => c.state === "running");
  const stop = (id: string, name: string): PodStep => ({
    do: "stop-container",
    id,
    name,
    graceSeconds,
    preStop: true,
    reason: "Pod ends",
  });
  const stages: PodStep[][] = [
    running.filter((c) => !sidecars.includes(c.name)).map((c) => stop(c.id, c.name)),
    ...sidecars.reverse().map((name) =>
      running.filter((c) => c.name === name).map((c) => stop(c.id, c.name))
    ),
    runtime.sandboxes.filter((s) => s.state === "ready").map((s) => ({ do: "stop-sandbox", id: s.id })),
  ].filter((stage): stage is PodStep[] => stage.length > 0);
  return { stages, finished: stages.length === 0 };
}

/** How to remove everything of a pod that has ended. */
export function planRemoval(runtime: PodRuntime): PodStep[][] {
  return [
    runtime.containers.map((c): PodStep => ({ do: "remove-container", id: c.id })),
    runtime.sandboxes.map((s): PodStep => ({ do: "remove-sandbox", id: s.id })),
  ].filter((stage) => stage.length > 0);
}
