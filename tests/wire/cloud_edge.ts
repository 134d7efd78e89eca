/** The edge side of a session as upstream's edgecore opens and holds it, driven frame by frame. For tests only. */
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { WebSocket } from "../../cloud/cloudhub/_ws.ts";
import type { NodeCredentials } from "../../cloud/cloudhub/_testing.ts";
import { createNodeRequest, parseFirstPem, printEcKeyPem, printPem } from "../../common/pki/mod.ts";
import type { CloudAddress } from "./cloud_core.ts";
import { askHttps } from "./cloud_https_cases.ts";
import type { WireMessage } from "./cloud_recording.ts";

/** Joins as edgecore does: the CA, its hash against the token, a certificate for the token. */
export async function joinAsEdgecore(cloud: CloudAddress, node: string): Promise<NodeCredentials> {
  const ca = await askHttps(cloud, { name: "ca", method: "GET", path: "/ca.crt" });
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(ca.body))).toHex();
  assert.equal(hash, cloud.token.split(".")[0]);
  assert.deepEqual(new Uint8Array(ca.body), parseFirstPem(cloud.ca).der);
  const { csr, key } = await createNodeRequest(node);
  const headers = { Authorization: `Bearer ${cloud.token.split(".").slice(1).join(".")}`, NodeName: node };
  const answer = await askHttps(cloud, {
    name: "join",
    method: "GET",
    path: "/edge.crt",
    headers,
    body: csr,
  });
  assert.equal(answer.status, "HTTP/1.1 200 OK", new TextDecoder().decode(answer.body));
  return { cert: printPem("CERTIFICATE", new Uint8Array(answer.body)), key: printEcKeyPem(key) };
}

/** The buffer through which gorilla writes: longer messages go as fragments of this size. */
const FRAGMENT_BYTES = 4096;

export interface WireEdgeOptions {
  credentials: NodeCredentials;
  /** Instead of those of edgecore. */
  headers?: Record<string, string | string[]>;
  /** What to send when a message came; undefined for nothing. */
  acknowledge?: (message: WireMessage) => boolean;
}

/** An open session. */
export class WireEdge implements AsyncDisposable {
  /** Everything that came, in order. */
  readonly received: WireMessage[] = [];
  /** The same as text. */
  readonly texts: string[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly #socket: WebSocket;
  readonly #waiting = new Set<() => void>();

  private constructor(socket: WebSocket, options: WireEdgeOptions) {
    this.#socket = socket;
    this.closed = new Promise((resolve) =>
      socket.on("close", (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() }))
    );
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      assert.equal(isBinary, false, "a message of the cloud is text");
      const message = JSON.parse(data.toString()) as WireMessage;
      this.received.push(message);
      this.texts.push(data.toString());
      if (options.acknowledge?.(message) ?? false) this.acknowledge(message);
      for (const look of this.#waiting) look();
    });
  }

  /** Opens a session. @throws {Error} when it is refused */
  static async open(cloud: CloudAddress, node: string, options: WireEdgeOptions): Promise<WireEdge> {
    const path = `/e632aba927ea4ac2b575ec1603d56f10/${node}/events`;
    const socket = new WebSocket(`wss://127.0.0.1:${cloud.hubPort}${path}`, {
      ca: cloud.ca,
      ...options.credentials,
      perMessageDeflate: false,
      headers: {
        Node_id: node,
        Project_id: "e632aba927ea4ac2b575ec1603d56f10",
        Connectionuse: "msg",
        ...options.headers,
      },
    });
    const edge = new WireEdge(socket, options);
    await new Promise<void>((resolve, reject) => {
      socket.on("open", resolve);
      socket.on("error", reject);
      socket.on("unexpected-response", (_request, response) => {
        const chunks: Uint8Array[] = [];
        response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        response.on("end", () => {
          reject(new Error(`${response.statusCode} ${Buffer.concat(chunks).toString()}`));
          socket.terminate();
        });
      });
    });
    return edge;
  }

  /** Sends a message as gorilla does. */
  send(message: unknown): void {
    this.sendText(`${JSON.stringify(message)}\n`);
  }

  /** Sends any text, in fragments when it is long. */
  sendText(text: string): void {
    const bytes = Buffer.from(text);
    let at = 0;
    do {
      const part = bytes.subarray(at, at += FRAGMENT_BYTES);
      this.#socket.send(part, { binary: false, fin: at >= bytes.length });
    } while (at < bytes.length);
  }

  /** Sends bytes with the opcode of binary messages. */
  sendBinary(bytes: Uint8Array): void {
    this.#socket.send(bytes, { binary: true });
  }

  acknowledge({ header, route }: WireMessage): void {
    const { source, group, resource } = route;
    this.send({
      header: { msg_id: crypto.randomUUID(), parent_msg_id: header.msg_id, timestamp: Date.now() },
      route: { source, group, operation: "response", resource },
      content: "OK",
    });
  }

  keepalive(): void {
    this.send({
      header: { msg_id: crypto.randomUUID(), timestamp: Date.now() },
      route: { source: "websocket", group: "resource", operation: "keepalive", resource: "node" },
      content: "ping",
    });
  }

  /** Asks for something and waits for the reply. */
  async ask(route: WireMessage["route"], content: unknown, source = "edged"): Promise<WireMessage> {
    const msg_id = crypto.randomUUID();
    this.send({
      header: { msg_id, timestamp: Date.now() },
      route: { source, group: "meta", ...route },
      content,
    });
    return await this.reply(msg_id, `${route.operation} ${route.resource}`);
  }

  /** The reply to a message. */
  reply(id: string, what = id): Promise<WireMessage> {
    return this.first(({ header }) => header.parent_msg_id === id, `a reply to ${what}`);
  }

  /** Waits for the first message that fits, what came before included. @throws after a minute, or when the session ends */
  async first(
    fits: (message: WireMessage, at: number) => boolean,
    what: string,
    timeoutMs = 60_000,
  ): Promise<WireMessage> {
    const found = () => this.received.find((message, at) => fits(message, at));
    const { promise, resolve, reject } = Promise.withResolvers<WireMessage>();
    const look = () => {
      const message = found();
      if (message !== undefined) resolve(message);
    };
    const timer = setTimeout(() => reject(new Error(`There was no ${what}`)), timeoutMs);
    this.#waiting.add(look);
    look();
    const ended = this.closed.then(({ code, reason }) => {
      throw new Error(`The session ended (${code} ${reason}) without ${what}`);
    });
    ended.catch(() => {/* nobody waits any more */});
    try {
      return await Promise.race([promise, ended]);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.terminate();
    await this.closed;
  }
}
