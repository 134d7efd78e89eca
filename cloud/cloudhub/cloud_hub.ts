import type { KubeClient } from "../../common/kubeclient/mod.ts";
import type { MetricsRegistry } from "../../common/metrics/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import {
  aborted,
  type Clock,
  defineModule,
  type Inbox,
  type Logger,
  type Module,
  type Send,
} from "../../common/module/mod.ts";
import { loadCredentials } from "./credentials.ts";
import { persist } from "./persist.ts";
import { type DeliveryLog, MemoryDeliveryLog } from "./delivery_log.ts";
import { httpsHandler } from "./https_routes.ts";
import { Hub } from "./hub.ts";
import { type Listener, listenTls } from "./listener.ts";
import { hubMetrics } from "./metrics.ts";
import { type CloudHubOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import { tokenKeeper } from "./token_keeper.ts";
import { webSocketEndpoint } from "./websocket_endpoint.ts";

/** What cloudhub uses. */
export interface CloudHubComponents {
  /** Messages of cloud modules for nodes: `node/<node>/…`. */
  inbox: Inbox<Message>;
  /** Takes messages of nodes, and `node/<node>` with operation `connected` or `disconnected`. */
  edgeController: Send<Message>;
  /** Takes messages of source `twin`. @default dropped and logged */
  deviceController?: Send<Message>;
  /** Takes messages of source `metaserver`. @default dropped and logged */
  dynamicController?: Send<Message>;
  /** Takes uploads of group `user`. @default dropped and logged */
  router?: Send<Message>;
  /** Takes the states of node jobs. @default dropped and logged */
  taskManager?: Send<Message>;
  /** What nodes confirmed. @default in memory */
  deliveryLog?: DeliveryLog;
  kube: KubeClient;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
}

const SWEEP_MS = 1_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Connections beside the sessions: joins, renewals, clients in their handshake. */
const SPARE_CONNECTIONS = 256;

/**
 * The hub of the cloud side. Ready when both listeners are bound.
 * @throws {RangeError} for options that cannot be
 */
export function cloudHub(components: CloudHubComponents, options: CloudHubOptions): Module {
  const resolved = resolveOptions(options);
  return defineModule("cloudhub", ({ signal, ready }) => run(components, resolved, signal, ready));
}

async function run(
  components: CloudHubComponents,
  options: ResolvedOptions,
  signal: AbortSignal,
  ready: () => void,
): Promise<void> {
  const {
    inbox,
    kube,
    clock,
    log,
    edgeController,
    deviceController,
    dynamicController,
    router,
    taskManager,
  } = components;
  const { authority, serving } = await persist(() => loadCredentials({ kube, clock, log }, options), {
    what: "the CA and the serving certificate",
    clock,
    log,
    signal,
  });
  const keeper = tokenKeeper({ kube, authority, clock, log }, {
    namespace: options.namespace,
    refreshHours: options.tokenRefreshHours,
  });
  const nextToken = await persist(() => keeper.refresh(), { what: "the join token", clock, log, signal });
  if (signal.aborted) return;

  // The first failure ends the rest, as does the caller's signal.
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });

  const metrics = hubMetrics(components.metrics, {
    connectedNodes: () => hub.connectedNodes,
    queuedMessages: () => hub.queuedMessages,
    queuedChars: () => hub.queuedChars,
  });
  const hub: Hub = new Hub({
    kube,
    clock,
    log,
    metrics,
    signal: stop.signal,
    deliveryLog: components.deliveryLog ?? new MemoryDeliveryLog(),
    targets: {
      edgeController,
      ...(deviceController && { deviceController }),
      ...(dynamicController && { dynamicController }),
      ...(router && { router }),
      ...(taskManager && { taskManager }),
    },
  }, options);

  const common = {
    serving,
    caCertificate: authority.certificate,
    handshakeTimeoutMs: options.handshakeTimeoutMs,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    onDrop: (reason: string) => metrics.connections.inc(1, { result: reason }),
    clock,
    log,
  };
  const caCertificate = authority.certificate;
  const endpoint = webSocketEndpoint({ hub, caCertificate, clock, log, metrics }, options);
  try {
    await using https: Listener = await listenTls({
      ...common,
      ...options.https,
      portKey: "modules.cloudHub.https.port",
      clientCertificates: "request",
      maxConnections: SPARE_CONNECTIONS,
      onRequest: httpsHandler({
        kube,
        taskManager,
        metrics,
        clock,
        log,
        certificates: {
          authority,
          clock,
          validityDays: options.edgeCertSigningDays,
          legacyCertificates: options.legacyCertificates,
        },
      }),
    });
    await using websocket: Listener = await listenTls({
      ...common,
      ...options.websocket,
      portKey: "modules.cloudHub.websocket.port",
      clientCertificates: "require",
      maxConnections: options.nodeLimit + SPARE_CONNECTIONS,
      ...endpoint,
    });
    log.info("Listening", { https: https.port, websocket: websocket.port });
    options.onListening({ https: https.port, websocket: websocket.port });
    ready();

    const running = [
      keeper.run(nextToken, stop.signal),
      sweepAll(clock, stop.signal, [() => https.sweep(), () => websocket.sweep(), () => hub.sweep(SWEEP_MS)]),
      deliverAll(inbox, hub, stop.signal),
    ];
    const ended = running.map((work) =>
      work.catch((error) => {
        if (stop.signal.aborted) return;
        stop.abort(error);
        throw error;
      })
    );
    const results = await Promise.allSettled(ended);
    await hub.close();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  } finally {
    signal.removeEventListener("abort", onAbort);
    stop.abort();
  }
}

async function sweepAll(clock: Clock, signal: AbortSignal, sweeps: ReadonlyArray<() => void>): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(SWEEP_MS, { signal });
    for (const sweep of sweeps) sweep();
  }
}

/** Hands the inbox to the hub until the signal aborts. */
async function deliverAll(inbox: Inbox<Message>, hub: Hub, signal: AbortSignal): Promise<void> {
  const read = async () => {
    for await (const message of inbox) {
      if (signal.aborted) return;
      hub.deliver(message);
    }
    await aborted(signal);
  };
  await Promise.race([read(), aborted(signal)]);
}
