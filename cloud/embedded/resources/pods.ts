import { type ApiObject, isObject, numberAt, objectAt, objectsAt, textAt } from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { Cell, ResourceDefinition } from "./definition.ts";
import { admitPod, qosClassOf } from "./pod_admission.ts";
import { defaultPod } from "./pod_defaults.ts";
import { validatePodSpec, validatePodUpdate } from "./pod_validation.ts";
import { required } from "./field_error.ts";
import { ageOf, humanDuration } from "./printing.ts";

const DEFAULT_GRACE_SECONDS = 30;

/**
 * The state of a pod in one word, as `kubectl get` prints it.
 * Upstream: k8s.io/kubernetes pkg/printers/internalversion/printers.go (printPod) @ v1.32
 */
export function podStatusText(pod: ApiObject): string {
  const deleted = pod.metadata.deletionTimestamp !== undefined;
  const status = objectAt(pod, "status");
  let text = textAt(status, "reason") || textAt(status, "phase");
  const gated = objectsAt(status, "conditions").some((c) =>
    c.type === "PodScheduled" && c.reason === "SchedulingGated"
  );
  if (gated) text = "SchedulingGated";
  const initSpecs = objectsAt(pod, "spec", "initContainers");
  const initStatuses = objectsAt(status, "initContainerStatuses");
  let initializing = false;
  for (const [i, container] of initStatuses.entries()) {
    const terminated = objectAt(container, "state", "terminated");
    const waiting = textAt(container, "state", "waiting", "reason");
    const sidecar = initSpecs.find((spec) => spec.name === container.name)?.restartPolicy === "Always";
    const ended = isObject(objectAt(container, "state").terminated);
    if (ended && numberAt(terminated, "exitCode") === 0) continue;
    if (sidecar && container.started === true) continue;
    if (ended) text = `Init:${terminatedText(terminated)}`;
    else if (waiting !== "" && waiting !== "PodInitializing") text = `Init:${waiting}`;
    else text = `Init:${i}/${initSpecs.length}`;
    initializing = true;
    break;
  }
  const initialized = objectsAt(status, "conditions").some((c) =>
    c.type === "Initialized" && c.status === "True"
  );
  if (!initializing || initialized) {
    let running = false;
    for (const container of objectsAt(status, "containerStatuses").toReversed()) {
      const state = objectAt(container, "state");
      const waiting = textAt(state, "waiting", "reason");
      if (waiting !== "") text = waiting;
      else if (isObject(state.terminated)) text = terminatedText(state.terminated);
      else if (container.ready === true && isObject(state.running)) running = true;
    }
    if (text === "Completed" && running) {
      const ready = objectsAt(status, "conditions").some((c) => c.type === "Ready" && c.status === "True");
      text = ready ? "Running" : "NotReady";
    }
  }
  if (deleted && textAt(status, "reason") === "NodeLost") return "Unknown";
  return deleted && !["Succeeded", "Failed"].includes(textAt(status, "phase")) ? "Terminating" : text;
}

function terminatedText(terminated: object): string {
  const reason = textAt(terminated, "reason");
  if (reason !== "") return reason;
  const signal = numberAt(terminated, "signal");
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${numberAt(terminated, "exitCode")}`;
}

function podRow(pod: ApiObject, now: number): Cell[] {
  const status = objectAt(pod, "status");
  const statuses = objectsAt(status, "containerStatuses");
  const sidecars = objectsAt(pod, "spec", "initContainers").filter((c) => c.restartPolicy === "Always");
  const sidecarStatuses = objectsAt(status, "initContainerStatuses").filter((s) =>
    sidecars.some((c) => c.name === s.name)
  );
  const total = objectsAt(pod, "spec", "containers").length + sidecars.length;
  const ready = statuses.filter((s) => s.ready === true && isObject(objectAt(s, "state").running)).length +
    sidecarStatuses.filter((s) => s.ready === true && s.started === true).length;
  const gates = objectsAt(pod, "spec", "readinessGates");
  const passed = gates.filter((gate) =>
    objectsAt(status, "conditions").some((c) => c.type === gate.conditionType && c.status === "True")
  );
  const ips = objectsAt(status, "podIPs");
  return [
    pod.metadata.name ?? "",
    `${ready}/${total}`,
    podStatusText(pod),
    restartsText([...statuses, ...sidecarStatuses], now),
    ageOf(pod, now),
    textAt(ips[0], "ip") || textAt(status, "podIP") || "<none>",
    textAt(pod, "spec", "nodeName") || "<none>",
    textAt(status, "nominatedNodeName") || "<none>",
    gates.length === 0 ? "<none>" : `${passed.length}/${gates.length}`,
  ];
}

function restartsText(statuses: readonly object[], now: number): string {
  const restarts = statuses.reduce((sum, s) => sum + numberAt(s, "restartCount"), 0);
  const last = Math.max(
    0,
    ...statuses.map((s) => Date.parse(textAt(s, "lastState", "terminated", "finishedAt")) || 0),
  );
  return restarts > 0 && last > 0 ? `${restarts} (${humanDuration(now - last)} ago)` : String(restarts);
}

/** Pods. */
export const PODS: readonly ResourceDefinition[] = [{
  group: "",
  version: "v1",
  resource: "pods",
  singular: "pod",
  kind: "Pod",
  shortNames: ["po"],
  categories: ["all"],
  namespaced: true,
  schema: "core.v1.Pod",
  status: "statusAndMetadata",
  generation: true,
  selectableFields: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  readFields: (o) => ({
    "spec.nodeName": textAt(o, "spec", "nodeName"),
    "spec.restartPolicy": textAt(o, "spec", "restartPolicy"),
    "spec.schedulerName": textAt(o, "spec", "schedulerName"),
    "spec.serviceAccountName": textAt(o, "spec", "serviceAccountName"),
    "spec.hostNetwork": String(objectAt(o, "spec").hostNetwork === true),
    "status.phase": textAt(o, "status", "phase"),
    "status.podIP": textAt(o, "status", "podIP"),
    "status.nominatedNodeName": textAt(o, "status", "nominatedNodeName"),
  }),
  columns: [
    NAME,
    { name: "Ready" },
    { name: "Status" },
    { name: "Restarts" },
    AGE,
    { name: "IP", wide: true },
    { name: "Node", wide: true },
    { name: "Nominated Node", wide: true },
    { name: "Readiness Gates", wide: true },
  ],
  row: podRow,
  applyDefaults: (pod) => {
    const spec = objectAt(pod, "spec");
    pod.spec = spec;
    defaultPod(spec);
    if (spec.enableServiceLinks === undefined) spec.enableServiceLinks = true;
  },
  prepareForCreate: (pod, around) => {
    admitPod(pod, around);
    pod.status = { phase: "Pending", qosClass: qosClassOf(objectAt(pod, "spec")) };
  },
  validate: (pod) => validatePodSpec(objectAt(pod, "spec"), "spec"),
  validateUpdate: validatePodUpdate,
  gracePeriodSeconds: (pod, asked) => {
    const phase = textAt(pod, "status", "phase");
    if (textAt(pod, "spec", "nodeName") === "" || phase === "Succeeded" || phase === "Failed") return 0;
    const grace = asked ?? objectAt(pod, "spec").terminationGracePeriodSeconds;
    return typeof grace === "number" ? grace < 0 ? 1 : grace : DEFAULT_GRACE_SECONDS;
  },
}];

/** What is wrong with the target of a binding. */
export function validateBinding(binding: ApiObject): ReturnType<typeof required>[] {
  return textAt(binding, "target", "name") === "" ? [required("target.name")] : [];
}
