import { StatusError } from "../errors/mod.ts";

/*
 * The resource path of a message.
 *
 *   cloud, inside      node/<node>/<namespace>/<type>[/<name>]
 *   on the wire        <namespace>/<type>[/<name>]
 *   cluster-scoped     the namespace is the literal "null"
 *
 * Upstream: kubeedge cloud/pkg/common/messagelayer/util.go @ 16cd854
 */

/** Stands for the namespace of objects that have none. */
export const CLUSTER_SCOPE = "null";

/** The parts of `<namespace>/<type>[/<name>]`. */
export interface ObjectResource {
  /** `"null"` for cluster-scoped objects. */
  namespace: string;
  /** Lower-case type word: "pod", "configmap", "nodepatch", … */
  type: string;
  /** Empty when the path names a whole type. */
  name: string;
}

/** A resource path with the node it concerns, as used inside the cloud. */
export interface NodeResource extends ObjectResource {
  node: string;
}

/**
 * Reads `<namespace>/<type>[/<name>]`; a name may itself contain slashes.
 * @throws {StatusError} BadRequest when a part is missing or empty
 */
export function parseObjectResource(resource: string): ObjectResource {
  const [namespace, type, ...rest] = resource.split("/");
  if (!namespace || !type || (rest.length > 0 && rest[0] === "")) {
    throw new StatusError(
      "BadRequest",
      `Cannot read resource ${
        JSON.stringify(resource.slice(0, 300))
      }: <namespace>/<type>[/<name>] is expected`,
    );
  }
  return { namespace, type, name: rest.join("/") };
}

/** Reads `node/<node>/<namespace>/<type>[/<name>]`. @throws {StatusError} BadRequest */
export function parseNodeResource(resource: string): NodeResource {
  const { node, rest } = splitNode(resource);
  if (node === undefined) {
    throw new StatusError(
      "BadRequest",
      `Cannot read resource ${JSON.stringify(resource.slice(0, 300))}: node/<node>/… is expected`,
    );
  }
  return { node, ...parseObjectResource(rest) };
}

/** `<namespace>/<type>[/<name>]`. An empty namespace is written as "null". */
export function printObjectResource({ namespace, type, name }: ObjectResource): string {
  const path = `${namespace || CLUSTER_SCOPE}/${type}`;
  return name === "" ? path : `${path}/${name}`;
}

/** `node/<node>/<namespace>/<type>[/<name>]`. */
export function printNodeResource(resource: NodeResource): string {
  return withNode(resource.node, printObjectResource(resource));
}

/** Puts the node in front of a resource that came over the wire. */
export function withNode(node: string, resource: string): string {
  return `node/${node}/${resource}`;
}

/**
 * Cuts `node/<node>/` off a downstream resource, as the hub does before it writes to the wire: only when something follows.
 * `node/<node>` alone and resources that do not begin with `node` stay as they are.
 */
export function splitNode(resource: string): { node: string | undefined; rest: string } {
  if (!resource.startsWith("node/")) return { node: undefined, rest: resource };
  const end = resource.indexOf("/", 5);
  if (end < 0 || end === 5 || end === resource.length - 1) return { node: undefined, rest: resource };
  return { node: resource.slice(5, end), rest: resource.slice(end + 1) };
}

/** The node a downstream message is for: the element after the first element equal to `node`. */
export function targetNode(resource: string): string | undefined {
  const parts = resource.split("/");
  const at = parts.indexOf("node");
  return at < 0 ? undefined : parts[at + 1] || undefined;
}
