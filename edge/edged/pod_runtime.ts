import type { Container } from "../../common/api/core_v1.ts";
import type { ContainerRuntimeStatus, PodSandboxStatus } from "./runtime/types.ts";

/** What the engine has of one pod, newest first. */
export interface PodRuntime {
  sandboxes: readonly PodSandboxStatus[];
  containers: readonly ContainerRuntimeStatus[];
}

export const EMPTY_RUNTIME: PodRuntime = { sandboxes: [], containers: [] };

/** The newest container of each name: the one with the highest attempt. */
export function newestPerName(
  containers: readonly ContainerRuntimeStatus[],
): Map<string, ContainerRuntimeStatus> {
  const newest = new Map<string, ContainerRuntimeStatus>();
  for (const container of containers) {
    const seen = newest.get(container.name);
    if (seen === undefined || container.attempt > seen.attempt) newest.set(container.name, container);
  }
  return newest;
}

/** Whether an init container runs beside the others instead of before them. */
export const isSidecar = (container: Container): boolean => container.restartPolicy === "Always";

/** Whether a container that ended with this code is started again. */
export function restartsAfter(policy: string, exitCode: number): boolean {
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** Whether anything of the pod still runs. */
export function isRunning(runtime: PodRuntime): boolean {
  return runtime.containers.some((c) => c.state === "running") ||
    runtime.sandboxes.some((s) => s.state === "ready");
}
