import type { Container, ContainerState, ContainerStatus, PodStatus } from "../../common/api/core_v1.ts";
import { qosClass } from "./container_config.ts";
import type { CheckedPod } from "./parse_pod.ts";
import type { Waiting } from "./plan_pod.ts";
import { podConditions } from "./pod_conditions.ts";
import { isSidecar, newestPerName, type PodRuntime } from "./pod_runtime.ts";
import type { ContainerRuntimeStatus } from "./runtime/types.ts";

/** What the status of a pod is made from. */
export interface PodStatusInput {
  pod: CheckedPod;
  runtime: PodRuntime;
  /** The status before this one: edged's own, else the API's. */
  previous: PodStatus;
  /** By container name. */
  waiting: ReadonlyMap<string, Waiting>;
  /** Set once nothing of the pod runs or will run. */
  ended?: { reason?: string; message?: string; failed?: boolean };
  health: { started(containerId: string): boolean; ready(containerId: string): boolean };
  /** Termination messages by container id. */
  messages: ReadonlyMap<string, string>;
  hostIPs: readonly string[];
  /** "docker", "containerd": stands before container ids. */
  runtimeName: string;
  /** Unix milliseconds. */
  now: number;
}

/** A time as Kubernetes writes it: RFC 3339, UTC, whole seconds. */
export const printTime = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/**
 * The status of a pod.
 * Upstream: kubelet pkg/kubelet/kubelet_pods.go (generateAPIPodStatus, getPhase, convertToAPIContainerStatuses) @ v1.32
 */
export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, runtime, previous, hostIPs, ended, now } = input;
  const time = printTime(now);
  const sandbox = runtime.sandboxes[0];
  const ready = sandbox?.state === "ready";
  const inits = pod.spec.initContainers ?? [];
  const initContainerStatuses = inits.map((c) =>
    containerStatus(input, c, "PodInitializing", previous.initContainerStatuses)
  );
  const pendingInit = inits.some((c, i) => !isSidecar(c) && !initContainerStatuses[i]!.ready);
  const containerStatuses = pod.spec.containers
    .map((c) =>
      containerStatus(
        input,
        c,
        pendingInit || inits.some((x, i) => isSidecar(x) && !initContainerStatuses[i]!.started)
          ? "PodInitializing"
          : "ContainerCreating",
        previous.containerStatuses,
      )
    )
    .sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const status: PodStatus = { ...previous, containerStatuses };
  if (inits.length > 0) status.initContainerStatuses = initContainerStatuses;
  status.phase = ended?.failed ? "Failed" : podPhase(input, initContainerStatuses, containerStatuses);
  setOrDelete(status, "reason", ended?.reason);
  setOrDelete(status, "message", ended?.message);
  status.startTime = previous.startTime ?? time;
  status.qosClass = previous.qosClass ?? qosClass(pod);
  if (hostIPs.length > 0) {
    status.hostIP = hostIPs[0]!;
    setIPs(status, "hostIPs", hostIPs);
  }
  const podIPs = !ready ? [] : pod.spec.hostNetwork === true ? hostIPs : sandbox.ips;
  if (podIPs.length > 0) {
    status.podIP = podIPs[0]!;
    setIPs(status, "podIPs", podIPs);
  }
  const networked = ready && (pod.spec.hostNetwork === true || sandbox.ips.length > 0);
  status.conditions = podConditions(pod, status, previous.conditions ?? [], networked, time);
  return status;
}

function setOrDelete(status: PodStatus, name: "reason" | "message", value: string | undefined): void {
  if (value === undefined) delete status[name];
  else status[name] = value;
}

function setIPs(status: PodStatus, name: "podIPs" | "hostIPs", ips: readonly string[]): void {
  (status as Record<string, unknown>)[name] = ips.map((ip) => ({ ip }));
}

function podPhase(
  { pod, ended }: PodStatusInput,
  inits: readonly ContainerStatus[],
  containers: readonly ContainerStatus[],
): string {
  const policy = pod.spec.restartPolicy || "Always";
  const terminal = ended !== undefined;
  let pendingInit = false;
  let failedInit = false;
  const begun = containers.some(({ state, lastState }) =>
    state?.running || state?.terminated || lastState?.terminated
  );
  (pod.spec.initContainers ?? []).forEach((container, i) => {
    const status = inits[i]!;
    if (isSidecar(container)) {
      if (!begun && !status.started) pendingInit = true;
      return;
    }
    const exit = status.state?.terminated ?? status.lastState?.terminated;
    if (exit?.exitCode === 0 && status.state?.running === undefined) return;
    if (status.state?.terminated && exit && exit.exitCode !== 0 && policy === "Never") failedInit = true;
    else pendingInit = true;
  });
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let succeeded = 0;
  for (const { state, lastState } of containers) {
    if (state?.running) running++;
    else if (state?.terminated) {
      stopped++;
      if (state.terminated.exitCode === 0) succeeded++;
    } else if (lastState?.terminated) stopped++;
    else waiting++;
  }
  if (failedInit && (policy === "Never" || terminal)) return "Failed";
  if (terminal) return stopped === succeeded && stopped > 0 && waiting === 0 ? "Succeeded" : "Failed";
  if (pendingInit && !begun) return "Pending";
  if (waiting > 0) return "Pending";
  if (running > 0) return "Running";
  if (stopped === 0) return "Pending";
  if (policy === "Always") return "Running";
  if (stopped === succeeded) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

/** Where a container was mounted, as newer APIs show it. */
interface VolumeMountStatus {
  mountPath: string;
  name: string;
  readOnly?: boolean;
  recursiveReadOnly?: string;
}

function containerStatus(
  input: PodStatusInput,
  container: Container,
  defaultReason: string,
  before: readonly ContainerStatus[] = [],
): ContainerStatus {
  const { runtime, waiting, ended, health } = input;
  const all = runtime.containers.filter((c) => c.name === container.name);
  const current = newestPerName(all).get(container.name);
  const older = all.find((c) => c !== current && c.state === "exited");
  const previous = before.find((status) => status.name === container.name);
  const wait = waiting.get(container.name);
  const status: ContainerStatus & { volumeMounts?: VolumeMountStatus[] } = {
    name: container.name,
    image: container.image ?? "",
    imageID: current?.imageId ?? previous?.imageID ?? "",
    restartCount: current?.attempt ?? previous?.restartCount ?? 0,
    ready: false,
    started: false,
    state: {},
    lastState: {},
  };
  if (older !== undefined) status.lastState = { terminated: terminated(input, older) };
  else if (previous?.lastState?.terminated !== undefined) status.lastState = previous.lastState;
  if (current !== undefined) status.containerID = `${input.runtimeName}://${current.id}`;
  else if (previous?.containerID) status.containerID = previous.containerID;
  switch (current?.state) {
    case "running":
      status.state = { running: { startedAt: printTime(current.startedAt ?? current.createdAt) } };
      status.started = health.started(current.id);
      status.ready = status.started && health.ready(current.id);
      break;
    case "exited":
      if (wait !== undefined && ended === undefined) {
        status.state = { waiting: waitingState(wait) };
        status.lastState = { terminated: terminated(input, current) };
      } else {
        status.state = { terminated: terminated(input, current) };
        status.ready = current.exitCode === 0 &&
          input.pod.spec.initContainers?.some((c) => c.name === container.name && !isSidecar(c)) === true;
      }
      break;
    default:
      if (ended !== undefined) {
        status.state = { terminated: previous?.state?.terminated ?? unknownEnd(status.containerID) };
      } else {
        status.state = { waiting: waitingState(wait ?? { reason: defaultReason }) };
        if (previous?.state?.running !== undefined && older === undefined) {
          status.lastState = {
            terminated: { ...unknownEnd(status.containerID), startedAt: previous.state.running.startedAt },
          };
        }
      }
  }
  const mounts = (container.volumeMounts ?? []).map(({ mountPath, name, readOnly }): VolumeMountStatus =>
    readOnly === true ? { mountPath, name, readOnly, recursiveReadOnly: "Disabled" } : { mountPath, name }
  );
  if (mounts.length > 0) status.volumeMounts = mounts;
  return status;
}

const waitingState = ({ reason, message }: Waiting) =>
  message === undefined ? { reason } : { reason, message };

type Terminated = NonNullable<ContainerState["terminated"]>;

/** The end of a container nobody saw. Upstream: kubelet_pods.go (ContainerStatusUnknown) @ v1.32 */
function unknownEnd(containerID: string | undefined): Terminated {
  const end: Terminated = {
    exitCode: 137,
    reason: "ContainerStatusUnknown",
    message: "The container could not be located when the pod was terminated",
  };
  return containerID === undefined ? end : { ...end, containerID };
}

function terminated(
  { runtimeName, messages }: PodStatusInput,
  container: ContainerRuntimeStatus,
): Terminated {
  const exitCode = container.exitCode ?? 255;
  const end: Terminated = {
    containerID: `${runtimeName}://${container.id}`,
    exitCode,
    reason: container.reason || (exitCode === 0 ? "Completed" : "Error"),
    startedAt: printTime(container.startedAt ?? container.createdAt),
    finishedAt: printTime(container.finishedAt ?? container.createdAt),
  };
  const message = messages.get(container.id) || container.message;
  return message ? { ...end, message } : end;
}

/** Lists in a pod status that are merged by key. Upstream: k8s.io/api core/v1/types.go (patchMergeKey) @ v1.32 */
export const POD_MERGE_KEYS = { conditions: "type", podIPs: "ip", hostIPs: "ip" };

/** Containers that have begun to wait after a crash. */
export function newlyCrashing(before: PodStatus, after: PodStatus): string[] {
  const crashing = ({ containerStatuses = [], initContainerStatuses = [] }: PodStatus) =>
    [...initContainerStatuses, ...containerStatuses]
      .filter(({ state }) => state?.waiting?.reason === "CrashLoopBackOff").map(({ name }) => name);
  const was = new Set(crashing(before));
  return crashing(after).filter((name) => !was.has(name));
}
