import { errorText } from "../../common/errors/mod.ts";
import type { Logger } from "../../common/module/mod.ts";
import { GRACE_ANNOTATION } from "./container_config.ts";
import type { CheckedPod } from "./parse_pod.ts";
import type { PodVolumes } from "./pod_environment.ts";
import type { PodRuntime } from "./pod_runtime.ts";
import {
  type Container,
  type ContainerRuntime,
  type ContainerRuntimeStatus,
  type PodSandbox,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeEvent,
} from "./runtime/types.ts";

/**
 * What the engine has of one pod, asked for again only when something may have changed: each question to an engine may be
 * a process of its own.
 */
export class PodView {
  readonly #uid: string;
  readonly #runtime: ContainerRuntime;
  #now: PodRuntime | undefined;
  #stale = true;
  /** A look is under way: what it will have seen of something that happens now is not known. */
  #looking = false;
  /**
   * What the engine said has ended, or why. Docker says so a little before its lists show it, and tells of memory that ran
   * out at any time; a look at the one container knows.
   */
  readonly #ended = new Set<string>();
  /** Termination messages by container id, read once. */
  readonly messages = new Map<string, string>();

  constructor(uid: string, runtime: ContainerRuntime) {
    this.#uid = uid;
    this.#runtime = runtime;
  }

  /** As last seen; undefined before the first look. */
  get now(): PodRuntime | undefined {
    return this.#now;
  }

  /** The next look asks the engine. */
  stale(): void {
    this.#stale = true;
  }

  /** Nothing that was seen is to be trusted. */
  forget(): void {
    this.#stale = true;
    this.#now = undefined;
  }

  /** What was seen, if it is all there is to know until something happens. */
  get #settled(): PodRuntime | undefined {
    return this.#stale || this.#looking ? undefined : this.#now;
  }

  /** Takes note of an event. Returns whether it says anything new. */
  note({ containerId, type }: RuntimeEvent): boolean {
    if (type === "stopped" || type === "oom") this.#ended.add(containerId);
    const seen = this.#settled;
    if (seen !== undefined) {
      const container = seen.containers.find(({ id }) => id === containerId);
      const sandbox = seen.sandboxes.find(({ id }) => id === containerId);
      const known = container !== undefined || sandbox !== undefined;
      const up = container?.state === "running" || sandbox?.state === "ready";
      if (type === "oom" && container?.state !== "exited") return false;
      if (type === "created" && known) return false;
      if (type === "started" && up) return false;
      if (type === "stopped" && known && !up) return false;
      if (type === "removed" && !known) return false;
    }
    this.#stale = true;
    return true;
  }

  /** Compares with what the engine lists. Returns whether it differs. */
  compare(sandboxes: readonly PodSandbox[], containers: readonly Container[]): boolean {
    const seen = this.#settled;
    if (seen !== undefined) {
      const print = (list: ReadonlyArray<{ id: string; state: string }>) =>
        list.map(({ id, state }) => `${id} ${state}`).sort().join();
      if (
        print(sandboxes) === print(seen.sandboxes) && print(containers) === print(seen.containers)
      ) {
        return false;
      }
    }
    this.#stale = true;
    return true;
  }

  /** Grace period as it was written beside the containers; 30 s when it was not. */
  graceSeconds(): number {
    return writtenGrace([...this.#now?.sandboxes ?? [], ...this.#now?.containers ?? []]);
  }

  /** @throws {RuntimeError} */
  async look(signal: AbortSignal): Promise<PodRuntime> {
    if (!this.#stale && this.#now !== undefined) return this.#now;
    this.#stale = false;
    this.#looking = true;
    try {
      const filter = { podUid: this.#uid };
      const [sandboxes, containers] = await Promise.all([
        this.#runtime.listPodSandboxes(filter, { signal }),
        this.#runtime.listContainers(filter, { signal }),
      ]);
      const [sandboxStatuses, containerStatuses] = await Promise.all([
        Promise.all(sandboxes.map((sandbox) => this.#sandbox(sandbox, signal))),
        Promise.all(containers.map((container) => this.#container(container, signal))),
      ]);
      const there = <T>(item: T | undefined): item is T => item !== undefined;
      this.#now = {
        sandboxes: sandboxStatuses.filter(there).sort((a, b) =>
          b.attempt - a.attempt || b.createdAt - a.createdAt
        ),
        containers: containerStatuses.filter(there).sort((a, b) =>
          b.attempt - a.attempt || b.createdAt - a.createdAt
        ),
      };
      const up = new Set([
        ...this.#now.sandboxes.filter(({ state }) => state === "ready"),
        ...this.#now.containers.filter(({ state }) => state === "running"),
      ].map(({ id }) => id));
      for (const id of this.#ended) if (!up.has(id)) this.#ended.delete(id);
      for (const id of this.messages.keys()) {
        if (!this.#now.containers.some((c) => c.id === id)) this.messages.delete(id);
      }
      return this.#now;
    } catch (error) {
      this.#stale = true;
      throw error;
    } finally {
      this.#looking = false;
    }
  }

  /** A status does not change while the state stays the same. */
  async #sandbox(sandbox: PodSandbox, signal: AbortSignal): Promise<PodSandboxStatus | undefined> {
    const seen = this.#now?.sandboxes.find(({ id, state }) => id === sandbox.id && state === sandbox.state);
    if (seen !== undefined && !this.#ended.has(seen.id)) return seen;
    if (sandbox.state === "notready") return { ...sandbox, ips: [] };
    return await ignoreGone(this.#runtime.podSandboxStatus(sandbox.id, { signal }));
  }

  async #container(container: Container, signal: AbortSignal): Promise<ContainerRuntimeStatus | undefined> {
    const seen = this.#now?.containers.find(({ id, state }) =>
      id === container.id && state === container.state
    );
    if (seen !== undefined && !this.#ended.has(seen.id)) return seen;
    return await ignoreGone(this.#runtime.containerStatus(container.id, { signal }));
  }
}

async function ignoreGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RuntimeError && error.kind === "not-found") return undefined;
    throw error;
  }
}

/** Bytes of a container's last output that stand in for a termination message. Upstream: kuberuntime_container.go @ v1.32 */
const MAX_LOG_MESSAGE_BYTES = 2048;
const MAX_LOG_MESSAGE_LINES = 80;

/** The termination messages of a pod's ended containers, by id. */
export async function terminationMessages(
  pod: CheckedPod,
  runtime: PodRuntime,
  view: PodView,
  components: {
    volumes: Pick<PodVolumes, "terminationMessage">;
    runtime: ContainerRuntime;
    log: Logger;
    signal: AbortSignal;
  },
): Promise<ReadonlyMap<string, string>> {
  const { messages } = view;
  for (const { id, name, attempt, state, exitCode } of runtime.containers) {
    if (state !== "exited" || messages.has(id)) continue;
    const spec = [...pod.spec.initContainers ?? [], ...pod.spec.containers].find((c) => c.name === name);
    try {
      let message = await components.volumes.terminationMessage(pod.metadata.uid, name, attempt) ?? "";
      if (message === "" && exitCode !== 0 && spec?.terminationMessagePolicy === "FallbackToLogsOnError") {
        message = await lastOutput(components.runtime, id, components.signal);
      }
      messages.set(id, message);
    } catch (error) {
      if (components.signal.aborted) throw error;
      if (error instanceof RuntimeError && error.kind === "unavailable") throw error;
      messages.set(id, `The termination message cannot be read: ${errorText(error)}`);
    }
  }
  return messages;
}

async function lastOutput(runtime: ContainerRuntime, id: string, signal: AbortSignal): Promise<string> {
  let tail = new Uint8Array();
  for await (const chunk of runtime.logs(id, { tailLines: MAX_LOG_MESSAGE_LINES, signal })) {
    const joined = new Uint8Array(tail.length + chunk.length);
    joined.set(tail);
    joined.set(chunk, tail.length);
    tail = joined.slice(-MAX_LOG_MESSAGE_BYTES);
  }
  return new TextDecoder().decode(tail);
}

/** The grace period written beside sandboxes and containers, seconds; 30 when it is not. */
export function writtenGrace(all: ReadonlyArray<Pick<Container, "annotations">>): number {
  const seconds = Number(
    all.find(({ annotations }) => GRACE_ANNOTATION in annotations)?.annotations[GRACE_ANNOTATION],
  );
  return Number.isInteger(seconds) && seconds >= 0 ? seconds : 30;
}
