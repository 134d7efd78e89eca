import { NODES, PODS } from "../../common/kubeclient/mod.ts";
import type { KubeClient } from "../../common/kubeclient/mod.ts";
import type { MetricsRegistry } from "../../common/metrics/mod.ts";
import {
  CloudModule,
  Group,
  type Message,
  newMessage,
  printNodeResource,
  splitNode,
} from "../../common/model/mod.ts";
import {
  aborted,
  type Clock,
  defineModule,
  type Inbox,
  type Logger,
  MailboxClosedError,
  type Module,
  type Send,
} from "../../common/module/mod.ts";
import { Downstream } from "./downstream.ts";
import { EdgeIndex } from "./edge_index.ts";
import { edgePod, foreignPod } from "./edge_pods.ts";
import { EDGE_ROLE_LABEL } from "./node_metadata.ts";
import type { InformerSource } from "./object_watch.ts";
import { completeOptions, type EdgeControllerOptions } from "./options.ts";
import { OutageTolerance } from "./outage_tolerance.ts";
import { readRecordedDeliveries } from "./recorded_deliveries.ts";
import { refusedReports } from "./refused_reports.ts";
import { withoutOwnRefusals } from "./own_refusals.ts";
import { refusedReads } from "./refused_reads.ts";
import { Upstream } from "./upstream.ts";

/** What the edgecontroller is made of. */
export interface EdgeControllerComponents {
  /** What edges send, and cloudhub's own `connected` and `disconnected`. */
  inbox: Inbox<Message>;
  cloudHub: Send<Message>;
  kube: KubeClient;
  /** Makes informers; one is made for each ConfigMap and Secret that pods of edges refer to. */
  informers: InformerSource;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
}

/** Resource of cloudhub's own messages about a node. */
const LINK_RESOURCE = /^node\/([^/]+)$/;

/** Makes the edgecontroller. @throws {TypeError} or {RangeError} when an option is out of range */
export function edgeController(
  components: EdgeControllerComponents,
  options: EdgeControllerOptions,
): Module {
  const complete = completeOptions(options);
  const { inbox, cloudHub, kube, informers, clock, log, metrics } = components;
  const index = new EdgeIndex();
  // The label is how upstream marks edge nodes; only pods that are bound can be an edge's.
  const nodes = informers(NODES, { labelSelector: `${EDGE_ROLE_LABEL}=` });
  const pods = informers(PODS, { fieldSelector: "spec.nodeName!=" }, {
    trim: (pod) => nodes.get(pod.spec?.nodeName ?? "") === undefined ? foreignPod(pod) : edgePod(pod),
  });

  const send = async (message: Message, signal: AbortSignal): Promise<void> => {
    try {
      await cloudHub(message, { signal });
    } catch (error) {
      // The hub ended before this module: nobody is connected any more.
      if (error instanceof MailboxClosedError) {
        log.debug("The hub has ended", { resource: message.route.resource });
      } else throw error;
    }
  };

  const downstream = new Downstream({
    send,
    nodes,
    pods,
    informers,
    index,
    podsOfNode: async (name, signal) => {
      const { items } = await kube.list(PODS, { fieldSelector: `spec.nodeName=${name}` }, {
        signal,
        map: edgePod,
      });
      return items;
    },
    tolerance: new OutageTolerance({ kube, index, clock, log: log.child("tolerance") }),
    recorded: (signal) =>
      readRecordedDeliveries({ kube, log }, { isNode: (name) => nodes.get(name) !== undefined, signal }),
    refused: refusedReads({ kube, clock, log: log.child("downstream") }),
    clock,
    log: log.child("downstream"),
    sent: metrics.counter("edgecontroller_sent_total", "Objects sent to edges, by type and operation"),
  });
  const upstream = new Upstream({
    send,
    refused: refusedReports({
      kube,
      uidOf: (namespace, name) => index.pod(namespace, name)?.metadata?.uid,
      clock,
      log: log.child("upstream"),
    }),
    kube: withoutOwnRefusals(kube),
    edge: {
      writing: (node, name) => downstream.writing(node, name),
      answered: (node, name, object) => downstream.answered(node, name, object),
      podGone: (node, pod) => send(podGoneMessage(node, pod), running.signal),
    },
    index: {
      node: (name) => nodes.get(name),
      pod: (namespace, name) => index.pod(namespace, name),
      nodeOfGone: (pod) => index.nodeOfGone(pod),
      references: (node, reference) => index.references(node, reference),
      podsOf: (node) => index.podsOf(node),
    },
    clock,
    log: log.child("upstream"),
    requests: metrics.counter("edgecontroller_requests_total", "Requests of edges, by kind and result"),
    seconds: metrics.histogram(
      "edgecontroller_request_seconds",
      "Time from receiving a request to handing on its answer",
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    ),
  }, complete);
  for (const lane of ["heartbeat", "status", "bulk"] as const) {
    metrics.gauge(
      `edgecontroller_waiting_${lane}`,
      `Requests that wait in the ${lane} lane`,
      () => upstream.waiting(lane),
    );
  }
  metrics.gauge("edgecontroller_connected_nodes", "Nodes that are connected", () => downstream.connected);
  metrics.gauge(
    "edgecontroller_watched_objects",
    "ConfigMaps and Secrets that are watched",
    () => downstream.watchedObjects,
  );
  const running = new AbortController();

  const take = (message: Message): void => {
    const node = LINK_RESOURCE.exec(message.route.resource)?.[1];
    if (node === undefined) {
      // Two connections of one node end and begin side by side, so the end of the first may be told after the beginning of
      // the second: whoever asks is connected.
      const asking = splitNode(message.route.resource).node;
      if (asking !== undefined) downstream.nodeAsks(asking);
      upstream.accept(message, running.signal);
    } else if (message.route.operation === "connected") downstream.nodeConnected(node);
    else if (message.route.operation === "disconnected") {
      downstream.nodeDisconnected(node);
      upstream.nodeDisconnected(node);
    } else log.warning("Ignored a message about a node", { node, operation: message.route.operation });
  };

  return defineModule(CloudModule.edgeController, async ({ signal, ready }) => {
    const stop = () => running.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([
        downstream.run(running.signal, ready),
        readUntil(inbox, take, running.signal),
      ]);
    } finally {
      signal.removeEventListener("abort", stop);
      running.abort(signal.reason);
      await upstream.stop();
    }
  });
}

/** Hands on what arrives until the signal aborts; a mailbox that was closed has nothing more, which is no reason to end. */
async function readUntil(
  inbox: Inbox<Message>,
  take: (message: Message) => void,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of inbox) {
    if (signal.aborted) return;
    take(message);
  }
  await aborted(signal);
}

/** Tells an edge that a pod it reports about is not there (any more). */
function podGoneMessage(node: string, pod: { namespace: string; name: string; uid: string }): Message {
  const { namespace, name, uid } = pod;
  return newMessage({
    source: CloudModule.edgeController,
    group: Group.resource,
    operation: "delete",
    resource: printNodeResource({ node, namespace, type: "pod", name }),
  }, { apiVersion: "v1", kind: "Pod", metadata: { namespace, name, ...(uid === "" ? {} : { uid }) } });
}
