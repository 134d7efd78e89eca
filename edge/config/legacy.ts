import {
  type ConfigProblem,
  formatGoDuration,
  type ListNode,
  type MapNode,
  type ScalarNode,
  type TreeEntry,
  type TreeNode,
} from "../../common/config/mod.ts";
import { API_VERSION, OLD_API_VERSION } from "./schema.ts";

/** Where a key of the old `modules.edged` went. */
type Move =
  | { to: string; convert?: (value: TreeNode) => TreeNode | undefined; expected?: string }
  /** Nothing took its place. */
  | { gone: string };

const KUBELET = "tailoredKubeletConfig";
const CNI = "the container runtime has its own network settings";

/**
 * Keys of `modules.edged` up to v1.11 that have moved or gone; the others kept name and meaning.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/edgecore/v1alpha1 @ 16cd854
 */
const MOVES: Readonly<Record<string, Move>> = {
  labels: { to: "nodeLabels" },
  annotations: { gone: "set them with kubectl annotate node" },
  taints: { to: `${KUBELET}.registerWithTaints` },
  nodeStatusUpdateFrequency: { to: `${KUBELET}.nodeStatusUpdateFrequency`, ...integerOf("seconds", 1000) },
  runtimeType: { to: "containerRuntime", convert: runtimeOf, expected: "docker or remote" },
  dockerAddress: { gone: "the docker command line finds its engine itself; set DOCKER_HOST for another" },
  remoteRuntimeEndpoint: { to: `${KUBELET}.containerRuntimeEndpoint` },
  remoteImageEndpoint: { to: `${KUBELET}.imageServiceEndpoint` },
  clusterDNS: { to: `${KUBELET}.clusterDNS`, convert: listOf, expected: "an IP address" },
  clusterDomain: { to: `${KUBELET}.clusterDomain` },
  edgedMemoryCapacity: { gone: "the machine's memory is measured" },
  imagePullProgressDeadline: { gone: "the container runtime has its own" },
  runtimeRequestTimeout: { to: `${KUBELET}.runtimeRequestTimeout`, ...integerOf("minutes", 60_000) },
  registerNode: { to: `${KUBELET}.registerNode` },
  concurrentConsumers: { gone: "pods are worked on as they come" },
  devicePluginEnabled: { gone: "always on" },
  gpuPluginEnabled: { gone: "install the plugin of the device's maker" },
  imageGCHighThreshold: { to: `${KUBELET}.imageGCHighThresholdPercent` },
  imageGCLowThreshold: { to: `${KUBELET}.imageGCLowThresholdPercent` },
  maximumDeadContainersPerPod: { to: "maxPerPodContainerCount" },
  cgroupDriver: { to: `${KUBELET}.cgroupDriver` },
  networkPluginName: { gone: CNI },
  cniConfDir: { gone: CNI },
  cniBinDir: { gone: CNI },
  cniCacheDirs: { gone: CNI },
  networkPluginMTU: { gone: CNI },
  cgroupsPerQOS: { to: `${KUBELET}.cgroupsPerQOS` },
  cgroupRoot: { to: `${KUBELET}.cgroupRoot` },
  edgeCoreCgroups: { to: `${KUBELET}.kubeletCgroups` },
  systemCgroups: { to: `${KUBELET}.systemCgroups` },
  volumeStatsAggPeriod: { to: `${KUBELET}.volumeStatsAggPeriod`, ...integerOf("nanoseconds", 1e-6) },
  enableMetrics: { gone: "metrics are always on" },
};

/** v1.12 and v1.13 wrote v1alpha2 with these two still where they had been. */
const MOVES_IN_NEW_FILES = ["remoteRuntimeEndpoint", "remoteImageEndpoint"];

/** What {@linkcode convertOldConfig} made of a file. */
export interface Converted {
  root: TreeNode;
  /** One line for each key that moved or went. */
  notes: string[];
  problems: ConfigProblem[];
}

/** Brings the tree of an older `edgecore.yaml` into today's form; positions stay those of the file. */
export function convertOldConfig(root: TreeNode): Converted {
  const untouched: Converted = { root, notes: [], problems: [] };
  const modules = child(root, "modules");
  const edged = child(modules, "edged");
  if (root.kind !== "map" || modules?.kind !== "map" || edged?.kind !== "map") {
    return isOld(root) && root.kind === "map" ? { ...untouched, root: renamed(root) } : untouched;
  }
  const names = isOld(root) ? Object.keys(MOVES) : MOVES_IN_NEW_FILES;
  const notes: string[] = [];
  const problems: ConfigProblem[] = [];
  let result: MapNode = { ...edged, entries: edged.entries.filter((entry) => !names.includes(entry.key)) };
  const runtime = child(edged, "runtimeType");
  const usedDocker = isOld(root) && runtime?.kind === "scalar" && runtime.value === "docker";
  for (const entry of edged.entries) {
    const move = names.includes(entry.key) ? MOVES[entry.key] : undefined;
    if (move === undefined) continue;
    const old = `modules.edged.${entry.key} (line ${entry.position.line})`;
    if ("gone" in move) {
      notes.push(`${old} is no more: ${move.gone}`);
      continue;
    }
    // With dockershim these named the shim's own socket, where nothing listens now.
    if (MOVES_IN_NEW_FILES.includes(entry.key) && (usedDocker || isDockershim(entry.value))) {
      notes.push(`${old} named dockershim, which is no more; it is not used`);
      continue;
    }
    const value = move.convert === undefined ? entry.value : move.convert(entry.value);
    if (value === undefined) {
      const { position, kind } = entry.value;
      const found = kind === "scalar" ? JSON.stringify(entry.value.source.slice(0, 60)) : `a ${kind}`;
      problems.push({ path: `modules.edged.${entry.key}`, position, expected: move.expected ?? "", found });
      continue;
    }
    if (has(result, move.to.split("."))) {
      notes.push(`${old} gives way to modules.edged.${move.to}, which is there too`);
      continue;
    }
    notes.push(`${old} is read as modules.edged.${move.to}`);
    result = insert(result, move.to.split("."), entry, value);
  }
  if (isOld(root)) {
    notes.unshift(`${OLD_API_VERSION} is read as ${API_VERSION}; write the new form to keep it`);
  }
  const changed = replace(root, "modules", replace(modules, "edged", result));
  return { root: isOld(root) ? renamed(changed) : changed, notes, problems };
}

function isDockershim(value: TreeNode): boolean {
  return value.kind === "scalar" && value.source.endsWith("/dockershim.sock");
}

function isOld(root: TreeNode): boolean {
  const version = child(root, "apiVersion");
  return version?.kind === "scalar" && version.value === OLD_API_VERSION;
}

function renamed(root: MapNode): MapNode {
  const version = child(root, "apiVersion");
  if (version?.kind !== "scalar") return root;
  return replace(root, "apiVersion", { ...version, value: API_VERSION, source: API_VERSION });
}

function child(node: TreeNode | undefined, key: string): TreeNode | undefined {
  return node?.kind === "map" ? node.entries.find((entry) => entry.key === key)?.value : undefined;
}

function has(node: TreeNode, [name = "", ...rest]: string[]): boolean {
  const value = child(node, name);
  return value !== undefined && (rest.length === 0 || has(value, rest));
}

function replace(node: MapNode, key: string, value: TreeNode): MapNode {
  return { ...node, entries: node.entries.map((entry) => entry.key === key ? { ...entry, value } : entry) };
}

/** The map with a value at a path of keys, whose position is that of the old entry. */
function insert(node: MapNode, [name = "", ...rest]: string[], old: TreeEntry, value: TreeNode): MapNode {
  const { position } = old;
  if (rest.length === 0) return { ...node, entries: [...node.entries, { key: name, position, value }] };
  const present = child(node, name);
  const section: MapNode = present?.kind === "map" ? present : { kind: "map", position, entries: [] };
  const filled = insert(section, rest, old, value);
  if (present !== undefined) return replace(node, name, filled);
  return { ...node, entries: [...node.entries, { key: name, position, value: filled }] };
}

/** A whole number of a unit as a duration. */
function integerOf(unit: string, unitMs: number): Omit<Extract<Move, { to: string }>, "to"> {
  return {
    expected: `a whole number of ${unit}`,
    convert: (value) => {
      if (value.kind !== "scalar" || !Number.isSafeInteger(value.value)) return undefined;
      return textNode(value, formatGoDuration(Number(value.value) * unitMs));
    },
  };
}

function runtimeOf(value: TreeNode): TreeNode | undefined {
  if (value.kind !== "scalar") return undefined;
  if (value.value === "docker") return textNode(value, "docker");
  return value.value === "remote" || value.value === "" ? textNode(value, "") : undefined;
}

function listOf(value: TreeNode): TreeNode | undefined {
  if (value.kind !== "scalar") return undefined;
  const list: ListNode = {
    kind: "list",
    position: value.position,
    items: value.source === "" ? [] : [value],
  };
  return list;
}

function textNode(at: ScalarNode, text: string): ScalarNode {
  return { kind: "scalar", position: at.position, value: text, source: text, plain: false };
}
