/**
 * Runs the pods of this node: containers, volumes, probes, statuses; registers the node and keeps its status and lease.
 *
 * Takes, from metamanager: insert, update and delete of `<ns>/pod/<name>`; insert, update and delete of
 * `<ns>/configmap/<name>` and `<ns>/secret/<name>`; update of `null/node/<name>`; `node/connection`; replies to what it asked.
 * Gives, to metamanager, source `edged`, group `meta`: insert of `null/node/<name>`; patch of `null/nodepatch/<name>` and
 * `<ns>/podpatch/<name>` (JSON text); update of `null/node/<name>`; query, insert and update of
 * `kube-node-lease/lease/<name>`; delete of `<ns>/pod/<name>`; insert and patch of `<ns>/event/<name>`; query of pods, of
 * those that are gone, the node, ConfigMaps, Secrets and tokens.
 * Serves a read-only HTTP port on loopback for logs and health.
 *
 * Upstream: kubeedge edge/pkg/edged/edged.go, vendor/k8s.io/kubernetes/pkg/kubelet @ 16cd854
 * @module
 */
import type { MetricsRegistry } from "../../common/metrics/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import {
  type Clock,
  defineModule,
  type Inbox,
  type Logger,
  type Module,
  type Send,
} from "../../common/module/mod.ts";
import { Engine } from "./engine.ts";
import { EventRecorder, recordNothing } from "./events.ts";
import { handlerRunner } from "./handlers.ts";
import type { EdgedEvent, KubeApi } from "./kube_api.ts";
import { Limiter } from "./limiter.ts";
import { metaClient } from "./meta_client.ts";
import { NodeAgent } from "./node.ts";
import { type NodeFacts, nodeFacts } from "./node_facts.ts";
import { type EdgedOptions, READ_ONLY_PORT, settleOptions } from "./options.ts";
import type { PodVolumes, ResolveEnv } from "./pod_environment.ts";
import { Pods } from "./pods.ts";
import { serveReadOnly } from "./read_only_server.ts";
import type { ContainerRuntime } from "./runtime/types.ts";
import { StatusSender } from "./status_sender.ts";
import { Timers } from "./timers.ts";

export type { EdgedOptions } from "./options.ts";
export { edgedPermissions } from "./permissions.ts";
export type { EdgedEvent, KubeApi, PodEvent } from "./kube_api.ts";
export { PodEnvironmentError } from "./pod_environment.ts";
export type { ContainerMounts, PodPlace, PodVolumes, ResolveEnv, VolumeTable } from "./pod_environment.ts";

/** What edged is made of. */
export interface EdgedComponents {
  inbox: Inbox<Message>;
  metaManager: Send<Message>;
  runtime: ContainerRuntime;
  /** Made with the Kubernetes API that edged talks to. */
  volumes: (api: KubeApi) => PodVolumes;
  /** Made with the Kubernetes API that edged talks to. */
  resolveEnv: (api: KubeApi) => ResolveEnv;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
  /** Prepares the reading of the machine's facts. @default the machine edged runs on */
  facts?: () => Promise<() => Promise<NodeFacts>>;
  /** Told the port of the read-only server once it listens. */
  onListen?: (port: number) => void;
}

/**
 * The module. It is ready once the pods were read from the store; the engine and the cloud may come later.
 * @throws {TypeError} {@linkcode RangeError} when the options cannot be
 */
export function edged(components: EdgedComponents, options: EdgedOptions): Module {
  const settled = settleOptions(options);
  const { runtime, clock, log, metrics, inbox, metaManager } = components;
  const timers = new Timers(clock);
  const meta = metaClient({ inbox, metaManager, timers, log });
  const { api } = meta;
  const volumes = components.volumes(api);
  const prepareFacts = components.facts ?? (() => nodeFacts(settled));

  return defineModule("edged", async ({ signal, ready }) => {
    const ending = new AbortController();
    const stop = () => ending.abort(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });

    const readFacts = await prepareFacts();
    const facts = await readFacts();
    const engine: Engine = new Engine({
      runtime,
      clock,
      timers,
      log,
      onEvent: (event) => pods.onRuntimeEvent(event),
      onList: (sandboxes, containers) => pods.onRuntimeList(sandboxes, containers),
      onChange: () => {
        pods.wakeAll();
        node.wake();
        // It handles its own errors.
        void pods.removeStrayVolumes();
      },
    });
    const recorder = new EventRecorder({ nodeName: settled.nodeName, metaManager, clock, log });
    const event = settled.reportEvent ? recorder.record : recordNothing;
    const statuses = new StatusSender({ api, timers, log, onSettled: (uid) => pods.onSettled(uid) });
    const node = new NodeAgent({
      nodeName: settled.nodeName,
      version: settled.version,
      labels: settled.nodeLabels,
      taints: settled.registerWithTaints,
      maxPods: settled.maxPods,
      port: settled.readOnlyPort === 0 ? READ_ONLY_PORT : settled.readOnlyPort,
    }, {
      api,
      clock,
      log,
      facts,
      readFacts,
      event,
      engine: () => ({
        name: engine.version?.name ?? "",
        version: engine.version?.version ?? "",
        failure: engine.failure,
      }),
    });
    const pods: Pods = new Pods({
      runtime,
      volumes,
      resolveEnv: components.resolveEnv(api),
      api,
      runHandler: handlerRunner(runtime, clock),
      starts: new Limiter(settled.maxParallelStarts),
      pulls: new Limiter(settled.maxParallelImagePulls),
      clock,
      timers,
      log,
      event,
      statuses,
      settings: () => ({
        nodeName: settled.nodeName,
        sandboxImage: settled.podSandboxImage,
        clusterDNS: settled.clusterDNS,
        clusterDomain: settled.clusterDomain,
        cgroupParent: settled.cgroupParent,
        memoryBytes: node.facts.memoryBytes,
      }),
      hostIPs: () => node.facts.addresses,
      runtimeName: () => engine.version?.name ?? "",
      engineLost: (error) => engine.lost(error),
      engineUp: () => engine.isUp,
      signal: ending.signal,
      nodeName: settled.nodeName,
    });
    const onEvent = (event: EdgedEvent) => {
      pods.onEvent(event);
      if (event.type === "node") node.onNode(event.node);
      if (event.type !== "connection") return;
      recorder.setConnected(event.connected);
      log.info(event.connected ? "Cloud connected" : "Cloud disconnected");
      if (!event.connected) return;
      node.reconnected();
      statuses.retryNow();
    };
    observe(metrics, { pods, statuses, engine, pending: () => meta.pending });

    const load = async () => {
      await pods.load();
      await engine.relist();
      await pods.removeStrayVolumes();
      ready();
    };
    const parts = [
      timers.run(ending.signal, (ms) => {
        log.warning("The machine's clock was set back", { seconds: Math.round(ms / 1000) });
        pods.onClockSetBack(ms);
      }),
      meta.run(onEvent, ending.signal),
      engine.run(ending.signal),
      recorder.run(ending.signal),
      load(),
      ...settled.registerNode ? [node.run(ending.signal)] : [],
      ...settled.readOnlyPort === 0 ? [] : [serveReadOnly(
        {
          pods,
          runtime,
          syncFailure: () => pods.isLoaded ? engine.failure : "the pods were not read from the store yet",
          collect: () => metrics.collect(),
          now: () => clock.now(),
          log,
        },
        {
          hostname: "127.0.0.1",
          port: settled.readOnlyPort,
          ...components.onListen === undefined ? {} : { onListen: components.onListen },
        },
        clock,
        ending.signal,
      )],
    ];
    try {
      // The first part to fail ends the others; all of them are waited for.
      await Promise.all(parts.map((part) =>
        part.catch((error) => {
          ending.abort(error);
          throw error;
        })
      ));
    } finally {
      await Promise.allSettled(parts);
      await pods.drain();
      await statuses.drain();
      signal.removeEventListener("abort", stop);
    }
  });
}

function observe(
  metrics: MetricsRegistry,
  parts: { pods: Pods; statuses: StatusSender; engine: Engine; pending: () => number },
): void {
  const { pods, statuses, engine, pending } = parts;
  metrics.gauge("kubelet_running_pods", "Pods with a container that runs", () => pods.running.length);
  metrics.gauge("kubelet_desired_pods", "Pods that the API has for this node", () => pods.known.length);
  metrics.gauge(
    "edged_pod_statuses_waiting",
    "Pod statuses the API does not have yet",
    () => statuses.waiting,
  );
  metrics.gauge("edged_requests_pending", "Requests to metamanager without a reply", pending);
  metrics.gauge("edged_runtime_up", "Whether the container engine answers", () => engine.isUp ? 1 : 0);
}
