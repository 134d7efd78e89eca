import type { Clock, Logger } from "../../../common/module/mod.ts";
import { type EngineChoices, planCreateContainer, planRunSandbox, type SandboxFacts } from "./docker_args.ts";
import { checkId, DockerClient } from "./docker_client.ts";
import { engineError } from "./docker_errors.ts";
import { DockerImages } from "./docker_images.ts";
import { Label } from "./docker_names.ts";
import {
  containerStatusOf,
  type Inspected,
  listedContainer,
  listedSandbox,
  sandboxOf,
} from "./docker_parse.ts";
import { dockerEvents, dockerLogs, type LogChoice } from "./docker_streams.ts";
import { type Processes, ProcessTimeoutError } from "./processes.ts";
import {
  type CallOptions,
  type Container,
  type ContainerConfig,
  type ContainerRuntime,
  type ContainerRuntimeStatus,
  type ExecResult,
  type ImageAuth,
  type ImageInfo,
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeEvent,
  type RuntimeVersion,
} from "./types.ts";

/** What {@linkcode dockerRuntime} uses. */
export interface DockerComponents {
  processes: Processes;
  clock: Clock;
  log: Logger;
}

export interface DockerOptions {
  /** Node that this program is: what another one made on the same engine is left alone. */
  nodeName: string;
  /** The engine's client. @default "docker" */
  binary?: string;
  /** Address of the engine, as `unix:///var/run/docker.sock`. @default what the client finds */
  host?: string;
  /** How long the engine may take for one call. @default 120000, the kubelet's runtimeRequestTimeout */
  requestTimeoutMs?: number;
  /** Size at which the log of a container is turned over. @default 10485760 */
  logMaxSizeBytes?: number;
  /** How many logs are kept of a container. @default 5 */
  logMaxFiles?: number;
}

/** Output of a command inside a container that is kept. */
const EXEC_LIMIT_BYTES = 1 << 20;
/** How long the engine may take beyond the grace period to end a container. */
const STOP_MARGIN_MS = 60_000;
/** Exit code of a container that was killed. */
const KILLED = 137;
/** Sandboxes and containers whose unchanging part is remembered, so that a list costs one process. */
const MAX_REMEMBERED = 4096;

/**
 * Docker through its command-line client.
 *
 * A sandbox is a pause container that owns the network and IPC namespaces; names and labels are those of the kubelet with
 * cri-dockerd, so `docker ps` looks familiar. No shell, no value of a variable on a command line, nothing spawned when idle
 * but the stream of events. Limits: `stdinOnce` is what the client makes of `stdin`; annotations longer than 128 KiB are
 * refused.
 */
export function dockerRuntime(components: DockerComponents, options: DockerOptions): ContainerRuntime {
  return new DockerRuntime(components, options);
}

class DockerRuntime implements ContainerRuntime {
  readonly #client: DockerClient;
  readonly #images: DockerImages;
  readonly #log: Logger;
  readonly #choices: EngineChoices;
  readonly #remembered = new Map<string, Inspected>();
  readonly #facts = new Map<string, SandboxFacts>();
  /** Containers that ran out of memory by the engine's events: one that ends before the engine noticed does not show it. */
  readonly #outOfMemory = new Map<string, true>();
  /** Whether the engine was seen to lower, or not to lower, an OOM score. */
  #oomScoreKnown = false;

  constructor({ processes, clock, log }: DockerComponents, options: DockerOptions) {
    const {
      nodeName,
      binary = "docker",
      host = "",
      requestTimeoutMs = 120_000,
      logMaxSizeBytes = 10 << 20,
      logMaxFiles = 5,
    } = options;
    this.#client = new DockerClient(processes, clock, binary, requestTimeoutMs, host);
    this.#images = new DockerImages(this.#client);
    this.#log = log;
    this.#choices = { nodeName, logMaxSizeBytes, logMaxFiles, mayLowerOomScore: true };
  }

  async version(options: CallOptions = {}): Promise<RuntimeVersion> {
    const args = ["version", "--format={{.Server.Version}}"];
    const version = (await this.#client.run("Cannot ask the engine's version", { ...options, args })).trim();
    return { name: this.#client.binary.split("/").pop() ?? "docker", version };
  }

  async runPodSandbox(config: PodSandboxConfig, options: CallOptions = {}): Promise<string> {
    const action = `Cannot make the sandbox of pod "${config.pod.namespace}/${config.pod.name}"`;
    const lowered = this.#choices.mayLowerOomScore;
    let made = await this.#tryRunSandbox(action, config, options);
    const stillUnsure = () => !this.#oomScoreKnown;
    const perhapsScore = lowered && (stillUnsure() || !this.#choices.mayLowerOomScore);
    if (typeof made !== "string" && perhapsScore && isStartFailure(made)) {
      // Without CAP_SYS_RESOURCE the engine cannot lower the score, and its message does not always say so.
      this.#choices.mayLowerOomScore = false;
      const again = await this.#tryRunSandbox(action, config, options);
      // Others may have found out meanwhile.
      if (typeof again === "string" && stillUnsure()) {
        this.#log.warning("The engine cannot lower OOM scores; pods go without negative ones", {
          err: made.message,
        });
      } else if (stillUnsure()) this.#choices.mayLowerOomScore = true;
      made = again;
    }
    if (typeof made !== "string") throw made;
    this.#oomScoreKnown = true;
    this.#setFacts(made, factsOf(config));
    return made;
  }

  /** The id, or what the engine said; then nothing is left behind. */
  async #tryRunSandbox(
    action: string,
    config: PodSandboxConfig,
    options: CallOptions,
  ): Promise<string | RuntimeError> {
    const { name, ...call } = planRunSandbox(config, this.#choices);
    try {
      return await this.#make(action, name, { ...options, ...call });
    } catch (error) {
      // The caller's signal must not keep a half-made sandbox alive.
      await this.#remove(action, [name]);
      if (error instanceof RuntimeError) return error;
      throw error;
    }
  }

  /**
   * Makes a container and gives its id. One of the same name that does not run was left by an attempt that nobody saw the
   * end of, and makes room.
   */
  async #make(action: string, name: string, call: CallOptions & { args: string[] }): Promise<string> {
    for (let first = true;; first = false) {
      const outcome = await this.#client.try(action, call);
      if (outcome.code === 0) {
        const id = outcome.stdout.trim().split("\n").pop() ?? "";
        return checkId(id);
      }
      if (!first || !/is already in use by container/i.test(outcome.stderr)) {
        throw engineError(action, outcome.code, outcome.stderr);
      }
      await this.#client.run(action, { args: ["rm", "--volumes", "--", name] });
    }
  }

  async stopPodSandbox(id: string, options: CallOptions = {}): Promise<void> {
    const action = `Cannot stop sandbox ${checkId(id).slice(0, 12)}`;
    const ids = await this.#idsIn(action, id, options);
    await this.#ignoreGone(action, { ...options, args: ["kill", ...ids, id] });
  }

  async removePodSandbox(id: string, options: CallOptions = {}): Promise<void> {
    const action = `Cannot remove sandbox ${checkId(id).slice(0, 12)}`;
    const ids = [...await this.#idsIn(action, id, options, "--all"), id];
    await this.#remove(action, ids, options);
    this.#facts.delete(id);
    for (const gone of ids) this.#remembered.delete(gone);
  }

  async podSandboxStatus(id: string, options: CallOptions = {}): Promise<PodSandboxStatus> {
    const inspected = await this.#client.inspect(id, options.signal);
    if (inspected?.type !== "podsandbox") throw new RuntimeError("not-found", `No such sandbox: ${id}`);
    this.#remember(inspected);
    return sandboxOf(inspected);
  }

  listPodSandboxes(filter: { podUid?: string } = {}, options: CallOptions = {}): Promise<PodSandbox[]> {
    return this.#list("podsandbox", filter.podUid, options, listedSandbox);
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    options: CallOptions = {},
  ): Promise<string> {
    const action = `Cannot create container "${config.name}"`;
    const facts = await this.#factsOf(sandboxId, options);
    const { name, ...call } = planCreateContainer(sandboxId, facts, config, this.#choices);
    return await this.#make(action, name, { ...options, ...call });
  }

  async startContainer(id: string, options: CallOptions = {}): Promise<void> {
    await this.#client.run("Cannot start container", { ...options, args: ["start", checkId(id)] });
  }

  async stopContainer(id: string, graceSeconds: number, options: CallOptions = {}): Promise<void> {
    const grace = Math.max(0, Math.ceil(graceSeconds));
    await this.#ignoreGone("Cannot stop container", {
      ...options,
      args: ["stop", "-t", String(grace), checkId(id)],
      timeoutMs: grace * 1000 + STOP_MARGIN_MS,
      slow: true,
    });
  }

  async removeContainer(id: string, options: CallOptions = {}): Promise<void> {
    await this.#remove("Cannot remove container", [checkId(id)], options);
    this.#remembered.delete(id);
    this.#outOfMemory.delete(id);
  }

  async containerStatus(id: string, options: CallOptions = {}): Promise<ContainerRuntimeStatus> {
    const inspected = await this.#client.inspect(id, options.signal);
    if (inspected?.type !== "container") throw new RuntimeError("not-found", `No such container: ${id}`);
    this.#remember(inspected);
    const imageId = await this.#images.nameOf(inspected.imageId, options);
    const status = { ...containerStatusOf(inspected), imageId };
    const killed = status.exitCode === KILLED && status.reason === "Error" &&
      this.#outOfMemory.has(inspected.id);
    return killed ? { ...status, reason: "OOMKilled" } : status;
  }

  listContainers(filter: { podUid?: string } = {}, options: CallOptions = {}): Promise<Container[]> {
    return this.#list("container", filter.podUid, options, listedContainer);
  }

  async execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
    options: CallOptions = {},
  ): Promise<ExecResult> {
    const action = "Cannot run a command in the container";
    if (command.length === 0 || command[0] === "") {
      throw new RuntimeError("invalid", `${action}: it is empty`);
    }
    const args = ["exec", checkId(id), ...command];
    const call = { ...options, args, limitBytes: EXEC_LIMIT_BYTES, timeoutMs, slow: true };
    const outcome = await this.#client.try(action, call).catch((error) => {
      // It is the command that took too long, not the engine.
      if (!(error instanceof RuntimeError && error.cause instanceof ProcessTimeoutError)) throw error;
      throw new RuntimeError("failed", `${action}: it did not end in ${timeoutMs} ms`, { cause: error });
    });
    if (
      outcome.code === 1 &&
      /^(Error( response from daemon)?: |error during connect|Cannot connect)/.test(outcome.stderr)
    ) {
      throw engineError(action, outcome.code, outcome.stderr);
    }
    return { exitCode: outcome.code, output: outcome.output };
  }

  logs(id: string, options: LogChoice): AsyncIterable<Uint8Array> {
    return dockerLogs(this.#client, checkId(id), options);
  }

  imageStatus(reference: string, options?: CallOptions): Promise<ImageInfo | undefined> {
    return this.#images.status(reference, options);
  }

  pullImage(reference: string, auth: ImageAuth | undefined, options?: CallOptions): Promise<string> {
    return this.#images.pull(reference, auth, options);
  }

  listImages(options?: CallOptions): Promise<ImageInfo[]> {
    return this.#images.list(options);
  }

  removeImage(reference: string, options?: CallOptions): Promise<void> {
    return this.#images.remove(reference, options);
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    for await (const event of dockerEvents(this.#client, this.#choices.nodeName, signal)) {
      if (event.type === "oom") setBounded(this.#outOfMemory, event.containerId, true);
      yield event;
    }
  }

  /** Ids of the containers in a sandbox: those that run, or all. */
  async #idsIn(
    action: string,
    sandboxId: string,
    options: CallOptions,
    ...all: "--all"[]
  ): Promise<string[]> {
    const args = ["ps", ...all, "--quiet", "--no-trunc", `--filter=label=${Label.sandboxId}=${sandboxId}`];
    const printed = await this.#client.run(action, { ...options, args });
    return printed.split("\n").filter((line) => line !== "").map(checkId);
  }

  async #list<T>(
    type: Inspected["type"],
    podUid: string | undefined,
    options: CallOptions,
    make: (inspected: Inspected, status: string) => T,
  ): Promise<T[]> {
    const args = [
      "ps",
      "--all",
      "--no-trunc",
      "--format={{.ID}} {{.State}}",
      `--filter=label=${Label.type}=${type}`,
      `--filter=label=${Label.nodeName}=${this.#choices.nodeName}`,
    ];
    args.push(`--filter=label=${Label.podUid}${podUid === undefined ? "" : `=${podUid}`}`);
    const printed = await this.#client.run("Cannot list containers", { ...options, args });
    const rows = printed.split("\n").filter((line) => line !== "").map((line) => line.split(" "));
    // What does not change is remembered; one that was only made may have failed to start, which its state does not tell.
    const unknown = rows.filter(([id = "", state]) => state === "created" || !this.#remembered.has(id));
    const looked = await this.#client.inspectAll(unknown.map(([id = ""]) => id), options.signal);
    for (const inspected of looked.values()) this.#remember(inspected);
    return rows.flatMap(([id = "", state = ""]) => {
      const inspected = looked.get(id) ?? this.#remembered.get(id);
      return inspected === undefined ? [] : [make(inspected, state)];
    });
  }

  #remember(inspected: Inspected): void {
    setBounded(this.#remembered, inspected.id, inspected);
  }

  #setFacts(sandboxId: string, facts: SandboxFacts): void {
    setBounded(this.#facts, sandboxId, facts);
  }

  async #factsOf(sandboxId: string, { signal }: CallOptions): Promise<SandboxFacts> {
    const known = this.#facts.get(sandboxId);
    if (known !== undefined) return known;
    const inspected = await this.#client.inspect(sandboxId, signal);
    if (inspected?.type !== "podsandbox") {
      throw new RuntimeError("not-found", `No such sandbox: ${sandboxId}`);
    }
    // A sandbox from an earlier run of this program tells whether its score could be lowered.
    if (!this.#oomScoreKnown) {
      this.#choices.mayLowerOomScore = inspected.oomScoreAdj < 0;
      this.#oomScoreKnown = true;
    }
    this.#setFacts(sandboxId, inspected.facts);
    return inspected.facts;
  }

  async #remove(action: string, ids: readonly string[], options: CallOptions = {}): Promise<void> {
    await this.#ignoreGone(action, { ...options, args: ["rm", "--force", "--volumes", "--", ...ids] });
  }

  /** Runs a call whose purpose is fulfilled when the container is gone or has ended. */
  async #ignoreGone(action: string, call: Parameters<DockerClient["try"]>[1]): Promise<void> {
    const { code, stderr } = await this.#client.try(action, call);
    if (code === 0) return;
    const left = stderr.split("\n").filter((line) =>
      line.trim() !== "" &&
      !/no such container|is not running|removal of container .* is already in progress/i.test(line)
    );
    if (left.length > 0) throw engineError(action, code, left.join("\n"));
  }
}

/** Sets a key of a map in which the oldest make room. */
function setBounded<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_REMEMBERED) break;
    map.delete(oldest);
  }
}

function factsOf({ cgroupParent, hostNetwork, hostPID, hostIPC }: PodSandboxConfig): SandboxFacts {
  return { cgroupParent, hostNetwork, hostPID, hostIPC };
}

/** The engine made the container and could not start its process. */
function isStartFailure({ kind, message }: RuntimeError): boolean {
  return kind === "failed" && /oci runtime|shim task|oom_score_adj|crun|runc/i.test(message);
}
