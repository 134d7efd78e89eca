import type { ContainerStatus, PodCondition, PodStatus } from "../../common/api/core_v1.ts";
import type { CheckedPod } from "./parse_pod.ts";
import { isSidecar } from "./pod_runtime.ts";

/** A condition before the time of its last change is known. */
type Verdict = Pick<PodCondition, "type" | "status"> & { reason?: string; message?: string };

/** The conditions that edged decides on; all others are kept as they are. */
export const OWN_CONDITIONS: ReadonlySet<string> = new Set([
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
]);

/**
 * The conditions of a pod, edged's own first.
 * Upstream: kubelet pkg/kubelet/status/generate.go @ v1.32
 * @param time RFC 3339, given to conditions whose status changed
 */
export function podConditions(
  pod: CheckedPod,
  status: Pick<PodStatus, "phase" | "containerStatuses" | "initContainerStatuses">,
  previous: readonly PodCondition[],
  sandboxReady: boolean,
  time: string,
): PodCondition[] {
  const others = previous.filter(({ type }) => !OWN_CONDITIONS.has(type));
  const containers = containersVerdict(pod, status);
  const verdicts: Verdict[] = [
    { type: "PodReadyToStartContainers", status: sandboxReady ? "True" : "False" },
    initializedVerdict(pod, status),
    readyVerdict(pod, containers, others),
    { type: "ContainersReady", ...containers },
  ];
  return [
    ...verdicts.map((verdict): PodCondition => {
      const before = previous.find(({ type }) => type === verdict.type);
      const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : undefined;
      return { ...verdict, lastTransitionTime: lastTransitionTime ?? time };
    }),
    ...others,
  ];
}

const list = (names: readonly string[]) => `[${names.join(" ")}]`;

function containersVerdict(
  pod: CheckedPod,
  { phase, containerStatuses = [], initContainerStatuses = [] }: Pick<
    PodStatus,
    "phase" | "containerStatuses" | "initContainerStatuses"
  >,
): Omit<Verdict, "type"> {
  if (phase === "Succeeded") return { status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { status: "False", reason: "PodFailed" };
  const all = [...initContainerStatuses, ...containerStatuses];
  const names = [
    ...(pod.spec.initContainers ?? []).filter(isSidecar),
    ...pod.spec.containers,
  ].map((c) => c.name);
  const unknown = names.filter((name) => !all.some((s) => s.name === name));
  const unready = names.filter((name) => all.some((s) => s.name === name && !s.ready));
  const messages = [
    ...unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : [],
    ...unready.length > 0 ? [`containers with unready status: ${list(unready)}`] : [],
  ];
  if (messages.length === 0) return { status: "True" };
  return { status: "False", reason: "ContainersNotReady", message: messages.join(", ") };
}

function readyVerdict(
  pod: CheckedPod,
  containers: Omit<Verdict, "type">,
  others: readonly PodCondition[],
): Verdict {
  if (containers.status !== "True") return { type: "Ready", ...containers };
  const messages: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const gate = others.find(({ type }) => type === conditionType);
    if (gate === undefined) {
      messages.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    } else if (gate.status !== "True") {
      messages.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
    }
  }
  if (messages.length === 0) return { type: "Ready", status: "True" };
  return { type: "Ready", status: "False", reason: "ReadinessGatesNotReady", message: messages.join(", ") };
}

function initializedVerdict(
  pod: CheckedPod,
  { phase, initContainerStatuses = [], containerStatuses = [] }: Pick<
    PodStatus,
    "phase" | "containerStatuses" | "initContainerStatuses"
  >,
): Verdict {
  const type = "Initialized";
  const inits = pod.spec.initContainers ?? [];
  if (phase === "Succeeded") return { type, status: "True", reason: "PodCompleted" };
  const begun = containerStatuses.some(({ state, lastState }) =>
    state?.running !== undefined || state?.terminated !== undefined || lastState?.terminated !== undefined
  );
  const find = (name: string): ContainerStatus | undefined =>
    initContainerStatuses.find((s) => s.name === name);
  const unknown = inits.filter(({ name }) => find(name) === undefined).map((c) => c.name);
  const incomplete = begun ? [] : inits.filter((container) => {
    const status = find(container.name);
    if (status === undefined) return false;
    return isSidecar(container) ? status.started !== true : !status.ready;
  }).map((c) => c.name);
  const messages = [
    ...unknown.length > 0 ? [`containers with unknown status: ${list(unknown)}`] : [],
    ...incomplete.length > 0 ? [`containers with incomplete status: ${list(incomplete)}`] : [],
  ];
  if (messages.length === 0) return { type, status: "True" };
  return { type, status: "False", reason: "ContainersNotInitialized", message: messages.join(", ") };
}
