import type { PodStatus } from "../../common/api/core_v1.ts";
import { errorText, hasReason } from "../../common/errors/mod.ts";
import { backoffMs, News } from "../../common/module/mod.ts";
import { identityOf, sandboxConfig } from "./container_config.ts";
import type { Backoff } from "./crash_backoff.ts";
import { nextBackoff } from "./crash_backoff.ts";
import type { KubeApi } from "./kube_api.ts";
import type { CheckedPod, PodIdentity } from "./parse_pod.ts";
import { planEnd, planRemoval } from "./plan_end.ts";
import {
  backoffKey,
  graceOf,
  type Hold,
  planPod,
  type PodPlan,
  type PodStep,
  type Waiting,
} from "./plan_pod.ts";
import { OWN_CONDITIONS } from "./pod_conditions.ts";
import type { VolumeTable } from "./pod_environment.ts";
import { EMPTY_RUNTIME, isRunning, type PodRuntime } from "./pod_runtime.ts";
import { newlyCrashing, podStatus } from "./pod_status.ts";
import { PodView, terminationMessages } from "./pod_view.ts";
import { Prober } from "./prober.ts";
import { usesObject, watchesSources } from "./pod_sources.ts";
import { type Container, type PodSandbox, RuntimeError, type RuntimeEvent } from "./runtime/types.ts";
import { backOffMessage, startContainer, type StarterComponents, StartError } from "./start_container.ts";
import type { StatusSender } from "./status_sender.ts";
import { stopContainer } from "./stop_container.ts";
import type { Timers } from "./timers.ts";

/** What a worker is made of; shared by all workers. */
export interface WorkerComponents extends StarterComponents {
  api: Pick<KubeApi, "getSecret" | "deletePod">;
  timers: Timers;
  statuses: StatusSender;
  hostIPs: () => readonly string[];
  /** "docker", "containerd"; empty while it is not known. */
  runtimeName: () => string;
  /** The engine did not answer; workers are woken when it does again. */
  engineLost: (error: RuntimeError) => void;
  engineUp: () => boolean;
  /** Nothing is left of the pod, here and in the API. */
  onGone: (uid: string) => void;
  signal: AbortSignal;
}

/** What is to become of a pod: to run, to be stopped, or to leave nothing behind. */
type Fate = "run" | "end" | "remove";

/** Rounds of looking and doing in one go; a pod that is not at rest by then lets others go first. */
const MAX_ROUNDS = 16;

/** How long a failed start is shown as what it was before it is shown as waiting. */
const FRESH_FAILURE_MS = 5_000;

const REFRESH_RETRY_MS = 60_000;

/** Failures whose message an event of their own has told. */
const PULL_REASONS: ReadonlySet<string> = new Set(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"]);

/**
 * Brings one pod to what it should be: looks at what there is, plans, does it, looks again, and reports. One at a time; an
 * event says only that there is something to look at.
 * Upstream: kubelet pkg/kubelet/pod_workers.go, kubelet.go (SyncPod, SyncTerminatingPod, SyncTerminatedPod) @ v1.32
 */
export class PodWorker {
  readonly identity: PodIdentity;
  readonly #c: WorkerComponents;
  readonly #view: PodView;
  readonly #prober: Prober;
  #pod: CheckedPod | undefined;
  #fate: Fate = "remove";
  #ended: PodStatus["reason"] | undefined;
  #endedMessage = "";
  #endAt = 0;
  #graceSeconds = 30;
  #status: PodStatus | undefined;
  #volumes: VolumeTable | undefined;
  #refreshAt: number | undefined;
  #deleted = false;
  #hooked = new Set<string>();
  #backoffs = new Map<string, Backoff>();
  readonly #news: News;
  #pullBackoffs = new Map<string, Backoff>();
  #holds = new Map<string, Hold>();
  /** What keeps the whole pod from starting. */
  #podHolds = new Map<"volumes" | "sandbox", Hold & { failures: number }>();
  #failures = 0;
  #cancelWake: (() => void) | undefined;
  #wanted = false;
  #running: Promise<void> | undefined;
  #interrupt = new AbortController();

  constructor(identity: PodIdentity, components: WorkerComponents) {
    this.identity = identity;
    this.#c = components;
    this.#view = new PodView(identity.uid, components.runtime);
    this.#news = new News(components.clock);
    this.#prober = new Prober({ ...components, onChange: () => this.wake() });
  }

  /** The pod as the API has it; undefined for one it does not know. */
  get pod(): CheckedPod | undefined {
    return this.#pod;
  }

  /** The status last made; undefined before the first look. */
  get status(): PodStatus | undefined {
    return this.#status;
  }

  get runtime(): PodRuntime {
    return this.#view.now ?? EMPTY_RUNTIME;
  }

  /** Resolves when the worker is at rest. */
  get idle(): Promise<void> {
    return this.#running ?? Promise.resolve();
  }

  /** Looks soon. */
  wake(): void {
    this.#wanted = true;
    if (this.#running !== undefined || this.#c.signal.aborted) return;
    this.#running = this.#loop();
  }

  /** The API has the pod like this. */
  update(pod: CheckedPod): void {
    const known = Number(this.#pod?.metadata.resourceVersion);
    if (Number(pod.metadata.resourceVersion) < known) return;
    const removed = this.#fate === "remove" && this.#pod !== undefined;
    if (removed) return;
    this.#pod = pod;
    this.#c.statuses.observe(pod.metadata.uid, pod.status ?? {}, Number(pod.metadata.resourceVersion));
    if (watchesSources(pod)) this.#refreshAt = this.#c.clock.now();
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    if (deletionTimestamp !== undefined) this.#end("end", deletionGracePeriodSeconds ?? graceOf(pod));
    else if (this.#fate === "remove") {
      // New, or taken for an orphan until now.
      this.#fate = "run";
      this.#endAt = 0;
      this.#interrupt.abort();
    }
    this.wake();
  }

  /** The API has the pod no more. */
  remove(graceSeconds?: number): void {
    const grace = graceSeconds ?? (this.#pod === undefined ? this.#view.graceSeconds() : graceOf(this.#pod));
    this.#end("remove", grace);
    this.wake();
  }

  /** Something happened in the engine. */
  onEvent(event: RuntimeEvent): void {
    if (this.#view.note(event)) this.wake();
  }

  /** What the engine lists of this pod. */
  compare(sandboxes: readonly PodSandbox[], containers: readonly Container[]): void {
    if (this.#view.compare(sandboxes, containers)) this.wake();
  }

  /** A ConfigMap or Secret changed. */
  onSource(kind: "configmap" | "secret", namespace: string, name: string): void {
    if (this.#pod === undefined || namespace !== this.identity.namespace) return;
    if (!usesObject(this.#pod, kind, name)) return;
    this.#podHolds.delete("volumes");
    for (const [container, hold] of this.#holds) {
      if (hold.waiting.reason === "CreateContainerConfigError") this.#holds.delete(container);
    }
    if (watchesSources(this.#pod)) this.#refreshAt = this.#c.clock.now();
    this.wake();
  }

  /** The machine's clock was set back: what waits for a time waits no longer by that. */
  onClockSetBack(ms: number): void {
    if (this.#endAt > 0) this.#endAt -= ms;
    if (this.#refreshAt !== undefined) this.#refreshAt -= ms;
    for (const hold of [...this.#holds.values(), ...this.#podHolds.values()]) {
      hold.untilMs -= ms;
      if (hold.later !== undefined) hold.later.atMs -= ms;
    }
    for (const backoffs of [this.#backoffs, this.#pullBackoffs]) {
      for (const backoff of backoffs.values()) backoff.updatedAt -= ms;
    }
    this.wake();
  }

  #end(fate: "end" | "remove", graceSeconds: number): void {
    const deadline = this.#c.clock.now() + graceSeconds * 1000;
    const sooner = this.#endAt === 0 || deadline < this.#endAt;
    // Of two grace periods the one that ends first holds.
    if (sooner) {
      this.#endAt = deadline;
      this.#graceSeconds = graceSeconds;
    }
    const changed = this.#fate !== fate;
    this.#fate = fate;
    if (changed || sooner) this.#interrupt.abort();
  }

  async #loop(): Promise<void> {
    const { signal } = this.#c;
    // Whoever woke the worker goes on first.
    await Promise.resolve();
    while (this.#wanted && !signal.aborted) {
      this.#wanted = false;
      this.#c.log.debug("Pod is looked at", { ...this.identity });
      this.#cancelWake?.();
      this.#cancelWake = undefined;
      try {
        await this.#sync();
        this.#failures = 0;
      } catch (error) {
        this.#handle(error);
      }
    }
    if (signal.aborted) this.#prober.stop();
    this.#running = undefined;
    this.#c.log.debug("Pod is at rest", { ...this.identity });
  }

  #handle(error: unknown): void {
    const { signal, log, engineLost } = this.#c;
    if (signal.aborted) return;
    this.#view.forget();
    if (error instanceof RuntimeError && error.kind === "unavailable") return engineLost(error);
    const ms = backoffMs(this.#failures++, { baseMs: 500, maxMs: 60_000 }, Math.random());
    const about = { ...this.identity, retryMs: Math.round(ms) };
    if (hasReason(error, "ServiceUnavailable")) log.debug("Pod waits for the cloud", about);
    else log.error("Pod cannot be brought to what it should be", error, about);
    this.#wakeAt(this.#c.clock.now() + ms);
  }

  #wakeAt(time: number): void {
    this.#cancelWake?.();
    this.#cancelWake = this.#c.timers.at(time, () => this.wake());
  }

  async #sync(): Promise<void> {
    if (!this.#c.engineUp()) return;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
      const runtime = await this.#view.look(this.#c.signal);
      this.#probe(runtime);
      const plan = this.#plan(runtime);
      await this.#report(runtime, plan);
      if (plan.stages.length === 0) return await this.#settle(runtime, plan);
      for (const stage of plan.stages) {
        if (this.#interrupt.signal.aborted || this.#c.signal.aborted) break;
        await this.#do(stage);
      }
    }
    this.wake();
  }

  #plan(runtime: PodRuntime): PodPlan {
    const now = this.#c.clock.now();
    const pod = this.#pod;
    if (this.#fate === "run" && pod !== undefined) {
      const phase = pod.status?.phase;
      const deadline = this.#deadline(pod);
      if (deadline !== undefined && deadline <= now) {
        this.#ended = "DeadlineExceeded";
        this.#endedMessage = "Pod was active on the node longer than the specified deadline";
        this.#end("end", graceOf(pod));
      } else if (phase === "Succeeded" || phase === "Failed") {
        this.#end("end", graceOf(pod));
      } else {
        return this.#holdBack(
          planPod({
            pod,
            runtime,
            backoffs: this.#backoffs,
            holds: this.#holds,
            health: this.#prober,
            now,
          }),
          now,
          deadline,
        );
      }
    }
    return { ...planEnd(pod, runtime, this.#graceSeconds), waiting: new Map() };
  }

  #deadline(pod: CheckedPod): number | undefined {
    const startTime = this.#status?.startTime ?? pod.status?.startTime;
    if (pod.spec.activeDeadlineSeconds === undefined || startTime === undefined) return undefined;
    return Date.parse(startTime) + pod.spec.activeDeadlineSeconds * 1000;
  }

  /** The plan without what the pod as a whole has to wait for. */
  #holdBack(plan: PodPlan, now: number, deadline: number | undefined): PodPlan {
    const wakes = [plan.wakeAt, deadline];
    for (const [what, hold] of this.#podHolds) {
      const held = (step: PodStep) =>
        step.do === "start-container" || (what === "sandbox" && step.do === "create-sandbox");
      if (!plan.stages.some((stage) => stage.some(held))) continue;
      for (const { name } of [...this.#pod?.spec.initContainers ?? [], ...this.#pod?.spec.containers ?? []]) {
        if (!plan.waiting.has(name)) plan.waiting.set(name, hold.waiting);
      }
      // A new try is due; until it succeeds, the last failure is still what there is to say.
      if (hold.untilMs <= now) continue;
      wakes.push(hold.untilMs);
      plan.stages = plan.stages.map((stage) => stage.filter((step) => !held(step))).filter((s) =>
        s.length > 0
      );
    }
    const next = wakes.filter((at): at is number => at !== undefined);
    if (next.length > 0) plan.wakeAt = Math.min(...next);
    return plan;
  }

  #probe(runtime: PodRuntime): void {
    const sandbox = runtime.sandboxes[0];
    if (this.#fate !== "run" || this.#pod === undefined || sandbox === undefined) return this.#prober.stop();
    const podIP = sandbox.ips[0] ?? this.#c.hostIPs()[0] ?? "127.0.0.1";
    this.#prober.sync(this.#pod, runtime.containers.filter((c) => c.state === "running"), podIP);
  }

  async #report(runtime: PodRuntime, plan: PodPlan): Promise<void> {
    const pod = this.#pod;
    if (pod === undefined || this.#fate === "remove" || this.#deleted) return;
    const phase = pod.status?.phase;
    if ((phase === "Succeeded" || phase === "Failed") && this.#status === undefined) return;
    const api = pod.status ?? {};
    const previous: PodStatus = this.#status === undefined ? api : {
      ...this.#status,
      conditions: [
        ...(this.#status.conditions ?? []).filter(({ type }) => OWN_CONDITIONS.has(type)),
        ...(api.conditions ?? []).filter(({ type }) => !OWN_CONDITIONS.has(type)),
      ],
    };
    const over = plan.finished && !isRunning(runtime);
    this.#status = podStatus({
      pod,
      runtime,
      previous,
      waiting: plan.waiting,
      ...over
        ? {
          ended: this.#ended === undefined
            ? {}
            : { reason: this.#ended, message: this.#endedMessage, failed: true },
        }
        : {},
      health: this.#prober,
      messages: await terminationMessages(pod, runtime, this.#view, this.#c),
      hostIPs: this.#c.hostIPs(),
      runtimeName: this.#c.runtimeName(),
      now: this.#c.clock.now(),
    });
    for (const name of newlyCrashing(previous, this.#status)) {
      const subject = { kind: "Pod", pod: this.identity, container: name } as const;
      const text =
        `Back-off restarting failed container ${name} in pod ${pod.metadata.name}_${pod.metadata.namespace}`;
      this.#c.event(subject, "Warning", "BackOff", `${text}(${pod.metadata.uid})`);
    }
    this.#c.statuses.set(identityOf(pod), this.#status, knownStatus(api));
  }

  async #do(stage: readonly PodStep[]): Promise<void> {
    this.#view.stale();
    const has = (what: PodStep["do"]) => stage.some((step) => step.do === what);
    if (has("start-container") && !(await this.#prepare())) return;
    // The sandbox need not wait for the volumes.
    const meanwhile = has("create-sandbox") ? this.#prepare() : undefined;
    await Promise.all([meanwhile, ...stage.map((step) => this.#execute(step))]);
  }

  /** Makes the volumes ready; false when they cannot be had now. */
  async #prepare(): Promise<boolean> {
    if (this.#volumes !== undefined || this.#pod === undefined) return true;
    if ((this.#podHolds.get("volumes")?.untilMs ?? 0) > this.#c.clock.now()) return false;
    this.#refreshAt = undefined;
    try {
      this.#volumes = await this.#c.volumes.setUp(this.#pod, { signal: this.#interruptible() });
      this.#podHolds.delete("volumes");
      if (watchesSources(this.#pod)) this.#refreshBy(this.#c.clock.now() + REFRESH_RETRY_MS);
      return true;
    } catch (error) {
      if (!this.#interrupt.signal.aborted && !this.#c.signal.aborted) this.#holdPod("volumes", error);
      return false;
    }
  }

  #holdPod(what: "volumes" | "sandbox", error: unknown): void {
    const failures = (this.#podHolds.get(what)?.failures ?? 0) + 1;
    const ms = backoffMs(failures - 1, { baseMs: 1000, maxMs: 60_000, jitter: 0 }, 0);
    const level = this.#news.isNew(`pod's ${what}`, errorText(error)) ? "warning" : "debug";
    this.#c.log[level]("Pod cannot start yet", { ...this.identity, lacks: what, error, retryMs: ms });
    const reason = what === "volumes" ? "FailedMount" : "FailedCreatePodSandBox";
    const message = `${reason}: ${errorText(error)}`;
    this.#c.event({ kind: "Pod", pod: this.identity }, "Warning", reason, errorText(error));
    this.#podHolds.set(what, {
      failures,
      untilMs: this.#c.clock.now() + ms,
      waiting: { reason: "ContainerCreating", message },
    });
  }

  #interruptible(): AbortSignal {
    return AbortSignal.any([this.#c.signal, this.#interrupt.signal]);
  }

  async #execute(step: PodStep): Promise<void> {
    const { runtime, signal } = this.#c;
    switch (step.do) {
      case "create-sandbox":
        return await this.#createSandbox(step.attempt);
      case "start-container":
        return await this.#start(step);
      case "stop-container":
        return await this.#stop(step);
      case "stop-sandbox":
        return await runtime.stopPodSandbox(step.id, { signal });
      case "remove-container":
        return await runtime.removeContainer(step.id, { signal });
      case "remove-sandbox":
        await runtime.stopPodSandbox(step.id, { signal });
        return await runtime.removePodSandbox(step.id, { signal });
    }
  }

  async #createSandbox(attempt: number): Promise<void> {
    const { runtime, starts, settings, signal } = this.#c;
    try {
      const config = sandboxConfig(this.#pod!, attempt, settings());
      const make = () => starts.run(() => runtime.runPodSandbox(config, { signal }), this.#interruptible());
      try {
        await make();
      } catch (error) {
        if (!(error instanceof RuntimeError) || error.kind !== "image-missing") throw error;
        await this.#c.pulls.run(
          () => runtime.pullImage(config.image, undefined, { signal: this.#interruptible() }),
          this.#interruptible(),
        );
        await make();
      }
      this.#podHolds.delete("sandbox");
    } catch (error) {
      if (signal.aborted || this.#interrupt.signal.aborted) return;
      if (error instanceof RuntimeError && error.kind === "unavailable") throw error;
      this.#holdPod("sandbox", error);
    }
  }

  async #start(step: PodStep & { do: "start-container" }): Promise<void> {
    const pod = this.#pod!;
    const container = [...pod.spec.initContainers ?? [], ...pod.spec.containers].find((c) =>
      c.name === step.name
    )!;
    const now = this.#c.clock.now();
    const key = backoffKey(container);
    if (step.after !== undefined) {
      this.#backoffs.set(key, nextBackoff(this.#backoffs.get(key), step.after.finishedAt, now));
    }
    try {
      await startContainer(this.#c, {
        pod,
        container,
        attempt: step.attempt,
        sandbox: this.runtime.sandboxes[0]!,
        volumes: this.#volumes!,
        hostIPs: this.#c.hostIPs(),
        ranBefore: step.attempt > 0,
        pullBackoffs: this.#pullBackoffs,
        interrupt: this.#interruptible(),
        signal: this.#c.signal,
      });
      this.#holds.delete(step.name);
      this.#news.forget(step.name);
      this.#c.log.info("Container started", {
        ...this.identity,
        container: step.name,
        attempt: step.attempt,
      });
    } catch (error) {
      if (this.#c.signal.aborted || this.#interrupt.signal.aborted) return;
      if (!(error instanceof StartError)) throw error;
      const subject = { kind: "Pod", pod: this.identity, container: step.name } as const;
      const shown = PULL_REASONS.has(error.reason) ? error.reason : error.message;
      this.#c.event(subject, "Warning", "Failed", `Error: ${shown}`);
      const level = this.#news.isNew(step.name, error.message) ? "warning" : "debug";
      this.#c.log[level]("Container not started", {
        ...this.identity,
        container: step.name,
        reason: error.reason,
        error,
      });
      this.#holds.set(
        step.name,
        this.#holdAfter(error, container.image ?? "", key, step.after !== undefined),
      );
    }
  }

  #holdAfter(error: StartError, image: string, key: string, counted: boolean): Hold {
    const now = this.#c.clock.now();
    const waiting: Waiting = { reason: error.reason, message: error.message };
    if (error.retryAt !== undefined) {
      const hold: Hold = { untilMs: error.retryAt, waiting };
      if (error.reason !== "ErrImagePull") return hold;
      const later = { reason: "ImagePullBackOff", message: `${backOffMessage(image)}: ${error.message}` };
      return { ...hold, later: { atMs: now + FRESH_FAILURE_MS, waiting: later } };
    }
    // What is missing comes with an event; the rest waits longer each time.
    if (!counted && error.reason !== "CreateContainerConfigError") {
      this.#backoffs.set(key, nextBackoff(this.#backoffs.get(key), now, now));
    }
    return { untilMs: now + (this.#backoffs.get(key)?.delayMs ?? 10_000), waiting };
  }

  async #stop(step: PodStep & { do: "stop-container" }): Promise<void> {
    const now = this.#c.clock.now();
    await stopContainer(this.#c, {
      step,
      identity: this.identity,
      pod: this.#pod,
      podIP: this.runtime.sandboxes[0]?.ips[0] ?? this.#c.hostIPs()[0] ?? "127.0.0.1",
      deadline: this.#fate === "run" ? now + step.graceSeconds * 1000 : this.#endAt,
      hooked: this.#hooked,
      signal: this.#interruptible(),
    });
  }

  /** Nothing is left to do to the containers: what follows from that. */
  async #settle(runtime: PodRuntime, plan: PodPlan): Promise<void> {
    const { volumes, statuses, api, onGone, signal } = this.#c;
    const { uid, namespace, name } = this.identity;
    if (!plan.finished || isRunning(runtime) || this.#fate === "run") {
      await this.#refresh(plan);
      const next = Math.min(plan.wakeAt ?? Infinity, this.#refreshDue() ?? Infinity);
      if (next < Infinity) this.#wakeAt(next);
      return;
    }
    const deleting = this.#fate === "remove" || this.#pod?.metadata.deletionTimestamp !== undefined;
    if (!deleting) return;
    // What the containers left is kept until the API knows how they ended.
    if (this.#fate === "end" && !statuses.isSettled(uid)) return;
    for (const stage of planRemoval(runtime)) {
      this.#view.stale();
      await Promise.all(stage.map((step) => this.#execute(step)));
    }
    await volumes.tearDown(uid);
    if (signal.aborted) return;
    if (this.#fate === "end" && !this.#deleted) {
      await api.deletePod(namespace, name, uid);
      this.#deleted = true;
    }
    if (this.#fate === "remove") {
      statuses.forget(uid);
      this.#prober.stop();
      onGone(uid);
    }
  }

  #refreshDue(): number | undefined {
    return this.runtime.containers.some((c) => c.state === "running") ? this.#refreshAt : undefined;
  }

  async #refresh(plan: PodPlan): Promise<void> {
    const now = this.#c.clock.now();
    const pod = this.#pod;
    if (
      pod === undefined || this.#fate !== "run" || plan.finished || (this.#refreshDue() ?? Infinity) > now
    ) return;
    this.#refreshAt = undefined;
    try {
      const ms = await this.#c.volumes.refresh(pod, { signal: this.#interruptible() });
      if (ms !== undefined) this.#refreshBy(now + Math.max(1000, ms));
      this.#news.forget("pod's refresh");
    } catch (error) {
      if (this.#c.signal.aborted || this.#interrupt.signal.aborted) return this.#refreshBy(now);
      const level = this.#news.isNew("pod's refresh", errorText(error)) ? "warning" : "debug";
      this.#c.log[level]("Volumes not refreshed", { ...this.identity, error });
      this.#refreshBy(now + REFRESH_RETRY_MS);
    }
  }

  /** The volumes are written again at a time at the latest: a change that came while they were being written wants it sooner. */
  #refreshBy(time: number): void {
    this.#refreshAt = Math.min(time, this.#refreshAt ?? Infinity);
  }
}

/**
 * What the API can be trusted to have: of a status that an earlier run of edged sent, some of it may never have arrived, so
 * that part is sent again.
 */
function knownStatus(api: PodStatus): PodStatus {
  if (api.containerStatuses === undefined) return api;
  const { containerStatuses: _containers, initContainerStatuses: _inits, phase: _phase, ...rest } = api;
  return { ...rest, conditions: (api.conditions ?? []).filter(({ type }) => !OWN_CONDITIONS.has(type)) };
}
