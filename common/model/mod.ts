/**
 * The message envelope that cloud and edge share: header, route, operations, resource paths, contents. Pure.
 * Upstream: kubeedge staging/src/github.com/kubeedge/beehive/pkg/core/model @ 16cd854
 * @module
 */
export {
  DEFAULT_MAX_CHARS,
  DEFAULT_MAX_DEPTH,
  MESSAGE_TEXT,
  messageFromJson,
  messageToJson,
  newErrorResponse,
  newMessage,
  newResponse,
  OK_CONTENT,
  Operation,
  parseJson,
  parseMessage,
  printMessage,
} from "./message.ts";
export type { Header, Message, NewMessageOptions, ParseLimits, Route } from "./message.ts";
export {
  CLUSTER_SCOPE,
  parseNodeResource,
  parseObjectResource,
  printNodeResource,
  printObjectResource,
  splitNode,
  targetNode,
  withNode,
} from "./resource.ts";
export type { NodeResource, ObjectResource } from "./resource.ts";
export {
  errorFromContent,
  errorObjectResponse,
  isObjectResponse,
  isStatusContent,
  objectResponse,
  statusContent,
  unwrapResponse,
} from "./content.ts";
export type { ObjectResponse } from "./content.ts";
export { CloudModule, EdgeModule, Group } from "./modules.ts";
export { TAKEN_OVER_CODE, TAKEN_OVER_REASON, YIELD_HEADER } from "./takeover.ts";
