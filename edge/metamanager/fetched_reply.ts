import { StatusError } from "../../common/errors/mod.ts";
import {
  isStatusContent,
  type Message,
  type ObjectResource,
  Operation,
  printObjectResource,
  unwrapResponse,
} from "../../common/model/mod.ts";
import { matchesResource } from "./object_keeper.ts";
import { isJsonObject } from "./object_meta.ts";

/** The types that are asked for and then stored as they come. */
const OBJECTS: ReadonlySet<string> = new Set([
  "configmap",
  "secret",
  "persistentvolume",
  "persistentvolumeclaim",
  "volumeattachment",
]);

/**
 * The reply to a query in the one form that is stored and handed on: the object itself, or an error. What is in a wrapper or
 * a list of one is taken out; what is none of this becomes an error, so that no pod starts with what the store does not have.
 */
export function readFetched(reply: Message, resource: ObjectResource): Message {
  if (!OBJECTS.has(resource.type) || reply.route.operation !== Operation.response) return reply;
  const { content } = reply;
  const inner = Array.isArray(content) && content.length === 1 ? content[0] : content;
  if (isStatusContent(inner)) return { ...reply, content: inner };
  try {
    const object = unwrapResponse(inner);
    if (isJsonObject(object) && matchesResource(resource, object)) return { ...reply, content: object };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return reply;
  }
  const text = `The cloud's answer about ${
    printObjectResource(resource)
  } is not the object that was asked for`;
  return { ...reply, route: { ...reply.route, operation: Operation.error }, content: text };
}
