import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import {
  type Authority,
  createAuthority,
  createJoinToken,
  issueServingCertificate,
  type KeyPair,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
  verifyTokenJwt,
} from "../../common/pki/mod.ts";
import { type Message, parseMessage, printMessage } from "../../common/model/mod.ts";
import { errorText } from "../../common/errors/mod.ts";
import type { EdgeHubOptions } from "./mod.ts";

/** What one edge's connection looks like from the cloud. */
export interface Session {
  headers: Record<string, unknown>;
  path: string;
  /** Common name of the client certificate. */
  peer: string;
  socket: WebSocket;
  /** The raw connection, to stop reading from it or to cut it. */
  raw: Duplex;
  /** The next message that arrives. */
  next(): Promise<Message>;
  send(message: Message): void;
  closed: Promise<void>;
}

/**
 * The two ports of a cloudcore with a CA of its own: real TLS, real WebSocket, no logic. For tests only; it knows nothing of
 * Kubernetes.
 */
export class TestCloud implements AsyncDisposable {
  readonly ca: KeyPair;
  readonly #authority: Authority;
  readonly #joinServer: Server;
  readonly #hubServer: Server;
  readonly #hub = new WebSocketServer({ noServer: true });
  #sessions: Session[] = [];
  #takers: Array<(session: Session) => void> = [];
  /** Requests to the join port: path, NodeName header, common name of the client certificate. */
  readonly requests: Array<{ path: string; nodeName: string; peer: string; authorization: string }> = [];
  /** Life of the certificates it signs, days. */
  validityDays = 1;
  /** When set, the body of `/ca.crt` instead of the CA. */
  caBody: Uint8Array | undefined;
  /** When set, what `/edge.crt` refuses with. */
  refusal: { status: number; text: string } | undefined;
  /** How many requests for a certificate are answered with nothing and status 200, as clouds up to v1.17 do on failures. */
  emptyAnswers = 0;
  /** When set, the name it signs certificates for instead of the asked one is that of this request. */
  foreignCsr: Uint8Array<ArrayBuffer> | undefined;

  private constructor(ca: KeyPair, authority: Authority, serving: KeyPair, more: SecureContextOptions) {
    this.ca = ca;
    this.#authority = authority;
    const tls = {
      cert: printPem("CERTIFICATE", serving.certificate),
      key: printEcKeyPem(serving.key),
      ca: printPem("CERTIFICATE", ca.certificate),
      ...more,
    };
    this.#joinServer = createServer(
      { ...tls, requestCert: true, rejectUnauthorized: false },
      (request, response) => void this.#answer(request, response),
    );
    this.#hubServer = createServer({ ...tls, requestCert: true, rejectUnauthorized: true });
    this.#hubServer.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
      this.#hub.handleUpgrade(request, socket, head as never, (ws) => this.#accept(ws, request, socket));
    });
  }

  /**
   * @param ports to come back on, after a cloud on them has gone
   * @param tls what its servers accept, as older clouds did
   */
  static async start(
    ports = { join: 0, hub: 0 },
    names = ["127.0.0.1"],
    ca?: KeyPair,
    tls: SecureContextOptions = {},
  ): Promise<TestCloud> {
    ca ??= await createAuthority(Date.now());
    const authority = await loadAuthority(ca);
    const serving = await issueServingCertificate(authority, {
      dnsNames: [],
      addresses: names,
      now: Date.now(),
    });
    const cloud = new TestCloud(ca, authority, serving, tls);
    await listen(cloud.#joinServer, ports.join);
    await listen(cloud.#hubServer, ports.hub);
    return cloud;
  }

  get ports(): { join: number; hub: number } {
    const port = (server: Server) => (server.address() as AddressInfo).port;
    return { join: port(this.#joinServer), hub: port(this.#hubServer) };
  }

  token(expiresAt = Date.now() + 3_600_000): Promise<string> {
    return createJoinToken(this.ca.certificate, this.ca.key, expiresAt);
  }

  /** Options of an edgehub for this cloud with its files in a directory. */
  options(directory: string, more: Partial<EdgeHubOptions> = {}): EdgeHubOptions {
    const { join, hub } = this.ports;
    return {
      nodeName: "edge-1",
      httpServer: `https://127.0.0.1:${join}`,
      websocketServer: `127.0.0.1:${hub}`,
      tokenFile: `${directory}/bootstrap-edgecore.conf`,
      tlsCaFile: `${directory}/ca/rootCA.crt`,
      tlsCertFile: `${directory}/certs/server.crt`,
      tlsPrivateKeyFile: `${directory}/certs/server.key`,
      ...more,
    };
  }

  /** The next edge that connects. */
  session(): Promise<Session> {
    const waiting = this.#sessions.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#hub.clients) client.terminate();
    for (const server of [this.#joinServer, this.#hubServer]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    this.#hub.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const peer = peerName(request.socket as TLSSocket);
    const authorization = String(request.headers.authorization ?? "");
    this.requests.push({
      path: request.url ?? "",
      nodeName: String(request.headers.nodename ?? ""),
      peer,
      authorization,
    });
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url === "/ca.crt") return void response.end(this.caBody ?? this.ca.certificate);
    if (request.url !== "/edge.crt") return void response.writeHead(404).end("404: Page Not Found");
    if (this.refusal !== undefined) {
      return void response.writeHead(this.refusal.status).end(this.refusal.text);
    }
    if (this.emptyAnswers-- > 0) return void response.end();
    try {
      if (peer === "") await verifyTokenJwt(authorization.replace(/^Bearer /, ""), this.ca.key, Date.now());
      const csr = this.foreignCsr ?? new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
      const options = { validityDays: this.validityDays, now: Date.now() };
      response.end(await signNodeRequest(this.#authority, csr, options));
    } catch (error) {
      response.writeHead(401).end(`token validation failure, err: ${errorText(error)}`);
    }
  }

  #accept(socket: WebSocket, request: IncomingMessage, raw: Duplex): void {
    const arrived: Message[] = [];
    const takers: Array<(message: Message) => void> = [];
    socket.on("message", (data) => {
      const message = parseMessage(String(data));
      const taker = takers.shift();
      if (taker === undefined) arrived.push(message);
      else taker(message);
    });
    socket.on("error", () => socket.terminate());
    const session: Session = {
      headers: request.headers,
      path: request.url ?? "",
      peer: peerName(request.socket as TLSSocket),
      socket,
      raw,
      next: () => {
        const message = arrived.shift();
        return message === undefined
          ? new Promise((resolve) => takers.push(resolve))
          : Promise.resolve(message);
      },
      send: (message) => socket.send(printMessage(message)),
      closed: new Promise((resolve) => socket.on("close", () => resolve())),
    };
    const taker = this.#takers.shift();
    if (taker === undefined) this.#sessions.push(session);
    else taker(session);
  }
}

function peerName(socket: TLSSocket): string {
  const { subject } = socket.getPeerCertificate() ?? {};
  return String(subject?.CN ?? "");
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
