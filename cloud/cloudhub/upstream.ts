import { CloudModule, type Message, Operation, targetNode, withNode } from "../../common/model/mod.ts";

/** Modules that take messages of nodes. */
export type UpstreamTarget =
  | "edgeController"
  | "deviceController"
  | "dynamicController"
  | "router"
  | "taskManager"
  | "csi";

/** What is to be done with a message of a node. */
export type UpstreamAction =
  | { kind: "keepalive" }
  /** Answered at once with "ack". */
  | { kind: "control" }
  | { kind: "acknowledgement"; id: string }
  | { kind: "clusterCa" }
  /** Of no meaning, and no reason to say so. */
  | { kind: "nothing" }
  | { kind: "forward"; to: UpstreamTarget; message: Message }
  | { kind: "drop"; reason: string };

/** Upstream: kubeedge pkg/viaduct/pkg/lane/wsnopack.go @ 16cd854 */
const CONTROL_OPERATIONS: ReadonlySet<string> = new Set(["config", "ping", "pong"]);
const TASK_OPERATIONS: ReadonlySet<string> = new Set(["prepull", "upgrade", "UpdateNodeActionStatus"]);
const VOLUME = /^\w[-\w.+]*\/volume\/\w[-\w.+]*/;

/** Sources that only the cloud's own modules may claim. */
const CLOUD_SOURCES: ReadonlySet<string> = new Set([
  CloudModule.cloudHub,
  CloudModule.cloudStream,
  CloudModule.deviceController,
  CloudModule.edgeController,
  CloudModule.syncController,
]);

/**
 * Decides about a message of a node; the first rule that fits wins. Pure.
 * Upstream: kubeedge cloud/pkg/cloudhub/dispatcher/message_dispatcher.go (DispatchUpstream) @ 16cd854
 * @param node whose connection it came over: what the message says about itself does not count
 */
export function decideUpstream(message: Message, node: string): UpstreamAction {
  const { source, group, operation, resource } = message.route;
  const prefixed = (): Message => ({
    ...message,
    route: { ...message.route, resource: withNode(node, resource) },
  });
  // Upstream's edgecore sends what its closing queues give it when it stops.
  if (operation === "" && resource === "" && message.content === null) return { kind: "nothing" };
  if (CONTROL_OPERATIONS.has(operation)) return { kind: "control" };
  if (operation === Operation.keepalive) return { kind: "keepalive" };
  if (VOLUME.test(resource)) return { kind: "forward", to: "csi", message };
  if (operation === Operation.response) {
    const id = message.header.parentMsgId;
    return id === undefined
      ? { kind: "drop", reason: "a response without parent_msg_id" }
      : { kind: "acknowledgement", id };
  }
  if (operation === Operation.error) return { kind: "drop", reason: "the node reports an error" };
  if (operation === Operation.upload && group === "user") {
    return { kind: "forward", to: "router", message: prefixed() };
  }
  if (TASK_OPERATIONS.has(operation)) {
    // These name their node themselves.
    return targetNode(resource) === node
      ? { kind: "forward", to: "taskManager", message }
      : { kind: "drop", reason: "a task status of another node" };
  }
  if (resource === "k8s/ca.crt") return { kind: "clusterCa" };
  if (CLOUD_SOURCES.has(source)) return { kind: "drop", reason: "the source is a module of the cloud" };
  if (resource === "") return { kind: "drop", reason: "the resource is empty" };
  if (source === "metaserver") return { kind: "forward", to: "dynamicController", message: prefixed() };
  if (source === "twin") return { kind: "forward", to: "deviceController", message: prefixed() };
  return { kind: "forward", to: "edgeController", message: prefixed() };
}
