import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { errorText, findStatusError } from "../../common/errors/mod.ts";
import { type Clock, type Logger, News } from "../../common/module/mod.ts";
import { type CertificateInfo, type Der, verifyClientCertificate } from "../../common/pki/mod.ts";
import { WebSocketServer } from "./_ws.ts";
import type { Hub } from "./hub.ts";
import { peerCertificate } from "./listener.ts";
import type { HubMetrics } from "./metrics.ts";
import type { ResolvedOptions } from "./options.ts";
import { decideUpgrade, refusalResponse } from "./upgrade.ts";

/** What the WebSocket endpoint uses. */
export interface WebSocketComponents {
  hub: Hub;
  caCertificate: Der;
  clock: Clock;
  log: Logger;
  metrics: HubMetrics;
}

/** How long a peer may take to answer a close, milliseconds. */
const CLOSE_TIMEOUT_MS = 2_000;

/** The handlers of the hub's HTTPS server: everything but an upgrade is refused. */
export interface WebSocketEndpoint {
  onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Makes sessions out of upgrade requests of nodes. */
export function webSocketEndpoint(
  components: WebSocketComponents,
  options: ResolvedOptions,
): WebSocketEndpoint {
  const { hub, caCertificate, clock, log, metrics } = components;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxFrameBytes,
    autoPong: false,
    ...{ closeTimeout: CLOSE_TIMEOUT_MS },
  });
  const news = new News(clock);
  /** Clients try again and again, an edge that waits for another to go twice in a minute. */
  function tell(message: string, reason: string, request: IncomingMessage): void {
    const from = request.socket.remoteAddress;
    log[news.isNew(`${from} ${reason}`, message) ? "warning" : "debug"](message, { reason, from });
  }
  const onSocketError = (error: Error) => log.debug("Socket failed", { reason: error.message });

  async function verified(request: IncomingMessage): Promise<CertificateInfo | undefined> {
    const certificate = peerCertificate(request);
    if (certificate === undefined) return undefined;
    try {
      return await verifyClientCertificate(caCertificate, certificate, clock.now());
    } catch (error) {
      if (findStatusError(error) === undefined) throw error;
      tell("Refused a client certificate", errorText(error), request);
      return undefined;
    }
  }

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const certificate = await verified(request);
    if (socket.destroyed) return;
    const decision = decideUpgrade({
      headers: request.headers,
      certificate,
      legacyCertificates: options.legacyCertificates,
      nodeLimit: options.nodeLimit,
      connectedNodes: hub.connectedNodes,
      isConnected: (node) => hub.isConnected(node),
    });
    if (decision.accept) {
      const from = request.socket.remoteAddress ?? "unknown";
      server.handleUpgrade(request, socket, head, (ws) => hub.accept(decision.node, from, ws));
      return;
    }
    metrics.connections.inc(1, { result: decision.reason });
    tell("Refused a connection", decision.text, request);
    socket.end(refusalResponse(decision.status, decision.text), () => socket.destroy());
  }

  return {
    onRequest: (_request, response) => {
      const text = "This is the WebSocket endpoint of cloudhub: the request is not an upgrade to WebSocket\n";
      response.writeHead(400, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
      response.end(text);
    },
    onUpgrade: (request, socket, head) => {
      socket.on("error", onSocketError);
      upgrade(request, socket, head).catch((error) => {
        log.error("Cannot open a session", error);
        socket.destroy();
      });
    },
  };
}
