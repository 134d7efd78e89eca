import type { Clock } from "../../../common/module/mod.ts";
import { identityLabels } from "./docker_names.ts";
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
} from "./types.ts";

/** What a container of {@linkcode MemoryRuntime} does once it is started. */
export interface MemoryProgram {
  /** Starting fails with this text, as for an executable that is not there; `exitCode` is then 127 unless given. */
  startError?: string;
  /** Ends by itself after this many milliseconds of the clock; absent: runs until stopped. */
  runsForMs?: number;
  /** Exit code when it ends by itself. @default 0 */
  exitCode?: number;
  oomKilled?: boolean;
  /** Exit code when asked to end, "ignore" to be killed after the grace period with 137. @default 143 */
  onTerm?: number | "ignore";
  /** What it writes at its start. */
  output?: string;
  /** Answers commands run inside. @default exit code 0 and no output */
  exec?: (command: readonly string[], timeoutMs: number) => ExecResult;
}

/** An image of {@linkcode MemoryRuntime}. */
export interface MemoryImage {
  reference: string;
  id?: string;
  user?: string;
  sizeBytes?: number;
}

export interface MemoryRuntimeOptions {
  clock: Clock;
  /** Images that are there. @default none */
  images?: readonly MemoryImage[];
  /** Images that a pull finds. @default none */
  registry?: readonly MemoryImage[];
  /** What a container does. @default runs until stopped */
  program?: (config: ContainerConfig) => MemoryProgram;
  /** Whether a pull with this auth is let through. @default always */
  authorize?: (reference: string, auth: ImageAuth | undefined) => boolean;
}

interface StoredSandbox extends PodSandboxStatus {
  config: PodSandboxConfig;
}

interface StoredContainer extends ContainerRuntimeStatus {
  config: ContainerConfig;
  program: MemoryProgram;
  output: string;
  /** Wakes who waits for the end. */
  ended: Set<() => void>;
  /** Takes back the timer of a program that ends by itself. */
  timer: AbortController;
}

/** Names of the methods of a runtime, for {@linkcode MemoryRuntime.failNext}. */
export type RuntimeMethod = keyof ContainerRuntime;

/**
 * An in-memory container engine for tests: keeps the contract of {@linkcode ContainerRuntime} for what can be seen from
 * outside. It runs nothing, mounts nothing and bounds nothing; containers do what the given programs say.
 */
export class MemoryRuntime implements ContainerRuntime, Disposable {
  /** Every call so far, as `method id-or-name`. */
  readonly calls: string[] = [];
  readonly #options: MemoryRuntimeOptions;
  readonly #sandboxes = new Map<string, StoredSandbox>();
  readonly #containers = new Map<string, StoredContainer>();
  readonly #images = new Map<string, ImageInfo>();
  readonly #failures = new Map<RuntimeMethod, RuntimeError[]>();
  readonly #listeners = new Set<{ push(event: RuntimeEvent): void; end(error?: RuntimeError): void }>();
  #available = true;
  #nextId = 1;
  #nextIp = 2;

  constructor(options: MemoryRuntimeOptions) {
    this.#options = options;
    for (const image of options.images ?? []) this.addImage(image);
  }

  // What tests do to it.

  /** Puts an image there. Returns its id. */
  addImage({ reference, id, user = "", sizeBytes = 1 << 20 }: MemoryImage): string {
    const imageId = id ?? `sha256:${this.#hex()}`;
    this.#images.set(reference, { id: imageId, repoTags: [reference], repoDigests: [], sizeBytes, user });
    return imageId;
  }

  /** The next call of `method` rejects with `error`; calls queue up. */
  failNext(method: RuntimeMethod, error: RuntimeError): void {
    this.#failures.set(method, [...this.#failures.get(method) ?? [], error]);
  }

  /** The engine stops answering: every call rejects with `unavailable`, event streams end. Containers go on. */
  stopEngine(): void {
    this.#available = false;
    for (const listener of [...this.#listeners]) {
      listener.end(new RuntimeError("unavailable", "The engine stopped"));
    }
  }

  /** The engine answers again, with everything as it was. */
  startEngine(): void {
    this.#available = true;
  }

  /** A running container ends as if by itself. @throws {RuntimeError} not-found */
  exit(id: string, exitCode: number, options: { oomKilled?: boolean; message?: string } = {}): void {
    const container = this.#container(id);
    if (options.oomKilled) this.#emit(container.pod.uid, id, "oom");
    this.#end(container, exitCode, options);
  }

  /** The machine was cut off: nothing runs any more, everything made is still listed. */
  reboot(): void {
    for (const container of this.#containers.values()) this.#end(container, 255, {});
    for (const sandbox of this.#sandboxes.values()) this.#stopSandbox(sandbox);
  }

  /** The configuration a container was made with. @throws {RuntimeError} not-found */
  containerConfig(id: string): ContainerConfig {
    return this.#container(id).config;
  }

  /** The configuration a sandbox was made with. @throws {RuntimeError} not-found */
  sandboxConfig(id: string): PodSandboxConfig {
    return this.#sandbox(id).config;
  }

  /** A program writes more. @throws {RuntimeError} not-found */
  write(id: string, text: string): void {
    this.#container(id).output += text;
  }

  /** Ends event streams and takes back timers. */
  [Symbol.dispose](): void {
    for (const container of this.#containers.values()) container.timer.abort();
    for (const listener of [...this.#listeners]) listener.end();
  }

  // What edged does with it.

  async version(options: CallOptions = {}) {
    await this.#enter("version", "", options);
    return { name: "memory", version: "1.0.0" };
  }

  async runPodSandbox(config: PodSandboxConfig, options: CallOptions = {}): Promise<string> {
    await this.#enter("runPodSandbox", config.pod.name, options);
    this.#requireImage(config.image);
    for (const s of this.#sandboxes.values()) {
      if (s.pod.uid === config.pod.uid && s.attempt === config.attempt) {
        throw new RuntimeError(
          "failed",
          `Cannot make sandbox of pod ${config.pod.name}: attempt ${config.attempt} exists`,
        );
      }
    }
    const id = this.#hex();
    this.#sandboxes.set(id, {
      id,
      pod: { ...config.pod },
      attempt: config.attempt,
      state: "ready",
      createdAt: this.#options.clock.now(),
      labels: { ...config.labels, ...identityLabels(config.pod) },
      annotations: { ...config.annotations },
      ips: config.hostNetwork ? [] : [`10.88.${this.#nextIp >> 8}.${this.#nextIp++ & 255}`],
      config,
    });
    this.#emit(config.pod.uid, id, "created");
    this.#emit(config.pod.uid, id, "started");
    return id;
  }

  async stopPodSandbox(id: string, options: CallOptions = {}): Promise<void> {
    await this.#enter("stopPodSandbox", id, options);
    for (const c of this.#containers.values()) if (c.sandboxId === id) this.#end(c, 137, {});
    const sandbox = this.#sandboxes.get(id);
    if (sandbox !== undefined) this.#stopSandbox(sandbox);
  }

  async removePodSandbox(id: string, options: CallOptions = {}): Promise<void> {
    await this.#enter("removePodSandbox", id, options);
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    for (const c of [...this.#containers.values()]) if (c.sandboxId === id) this.#remove(c);
    this.#stopSandbox(sandbox);
    this.#sandboxes.delete(id);
    this.#emit(sandbox.pod.uid, id, "removed");
  }

  async podSandboxStatus(id: string, options: CallOptions = {}): Promise<PodSandboxStatus> {
    await this.#enter("podSandboxStatus", id, options);
    const { config: _, ...status } = this.#sandbox(id);
    return structuredClone(status);
  }

  async listPodSandboxes(filter: { podUid?: string } = {}, options: CallOptions = {}): Promise<PodSandbox[]> {
    await this.#enter("listPodSandboxes", filter.podUid ?? "", options);
    return [...this.#sandboxes.values()].reverse()
      .filter((s) => filter.podUid === undefined || s.pod.uid === filter.podUid)
      .map(({ config: _, ips: __, ...sandbox }) => structuredClone(sandbox));
  }

  async createContainer(
    sandboxId: string,
    config: ContainerConfig,
    options: CallOptions = {},
  ): Promise<string> {
    await this.#enter("createContainer", config.name, options);
    if (this.#sandbox(sandboxId).state !== "ready") {
      throw new RuntimeError("failed", `Cannot create container "${config.name}": its sandbox is not ready`);
    }
    const image = this.#requireImage(config.image);
    for (const c of this.#containers.values()) {
      if (c.sandboxId === sandboxId && c.name === config.name && c.attempt === config.attempt) {
        throw new RuntimeError(
          "failed",
          `Cannot create container "${config.name}": attempt ${config.attempt} exists`,
        );
      }
    }
    const id = this.#hex();
    this.#containers.set(id, {
      id,
      sandboxId,
      pod: { ...config.pod },
      name: config.name,
      attempt: config.attempt,
      state: "created",
      image: config.image,
      imageId: image.id,
      createdAt: this.#options.clock.now(),
      labels: { ...config.labels, ...identityLabels(config.pod, config.name) },
      annotations: { ...config.annotations },
      config,
      program: this.#options.program?.(config) ?? {},
      output: "",
      ended: new Set(),
      timer: new AbortController(),
    });
    this.#emit(config.pod.uid, id, "created");
    return id;
  }

  async startContainer(id: string, options: CallOptions = {}): Promise<void> {
    await this.#enter("startContainer", id, options);
    const container = this.#container(id);
    if (container.state === "running") return;
    if (this.#sandbox(container.sandboxId).state !== "ready") {
      throw new RuntimeError(
        "failed",
        `Cannot start container "${container.name}": its sandbox is not ready`,
      );
    }
    const { program } = container;
    if (program.startError !== undefined) {
      container.startedAt = container.finishedAt = container.createdAt;
      container.state = "exited";
      container.exitCode = program.exitCode ?? 127;
      container.reason = "ContainerCannotRun";
      container.message = program.startError;
      throw new RuntimeError("failed", program.startError);
    }
    container.state = "running";
    container.startedAt = this.#options.clock.now();
    delete container.finishedAt;
    delete container.exitCode;
    delete container.reason;
    container.output += program.output ?? "";
    container.timer = new AbortController();
    this.#emit(container.pod.uid, id, "started");
    if (program.runsForMs === undefined) return;
    const { signal } = container.timer;
    this.#options.clock.sleep(program.runsForMs, { signal }).then(
      () => {
        if (program.oomKilled) this.#emit(container.pod.uid, id, "oom");
        this.#end(container, program.exitCode ?? 0, program);
      },
      (reason) => {
        if (!signal.aborted) throw reason;
      },
    );
  }

  async stopContainer(id: string, graceSeconds: number, options: CallOptions = {}): Promise<void> {
    await this.#enter("stopContainer", id, options);
    const container = this.#containers.get(id);
    if (container?.state !== "running") return;
    const { onTerm = 143 } = container.program;
    if (onTerm !== "ignore") return this.#end(container, onTerm, {});
    await this.#options.clock.sleep(graceSeconds * 1000, options);
    this.#end(container, 137, {});
  }

  async removeContainer(id: string, options: CallOptions = {}): Promise<void> {
    await this.#enter("removeContainer", id, options);
    const container = this.#containers.get(id);
    if (container !== undefined) this.#remove(container);
  }

  async containerStatus(id: string, options: CallOptions = {}): Promise<ContainerRuntimeStatus> {
    await this.#enter("containerStatus", id, options);
    return statusOf(this.#container(id));
  }

  async listContainers(filter: { podUid?: string } = {}, options: CallOptions = {}): Promise<Container[]> {
    await this.#enter("listContainers", filter.podUid ?? "", options);
    return [...this.#containers.values()].reverse()
      .filter((c) => filter.podUid === undefined || c.pod.uid === filter.podUid)
      .map((c) => {
        const { id, sandboxId, pod, name, attempt, state, image, createdAt, labels, annotations } = statusOf(
          c,
        );
        return { id, sandboxId, pod, name, attempt, state, image, createdAt, labels, annotations };
      });
  }

  async execSync(
    id: string,
    command: readonly string[],
    timeoutMs: number,
    options: CallOptions = {},
  ): Promise<ExecResult> {
    await this.#enter("execSync", id, options);
    const container = this.#container(id);
    if (container.state !== "running") {
      throw new RuntimeError(
        "failed",
        `Cannot run a command in container "${container.name}": it is not running`,
      );
    }
    return container.program.exec?.(command, timeoutMs) ?? { exitCode: 0, output: "" };
  }

  /** Times are not kept: `timestamps` and `sinceMs` are ignored. */
  async *logs(
    id: string,
    options: CallOptions & { follow?: boolean; tailLines?: number; timestamps?: boolean; sinceMs?: number },
  ): AsyncIterable<Uint8Array> {
    await this.#enter("logs", id, options);
    const container = this.#container(id);
    const lines = container.output.split(/(?<=\n)/);
    const shown = options.tailLines === undefined
      ? lines
      : options.tailLines === 0
      ? []
      : lines.slice(-options.tailLines);
    const sent = container.output.length;
    const encoder = new TextEncoder();
    if (shown.join("") !== "") yield encoder.encode(shown.join(""));
    while (options.follow && container.state === "running" && !options.signal?.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          container.ended.delete(wake);
          options.signal?.removeEventListener("abort", wake);
          resolve();
        };
        container.ended.add(wake);
        options.signal?.addEventListener("abort", wake, { once: true });
      });
    }
    if (container.output.length > sent) {
      yield encoder.encode(container.output.slice(sent));
    }
  }

  async imageStatus(reference: string, options: CallOptions = {}): Promise<ImageInfo | undefined> {
    await this.#enter("imageStatus", reference, options);
    const image = this.#image(reference);
    return image === undefined ? undefined : structuredClone(image);
  }

  async pullImage(
    reference: string,
    auth: ImageAuth | undefined,
    options: CallOptions = {},
  ): Promise<string> {
    await this.#enter("pullImage", reference, options);
    const image = this.#options.registry?.find((i) => i.reference === reference);
    if (image === undefined) {
      throw new RuntimeError(
        "image-missing",
        `Cannot pull image "${reference}": the registry does not have it`,
      );
    }
    if (this.#options.authorize?.(reference, auth) === false) {
      throw new RuntimeError("image-missing", `Cannot pull image "${reference}": access denied`);
    }
    return this.addImage(image);
  }

  async listImages(options: CallOptions = {}): Promise<ImageInfo[]> {
    await this.#enter("listImages", "", options);
    return structuredClone([...this.#images.values()]);
  }

  async removeImage(reference: string, options: CallOptions = {}): Promise<void> {
    await this.#enter("removeImage", reference, options);
    for (const [name, image] of this.#images) {
      if (name === reference || image.id === reference) this.#images.delete(name);
    }
  }

  async *events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    await this.#enter("events", "", {});
    const queue: RuntimeEvent[] = [];
    let end: { error?: RuntimeError } | undefined;
    let wake = () => {};
    const listener = {
      push: (event: RuntimeEvent) => {
        queue.push(event);
        wake();
      },
      end: (error?: RuntimeError) => {
        end ??= error === undefined ? {} : { error };
        wake();
      },
    };
    const stop = () => listener.end();
    if (signal.aborted) return;
    signal.addEventListener("abort", stop, { once: true });
    this.#listeners.add(listener);
    try {
      while (true) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event;
        if (end?.error !== undefined) throw end.error;
        if (end !== undefined) return;
        await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", stop);
    }
  }

  /** Notes the call, and fails it where it has to fail; always a turn of the event loop later, as a real engine would. */
  async #enter(method: RuntimeMethod, subject: string, { signal }: CallOptions): Promise<void> {
    this.calls.push(subject === "" ? method : `${method} ${subject}`);
    await Promise.resolve();
    signal?.throwIfAborted();
    const failure = this.#failures.get(method)?.shift();
    if (failure !== undefined) throw failure;
    if (!this.#available) throw new RuntimeError("unavailable", "The engine does not answer");
  }

  #hex(): string {
    return (this.#nextId++).toString(16).padStart(64, "0");
  }

  #image(reference: string): ImageInfo | undefined {
    return this.#images.get(reference) ?? [...this.#images.values()].find((i) => i.id === reference);
  }

  #requireImage(reference: string): ImageInfo {
    const image = this.#image(reference);
    if (image !== undefined) return image;
    throw new RuntimeError("image-missing", `No such image: ${reference}`);
  }

  #sandbox(id: string): StoredSandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new RuntimeError("not-found", `No such sandbox: ${id}`);
    return sandbox;
  }

  #container(id: string): StoredContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new RuntimeError("not-found", `No such container: ${id}`);
    return container;
  }

  #stopSandbox(sandbox: StoredSandbox): void {
    if (sandbox.state === "notready") return;
    sandbox.state = "notready";
    sandbox.ips = [];
    this.#emit(sandbox.pod.uid, sandbox.id, "stopped");
  }

  #end(container: StoredContainer, exitCode: number, how: { oomKilled?: boolean; message?: string }): void {
    if (container.state !== "running") return;
    container.timer.abort();
    container.state = "exited";
    container.finishedAt = this.#options.clock.now();
    container.exitCode = exitCode;
    container.reason = how.oomKilled ? "OOMKilled" : exitCode === 0 ? "Completed" : "Error";
    if (how.message !== undefined) container.message = how.message;
    for (const wake of container.ended) wake();
    container.ended.clear();
    this.#emit(container.pod.uid, container.id, "stopped");
  }

  #remove(container: StoredContainer): void {
    this.#end(container, 137, {});
    this.#containers.delete(container.id);
    this.#emit(container.pod.uid, container.id, "removed");
  }

  #emit(podUid: string, containerId: string, type: RuntimeEvent["type"]): void {
    for (const listener of [...this.#listeners]) listener.push({ podUid, containerId, type });
  }
}

function statusOf(container: StoredContainer): ContainerRuntimeStatus {
  const { config: _, program: __, output: ___, ended: ____, timer: _____, ...status } = container;
  return structuredClone(status);
}
