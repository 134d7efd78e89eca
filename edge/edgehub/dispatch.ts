import { Group, type Message, newResponse } from "../../common/model/mod.ts";

/** What happens to a message of the cloud. */
export type Dispatch =
  /** Goes to metamanager. */
  | { to: "metamanager" }
  /** Is answered by the hub itself. */
  | { answer: Message }
  /** Nobody here takes it. */
  | { to: "nobody"; why: string };

const LANE_OPERATIONS: ReadonlySet<string> = new Set(["config", "ping", "pong"]);

/**
 * Where a message of the cloud goes, by its group. Groups of the edge's own modules are not among them, so that the cloud
 * cannot pose as one.
 * Upstream: kubeedge edge/pkg/edgehub/messagehandler @ 16cd854; control operations: pkg/viaduct/pkg/mux
 */
export function dispatch(message: Message): Dispatch {
  const { group, operation } = message.route;
  if (LANE_OPERATIONS.has(operation)) return { answer: newResponse(message, "ack") };
  switch (group) {
    case Group.resource:
    case Group.func:
      return { to: "metamanager" };
    case Group.twin:
    case Group.user:
    case Group.taskManager:
      return { to: "nobody", why: `the module for ${group} is not enabled at this edge` };
    default:
      return { to: "nobody", why: "the group is unknown" };
  }
}
