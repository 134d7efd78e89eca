import { StatusError } from "../../common/errors/mod.ts";
import {
  CloudModule,
  Group,
  type Message,
  newMessage,
  statusContent,
  withNode,
} from "../../common/model/mod.ts";
import type { UpstreamTarget } from "./upstream.ts";

/** Upstream: kubeedge pkg/metaserver/constants.go (WatchAppSync) @ 16cd854 */
const WATCH_SYNC = "watchapp/sync";

/**
 * What a node is answered that waits for a module which is not here; undefined where no node waits. Pure.
 *
 * An edge's metaserver waits 10 s for each answer of dynamiccontroller before it reads its own store instead, or fails a write
 * without a reason. An application that is rejected makes it do so at once, and the client sees why.
 * Upstream: kubeedge edge/pkg/metamanager/metaserver/agent/agent.go, cloud/pkg/dynamiccontroller/application @ 16cd854
 */
export function answerWithout(
  target: UpstreamTarget,
  node: string,
  { header, route, content }: Message,
): Message | undefined {
  if (target !== "dynamicController" || !isRecord(content)) return undefined;
  const isSync = route.resource === WATCH_SYNC;
  const answer = isSync
    ? Object.fromEntries(Object.entries(content).map(([id, application]) => [id, rejected(application)]))
    : rejected(content);
  return newMessage(
    {
      source: CloudModule.dynamicController,
      group: Group.resource,
      operation: "applicationResponse",
      resource: withNode(node, isSync ? WATCH_SYNC : "ignore/Application/ignore"),
    },
    answer,
    { parentMsgId: header.msgId },
  );
}

/** An application without what it carried. */
function rejected(application: unknown): Record<string, unknown> {
  const { ID, Key, Verb, Nodename, Subresource, Timestamp } = isRecord(application) ? application : {};
  const asked = typeof Verb === "string" && typeof Key === "string" ? `${Verb} ${Key}` : "answer";
  const text = `Cannot ${asked} in the cloud: this cloudcore has no dynamiccontroller`;
  return {
    ...{ ID, Key, Verb, Nodename, Subresource, Timestamp },
    Option: null,
    ReqBody: null,
    RespBody: null,
    Status: "Rejected",
    Reason: text,
    Error: statusContent(new StatusError("MethodNotAllowed", text)),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
