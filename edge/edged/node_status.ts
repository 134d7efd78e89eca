import type { Node, NodeCondition, NodeStatus, Taint } from "../../common/api/core_v1.ts";
import type { NodeFacts } from "./node_facts.ts";
import { printTime } from "./pod_status.ts";
import { sameJson, strategicDiff } from "./strategic_patch.ts";

/** What of a node is decided and not found out. */
export interface NodeSpec {
  nodeName: string;
  /** The version as `kubeletVersion` has it: "v1.32.10-kubeedge-v1.23.1". */
  version: string;
  labels: Readonly<Record<string, string>>;
  taints: readonly Taint[];
  maxPods: number;
  /** Port of the read-only server. */
  port: number;
}

/** How the container engine is. */
export interface EngineState {
  name: string;
  version: string;
  /** Why it does not answer; absent when it does. */
  failure?: string | undefined;
}

/** Held back from pods. Upstream: kubelet eviction defaults: memory.available<100Mi, nodefs.available<10% */
const RESERVED_MEMORY_BYTES = 100 * 2 ** 20;
const RESERVED_DISK_SHARE = Math.fround(0.1);
const RESERVED_INODES_SHARE = 0.05;

const kib = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;

type Verdict = Omit<NodeCondition, "lastHeartbeatTime" | "lastTransitionTime">;

/**
 * The status of the node.
 * Upstream: kubelet pkg/kubelet/nodestatus/setters.go @ v1.32 (fork: reason EdgeReady)
 * @param previous gives the conditions the time of their last change
 */
export function nodeStatus(
  spec: NodeSpec,
  facts: NodeFacts,
  engine: EngineState,
  previous: NodeStatus | undefined,
  now: number,
): NodeStatus {
  const hugePages = Object.fromEntries(
    Object.entries(facts.hugePages).map((
      [size, bytes],
    ) => [`hugepages-${size}`, bytes === 0 ? "0" : kib(bytes)]),
  );
  const hugeBytes = Object.values(facts.hugePages).reduce((sum, bytes) => sum + bytes, 0);
  const reservedDisk = Math.floor(RESERVED_DISK_SHARE * facts.disk.totalBytes);
  const common = { cpu: String(facts.cpus), pods: String(spec.maxPods), ...hugePages };
  return {
    capacity: {
      ...common,
      "ephemeral-storage": kib(facts.disk.totalBytes),
      memory: kib(facts.memoryBytes),
    },
    allocatable: {
      ...common,
      "ephemeral-storage": String(facts.disk.totalBytes - reservedDisk),
      memory: kib(Math.max(0, facts.memoryBytes - RESERVED_MEMORY_BYTES - hugeBytes)),
    },
    conditions: nodeConditions(facts, engine).map((verdict) =>
      stamp(verdict, previous?.conditions ?? [], now)
    ),
    addresses: [
      ...facts.addresses.map((address) => ({ type: "InternalIP", address })),
      { type: "Hostname", address: spec.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: spec.port } },
    nodeInfo: {
      machineID: facts.machineID,
      systemUUID: facts.systemUUID,
      bootID: facts.bootID,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion: engine.name === "" ? "" : `${engine.name}://${engine.version}`,
      kubeletVersion: spec.version,
      kubeProxyVersion: spec.version.split("-kubeedge-").at(-1)!,
      operatingSystem: "linux",
      architecture: facts.architecture,
    },
  };
}

function nodeConditions(facts: NodeFacts, engine: EngineState): Verdict[] {
  const memoryLow = facts.memoryAvailableBytes > 0 && facts.memoryAvailableBytes < RESERVED_MEMORY_BYTES;
  const { disk } = facts;
  const diskLow = disk.availableBytes < disk.totalBytes * RESERVED_DISK_SHARE ||
    (disk.inodes > 0 && disk.freeInodes < disk.inodes * RESERVED_INODES_SHARE);
  const pressure = (type: string, low: boolean, yes: [string, string], no: [string, string]): Verdict => {
    const [reason, message] = low ? yes : no;
    return { type, status: low ? "True" : "False", reason, message };
  };
  return [
    pressure("MemoryPressure", memoryLow, [
      "KubeletHasInsufficientMemory",
      "kubelet has insufficient memory available",
    ], ["KubeletHasSufficientMemory", "kubelet has sufficient memory available"]),
    pressure("DiskPressure", diskLow, ["KubeletHasDiskPressure", "kubelet has disk pressure"], [
      "KubeletHasNoDiskPressure",
      "kubelet has no disk pressure",
    ]),
    // The kernel tells the number of processes only to programs with every permission.
    {
      type: "PIDPressure",
      status: "False",
      reason: "KubeletHasSufficientPID",
      message: "kubelet has sufficient PID available",
    },
    engine.failure === undefined
      ? { type: "Ready", status: "True", reason: "EdgeReady", message: "edge is posting ready status" }
      : {
        type: "Ready",
        status: "False",
        reason: "KubeletNotReady",
        message: `container runtime is down: ${engine.failure}`.slice(0, 1024),
      },
  ];
}

function stamp(verdict: Verdict, previous: readonly NodeCondition[], now: number): NodeCondition {
  const time = printTime(now);
  const before = previous.find(({ type }) => type === verdict.type);
  const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime ?? time : time;
  return { ...verdict, lastHeartbeatTime: time, lastTransitionTime };
}

const OS_LABELS = (architecture: string) => ({
  "beta.kubernetes.io/arch": architecture,
  "beta.kubernetes.io/os": "linux",
  "kubernetes.io/arch": architecture,
  "kubernetes.io/os": "linux",
});

/** The labels that edged sees to. */
export function nodeLabels(spec: NodeSpec, facts: NodeFacts): Record<string, string> {
  return {
    ...OS_LABELS(facts.architecture),
    "kubernetes.io/hostname": spec.nodeName,
    "node-role.kubernetes.io/agent": "",
    "node-role.kubernetes.io/edge": "",
    ...spec.labels,
  };
}

/** The node as it registers. Upstream: kubelet pkg/kubelet/kubelet_node_status.go (initialNode) @ 16cd854 */
export function newNode(spec: NodeSpec, facts: NodeFacts, status: NodeStatus): Node {
  return {
    metadata: {
      name: spec.nodeName,
      labels: nodeLabels(spec, facts),
      annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
    },
    spec: spec.taints.length > 0 ? { taints: [...spec.taints] } : {},
    status,
  };
}

type Json = Record<string, unknown>;

/**
 * The patch that makes one node status into another; undefined when only heartbeats differ and `heartbeat` is not asked for.
 * Fields that others put into the status are left alone.
 */
export function nodeStatusPatch(before: NodeStatus, after: NodeStatus, heartbeat: boolean): Json | undefined {
  const quiet = (status: NodeStatus) => ({
    ...status,
    conditions: (status.conditions ?? []).map(({ lastHeartbeatTime: _time, ...rest }) => rest)
      .sort((a, b) => a.type < b.type ? -1 : 1),
  });
  const own = (status: NodeStatus): Json =>
    Object.fromEntries(Object.entries(status).filter(([name]) => name in after));
  // Conditions of others, such as NetworkUnavailable, stay.
  const foreign = (before.conditions ?? []).filter(({ type }) =>
    !after.conditions?.some((c) => c.type === type)
  );
  const wanted: NodeStatus = { ...after, conditions: [...after.conditions ?? [], ...foreign] };
  const changed = !sameJson(own(quiet(before)), own(quiet(wanted)));
  if (!changed && !heartbeat) return undefined;
  const patch = strategicDiff(own(before), wanted as Json, { conditions: "type" });
  if (Array.isArray(patch.addresses)) {
    // Addresses are merged by type, of which one may come twice.
    patch.addresses = [...patch.addresses, { $patch: "replace" }];
  }
  return Object.keys(patch).length === 0 ? undefined : { status: patch };
}
