import type { TokenRequest } from "../../common/api/authentication_v1.ts";
import type { Lease } from "../../common/api/coordination_v1.ts";
import type { ConfigMap, Node, Pod, Secret } from "../../common/api/core_v1.ts";
import { errorText, hasReason, isConflict, isNotFound, StatusError } from "../../common/errors/mod.ts";
import {
  EdgeModule,
  errorFromContent,
  Group,
  type Message,
  newMessage,
  Operation,
  parseJson,
  parseObjectResource,
  printObjectResource,
  unwrapResponse,
} from "../../common/model/mod.ts";
import { type Inbox, itemsUntil, type Logger, type Send } from "../../common/module/mod.ts";
import type { EdgedEvent, KubeApi, PodEvent } from "./kube_api.ts";
import { isObjectName, parsePod, parseRemovedPod } from "./parse_pod.ts";
import type { Timers } from "./timers.ts";

/** How long a reply is waited for. Upstream: edge/pkg/metamanager/client (syncPeriod, syncMsgRespTimeout) @ 16cd854 */
export const REPLY_TIMEOUT_MS = 60_000;

/** Requests that may wait for a reply at a time; one more is refused. */
export const MAX_PENDING = 1024;

/** What the client is made of. */
export interface MetaClientComponents {
  inbox: Inbox<Message>;
  metaManager: Send<Message>;
  timers: Timers;
  log: Logger;
}

/** edged's side of the conversation with metamanager. */
export interface MetaClient {
  readonly api: KubeApi;
  /** Requests that wait for a reply. */
  readonly pending: number;
  /** Reads the mailbox until it is closed or the signal aborts; `onEvent` must not wait. */
  run(onEvent: (event: EdgedEvent) => void, signal: AbortSignal): Promise<void>;
}

type Ask = (operation: string, resource: [string, string, string], content: unknown) => Promise<unknown>;

/**
 * The Kubernetes API as messages to metamanager and back.
 * Upstream: kubeedge edge/pkg/metamanager/client, edge/pkg/edged/edged.go (syncPod) @ 16cd854
 */
export function metaClient({ inbox, metaManager, timers, log }: MetaClientComponents): MetaClient {
  const pending = new Map<string, (reply: Message) => void>();
  const closed = new AbortController();

  const ask: Ask = async (operation, [namespace, type, name], content) => {
    const resource = printObjectResource({ namespace, type, name });
    if (closed.signal.aborted) {
      throw new StatusError("ServiceUnavailable", "Cannot ask metamanager: edged is stopping");
    }
    if (pending.size >= MAX_PENDING) {
      throw new StatusError(
        "TooManyRequests",
        `Cannot ask for ${resource}: ${MAX_PENDING} requests wait for a reply`,
      );
    }
    const message = newMessage({ source: EdgeModule.edged, group: Group.meta, operation, resource }, content);
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const stop = () =>
      reject(
        new StatusError("ServiceUnavailable", `Cannot finish ${operation} of ${resource}: edged is stopping`),
      );
    closed.signal.addEventListener("abort", stop, { once: true });
    const cancel = timers.after(
      REPLY_TIMEOUT_MS,
      () =>
        reject(
          new StatusError(
            "Timeout",
            `No reply to ${operation} of ${resource} in ${REPLY_TIMEOUT_MS / 1000} s`,
          ),
        ),
    );
    pending.set(message.header.msgId, resolve);
    try {
      await Promise.race([metaManager(message, { signal: closed.signal }), promise]);
      return contentOf(await promise);
    } catch (error) {
      if (closed.signal.aborted && !(error instanceof StatusError)) {
        throw new StatusError("ServiceUnavailable", `Cannot ask for ${resource}: edged is stopping`, {
          cause: error,
        });
      }
      throw error;
    } finally {
      cancel();
      pending.delete(message.header.msgId);
      closed.signal.removeEventListener("abort", stop);
    }
  };

  /** One message that cannot be acted on must not keep the next ones from being. */
  const deliver = (message: Message, onEvent: (event: EdgedEvent) => void) => {
    try {
      for (const event of readEvents(message, log)) onEvent(event);
    } catch (error) {
      log.error("Message cannot be acted on", error, { resource: message.route.resource.slice(0, 300) });
    }
  };

  return {
    api: kubeApi(ask, log),
    get pending() {
      return pending.size;
    },
    async run(onEvent, signal) {
      try {
        for await (const message of itemsUntil(inbox, signal)) {
          const answer = message.header.parentMsgId && pending.get(message.header.parentMsgId);
          if (answer) answer(message);
          else deliver(message, onEvent);
        }
      } finally {
        closed.abort();
      }
    },
  };
}

/** Texts with which metamanager refuses what needs the cloud while it is away. */
const AWAY = /not connected|connection lost|timeout to get response/i;

/** What a reply holds. @throws {StatusError} what the reply says went wrong */
function contentOf(reply: Message): unknown {
  if (reply.route.operation === Operation.error) {
    const error = errorFromContent(reply.content);
    if (AWAY.test(error.message)) throw new StatusError("ServiceUnavailable", error.message);
    throw error;
  }
  return unwrapResponse(reply.content);
}

type KubeObject = { metadata?: { name?: string } };

/** One object out of a reply: the cloud sends the object, the edge's own store a list of JSON texts. */
function oneObject<T extends KubeObject>(content: unknown, resource: string): T {
  let value = content;
  if (Array.isArray(value)) value = value[0];
  if (typeof value === "string") value = parseJson(value);
  value = unwrapResponse(value ?? null);
  if (value === null) throw new StatusError("NotFound", `${resource} not found`);
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new StatusError("InternalError", `Cannot read the reply about ${resource}: it is not an object`);
  }
  return value as T;
}

/** The pods in a list, or a list of JSON texts, or a PodList. */
function manyObjects(content: unknown): unknown[] {
  const list = Array.isArray(content)
    ? content
    : typeof content === "object" && content !== null && "items" in content && Array.isArray(content.items)
    ? content.items
    : [];
  return list.map((item) => typeof item === "string" ? parseJson(item) : item);
}

function kubeApi(ask: Ask, log: Logger): KubeApi {
  const NODE_SCOPE = "";
  const LEASES = "kube-node-lease";
  const { insert, query, patch, update, delete: remove } = Operation;
  const name = (object: KubeObject) => object.metadata?.name ?? "";
  return {
    createNode: async (node) =>
      oneObject<Node>(await ask(insert, [NODE_SCOPE, "node", name(node)], node), "node"),
    getNode: async (node) =>
      oneObject<Node>(await ask(query, [NODE_SCOPE, "node", node], null), `node "${node}"`),
    patchNodeStatus: async (node, change) =>
      oneObject<Node>(
        await ask(patch, [NODE_SCOPE, "nodepatch", node], JSON.stringify(change)),
        `node "${node}"`,
      ),
    updateNode: async (node) => {
      await ask(update, [NODE_SCOPE, "node", name(node)], node);
    },
    getLease: async (lease) =>
      oneObject<Lease>(await ask(query, [LEASES, "lease", lease], null), `lease "${lease}"`),
    createLease: async (lease) =>
      oneObject<Lease>(await ask(insert, [LEASES, "lease", name(lease)], lease), "lease"),
    updateLease: async (lease) =>
      oneObject<Lease>(await ask(update, [LEASES, "lease", name(lease)], lease), "lease"),
    patchPodStatus: async (namespace, pod, change) =>
      oneObject<Pod>(await ask(patch, [namespace, "podpatch", pod], JSON.stringify(change)), `pod "${pod}"`),
    deletePod: async (namespace, pod, uid) => {
      try {
        await ask(remove, [namespace, "pod", pod], { gracePeriodSeconds: 0, preconditions: { uid } });
      } catch (error) {
        // A conflict says that the name belongs to another pod by now: this one is gone.
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
    listPods: async () => {
      const events: PodEvent[] = [];
      for (const item of manyObjects(await ask(query, ["default", "pod", ""], null))) {
        const reading = parsePod(item);
        if (reading.type === "refused") {
          log.warning("Pod in the store is not one", { reason: reading.message });
        } else events.push(reading);
      }
      return events;
    },
    listGonePods: async () => {
      const content = await ask(query, ["default", "gonepod", ""], null);
      return Array.isArray(content) ? content.filter((uid) => typeof uid === "string") : [];
    },
    lookUpPod: async (namespace, pod, uid) => {
      // A patch that changes nothing is answered with the object, and refused when the UID is another's.
      const found = await ask(patch, [namespace, "podpatch", pod], JSON.stringify({ metadata: { uid } }));
      const reading = parsePod(found);
      if (reading.type === "refused") {
        throw new StatusError(
          "InternalError",
          `Cannot read the reply about pod "${pod}": ${reading.message}`,
        );
      }
      const identity = reading.type === "pod" ? reading.pod.metadata : reading.identity;
      if (identity.uid !== uid) throw new StatusError("Conflict", `pod "${pod}" is another one by now`);
      return reading;
    },
    getConfigMap: (namespace, configMap) => getNamed<ConfigMap>(ask, namespace, "configmap", configMap),
    getSecret: (namespace, secret) => getNamed<Secret>(ask, namespace, "secret", secret),
    createToken: async (namespace, serviceAccount, request) =>
      oneObject<TokenRequest>(
        await ask(query, [namespace, "serviceaccounttoken", serviceAccount], request),
        `serviceaccount "${serviceAccount}"`,
      ),
  };
}

async function getNamed<T extends KubeObject>(
  ask: Ask,
  namespace: string,
  type: string,
  name: string,
): Promise<T> {
  const what = `${type} "${name}"`;
  if (!isObjectName(name)) throw new StatusError("NotFound", `${what} not found`);
  try {
    const object = oneObject<T>(await ask(Operation.query, [namespace, type, name], null), what);
    // An edge that stored an error as if it were the object hands out an object without a name.
    if (object.metadata?.name === undefined) throw new StatusError("NotFound", `${what} not found`);
    return object;
  } catch (error) {
    if (isNotFound(error) && !hasReason(error, "ServiceUnavailable")) {
      throw new StatusError("NotFound", `${what} not found`, { cause: error });
    }
    throw error;
  }
}

/** What a pushed message says; nothing for messages that do not concern edged. */
export function readEvents(message: Message, log: Logger): EdgedEvent[] {
  const { operation, resource } = message.route;
  if (resource === "node/connection") {
    return [{ type: "connection", connected: message.content === "cloud_connected" }];
  }
  if (operation !== Operation.insert && operation !== Operation.update && operation !== Operation.delete) {
    return [];
  }
  let path;
  let content = message.content;
  try {
    path = parseObjectResource(resource);
    if (typeof content === "string") content = parseJson(content);
  } catch (error) {
    log.warning("Message to edged cannot be read", {
      resource: resource.slice(0, 300),
      reason: errorText(error),
    });
    return [];
  }
  const { namespace, type, name } = path;
  switch (type) {
    case "configmap":
    case "secret":
      return [{ type, namespace, name }];
    case "node":
      return operation === Operation.delete || !isNode(content) ? [] : [{ type: "node", node: content }];
    case "podlist":
      return operation === Operation.delete ? [] : manyObjects(content).flatMap((pod) => readPod(pod, log));
    case "pod": {
      if (operation !== Operation.delete) return readPod(content, log);
      const removed = parseRemovedPod(content, { namespace, name });
      return removed === undefined ? [] : [{ type: "pod-removed", ...removed }];
    }
    default:
      return [];
  }
}

/** Whether a value can be looked at as a node: its conditions are a list of objects. */
function isNode(value: unknown): value is Node {
  if (typeof value !== "object" || value === null) return false;
  const { metadata, status } = value as Record<string, unknown>;
  if (typeof metadata !== "object" || metadata === null) return false;
  if (status === undefined || status === null) return true;
  if (typeof status !== "object") return false;
  const { conditions } = status as Record<string, unknown>;
  return conditions === undefined ||
    (Array.isArray(conditions) && conditions.every((item) => typeof item === "object" && item !== null));
}

function readPod(content: unknown, log: Logger): EdgedEvent[] {
  const reading = parsePod(content);
  if (reading.type !== "refused") return [reading];
  log.warning("Pod refused", { reason: reading.message });
  return [];
}
