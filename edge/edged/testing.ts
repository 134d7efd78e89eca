import type { Lease } from "../../common/api/coordination_v1.ts";
import type { ConfigMap, Node, Pod, PodStatus, Secret } from "../../common/api/core_v1.ts";
import type { TokenRequest } from "../../common/api/authentication_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { silentLogger } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { Engine } from "./engine.ts";
import { handlerRunner, type RunHandler } from "./handlers.ts";
import type { KubeApi, PodEvent } from "./kube_api.ts";
import { Limiter } from "./limiter.ts";
import type { NodeFacts } from "./node_facts.ts";
import { type CheckedPod, parsePod } from "./parse_pod.ts";
import {
  type ContainerMounts,
  PodEnvironmentError,
  type PodVolumes,
  type VolumeTable,
} from "./pod_environment.ts";
import { Pods } from "./pods.ts";
import { MemoryRuntime, type MemoryRuntimeOptions } from "./runtime/memory_runtime.ts";
import { StatusSender } from "./status_sender.ts";
import { Timers } from "./timers.ts";

/*
 * Doubles for the tests of edged. They keep what they are given and do what they are told; they know no versions, no
 * permissions and no merging beyond what the tests look at.
 */

type Json = Record<string, unknown>;

/** The Kubernetes API in memory. */
export class MemoryKubeApi implements KubeApi {
  connected = true;
  pods: PodEvent[] = [];
  gonePods: string[] = [];
  /** Pods that only the cloud knows. */
  lostPods: PodEvent[] = [];
  node: Node | undefined;
  lease: Lease | undefined;
  /** Patches of pod statuses in order. */
  readonly podPatches: Array<{ namespace: string; name: string; patch: Json }> = [];
  readonly nodePatches: Json[] = [];
  readonly deletedPods: string[] = [];
  readonly calls: string[] = [];
  readonly configMaps = new Map<string, ConfigMap>();
  readonly secrets = new Map<string, Secret>();
  /** Statuses by uid as the patches made them; lists are replaced, conditions merged by type. */
  readonly statuses = new Map<string, PodStatus>();
  #failures: Array<{ call: string; error: StatusError }> = [];

  /** The next call of a method rejects. */
  failNext(call: keyof KubeApi, error: StatusError): void {
    this.#failures.push({ call, error });
  }

  #enter(call: keyof KubeApi, needsCloud = true): void {
    this.calls.push(call);
    const at = this.#failures.findIndex((failure) => failure.call === call);
    if (at >= 0) throw this.#failures.splice(at, 1)[0]!.error;
    if (needsCloud && !this.connected) throw new StatusError("ServiceUnavailable", "not connected");
  }

  async createNode(node: Node): Promise<Node> {
    this.#enter("createNode");
    if (this.node !== undefined) throw new StatusError("AlreadyExists", "exists");
    this.node = { ...node, metadata: { ...node.metadata, uid: "node-uid" } };
    return this.node;
  }

  async getNode(name: string): Promise<Node> {
    this.#enter("getNode", false);
    if (this.node === undefined) throw new StatusError("NotFound", `node "${name}" not found`);
    return this.node;
  }

  async patchNodeStatus(name: string, patch: Json): Promise<Node> {
    this.#enter("patchNodeStatus");
    if (this.node === undefined) throw new StatusError("NotFound", `node "${name}" not found`);
    this.nodePatches.push(patch);
    return this.node;
  }

  async updateNode(node: Node): Promise<void> {
    this.#enter("updateNode");
    this.node = { ...this.node, metadata: { ...this.node?.metadata, ...node.metadata } };
  }

  async getLease(name: string): Promise<Lease> {
    this.#enter("getLease");
    if (this.lease === undefined) throw new StatusError("NotFound", `lease "${name}" not found`);
    return this.lease;
  }

  async createLease(lease: Lease): Promise<Lease> {
    this.#enter("createLease");
    return this.lease = lease;
  }

  async updateLease(lease: Lease): Promise<Lease> {
    this.#enter("updateLease");
    return this.lease = lease;
  }

  async patchPodStatus(namespace: string, name: string, patch: Json): Promise<Pod> {
    this.#enter("patchPodStatus");
    this.podPatches.push({ namespace, name, patch });
    const uid = (patch.metadata as Json).uid as string;
    const before = (this.statuses.get(uid) ?? {}) as Json;
    const change = patch.status as Json;
    const conditions = new Map(((before.conditions ?? []) as Json[]).map((c) => [c.type, c]));
    for (const c of (change.conditions ?? []) as Json[]) {
      conditions.set(c.type, { ...conditions.get(c.type), ...c });
    }
    this.statuses.set(
      uid,
      { ...before, ...change, conditions: [...conditions.values()] } as unknown as PodStatus,
    );
    return { metadata: { namespace, name, uid } };
  }

  async deletePod(_namespace: string, _name: string, uid: string): Promise<void> {
    this.#enter("deletePod");
    this.deletedPods.push(uid);
  }

  async listPods(): Promise<PodEvent[]> {
    this.#enter("listPods", false);
    return this.pods;
  }

  async listGonePods(): Promise<string[]> {
    this.#enter("listGonePods", false);
    return this.gonePods;
  }

  async lookUpPod(_namespace: string, name: string, uid: string): Promise<PodEvent> {
    this.#enter("lookUpPod");
    const found = this.lostPods.find((event) => event.type === "pod" && event.pod.metadata.uid === uid);
    if (found === undefined) throw new StatusError("NotFound", `pod "${name}" not found`);
    return found;
  }

  async getConfigMap(namespace: string, name: string): Promise<ConfigMap> {
    this.#enter("getConfigMap", false);
    const found = this.configMaps.get(`${namespace}/${name}`);
    if (found === undefined) throw new StatusError("NotFound", `configmap "${name}" not found`);
    return found;
  }

  async getSecret(namespace: string, name: string): Promise<Secret> {
    this.#enter("getSecret", false);
    const found = this.secrets.get(`${namespace}/${name}`);
    if (found === undefined) throw new StatusError("NotFound", `secret "${name}" not found`);
    return found;
  }

  async createToken(_namespace: string, _account: string, request: TokenRequest): Promise<TokenRequest> {
    this.#enter("createToken");
    return request;
  }
}

/** Volumes that are names only; `missing` makes a pod's set-up fail, and writing them again. */
export class MemoryVolumes implements PodVolumes {
  readonly present = new Set<string>();
  readonly refreshed: string[] = [];
  missing: string | undefined;
  /** What setting up and writing again wait for. */
  gate: Promise<void> = Promise.resolve();

  async setUp(pod: Pod): Promise<VolumeTable> {
    await this.gate;
    if (this.missing !== undefined) throw new PodEnvironmentError("missing", this.missing);
    this.present.add(pod.metadata!.uid!);
    return new Map((pod.spec?.volumes ?? []).map(({ name }) => [name, `/volumes/${name}`]));
  }

  async containerMounts(): Promise<ContainerMounts> {
    return { mounts: [] };
  }

  async terminationMessage(): Promise<string | undefined> {
    return undefined;
  }

  async refresh(pod: Pod): Promise<number | undefined> {
    this.refreshed.push(pod.metadata!.uid!);
    await this.gate;
    if (this.missing !== undefined) throw new PodEnvironmentError("missing", this.missing);
    return undefined;
  }

  async tearDown(podUid: string): Promise<void> {
    this.present.delete(podUid);
  }

  async listPodUids(): Promise<string[]> {
    return [...this.present];
  }
}

/** A checked pod; `spec` and `metadata` go over a small web server. */
export function testPod(change: { metadata?: Json; spec?: Json; status?: Json } = {}): CheckedPod {
  const reading = parsePod({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default", uid: "u1", resourceVersion: "1", ...change.metadata },
    spec: {
      nodeName: "edge-1",
      containers: [{ name: "web", image: "busybox:1" }],
      terminationGracePeriodSeconds: 2,
      ...change.spec,
    },
    status: { phase: "Pending", ...change.status },
  });
  if (reading.type !== "pod") throw new TypeError(reading.message);
  return reading.pod;
}

/** Everything that pods need, in memory, with a clock that a test moves. */
export function testBench(
  options: Partial<MemoryRuntimeOptions> & { clock?: FakeClock; runHandler?: RunHandler } = {},
) {
  const { clock = new FakeClock() } = options;
  const runtime = new MemoryRuntime({
    images: [{ reference: "busybox:1" }, { reference: "busybox:2" }, { reference: "pause" }],
    ...options,
    clock,
  });
  const bench = podsOn(runtime, clock, new MemoryKubeApi(), new MemoryVolumes(), options.runHandler);
  return { ...bench, clock, runtime };
}

/** A fresh edged over an engine that may have run for long. */
export function podsOn(
  runtime: MemoryRuntime,
  clock: FakeClock,
  api: MemoryKubeApi,
  volumes: MemoryVolumes,
  runHandler: RunHandler = handlerRunner(runtime, clock),
) {
  const controller = new AbortController();
  const { signal } = controller;
  const timers = new Timers(clock);
  const env = { missing: undefined as string | undefined };
  const events: string[] = [];
  const warnings: string[] = [];
  const statuses = new StatusSender({
    api,
    timers,
    log: silentLogger,
    onSettled: (uid) => pods.onSettled(uid),
    random: () => 1,
  });
  const pods: Pods = new Pods({
    runtime,
    volumes,
    resolveEnv: () =>
      env.missing === undefined
        ? Promise.resolve([])
        : Promise.reject(new PodEnvironmentError("missing", env.missing)),
    api,
    runHandler,
    starts: new Limiter(4),
    pulls: new Limiter(2),
    clock,
    timers,
    log: { ...silentLogger, warning: (message) => void warnings.push(message) },
    event: (_subject, type, reason, message) => void events.push(`${type} ${reason} ${message}`),
    statuses,
    settings: () => ({
      nodeName: "edge-1",
      sandboxImage: "pause",
      clusterDNS: [],
      clusterDomain: "cluster.local",
      cgroupParent: "",
      memoryBytes: 2 ** 30,
    }),
    hostIPs: () => ["192.0.2.2"],
    runtimeName: () => engine.version?.name ?? "",
    engineLost: (error) => engine.lost(error),
    engineUp: () => engine.isUp,
    signal,
    nodeName: "edge-1",
  });
  const engine: Engine = new Engine({
    runtime,
    clock,
    timers,
    log: silentLogger,
    onEvent: (event) => pods.onRuntimeEvent(event),
    onList: (sandboxes, containers) => pods.onRuntimeList(sandboxes, containers),
    onChange: () => pods.wakeAll(),
  });
  const ended = Promise.all([
    timers.run(signal, (ms) => pods.onClockSetBack(ms)),
    engine.run(signal),
  ]);
  /** Moves the time and lets everything come to rest. */
  const advance = async (ms: number) => {
    await clock.advance(ms);
    await settle();
  };
  const settle = async () => {
    for (let i = 0; i < 60; i++) {
      await clock.advance(0);
      await pods.drain();
    }
  };
  return {
    api,
    volumes,
    env,
    pods,
    engine,
    statuses,
    /** What was reported, `type reason message`. */
    events,
    /** What was logged as a warning. */
    warnings,
    timers,
    advance,
    settle,
    status: (uid = "u1") => api.statuses.get(uid),
    /** Ends this edged; the engine and what runs on it stay. */
    async stop() {
      controller.abort();
      await settle();
      await ended;
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
      runtime[Symbol.dispose]();
    },
  };
}

/** A machine. */
export const FACTS: NodeFacts = {
  cpus: 2,
  memoryBytes: 24684084 * 1024,
  memoryAvailableBytes: 2 ** 33,
  disk: { totalBytes: 264212084 * 1024, availableBytes: 2 ** 37, inodes: 1000, freeInodes: 900 },
  hugePages: { "1Gi": 0, "2Mi": 0 },
  machineID: "m",
  systemUUID: "s",
  bootID: "b",
  kernelVersion: "6.1",
  osImage: "Debian",
  architecture: "amd64",
  addresses: ["192.0.2.2"],
};
