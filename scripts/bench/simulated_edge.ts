/** Edges as cloudcore sees them, of which one process can be hundreds: real certificates, connections and messages, no pods. */
import type { Lease } from "../../common/api/coordination_v1.ts";
import type { Pod } from "../../common/api/core_v1.ts";
import { type KubeClient, SECRETS } from "../../common/kubeclient/mod.ts";
import { type Message, newMessage, parseMessage, printMessage } from "../../common/model/mod.ts";
import {
  type Authority,
  createNodeRequest,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../../common/pki/mod.ts";
import { until } from "../trial/program.ts";

const PROJECT = "e632aba927ea4ac2b575ec1603d56f10";
const KEEPALIVE_MS = 15_000;
const LEASE_MS = 10_000;

/** The authority that signs nodes' certificates, read as an administrator may. */
export async function authorityOf(kube: KubeClient): Promise<Authority> {
  const ref = { namespace: "kubeedge", name: "casecret" };
  const { data } = await until("cloudcore has made its CA", () => kube.get(SECRETS, ref));
  return await loadAuthority({
    certificate: Uint8Array.fromBase64(data!.cadata!),
    key: Uint8Array.fromBase64(data!.cakeydata!),
  });
}

/** A certificate of a node with its key, PEM. */
export interface Identity {
  ca: string;
  cert: string;
  key: string;
}

/** A certificate as a node gets it when it joins. */
export async function identityOf(authority: Authority, node: string): Promise<Identity> {
  const { csr, key } = await createNodeRequest(node);
  const cert = await signNodeRequest(authority, csr, { validityDays: 1, now: Date.now() });
  return {
    ca: printPem("CERTIFICATE", authority.certificate),
    cert: printPem("CERTIFICATE", cert),
    key: printEcKeyPem(key),
  };
}

/** What is told of an edge. */
export interface EdgeListener {
  /** A message that is no reply, before it is acknowledged. */
  pushed?: (message: Message) => void;
  closed?: (event: CloseEvent) => void;
}

/** One edge. It acknowledges everything and keeps nothing. */
export class SimulatedEdge implements Disposable {
  readonly name: string;
  readonly #socket: WebSocket;
  readonly #client: Deno.HttpClient;
  readonly #waiting = new Map<string, (reply: Message) => void>();
  readonly #timers: ReturnType<typeof setInterval>[] = [];

  private constructor(name: string, port: number, identity: Identity, listener: EdgeListener) {
    this.name = name;
    this.#client = Deno.createHttpClient({ caCerts: [identity.ca], cert: identity.cert, key: identity.key });
    this.#socket = new WebSocket(`wss://127.0.0.1:${port}/${PROJECT}/${name}/events`, {
      client: this.#client,
      headers: { node_id: name, project_id: PROJECT, ConnectionUse: "msg" },
    });
    this.#socket.onmessage = ({ data }) => {
      const message = parseMessage(String(data));
      const parent = message.header.parentMsgId;
      if (parent !== undefined) return this.#waiting.get(parent)?.(message);
      listener.pushed?.(message);
      const parentMsgId = message.header.msgId;
      this.#send(newMessage({ ...message.route, operation: "response" }, "OK", { parentMsgId }));
    };
    this.#socket.onclose = (event) => {
      for (const timer of this.#timers) clearInterval(timer);
      listener.closed?.(event);
    };
  }

  /** Connects. @throws {Error} when cloudcore does not take the connection */
  static async connect(
    name: string,
    port: number,
    identity: Identity,
    listener: EdgeListener = {},
  ): Promise<SimulatedEdge> {
    const edge = new SimulatedEdge(name, port, identity, listener);
    const socket = edge.#socket;
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => {
        edge.#client.close();
        reject(new Error(`${name} cannot connect: ${(event as ErrorEvent).message}`));
      };
    });
    socket.onerror = () => {/* followed by its close */};
    edge.#keepalive();
    edge.#timers.push(setInterval(() => edge.#keepalive(), KEEPALIVE_MS));
    return edge;
  }

  /** Whether it is connected. */
  get connected(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  #send(message: Message): void {
    if (this.connected) this.#socket.send(printMessage(message));
  }

  #keepalive(): void {
    const route = { source: "websocket", group: "resource", operation: "keepalive", resource: "node" };
    this.#send(newMessage(route, "ping"));
  }

  /** Asks cloudcore and waits for its reply. */
  request(operation: string, resource: string, content: unknown): Promise<Message> {
    const message = newMessage({ source: "edged", group: "meta", operation, resource }, content);
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#waiting.set(message.header.msgId, (reply) => {
      this.#waiting.delete(message.header.msgId);
      resolve(reply);
    });
    this.#send(message);
    return promise;
  }

  /** Makes its Node, ready, and its Lease, which it renews from then on. */
  async register(): Promise<void> {
    const { name } = this;
    const conditions = [{ type: "Ready", status: "True", reason: "EdgeReady", message: "" }];
    await this.request("insert", `null/node/${name}`, {
      metadata: { name, labels: { "node-role.kubernetes.io/edge": "", "kubernetes.io/hostname": name } },
      spec: {},
      status: { conditions, capacity: { pods: "110" }, allocatable: { pods: "110" } },
    });
    const resource = `kube-node-lease/lease/${name}`;
    const renewTime = () => new Date().toISOString().replace("Z", "000Z");
    const leaseIn = ({ content }: Message) => (content as { Object?: Lease }).Object;
    const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: renewTime() };
    const metadata = { name, namespace: "kube-node-lease" };
    let lease = leaseIn(await this.request("insert", resource, { metadata, spec })) ??
      leaseIn(await this.request("query", resource, null));
    this.#timers.push(setInterval(async () => {
      const renewed = { ...lease, spec: { ...lease?.spec, renewTime: renewTime() } };
      lease = leaseIn(await this.request("update", resource, renewed)) ?? lease;
    }, LEASE_MS));
  }

  /** Reports a pod as running, in the form of edges since v1.12. */
  async reportRunning({ metadata = {} }: Pod): Promise<Message> {
    const { namespace, name, uid } = metadata;
    const now = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const conditions = ["Initialized", "Ready", "ContainersReady"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: now,
    }));
    const patch = { metadata: { uid }, status: { phase: "Running", conditions, startTime: now } };
    return await this.request("patch", `${namespace}/podpatch/${name}`, JSON.stringify(patch));
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#socket.close();
    this.#client.close();
  }
}
