import type { Counter, Gauge, MetricsRegistry } from "../../common/metrics/mod.ts";

/** What cloudhub counts. */
export interface HubMetrics {
  frames: Counter;
  bytes: Counter;
  acks: Counter;
  resends: Counter;
  rejectedFrames: Counter;
  dropped: Counter;
  joins: Counter;
  connections: Counter;
  queued: Gauge;
}

/** Numbers read when they are asked for. */
export interface HubReadings {
  connectedNodes: () => number;
  queuedMessages: () => number;
  queuedChars: () => number;
}

/** Registers the metrics. The name of the first is upstream's: kubeedge cloud/pkg/common/monitor/monitor.go @ 16cd854 */
export function hubMetrics(registry: MetricsRegistry, readings: HubReadings): HubMetrics {
  registry.gauge(
    "KubeEdge_CloudHub_connected_nodes",
    "Number of nodes that connected to the cloudHub instance",
    readings.connectedNodes,
  );
  registry.gauge(
    "kubeedge_cloudhub_queue_chars",
    "Characters of messages that wait for nodes",
    readings.queuedChars,
  );
  return {
    frames: registry.counter("kubeedge_cloudhub_frames_total", "WebSocket messages by direction"),
    bytes: registry.counter("kubeedge_cloudhub_bytes_total", "Payload of WebSocket messages by direction"),
    acks: registry.counter(
      "kubeedge_cloudhub_acks_total",
      "Acknowledgements by nodes; result unknown: of nothing",
    ),
    resends: registry.counter(
      "kubeedge_cloudhub_resends_total",
      "Messages sent again for want of an acknowledgement",
    ),
    rejectedFrames: registry.counter(
      "kubeedge_cloudhub_rejected_frames_total",
      "Messages of nodes not taken, by reason",
    ),
    dropped: registry.counter("kubeedge_cloudhub_dropped_total", "Messages to nodes not queued, by reason"),
    joins: registry.counter("kubeedge_cloudhub_joins_total", "Requests for a node certificate by result"),
    connections: registry.counter("kubeedge_cloudhub_connections_total", "Hub connections by result"),
    queued: registry.gauge(
      "kubeedge_cloudhub_queue_messages",
      "Messages that wait for nodes",
      readings.queuedMessages,
    ),
  };
}
