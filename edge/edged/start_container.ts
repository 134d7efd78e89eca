import type { Container } from "../../common/api/core_v1.ts";
import { errorText, isNotFound } from "../../common/errors/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import { containerConfig, type NodeSettings, rootRefusal } from "./container_config.ts";
import { type Backoff, nextBackoff, waitUntil } from "./crash_backoff.ts";
import type { EventSubject, RecordEvent } from "./events.ts";
import type { HandlerResult, RunHandler } from "./handlers.ts";
import { type ImageReference, parseImageReference, pullPolicy } from "./image_reference.ts";
import type { KubeApi } from "./kube_api.ts";
import type { Limiter } from "./limiter.ts";
import type { CheckedPod } from "./parse_pod.ts";
import type { PodVolumes, ResolveEnv, VolumeTable } from "./pod_environment.ts";
import { authFor } from "./pull_secrets.ts";
import {
  type ContainerRuntime,
  type ImageAuth,
  type ImageInfo,
  type PodSandboxStatus,
  RuntimeError,
} from "./runtime/types.ts";

/** A container could not be started; the reason and the message are shown in its status. */
export class StartError extends Error {
  override readonly name = "StartError";
  /** "ErrImagePull", "CreateContainerConfigError", … as the kubelet names it. */
  readonly reason: string;
  /** Until when it makes no sense to try again, Unix milliseconds; absent: as the caller finds fit. */
  readonly retryAt: number | undefined;

  constructor(reason: string, message: string, options: { retryAt?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.retryAt = options.retryAt;
  }
}

/** What starting takes. */
export interface StarterComponents {
  runtime: ContainerRuntime;
  volumes: PodVolumes;
  resolveEnv: ResolveEnv;
  api: Pick<KubeApi, "getSecret">;
  runHandler: RunHandler;
  /** Bounds what the engine is asked to make at a time. */
  starts: Limiter;
  /** Bounds downloads. */
  pulls: Limiter;
  clock: Clock;
  log: Logger;
  event: RecordEvent;
  settings: () => NodeSettings;
}

/** Which container to start, and what is there for it. */
export interface StartOrder {
  pod: CheckedPod;
  container: Container;
  attempt: number;
  sandbox: PodSandboxStatus;
  volumes: VolumeTable;
  hostIPs: readonly string[];
  /** Whether the container ran on this node before. */
  ranBefore: boolean;
  /** By image. */
  pullBackoffs: Map<string, Backoff>;
  /** Aborts waiting and downloading, not what the engine has begun. */
  interrupt: AbortSignal;
  signal: AbortSignal;
}

/**
 * Makes and starts one container: image, variables, mounts, then the engine, then the postStart hook.
 * Upstream: kubelet pkg/kubelet/kuberuntime/kuberuntime_container.go (startContainer) @ v1.32
 * @throws {StartError} {@linkcode RuntimeError} `unavailable` when the engine does not answer
 */
export async function startContainer(components: StarterComponents, order: StartOrder): Promise<void> {
  const { runtime, volumes, resolveEnv, starts, event } = components;
  const { pod, container, attempt, sandbox, hostIPs, interrupt, signal } = order;
  const subject = subjectOf(order);
  const image = await ensureImage(components, order);
  const refusal = rootRefusal(pod, container, image);
  if (refusal !== undefined) throw new StartError("CreateContainerConfigError", refusal);
  const settings = components.settings();
  const podIPs = pod.spec.hostNetwork === true ? hostIPs : sandbox.ips;
  const config = await asStartError("CreateContainerConfigError", async () => {
    const env = await resolveEnv(pod, container, { nodeName: settings.nodeName, hostIPs, podIPs }, {
      signal: interrupt,
    });
    const { mounts } = await volumes.containerMounts(pod, container, {
      volumes: order.volumes,
      attempt,
      env,
    });
    const reference = parseImageReference(container.image ?? "")!.text;
    return containerConfig(pod, container, { attempt, image: reference, env, mounts, settings });
  });
  const id = await starts.run(async () => {
    const made = await asStartError(
      "CreateContainerError",
      () => runtime.createContainer(sandbox.id, config, { signal }),
    );
    event(subject, "Normal", "Created", `Created container: ${container.name}`);
    await asStartError("RunContainerError", () => runtime.startContainer(made, { signal }));
    return made;
  }, interrupt);
  event(subject, "Normal", "Started", `Started container ${container.name}`);
  await postStart(components, order, id);
}

function subjectOf({ pod, container }: StartOrder): EventSubject {
  return { kind: "Pod", pod: pod.metadata, container: container.name };
}

async function asStartError<T>(reason: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RuntimeError && error.kind === "unavailable") throw error;
    throw new StartError(reason, errorText(error), { cause: error });
  }
}

async function postStart(
  { runtime, runHandler }: StarterComponents,
  order: StartOrder,
  id: string,
): Promise<void> {
  const { container, sandbox, hostIPs, signal, interrupt } = order;
  const hook = container.lifecycle?.postStart;
  if (hook === undefined) return;
  const result: HandlerResult = await runHandler(hook, {
    containerId: id,
    container,
    podIP: sandbox.ips[0] ?? hostIPs[0] ?? "127.0.0.1",
    timeoutMs: HOOK_TIMEOUT_MS,
    signal: AbortSignal.any([signal, interrupt]),
  });
  if (result.ok || signal.aborted || interrupt.aborted) return;
  await runtime.stopContainer(id, 2, { signal });
  throw new StartError("PostStartHookError", `PostStartHook failed: ${result.output}`);
}

/** Longest postStart hook. */
const HOOK_TIMEOUT_MS = 120_000;

/** How long a reference that is no image name is left alone: only a change of the pod can help. */
const INVALID_RETRY_MS = 300_000;

/**
 * The image of a container, pulled where its policy says so.
 * Upstream: kubelet pkg/kubelet/images/image_manager.go (EnsureImageExists) @ v1.32
 */
async function ensureImage(components: StarterComponents, order: StartOrder): Promise<ImageInfo> {
  const { runtime, pulls, clock, log, event } = components;
  const subject = subjectOf(order);
  const { container, pod, interrupt, pullBackoffs } = order;
  const name = container.image ?? "";
  const reference = parseImageReference(name);
  if (reference === undefined) {
    throw new StartError(
      "InvalidImageName",
      `Failed to apply default image tag "${
        name.slice(0, 512)
      }": couldn't parse image name: invalid reference format`,
      { retryAt: clock.now() + INVALID_RETRY_MS },
    );
  }
  const policy = pullPolicy(container.imagePullPolicy, reference);
  const present = await asStartError(
    "ImageInspectError",
    () => runtime.imageStatus(reference.text, { signal: order.signal }),
  );
  if (present !== undefined && policy !== "Always") {
    event(subject, "Normal", "Pulled", `Container image "${name}" already present on machine`);
    return present;
  }
  if (policy === "Never") {
    throw new StartError(
      "ErrImageNeverPull",
      `Container image "${name}" is not present with pull policy of Never`,
    );
  }
  const backoff = pullBackoffs.get(reference.text);
  const until = backoff && waitUntil(backoff, backoff.updatedAt, clock.now());
  if (until !== undefined) {
    event(subject, "Normal", "BackOff", backOffMessage(name));
    throw new StartError("ImagePullBackOff", backOffMessage(name), { retryAt: until });
  }
  event(subject, "Normal", "Pulling", `Pulling image "${name}"`);
  try {
    await pulls.run(async () => {
      const auths = await pullAuths(components, pod, reference);
      await pullWithAny(runtime, reference.text, auths, interrupt);
    }, interrupt);
  } catch (error) {
    if (interrupt.aborted || order.signal.aborted) throw error;
    if (error instanceof RuntimeError && error.kind === "unavailable") throw error;
    if (present !== undefined && order.ranBefore) {
      // Without its registry a node must still bring back what ran on it.
      log.warning("Image not pulled, the one that is here is used", { image: name, error });
      return present;
    }
    event(subject, "Warning", "Failed", `Failed to pull image "${name}": ${errorText(error)}`);
    const next = nextBackoff(backoff, clock.now(), clock.now());
    pullBackoffs.set(reference.text, next);
    throw new StartError("ErrImagePull", errorText(error), {
      retryAt: clock.now() + next.delayMs,
      cause: error,
    });
  }
  pullBackoffs.delete(reference.text);
  event(subject, "Normal", "Pulled", `Successfully pulled image "${name}"`);
  const pulled = await asStartError(
    "ImageInspectError",
    () => runtime.imageStatus(reference.text, { signal: order.signal }),
  );
  if (pulled === undefined) {
    throw new StartError("ImageInspectError", `Image "${name}" was pulled and is not there`);
  }
  return pulled;
}

export const backOffMessage = (image: string): string => `Back-off pulling image "${image}"`;

async function pullWithAny(
  runtime: ContainerRuntime,
  image: string,
  auths: ReadonlyArray<ImageAuth | undefined>,
  signal: AbortSignal,
): Promise<void> {
  let failure: unknown;
  for (const auth of auths) {
    try {
      await runtime.pullImage(image, auth, { signal });
      return;
    } catch (error) {
      if (signal.aborted || (error instanceof RuntimeError && error.kind === "unavailable")) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function pullAuths(
  { api, log }: StarterComponents,
  pod: CheckedPod,
  reference: ImageReference,
): Promise<Array<ImageAuth | undefined>> {
  const auths: ImageAuth[] = [];
  for (const { name = "" } of pod.spec.imagePullSecrets ?? []) {
    try {
      const auth = authFor(await api.getSecret(pod.metadata.namespace, name), reference);
      if (auth !== undefined) auths.push(auth);
    } catch (error) {
      // As with the kubelet, the pull is tried with what there is.
      if (isNotFound(error)) {
        log.warning("Pull secret not found", { namespace: pod.metadata.namespace, name });
      } else log.error("Pull secret cannot be used", error, { namespace: pod.metadata.namespace, name });
    }
  }
  return auths.length > 0 ? auths : [undefined];
}
