/**
 * The cloud as an edge sees it, played by a test: both ports with mTLS, every frame kept as it came, requests answered from a
 * few objects in memory unless the test answers them itself. It merges patches only as far as the tests look, and confirms
 * nothing. For tests only.
 */
import type { SecureContextOptions } from "node:tls";
import type { WebSocket } from "ws";
import { type Message, messageFromJson, newMessage, printMessage } from "../../common/model/mod.ts";
import { TestCloud } from "../../edge/edgehub/_test_cloud.ts";
import type { EdgeHubOptions } from "../../edge/edgehub/mod.ts";

export type Json = Record<string, unknown>;

/** A frame of the edge. */
export interface Frame {
  /** As it was on the wire. */
  json: Json;
  message: Message;
  /** Which connection brought it, from 0. */
  session: number;
}

/** What becomes of a request: an answer's content, silence, or the cloud's own way. */
export type Answer =
  | { content: unknown; operation?: string; resourceVersion?: string }
  | "silence"
  | undefined;

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const notFound = (kind: string, name: string) => ({
  ErrStatus: {
    metadata: {},
    status: "Failure",
    message: `${kind} "${name}" not found`,
    reason: "NotFound",
    details: { name, kind },
    code: 404,
  },
});

export const statusError = (reason: string, code: number, message = reason) => ({
  ErrStatus: { metadata: {}, status: "Failure", message, reason, code },
});

export class EdgeCloud implements AsyncDisposable {
  readonly pki: TestCloud;
  readonly nodeName: string;
  /** Every frame of the edge, in order. */
  readonly frames: Frame[] = [];
  /** What it has, by the resource of queries: `default/pod/web`. */
  readonly objects = new Map<string, Json>();
  /** Heads of the upgrade requests. */
  readonly handshakes: Array<{ path: string; headers: Json; peer: string }> = [];
  /** Goes before the cloud's own way of answering. */
  answer: (request: Message) => Answer = () => undefined;
  #socket: WebSocket | undefined;
  #version = 1000;
  #accepting = true;

  private constructor(pki: TestCloud, nodeName: string) {
    this.pki = pki;
    this.nodeName = nodeName;
    void this.#accept();
  }

  static async start(nodeName = "edge-1", tls: SecureContextOptions = {}): Promise<EdgeCloud> {
    return new EdgeCloud(await TestCloud.start(undefined, undefined, undefined, tls), nodeName);
  }

  async options(directory: string, more: Partial<EdgeHubOptions> = {}): Promise<EdgeHubOptions> {
    return this.pki.options(directory, { nodeName: this.nodeName, token: await this.pki.token(), ...more });
  }

  /** Connections so far. */
  get sessions(): number {
    return this.handshakes.length;
  }

  get connected(): boolean {
    return this.#socket?.readyState === 1;
  }

  /** Ends the connection as a cloud that goes away does. */
  cut(): void {
    this.#socket?.terminate();
  }

  /** A version newer than any it gave. */
  nextVersion(): string {
    return String(++this.#version);
  }

  send(message: Message): void {
    this.sendText(printMessage(message));
  }

  /** Puts a text on the wire as it is. */
  sendText(text: string): void {
    if (!this.connected) throw new Error("Cannot send: the edge is not connected");
    this.#socket!.send(text);
  }

  sendBinary(bytes: Uint8Array): void {
    this.#socket!.send(bytes, { binary: true });
  }

  /** Several WebSocket frames that are one message. */
  sendInPieces(text: string, chars: number): void {
    for (let at = 0; at < text.length; at += chars) {
      this.#socket!.send(text.slice(at, at + chars), { fin: at + chars >= text.length });
    }
  }

  /** Pushes as upstream's controllers do; returns the message's id. */
  push(operation: string, resource: string, content: unknown, route: Partial<Message["route"]> = {}): string {
    const version = isObject(content) && isObject(content.metadata)
      ? content.metadata.resourceVersion
      : undefined;
    const message = newMessage(
      { source: "edgecontroller", group: "resource", operation, resource, ...route },
      content,
      typeof version === "string" ? { resourceVersion: version } : {},
    );
    this.send(message);
    return message.header.msgId;
  }

  /** Acknowledgements of a message. */
  acks(id: string): Frame[] {
    return this.frames.filter(({ message: { header, route } }) =>
      header.parentMsgId === id && route.operation === "response"
    );
  }

  /** Refusals of a message. */
  refusals(id: string): Frame[] {
    return this.frames.filter(({ message: { header, route } }) =>
      header.parentMsgId === id && route.operation === "error"
    );
  }

  /** Requests of the edge, oldest first. */
  requests(operation: string, resource: string | RegExp): Message[] {
    return this.frames.map(({ message }) => message).filter(({ route, header }) =>
      header.parentMsgId === undefined && route.operation === operation &&
      (typeof resource === "string" ? route.resource === resource : resource.test(route.resource))
    );
  }

  /** What it would answer by itself. */
  wouldAnswer(request: Message): Answer {
    return this.#ownAnswer(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#accepting = false;
    await this.pki[Symbol.asyncDispose]();
  }

  async #accept(): Promise<void> {
    while (this.#accepting) {
      const { socket, headers, path, peer } = await this.pki.session();
      const session = this.handshakes.push({ path, headers, peer }) - 1;
      this.#socket = socket;
      socket.on("message", (data) => {
        const json = JSON.parse(String(data)) as Json;
        const message = messageFromJson(json);
        this.frames.push({ json, message, session });
        if (message.header.parentMsgId === undefined && message.route.operation !== "keepalive") {
          this.#reply(message, socket);
        }
      });
    }
  }

  #reply(request: Message, socket: WebSocket): void {
    const answer = this.answer(request) ?? this.#ownAnswer(request);
    if (answer === "silence" || answer === undefined || socket.readyState !== 1) return;
    const { content, operation = "response", resourceVersion } = answer;
    const route = {
      source: "edgecontroller",
      group: "resource",
      operation,
      resource: request.route.resource,
    };
    socket.send(printMessage(newMessage(route, content, {
      parentMsgId: request.header.msgId,
      ...resourceVersion === undefined ? {} : { resourceVersion },
    })));
  }

  #ownAnswer({ route: { operation, resource }, content }: Message): Answer {
    const [namespace = "", type = "", name = ""] = resource.split("/");
    switch (`${operation} ${type}`) {
      case "insert node": {
        if (this.objects.has(resource)) {
          return { content: { Object: {}, Err: statusError("AlreadyExists", 409) } };
        }
        const node = this.#stamp(content as Json, "node-uid");
        this.objects.set(resource, node);
        return { content: { Object: node, Err: null } };
      }
      case "update node":
        return { content: "OK" };
      case "patch nodepatch":
        return this.#patched(`null/node/${name}`, "nodes", name, content);
      case "patch podpatch":
        return this.#patched(`${namespace}/pod/${name}`, "pods", name, content);
      case "query lease": {
        const lease = this.objects.get(resource);
        return {
          content: lease === undefined
            ? { Object: null, Err: notFound("leases.coordination.k8s.io", name) }
            : { Object: lease, Err: null },
        };
      }
      case "insert lease":
      case "update lease": {
        const lease = this.#stamp(content as Json, "lease-uid");
        this.objects.set(resource, lease);
        return { content: { Object: lease, Err: null } };
      }
      case "delete pod":
        this.objects.delete(resource);
        return { content: "OK" };
      case "query serviceaccounttoken": {
        const status = {
          token: "a.b.c",
          expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString(),
        };
        return { content: { ...content as Json, status } };
      }
    }
    if (operation !== "query") return undefined;
    const object = this.objects.get(resource);
    if (object === undefined) return { content: notFound(`${type}s`, name) };
    const { resourceVersion } = object.metadata as Json;
    return { content: object, resourceVersion: String(resourceVersion) };
  }

  #stamp(object: Json, uid: string): Json {
    const metadata = isObject(object.metadata) ? object.metadata : {};
    return { ...object, metadata: { uid, ...metadata, resourceVersion: this.nextVersion() } };
  }

  #patched(key: string, kind: string, name: string, patch: unknown): Answer {
    const before = this.objects.get(key);
    if (before === undefined) return { content: { Object: {}, Err: notFound(kind, name) } };
    const { status = {}, metadata } = JSON.parse(String(patch)) as { status?: Json; metadata?: Json };
    if (metadata?.uid !== undefined && metadata.uid !== (before.metadata as Json).uid) {
      return { content: { Object: {}, Err: statusError("Conflict", 409, "Precondition failed: UID") } };
    }
    const was = isObject(before.status) ? before.status : {};
    const conditions = new Map<unknown, Json>();
    for (const condition of [...was.conditions as Json[] ?? [], ...status.conditions as Json[] ?? []]) {
      conditions.set(condition.type, { ...conditions.get(condition.type), ...condition });
    }
    const plain = Object.entries(status).filter(([field]) => !field.startsWith("$"));
    const after = this.#stamp({
      ...before,
      status: { ...was, ...Object.fromEntries(plain), conditions: [...conditions.values()] },
    }, "");
    this.objects.set(key, after);
    // The API server's answer to a write carries no kind.
    const { kind: _kind, apiVersion: _apiVersion, ...object } = after;
    return {
      content: { Object: object, Err: null },
      resourceVersion: String((after.metadata as Json).resourceVersion),
    };
  }
}

/** A pod as the API has it. */
export function podOf(
  name: string,
  more: { uid?: string; version?: string; metadata?: Json; spec?: Json } = {},
): Json {
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      name,
      namespace: "default",
      uid: more.uid ?? `uid-${name}`,
      resourceVersion: more.version ?? "10",
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...more.metadata,
    },
    spec: {
      nodeName: "edge-1",
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "main", image: "busybox:1", imagePullPolicy: "IfNotPresent" }],
      ...more.spec,
    },
    status: { phase: "Pending" },
  };
}
