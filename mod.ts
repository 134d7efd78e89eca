/**
 * The public surface of KubeEdge on Deno: the shared typed message envelope, its resource paths, and the errors they raise.
 * @module
 */
export {
  CloudModule,
  EdgeModule,
  Group,
  newErrorResponse,
  newMessage,
  newResponse,
  OK_CONTENT,
  Operation,
  parseMessage,
  parseNodeResource,
  parseObjectResource,
  printMessage,
  printNodeResource,
  printObjectResource,
} from "./common/model/mod.ts";
export type { Header, Message, NodeResource, ObjectResource, Route } from "./common/model/mod.ts";
export { StatusError } from "./common/errors/mod.ts";
export type { StatusReason } from "./common/errors/mod.ts";
