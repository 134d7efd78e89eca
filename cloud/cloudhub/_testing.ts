/** What the tests of cloudhub share: a running cloudhub on free ports, and edges that talk to it. For tests only. */
import { Buffer } from "node:buffer";
import { request as httpsRequest } from "node:https";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { SECRETS } from "../../common/kubeclient/mod.ts";
import { MetricsRegistry, printMetrics } from "../../common/metrics/mod.ts";
import { type Message, parseMessage, printMessage } from "../../common/model/mod.ts";
import { createLogger, type Logger, Mailbox, systemClock } from "../../common/module/mod.ts";
import {
  createNodeRequest,
  type Der,
  loadAuthority,
  parseJoinToken,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../../common/pki/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import { WebSocket } from "./_ws.ts";
import { cloudHub, type CloudHubComponents, type CloudHubOptions } from "./mod.ts";

/** A node's certificate and key as PEM. */
export interface NodeCredentials {
  cert: string;
  key: string;
}

/** The answer of the HTTPS endpoint. */
export interface HttpAnswer {
  status: number;
  body: Der;
  text: string;
}

/** A running cloudhub; disposing stops it. */
export interface RunningHub extends AsyncDisposable {
  ports: { https: number; websocket: number };
  kube: FakeKubeClient;
  inbox: Mailbox<Message>;
  /** What edgecontroller was sent. */
  upstream: Mailbox<Message>;
  /** PEM. */
  ca: string;
  /** Lines of the log. */
  logged: string[];
  token(): Promise<string>;
  metrics(): string;
  /** A certificate signed by the hub's CA, without asking the hub. */
  issue(
    node: string,
    options?: { now?: number; validityDays?: number; extKeyUsages?: number[] },
  ): Promise<NodeCredentials>;
  request(path: string, options?: RequestOptions): Promise<HttpAnswer>;
  connect(node: string, options?: ConnectOptions): Promise<TestEdge>;
  /** Stops cloudhub and tells how it ended. */
  stop(): Promise<void>;
}

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  credentials?: NodeCredentials;
}

export interface ConnectOptions {
  credentials?: NodeCredentials;
  headers?: Record<string, string>;
  path?: string;
  /** Acknowledge what asks for it. @default true */
  acknowledge?: boolean;
}

/** Starts cloudhub on loopback. */
export async function startHub(
  options: Partial<CloudHubOptions> = {},
  more: Partial<CloudHubComponents> & { kube?: FakeKubeClient; clock?: Clock } = {},
): Promise<RunningHub> {
  const kube = more.kube ?? new FakeKubeClient();
  const clock = more.clock ?? systemClock;
  const inbox = new Mailbox<Message>("cloudhub", 1024);
  const upstream = new Mailbox<Message>("edgecontroller", 1024);
  const metrics = new MetricsRegistry();
  const logged: string[] = [];
  const log: Logger = createLogger("cloudhub", { level: "debug", write: (line) => logged.push(line) });
  const listening = Promise.withResolvers<{ https: number; websocket: number }>();
  const module = cloudHub(
    { inbox, edgeController: upstream.send, log, metrics, ...more, clock, kube },
    {
      advertiseAddress: ["127.0.0.1"],
      https: { address: "127.0.0.1", port: 0 },
      websocket: { address: "127.0.0.1", port: 0 },
      onListening: listening.resolve,
      ...options,
    },
  );
  const controller = new AbortController();
  const ended = module.run(controller.signal);
  await Promise.race([module.ready, ended]);
  const ports = await Promise.race([listening.promise, ended.then(() => Promise.reject(new Error("ended")))]);
  const namespace = options.namespace ?? "kubeedge";
  const secret = async (name: string, key: string) =>
    Uint8Array.fromBase64((await kube.get(SECRETS, { namespace, name })).data![key]!);
  const ca = printPem("CERTIFICATE", await secret("casecret", "cadata"));
  const issue: RunningHub["issue"] = async (
    node,
    { now = clock.now(), validityDays = 1, extKeyUsages = [2] } = {},
  ) => {
    const authority = await loadAuthority({
      certificate: await secret("casecret", "cadata"),
      key: await secret("casecret", "cakeydata"),
    });
    return await credentialsOf(node, authority, { now, validityDays, extKeyUsages });
  };
  const stop = async () => {
    controller.abort(new DOMException("stop", "AbortError"));
    await ended;
  };
  return {
    ports,
    kube,
    inbox,
    upstream,
    ca,
    logged,
    issue,
    stop,
    token: async () => new TextDecoder().decode(await secret("tokensecret", "tokendata")),
    metrics: () => printMetrics(metrics.collect()),
    request: (path, options = {}) => httpsCall(ports.https, ca, path, options),
    connect: async (node, options = {}) =>
      await openEdge(ports.websocket, ca, node, { credentials: await issue(node), ...options }),
    [Symbol.asyncDispose]: stop,
  };
}

/** A node's credentials from any authority. */
export async function credentialsOf(
  node: string,
  authority: Parameters<typeof signNodeRequest>[0],
  options: Parameters<typeof signNodeRequest>[2],
): Promise<NodeCredentials> {
  const { csr, key } = await createNodeRequest(node);
  const certificate = await signNodeRequest(authority, csr, options);
  return { cert: printPem("CERTIFICATE", certificate), key: printEcKeyPem(key) };
}

/** One HTTPS request on a connection of its own. */
export function httpsCall(
  port: number,
  ca: string,
  path: string,
  options: RequestOptions,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      host: "127.0.0.1",
      port,
      path,
      ca,
      method: options.method ?? "GET",
      headers: {
        ...options.headers,
        ...(options.body === undefined ? {} : { "Content-Length": Buffer.byteLength(options.body) }),
      },
      agent: false,
      ...options.credentials,
    }, (response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = new Uint8Array(Buffer.concat(chunks));
        resolve({ status: response.statusCode ?? 0, body, text: new TextDecoder().decode(body) });
      });
    });
    request.on("error", reject);
    request.end(options.body);
  });
}

/** Joins with a token as edgecore does. */
export async function join(
  hub: RunningHub,
  node: string,
  token?: string,
): Promise<HttpAnswer & { key: Der }> {
  const { jwt } = parseJoinToken(token ?? await hub.token());
  const { csr, key } = await createNodeRequest(node);
  const headers = { Authorization: `Bearer ${jwt}`, NodeName: node };
  return { ...await hub.request("/edge.crt", { headers, body: csr }), key };
}

/** The far end of a session. */
export interface TestEdge extends AsyncDisposable {
  socket: WebSocket;
  /** What was received, acknowledgements sent already. */
  received: Mailbox<Message>;
  closed: Promise<{ code: number; reason: string }>;
  send(message: Message): void;
}

/** The refusal of an upgrade. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  constructor(readonly status: number, readonly text: string) {
    super(`${status} ${text}`);
  }
}

/** Opens a session. @throws {UpgradeRefused} */
export function openEdge(port: number, ca: string, node: string, options: ConnectOptions): Promise<TestEdge> {
  const { credentials, headers, path = `/e632aba927ea4ac2b575ec1603d56f10/${node}/events` } = options;
  const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, {
    ca,
    ...credentials,
    perMessageDeflate: false,
    headers: { node_id: node, project_id: "p", ConnectionUse: "msg", ...headers },
  });
  const received = new Mailbox<Message>(`edge ${node}`, 100_000);
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.on("close", (code: number, reason: Buffer) => {
    received.close();
    closed.resolve({ code, reason: reason.toString() });
  });
  const edge: TestEdge = {
    socket,
    received,
    closed: closed.promise,
    send: (message) => socket.send(printMessage(message)),
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed.promise;
    },
  };
  socket.on("message", (data: Buffer) => {
    const message = parseMessage(data.toString());
    if (options.acknowledge !== false && message.header.resourceVersion !== undefined) {
      const { source, group, resource } = message.route;
      edge.send({
        header: { msgId: crypto.randomUUID(), parentMsgId: message.header.msgId, timestamp: Date.now() },
        route: { source, group, operation: "response", resource },
        content: "OK",
      });
    }
    received.trySend(message);
  });
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(edge));
    socket.on("unexpected-response", (_request, response) => {
      const chunks: Uint8Array[] = [];
      response.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      response.on("end", () => {
        reject(new UpgradeRefused(response.statusCode ?? 0, Buffer.concat(chunks).toString()));
        socket.terminate();
      });
    });
    socket.on("error", reject);
  });
}

/** Waits until a condition holds. @throws after five seconds */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 30_000;
  while (!await condition()) {
    if (Date.now() > end) throw new Error(`It did not come about that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
