import { errorText, hasReason } from "../../common/errors/mod.ts";
import { backoffMs } from "../../common/module/mod.ts";
import type { EdgedEvent, KubeApi, PodEvent } from "./kube_api.ts";
import { LostPods } from "./lost_pods.ts";
import type { CheckedPod, PodIdentity } from "./parse_pod.ts";
import { askForSources } from "./pod_sources.ts";
import { PodWorker, type WorkerComponents } from "./pod_worker.ts";
import { writtenGrace } from "./pod_view.ts";
import { printTime } from "./pod_status.ts";
import type { Container, PodSandbox, RuntimeEvent } from "./runtime/types.ts";

/** What the pods are made of. */
export interface PodsComponents extends Omit<WorkerComponents, "onGone" | "api"> {
  api: KubeApi;
  nodeName: string;
}

/** Pods a node may have at a time, ended ones included; more are not begun. */
const MAX_PODS = 1000;

/** All pods of the node: a worker for each, told of what concerns it. */
export class Pods {
  readonly #c: PodsComponents;
  readonly #workers = new Map<string, PodWorker>();
  readonly #invalid = new Map<string, { identity: PodIdentity; deleting: boolean }>();
  readonly #lost: LostPods;
  /** UIDs of pods that the store was told to forget. */
  #gone: ReadonlySet<string> = new Set();
  #loaded = false;

  constructor(components: PodsComponents) {
    this.#c = components;
    this.#lost = new LostPods({
      ...components,
      found: (event) => this.#adopt(event),
      gone: (identity, graceSeconds, confirmed) => {
        this.#removeOrphan(identity, graceSeconds);
        if (!confirmed) this.#confess(identity);
      },
    });
  }

  /** The pods that the API has, as they were last told. */
  get known(): CheckedPod[] {
    return [...this.#workers.values()].flatMap(({ pod, status }) =>
      pod === undefined ? [] : [{ ...pod, status: status ?? pod.status ?? {} }]
    );
  }

  /** Whether the pods were read from the store. */
  get isLoaded(): boolean {
    return this.#loaded;
  }

  /** Reads the pods of the node from the store, until it answers. Only then can a container be known to be nobody's. */
  async load(): Promise<void> {
    const { api, clock, log, signal } = this.#c;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const [events, gone] = await Promise.all([api.listPods(), api.listGonePods()]);
        this.#gone = new Set(gone);
        for (const event of events) this.onEvent(event);
        this.#loaded = true;
        log.info("Pods read from the store", { count: events.length });
        return;
      } catch (error) {
        if (signal.aborted) return;
        const ms = backoffMs(attempt, { baseMs: 100, maxMs: 10_000 }, Math.random());
        log.error("Pods cannot be read from the store", error, { retryMs: Math.round(ms) });
        await clock.sleep(ms, { signal }).catch((reason) => {
          if (!signal.aborted) throw reason;
        });
      }
    }
  }

  onEvent(event: EdgedEvent): void {
    switch (event.type) {
      case "pod":
        return this.#update(event.pod);
      case "pod-invalid":
        return this.#refuse(event);
      case "pod-removed":
        return this.#remove(event);
      case "configmap":
      case "secret":
        for (const worker of this.#workers.values()) worker.onSource(event.type, event.namespace, event.name);
        return;
      case "node":
        return;
      case "connection":
        if (!event.connected) return;
        this.wakeAll();
        this.#lost.connected();
        for (const { identity, deleting } of this.#invalid.values()) if (deleting) this.#delete(identity);
    }
  }

  wakeAll(): void {
    for (const worker of this.#workers.values()) worker.wake();
  }

  /** The machine's clock was set back. */
  onClockSetBack(ms: number): void {
    for (const worker of this.#workers.values()) worker.onClockSetBack(ms);
  }

  /** The status of a pod has arrived. */
  onSettled(uid: string): void {
    const worker = this.#workers.get(uid);
    if (worker !== undefined) worker.wake();
  }

  onRuntimeEvent(event: RuntimeEvent): void {
    this.#c.log.debug("Runtime event", { ...event });
    this.#workers.get(event.podUid)?.onEvent(event);
  }

  /** Everything the engine has: each worker compares, and what belongs to nobody is removed. */
  onRuntimeList(sandboxes: readonly PodSandbox[], containers: readonly Container[]): void {
    const groups = new Map<
      string,
      { identity: PodIdentity; sandboxes: PodSandbox[]; containers: Container[] }
    >();
    const group = (identity: PodIdentity) => {
      let found = groups.get(identity.uid);
      if (found === undefined) groups.set(identity.uid, found = { identity, sandboxes: [], containers: [] });
      return found;
    };
    for (const sandbox of sandboxes) group(sandbox.pod).sandboxes.push(sandbox);
    for (const container of containers) group(container.pod).containers.push(container);
    for (const [uid, worker] of this.#workers) {
      const found = groups.get(uid);
      worker.compare(found?.sandboxes ?? [], found?.containers ?? []);
    }
    if (!this.#loaded) return;
    for (const [uid, { identity, sandboxes, containers }] of groups) {
      if (this.#workers.has(uid) || this.#invalid.has(uid)) continue;
      const graceSeconds = writtenGrace([...sandboxes, ...containers]);
      if (this.#gone.has(uid)) this.#removeOrphan(identity, graceSeconds);
      else this.#lost.ask(identity, graceSeconds);
    }
  }

  #removeOrphan(identity: PodIdentity, graceSeconds?: number): void {
    this.#c.log.info("Removing a pod that nobody knows", { ...identity });
    this.#worker(identity).remove(graceSeconds);
  }

  /** Goes on with a pod that the store had lost. */
  #adopt(event: PodEvent): void {
    const nodeName = event.type === "pod" ? event.pod.spec.nodeName : undefined;
    if (event.type === "pod" && nodeName !== undefined && nodeName !== this.#c.nodeName) {
      return this.#removeOrphan(event.pod.metadata);
    }
    this.onEvent(event);
    if (event.type !== "pod") return;
    const { name, namespace, uid } = event.pod.metadata;
    askForSources(this.#c.api, event.pod).then((missing) => {
      this.#c.log.debug("Asked for what the store lost", { name, namespace, uid, missing });
    });
  }

  /**
   * Says that a pod does not run here which the store has lost. An API that still has it then sends it again, since it
   * changed; upstream's cloud sends nothing that it has seen confirmed, and showed the pod as running for ever.
   * Upstream: kubeedge cloud/pkg/synccontroller @ 16cd854
   */
  #confess({ namespace, name, uid }: PodIdentity): void {
    const { api, clock, log } = this.#c;
    const verdict = {
      status: "False",
      reason: "PodLost",
      message: "The node has lost what it stored of the pod",
      lastTransitionTime: printTime(clock.now()),
    };
    const conditions = ["Ready", "ContainersReady"].map((type) => ({ type, ...verdict }));
    api.patchPodStatus(namespace, name, { metadata: { uid }, status: { conditions } }).catch((error) => {
      // Most often the API has no such pod, or without the cloud the change waits.
      log.debug("Pod that nobody knows was not reported", { namespace, name, uid, error: errorText(error) });
    });
  }

  /** Removes from disk what belongs to no pod, here or in the engine; what cannot be removed is left for the next time. */
  async removeStrayVolumes(): Promise<void> {
    const { volumes, log, engineUp } = this.#c;
    if (!this.#loaded || !engineUp()) return;
    try {
      for (const uid of await volumes.listPodUids()) {
        if (this.#workers.has(uid) || this.#invalid.has(uid) || this.#lost.has(uid)) continue;
        log.info("Removing the volumes of a pod that nobody knows", { uid });
        await volumes.tearDown(uid);
      }
    } catch (error) {
      log.error("Volumes of pods that nobody knows cannot be removed", error);
    }
  }

  /** Resolves when every worker is at rest. */
  async drain(): Promise<void> {
    await Promise.all([...this.#workers.values()].map((worker) => worker.idle));
  }

  /** Finds the container that logs or commands are asked of. */
  find(namespace: string, name: string): PodWorker | undefined {
    const all = [...this.#workers.values()];
    return all.find(({ identity, pod }) =>
      identity.namespace === namespace && identity.name === name && pod
    ) ??
      all.find(({ identity }) => identity.namespace === namespace && identity.name === name);
  }

  /** What the engine runs, pod by pod. */
  get running(): PodWorker[] {
    return [...this.#workers.values()].filter(({ runtime }) =>
      runtime.containers.some((c) => c.state === "running")
    );
  }

  #worker(identity: PodIdentity): PodWorker {
    let worker = this.#workers.get(identity.uid);
    if (worker === undefined) {
      worker = new PodWorker(identity, {
        ...this.#c,
        onGone: (uid) => {
          this.#workers.delete(uid);
        },
      });
      this.#workers.set(identity.uid, worker);
    }
    return worker;
  }

  #update(pod: CheckedPod): void {
    const { namespace, name, uid } = pod.metadata;
    if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== this.#c.nodeName) return;
    // A name belongs to one pod at a time: an earlier one of this name is gone.
    for (const worker of this.#workers.values()) {
      const { identity } = worker;
      if (identity.name === name && identity.namespace === namespace && identity.uid !== uid && worker.pod) {
        worker.remove();
      }
    }
    if (!this.#workers.has(uid) && this.#workers.size >= MAX_PODS) {
      return this.#refuse({
        type: "pod-invalid",
        identity: { namespace, name, uid },
        message: `The node has ${MAX_PODS} pods`,
      });
    }
    this.#invalid.delete(uid);
    this.#lost.forget(uid);
    this.#worker({ namespace, name, uid }).update(pod);
  }

  /** A pod that cannot be run fails where it can be seen; what runs of it already is left alone. */
  #refuse({ identity, message, deleting = false }: PodEvent & { type: "pod-invalid" }): void {
    const { statuses, log } = this.#c;
    log.warning("Pod cannot be run as it is written", { ...identity, reason: message });
    if (this.#workers.has(identity.uid)) return;
    if (this.#invalid.size >= MAX_PODS) return;
    this.#invalid.set(identity.uid, { identity, deleting });
    if (deleting) this.#delete(identity);
    else statuses.set(identity, { phase: "Failed", reason: "InvalidPod", message: errorText(message) }, {});
  }

  #delete({ namespace, name, uid }: PodIdentity): void {
    this.#c.api.deletePod(namespace, name, uid).catch((error) => {
      if (!hasReason(error, "ServiceUnavailable")) {
        this.#c.log.error("Refused pod cannot be deleted", error, { namespace, name });
      }
    });
  }

  #remove({ namespace, name, uid, graceSeconds }: EdgedEvent & { type: "pod-removed" }): void {
    for (const [id, { identity }] of this.#invalid) {
      if (identity.namespace === namespace && identity.name === name && (uid === undefined || uid === id)) {
        this.#invalid.delete(id);
        this.#c.statuses.forget(id);
      }
    }
    for (const { identity, graceSeconds: written } of this.#lost.named(namespace, name, uid)) {
      this.#lost.forget(identity.uid);
      this.#removeOrphan(identity, graceSeconds ?? written);
    }
    for (const worker of this.#workers.values()) {
      const { identity } = worker;
      if (identity.namespace !== namespace || identity.name !== name) continue;
      if (uid === undefined || uid === identity.uid) worker.remove(graceSeconds);
    }
  }
}
