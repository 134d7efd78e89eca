import type { SandboxFacts } from "./docker_args.ts";
import { Label, parseAttempt, parseIdentity, splitLabels } from "./docker_names.ts";
import {
  type Container,
  type ContainerRuntimeStatus,
  type ImageInfo,
  type PodIdentity,
  type PodSandbox,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeEvent,
} from "./types.ts";

type Json = Record<string, unknown>;

/** A container of the engine as its `inspect` tells, as far as it is used. */
export interface Inspected {
  id: string;
  pod: PodIdentity;
  type: "podsandbox" | "container";
  sandboxId: string;
  containerName: string;
  attempt: number;
  createdAt: number;
  image: string;
  imageId: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  status: string;
  exitCode: number;
  error: string;
  oomKilled: boolean;
  startedAt: number | undefined;
  finishedAt: number | undefined;
  ips: string[];
  facts: SandboxFacts;
  /** The score it was made with; 0 for none. */
  oomScoreAdj: number;
}

/** The elements of a JSON array. @throws {RuntimeError} failed, when the text is not one */
export function parseArray(text: string): Json[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new RuntimeError("failed", "Cannot read the engine's answer: it is not JSON", { cause });
  }
  if (!Array.isArray(value)) throw new RuntimeError("failed", "Cannot read the engine's answer: not a list");
  return value.map(object);
}

/** One container out of `docker inspect`; undefined when it is not a kubelet's. */
export function parseInspected(json: Json): Inspected | undefined {
  const config = object(json.Config);
  const state = object(json.State);
  const host = object(json.HostConfig);
  const all = stringMap(config.Labels);
  const pod = parseIdentity(all);
  const type = all[Label.type];
  const id = string(json.Id);
  if (pod === undefined || (type !== "podsandbox" && type !== "container") || id === "") return undefined;
  const ips = Object.values(object(object(json.NetworkSettings).Networks)).map(object)
    .flatMap((network) => [string(network.IPAddress), string(network.GlobalIPv6Address)])
    .filter((ip) => ip !== "");
  const shown = splitLabels(all);
  // A sandbox is called POD in the engine only.
  if (type === "podsandbox") delete shown.labels[Label.containerName];
  return {
    id,
    pod,
    type,
    sandboxId: all[Label.sandboxId] ?? "",
    containerName: all[Label.containerName] ?? "",
    attempt: parseAttempt(string(json.Name)),
    createdAt: time(json.Created) ?? 0,
    image: string(config.Image),
    imageId: string(json.Image),
    ...shown,
    status: string(state.Status),
    exitCode: number(state.ExitCode),
    error: string(state.Error),
    oomKilled: state.OOMKilled === true,
    startedAt: time(state.StartedAt),
    finishedAt: time(state.FinishedAt),
    ips,
    facts: {
      cgroupParent: string(host.CgroupParent),
      hostNetwork: host.NetworkMode === "host",
      hostPID: host.PidMode === "host",
      hostIPC: host.IpcMode === "host",
    },
    oomScoreAdj: number(host.OomScoreAdj),
  };
}

/** The sandbox that an inspected container is. */
export function sandboxOf(inspected: Inspected): PodSandboxStatus {
  const { id, pod, attempt, createdAt, labels, annotations } = inspected;
  const state = sandboxState(inspected.status);
  return {
    id,
    pod,
    attempt,
    state,
    createdAt,
    labels,
    annotations,
    ips: state === "ready" ? inspected.ips : [],
  };
}

/** A sandbox as lists show it. */
export function listedSandbox(inspected: Inspected, status: string): PodSandbox {
  const { ips: _, ...sandbox } = sandboxOf({ ...inspected, status });
  return sandbox;
}

/** A container as lists show it. */
export function listedContainer(inspected: Inspected, status: string): Container {
  const { id, sandboxId, pod, containerName: name, attempt, image, createdAt, labels, annotations } =
    inspected;
  const state = containerState({ ...inspected, status });
  return { id, sandboxId, pod, name, attempt, state, image, createdAt, labels, annotations };
}

/**
 * Everything known of a container; `imageId` in the engine's words.
 * Upstream: cri-dockerd core/container_status.go @ v0.3
 */
export function containerStatusOf(inspected: Inspected): ContainerRuntimeStatus {
  const status: ContainerRuntimeStatus = {
    ...listedContainer(inspected, inspected.status),
    imageId: inspected.imageId,
  };
  const { createdAt, startedAt, finishedAt, exitCode, error, oomKilled } = inspected;
  if (error !== "") status.message = error;
  if (status.state === "running") status.startedAt = startedAt ?? createdAt;
  if (status.state !== "exited") return status;
  status.exitCode = exitCode;
  if (couldNotStart(inspected)) {
    status.startedAt = createdAt;
    status.finishedAt = createdAt;
    status.reason = "ContainerCannotRun";
    return status;
  }
  status.startedAt = startedAt ?? createdAt;
  status.finishedAt = finishedAt ?? createdAt;
  status.reason = oomKilled ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
  return status;
}

function sandboxState(status: string): PodSandbox["state"] {
  return status === "running" ? "ready" : "notready";
}

/** The engine leaves a container that it could not start as made, or as ended if it had run before. */
function couldNotStart({ status, exitCode, error, startedAt }: Inspected): boolean {
  return (status === "created" && exitCode !== 0) ||
    ((status === "exited" || status === "created") && startedAt === undefined && error !== "");
}

function containerState(inspected: Inspected): Container["state"] {
  switch (inspected.status) {
    case "running":
    case "paused":
    case "restarting":
      return "running";
    case "exited":
    case "dead":
      return "exited";
    case "created":
      return couldNotStart(inspected) ? "exited" : "created";
    default:
      return "unknown";
  }
}

/** One image out of `docker image inspect`. */
export function parseImage(json: Json): ImageInfo {
  return {
    id: string(json.Id),
    repoTags: strings(json.RepoTags),
    repoDigests: strings(json.RepoDigests),
    sizeBytes: number(json.Size),
    user: string(object(json.Config).User),
  };
}

const EVENT_TYPES: Readonly<Record<string, RuntimeEvent["type"]>> = {
  create: "created",
  start: "started",
  die: "stopped",
  destroy: "removed",
  oom: "oom",
};

/** Actions of the engine that {@linkcode parseEvent} knows. */
export const EVENT_ACTIONS: readonly string[] = Object.keys(EVENT_TYPES);

/** One line of `docker events`; undefined for what concerns no pod. */
export function parseEvent(line: string): RuntimeEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new RuntimeError("failed", "Cannot read an event of the engine: it is not JSON", { cause });
  }
  const json = object(value);
  const actor = object(json.Actor);
  const type = EVENT_TYPES[string(json.Action) || string(json.status)];
  const labels = stringMap(actor.Attributes);
  const podUid = labels[Label.podUid];
  const containerId = string(actor.ID) || string(json.id);
  if (type === undefined || podUid === undefined || labels[Label.type] === undefined || containerId === "") {
    return undefined;
  }
  return { podUid, containerId, type };
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : {};
}

function string(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];
}

function stringMap(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(object(value)).filter((e): e is [string, string] => typeof e[1] === "string"),
  );
}

/** Unix milliseconds of an RFC 3339 time; undefined for Go's zero time. */
function time(value: unknown): number | undefined {
  const ms = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}
