/**
 * What a control plane does beside its API: places pods, rolls deployments, keeps replica sets and stateful sets at their size
 * and daemon sets on their nodes, runs jobs to their end and makes them when cron jobs say so, tells which pods serve a service and
 * how many a disruption budget can spare, collects what lost its owner, and watches over nodes. Built on the Kubernetes API alone.
 * Namespaces and roles are kept by the API server itself, which knows all that can be in one.
 *
 * Takes: watches of nodes, leases, pods, namespaces, services, and of every resource that it makes or makes things for, or that can
 * own or be owned — from the API server.
 * Gives: bindings, objects, statuses and events — to the API server.
 * Upstream: k8s.io/kubernetes pkg/scheduler, pkg/controller @ v1.32
 * @module
 */
import type { KubeObject, ObjectMeta } from "../../../common/api/meta_v1.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  type Informer,
  informer,
  type InformerMetrics,
  informerMetrics,
  JOBS,
  type KubeClient,
  LEASES,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  type ResourceType,
  SECRETS,
  type Selection,
  SERVICE_ACCOUNTS,
  SERVICES,
  STATEFUL_SETS,
  workQueueMetrics,
} from "../../../common/kubeclient/mod.ts";
import type { MetricsRegistry } from "../../../common/metrics/mod.ts";
import { type Clock, defineModule, type Logger, type Module } from "../../../common/module/mod.ts";
import type { Controller } from "./controller.ts";
import { cronJobController } from "./cronjob/cronjob.ts";
import { daemonSetController } from "./daemonset/daemonset.ts";
import { deploymentController } from "./deployment/deployment.ts";
import { disruptionController } from "./disruption/disruption.ts";
import { endpointsController, endpointSliceController } from "./endpoints/endpoints.ts";
import { eventRecorder } from "./events.ts";
import { asManager } from "./field_manager.ts";
import { garbageCollector, type WatchedResource } from "./garbage/garbage_collector.ts";
import { jobController } from "./job/job.ts";
import { jobOrphansController } from "./job/orphans.ts";
import type { NodeHealthOptions } from "./nodes/health.ts";
import { LEASE_NAMESPACE, nodeLifecycleController } from "./nodes/lifecycle.ts";
import { podGarbageCollector } from "./nodes/pod_gc.ts";
import { taintEvictionController } from "./nodes/taint_eviction.ts";
import { replicaSetController } from "./replicaset/replicaset.ts";
import { scheduler } from "./scheduler/scheduler.ts";
import { statefulSetController } from "./statefulset/statefulset.ts";

/** What the controllers work with. */
export interface ControlPlaneComponents {
  kube: KubeClient;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
}

/** What can be chosen about the controllers. */
export interface ControlPlaneOptions {
  /** Resources besides the usual ones that may have owners, such as those of CRDs. @default none */
  resources?: readonly ResourceType[];
  /** Silence after which a node's state is unknown, milliseconds. @default 40000 */
  nodeMonitorGracePeriodMs?: number;
  /** The same for a node that never posted a status. @default 60000 */
  nodeStartupGracePeriodMs?: number;
}

/** All controllers as one module. It is ready once the copies of what the controllers read are complete. */
export function controlPlaneControllers(
  components: ControlPlaneComponents,
  options: ControlPlaneOptions = {},
): Module {
  const { clock, log, metrics } = components;
  const queues = workQueueMetrics(metrics);
  const informers = makeInformers(components, informerMetrics(metrics), options.resources ?? []);
  const { nodes, pods, deployments, replicaSets, daemonSets, leases } = informers;
  const { statefulSets, revisions, jobs, cronJobs, services, endpoints, slices, budgets, namespaces } =
    informers;
  const kube = asManager(components.kube, "kube-controller-manager");
  const events = eventRecorder({ kube, clock, log: log.child("events") });
  const health: NodeHealthOptions = {
    gracePeriodMs: options.nodeMonitorGracePeriodMs ?? 40_000,
    startupGracePeriodMs: options.nodeStartupGracePeriodMs ?? 60_000,
  };
  const loop = (name: string) => ({ kube, clock, log: log.child(name), queues });
  const controllers: Controller[] = [
    events,
    garbageCollector({ ...loop("garbagecollector"), resources: informers.watched }),
    deploymentController({ ...loop("deployment"), deployments, replicaSets, pods, events }),
    replicaSetController({ ...loop("replicaset"), replicaSets, pods, events }),
    daemonSetController({ ...loop("daemonset"), daemonSets, revisions, nodes, pods, events }),
    statefulSetController({ ...loop("statefulset"), statefulSets, revisions, pods, events }),
    jobController({ ...loop("job"), jobs, pods, events }),
    jobOrphansController({ ...loop("job-orphans"), jobs, pods }),
    cronJobController({ ...loop("cronjob"), cronJobs, jobs, events }),
    endpointsController({ ...loop("endpoints"), services, pods, nodes, endpoints, slices }),
    endpointSliceController({ ...loop("endpointslice"), services, pods, nodes, endpoints, slices }),
    disruptionController({
      ...loop("disruption"),
      budgets,
      pods,
      deployments,
      replicaSets,
      statefulSets,
      events,
    }),
    scheduler({
      ...loop("scheduler"),
      kube: asManager(components.kube, "kube-scheduler"),
      nodes,
      pods,
      namespaces,
      events,
    }),
    nodeLifecycleController({ ...loop("nodelifecycle"), nodes, leases, pods, events }, health),
    taintEvictionController({ ...loop("tainteviction"), nodes, pods, events }),
    podGarbageCollector({ ...loop("podgc"), nodes, pods }),
  ];
  return defineModule(
    "controllers",
    ({ signal, ready }) => runControllers(informers.all, controllers, signal, ready),
  );
}

/** Runs informers, then controllers once the copies are complete; the first failure ends all. */
async function runControllers(
  informers: ReadonlyArray<Pick<Informer<KubeObject>, "run" | "waitForSync">>,
  controllers: readonly Controller[],
  signal: AbortSignal,
  ready: () => void,
): Promise<void> {
  const stop = new AbortController();
  const all = AbortSignal.any([signal, stop.signal]);
  let failure: { error: unknown } | undefined;
  const start = (run: Promise<void>) =>
    run.catch((error) => {
      if (all.aborted && error === all.reason) return;
      failure ??= { error };
      stop.abort(error);
    });
  const running = informers.map((one) => start(one.run(all)));
  const synced = start(Promise.all(informers.map((one) => one.waitForSync({ signal: all }))).then(() => {}));
  await synced;
  if (!all.aborted) {
    // Called together, so that every controller has subscribed before the module is ready.
    running.push(...controllers.map((one) => start(one.run(all))));
    ready();
  }
  await Promise.all(running);
  if (failure !== undefined) throw failure.error;
}

function makeInformers(
  { kube, clock, log }: ControlPlaneComponents,
  metrics: InformerMetrics,
  extra: readonly ResourceType[],
) {
  const all: Array<Pick<Informer<KubeObject>, "run" | "waitForSync">> = [];
  const watched: WatchedResource[] = [];
  const add = <T extends KubeObject>(
    type: ResourceType<T>,
    selection: Selection = {},
    trim?: (object: T) => T,
  ) => {
    const made = informer(kube, type, selection, {
      log: log.child(type.resource),
      clock,
      metrics,
      ...(trim && { trim }),
    });
    all.push(made);
    return made;
  };
  const addWatched = <T extends KubeObject>(type: ResourceType<T>, trim?: (object: T) => T) => {
    const made = add(type, {}, trim);
    watched.push({ type, informer: made as Informer<KubeObject> });
    return made;
  };
  const known = {
    nodes: addWatched(NODES, trimNode),
    pods: addWatched(PODS),
    deployments: addWatched(DEPLOYMENTS),
    replicaSets: addWatched(REPLICA_SETS),
    daemonSets: addWatched(DAEMON_SETS),
    statefulSets: addWatched(STATEFUL_SETS),
    revisions: addWatched(CONTROLLER_REVISIONS),
    jobs: addWatched(JOBS),
    cronJobs: addWatched(CRON_JOBS),
    services: addWatched(SERVICES),
    endpoints: addWatched(ENDPOINTS),
    slices: addWatched(ENDPOINT_SLICES),
    namespaces: addWatched(NAMESPACES),
    budgets: addWatched(POD_DISRUPTION_BUDGETS),
    leases: add(LEASES, { namespace: LEASE_NAMESPACE }),
  };
  for (
    const type of [
      SERVICE_ACCOUNTS,
      CONFIG_MAPS,
      SECRETS,
      PERSISTENT_VOLUME_CLAIMS,
      ...extra,
    ]
  ) {
    addWatched<KubeObject>(type, identityOnly);
  }
  return { ...known, all, watched };
}

/** The images of a node are many and none of the controllers reads them. */
function trimNode<T extends { status?: { images?: unknown[] } }>(node: T): T {
  if (node.status?.images === undefined) return node;
  const { images: _, ...status } = node.status;
  return { ...node, status };
}

/** What the garbage collector needs of an object; secrets and the like are not kept in memory. */
function identityOnly<T extends KubeObject>({ apiVersion, kind, metadata }: T): T {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, ownerReferences } =
    metadata ?? {};
  const kept: ObjectMeta = Object.fromEntries(
    Object.entries({ name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, ownerReferences })
      .filter(([, value]) => value !== undefined),
  );
  return { apiVersion, kind, metadata: kept } as T;
}
