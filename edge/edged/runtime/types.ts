/*
 * What edged needs of a container runtime, in the words of CRI so that docker, ctr and CRI itself all fit behind it.
 * Upstream: k8s.io/cri-api pkg/apis/runtime/v1/api.proto @ v0.32
 */

/** A runtime cannot do what was asked; `kind` says what to do about it. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
  /**
   * `not-found`: the sandbox, container or image is not there. `unavailable`: the engine does not answer; try later.
   * `image-missing`: neither here nor to be pulled. `invalid`: the engine refuses the configuration; `failed`: anything else.
   */
  readonly kind: "not-found" | "unavailable" | "image-missing" | "invalid" | "failed";

  constructor(kind: RuntimeError["kind"], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}

/** Which engine answers. */
export interface RuntimeVersion {
  /** As in `containerRuntimeVersion` of a node: "docker", "containerd". */
  name: string;
  version: string;
}

/** Identity of a pod as it stands in labels. */
export interface PodIdentity {
  namespace: string;
  name: string;
  uid: string;
}

/** A port of the node that leads to a port of the pod. */
export interface PortMapping {
  protocol: "TCP" | "UDP" | "SCTP";
  containerPort: number;
  hostPort: number;
  /** Empty for all addresses. */
  hostIP: string;
}

/** The shell of a pod: its network and IPC namespaces, held by a pause container. */
export interface PodSandboxConfig {
  pod: PodIdentity;
  /** How often the sandbox of this pod was made anew, from 0. */
  attempt: number;
  hostname: string;
  hostNetwork: boolean;
  hostPID: boolean;
  hostIPC: boolean;
  portMappings: PortMapping[];
  /** Absent: the engine's own. */
  dns?: { servers: string[]; searches: string[]; options: string[] };
  /** Lines of /etc/hosts beside the engine's own. @default none */
  hostAliases?: Array<{ ip: string; hostnames: string[] }>;
  sysctls: Record<string, string>;
  /** cgroup the containers go under; empty for the engine's own. */
  cgroupParent: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Image of the pause container. */
  image: string;
}

export interface PodSandbox {
  id: string;
  pod: PodIdentity;
  attempt: number;
  state: "ready" | "notready";
  /** Unix milliseconds. */
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** A sandbox with its addresses; empty for a pod on the host's network or one that is not ready. */
export interface PodSandboxStatus extends PodSandbox {
  ips: string[];
}

/** A file or directory of the node inside a container. */
export interface Mount {
  hostPath: string;
  containerPath: string;
  readOnly: boolean;
  propagation: "private" | "hostToContainer" | "bidirectional";
}

/** Bounds on a container, in the units of the Linux kernel; 0 or absent means no bound. */
export interface LinuxResources {
  cpuShares?: number;
  cpuQuotaMicros?: number;
  cpuPeriodMicros?: number;
  memoryLimitBytes?: number;
  oomScoreAdj?: number;
}

export interface ContainerSecurity {
  privileged: boolean;
  readOnlyRootFilesystem: boolean;
  noNewPrivileges: boolean;
  /** Numeric ids; absent: the image's own. */
  runAsUser?: number;
  runAsGroup?: number;
  supplementalGroups: number[];
  addCapabilities: string[];
  dropCapabilities: string[];
}

export interface ContainerConfig {
  pod: PodIdentity;
  /** Name in the pod's spec. */
  name: string;
  /** How often this container was made anew, from 0. */
  attempt: number;
  /** Image reference or id that the engine has. */
  image: string;
  /** Absent: the image's entrypoint. */
  command?: string[];
  args?: string[];
  workingDir?: string;
  env: Array<{ name: string; value: string }>;
  mounts: Mount[];
  resources: LinuxResources;
  security: ContainerSecurity;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

export interface Container {
  id: string;
  sandboxId: string;
  pod: PodIdentity;
  name: string;
  attempt: number;
  state: "created" | "running" | "exited" | "unknown";
  /** As it was given at creation. */
  image: string;
  /** Unix milliseconds. */
  createdAt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

/** Everything known of one container. */
export interface ContainerRuntimeStatus extends Container {
  /** `<name>@sha256:…` or the image's id. */
  imageId: string;
  /** Unix milliseconds; absent before it happened. */
  startedAt?: number;
  finishedAt?: number;
  exitCode?: number;
  /** "Completed", "Error", "OOMKilled", "ContainerCannotRun", as the kubelet shows it. */
  reason?: string;
  message?: string;
}

export interface ImageInfo {
  id: string;
  repoTags: string[];
  repoDigests: string[];
  sizeBytes: number;
  /** User in the image's configuration; empty for root. */
  user: string;
}

export interface ImageAuth {
  username: string;
  password: string;
  serverAddress?: string;
}

/** Something happened to a sandbox or container: look again at its pod. */
export interface RuntimeEvent {
  podUid: string;
  containerId: string;
  type: "created" | "started" | "stopped" | "removed" | "oom";
}

export interface ExecResult {
  exitCode: number;
  /** Standard output and error together, cut at 1 MiB. */
  output: string;
}

export interface CallOptions {
  signal?: AbortSignal;
}

/**
 * A container engine. Only what edged made is seen: sandboxes and containers without the kubelet's labels are not listed.
 * Every method rejects with {@linkcode RuntimeError}. Stopping and removing what is gone already succeeds.
 */
export interface ContainerRuntime {
  version(options?: CallOptions): Promise<RuntimeVersion>;

  /** Makes and starts the sandbox; when it fails nothing is left behind. Resolves to its id. */
  runPodSandbox(config: PodSandboxConfig, options?: CallOptions): Promise<string>;
  /** Stops the sandbox and every container in it, at once. */
  stopPodSandbox(id: string, options?: CallOptions): Promise<void>;
  removePodSandbox(id: string, options?: CallOptions): Promise<void>;
  podSandboxStatus(id: string, options?: CallOptions): Promise<PodSandboxStatus>;
  /** Newest first. */
  listPodSandboxes(filter?: { podUid?: string }, options?: CallOptions): Promise<PodSandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig, options?: CallOptions): Promise<string>;
  startContainer(id: string, options?: CallOptions): Promise<void>;
  /** Asks the container to end, and kills it after `graceSeconds`. Resolves when it has ended. */
  stopContainer(id: string, graceSeconds: number, options?: CallOptions): Promise<void>;
  removeContainer(id: string, options?: CallOptions): Promise<void>;
  containerStatus(id: string, options?: CallOptions): Promise<ContainerRuntimeStatus>;
  /** Running and ended ones, newest first. */
  listContainers(filter?: { podUid?: string }, options?: CallOptions): Promise<Container[]>;
  /** Runs a command inside and waits for it. */
  execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
    options?: CallOptions,
  ): Promise<ExecResult>;
  /** The container's output as it was written; ends with the container, or at once without `follow`. */
  logs(
    id: string,
    options: CallOptions & { follow?: boolean; tailLines?: number; timestamps?: boolean; sinceMs?: number },
  ): AsyncIterable<Uint8Array>;

  /** Undefined when the engine does not have the image. */
  imageStatus(reference: string, options?: CallOptions): Promise<ImageInfo | undefined>;
  /** Resolves to the image's id. */
  pullImage(reference: string, auth: ImageAuth | undefined, options?: CallOptions): Promise<string>;
  listImages(options?: CallOptions): Promise<ImageInfo[]>;
  removeImage(reference: string, options?: CallOptions): Promise<void>;

  /** Events from now on; ends or rejects when the engine stops, after which the caller lists everything and asks again. */
  events(signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}
