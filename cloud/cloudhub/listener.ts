import type { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { StatusError } from "../../common/errors/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import { type KeyPair, printKeyPem, printPem } from "../../common/pki/mod.ts";
import type { Der } from "../../common/pki/mod.ts";

/** What a TLS listener is made of. */
export interface ListenerSpec {
  address: string;
  port: number;
  /** The configuration key of the port, named when it is taken. */
  portKey: string;
  serving: KeyPair;
  caCertificate: Der;
  /** "require" refuses clients without a certificate of the CA; "request" leaves that to the handlers. */
  clientCertificates: "require" | "request";
  /** Sockets that may be open at a time. One more takes the place of one that {@linkcode leastMissed} names. */
  maxConnections: number;
  /** Until TLS and the head of the first request are through, milliseconds. */
  handshakeTimeoutMs: number;
  /** Until a connection that was not upgraded must be done, milliseconds. */
  requestTimeoutMs: number;
  onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  onUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Counts clients dropped before a request was read. */
  onDrop?: (reason: "handshake" | "timeout" | "limit") => void;
  clock: Clock;
  log: Logger;
}

/** A listener that is bound. Disposing closes every socket that it accepted. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  /** Drops clients whose time is up; to be called about once a second. */
  sweep(): void;
}

/** A connection that is not a session. */
export interface Guarded {
  socket: Socket;
  /** Whom it counts for. */
  peer: string;
  deadline: number;
  /** Whether the head of a request was read. */
  asked: boolean;
}

/** What a socket reads from; the runtime's types leave it out. */
interface WithHandle {
  _handle?: { readStop(): void; readStart(): void } | null;
}

/** One accepted TCP connection: the runtime hands out different objects for it below and above TLS. */
const keyOfPeer = (socket: { remoteAddress?: string; remotePort?: number }) =>
  `${socket.remoteAddress} ${socket.remotePort}`;

/**
 * The connection that makes room for one more: of the peer that has most of them, so that nobody who opens many keeps others out;
 * one that said nothing before one that asked, the oldest first. Undefined where no peer has two and all have asked.
 */
export function leastMissed<T extends Pick<Guarded, "peer" | "asked">>(guarded: Iterable<T>): T | undefined {
  const all = [...guarded];
  let most: T[] = [];
  for (const entries of Map.groupBy(all, ({ peer }) => peer).values()) {
    if (entries.length > most.length) most = entries;
  }
  if (most.length < 2) return all.find(({ asked }) => !asked);
  return most.find(({ asked }) => !asked) ?? most[0];
}

/** Who may use any address of it is one peer: an IPv4 address, or 64 bits of an IPv6 address. */
export function networkOf(address: string): string {
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address;
  const [head = "", tail] = address.toLowerCase().split("::", 2);
  const [before, after] = [head, tail ?? ""].map((part) => part === "" ? [] : part.split(":")) as [
    string[],
    string[],
  ];
  const zeros = Array(Math.max(0, 8 - before.length - after.length)).fill("0");
  return [...before, ...zeros, ...after].slice(0, 4).join(":");
}

/**
 * Binds an HTTPS server that asks for client certificates.
 * @throws {StatusError} Conflict when the port is taken, naming port and configuration key
 */
export async function listenTls(spec: ListenerSpec): Promise<Listener> {
  const { clock, log } = spec;
  const sockets = new Map<string, Socket>();
  const guarded = new Map<string, Guarded>();

  const server = makeServer(spec);
  server.headersTimeout = spec.handshakeTimeoutMs;
  server.requestTimeout = spec.requestTimeoutMs;
  server.keepAliveTimeout = 5_000;
  server.on("connection", (stream) => {
    // On a TCP port it is a Socket; the type allows for servers made otherwise.
    const socket = stream as Socket;
    const key = keyOfPeer(socket);
    if (sockets.size >= spec.maxConnections) {
      spec.onDrop?.("limit");
      const dropped = leastMissed(guarded.values())?.socket ?? socket;
      dropped.destroy();
      if (dropped === socket) return;
    }
    sockets.set(key, socket);
    const deadline = clock.elapsed() + spec.handshakeTimeoutMs;
    guarded.set(key, { socket, peer: networkOf(socket.remoteAddress ?? ""), deadline, asked: false });
    // Errors of a socket end that socket; TLS and HTTP report them above.
    socket.on("error", (error: Error) => log.debug("Socket failed", { reason: error.message }));
    socket.on("close", () => {
      sockets.delete(key);
      guarded.delete(key);
    });
  });
  // A TLS socket of the runtime that is paused goes on reading from the one below it, and keeps what it reads without bound.
  server.on("secureConnection", (tlsSocket) => {
    const below = sockets.get(keyOfPeer(tlsSocket)) as WithHandle | undefined;
    tlsSocket.on("pause", () => below?._handle?.readStop());
    tlsSocket.on("resume", () => below?._handle?.readStart());
  });
  server.on("tlsClientError", (error, tlsSocket) => {
    spec.onDrop?.("handshake");
    log.debug("TLS handshake failed", { reason: error.message });
    dropPeer(tlsSocket);
  });
  server.on("clientError", (error, socket) => {
    log.debug("Client failed", { reason: error.message });
    if (!socket.writable) return dropPeer(socket);
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", () => dropPeer(socket));
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const entry = guarded.get(keyOfPeer(request.socket));
    if (entry !== undefined && !entry.asked) {
      entry.asked = true;
      entry.deadline = clock.elapsed() + spec.requestTimeoutMs;
    }
    spec.onRequest(request, response);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    guarded.delete(keyOfPeer(request.socket));
    if (spec.onUpgrade !== undefined) spec.onUpgrade(request, socket, head);
    else socket.destroy();
  });

  function dropPeer(socket: Duplex): void {
    const peer = sockets.get(keyOfPeer(socket as Socket));
    socket.destroy();
    peer?.destroy();
  }

  const port = await bind(server, spec);
  return {
    port,
    sweep() {
      const now = clock.elapsed();
      for (const [key, { socket, deadline }] of guarded) {
        if (now < deadline) continue;
        guarded.delete(key);
        spec.onDrop?.("timeout");
        socket.destroy();
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets.values()) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
  };
}

function makeServer(spec: ListenerSpec): Server {
  try {
    return createServer({
      cert: printPem("CERTIFICATE", spec.serving.certificate),
      key: printKeyPem(spec.serving.key),
      ca: printPem("CERTIFICATE", spec.caCertificate),
      requestCert: true,
      rejectUnauthorized: spec.clientCertificates === "require",
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
      handshakeTimeout: spec.handshakeTimeoutMs,
    });
  } catch (cause) {
    throw new StatusError("Invalid", "Cannot use the serving certificate and its key", { cause });
  }
}

function bind(server: Server, spec: ListenerSpec): Promise<number> {
  return new Promise((resolve, reject) => {
    const where = `${spec.address}:${spec.port}`;
    const refuse = (error: Error & { code?: string }) => {
      server.close();
      if (error.code === "EADDRINUSE") {
        const text =
          `Cannot listen on ${where}: the port is taken; stop what holds it or set ${spec.portKey}`;
        reject(new StatusError("Conflict", text, { cause: error }));
      } else {
        const next = error.code === "EACCES"
          ? `; ports below 1024 take root or CAP_NET_BIND_SERVICE: set ${spec.portKey} to another`
          : error.code === "EADDRNOTAVAIL" || error.code === "EINVAL"
          ? `; it is no address of this machine: set ${
            spec.portKey.replace(/port$/, "address")
          } to one, or to 0.0.0.0`
          : ` (${spec.portKey})`;
        reject(new Error(`Cannot listen on ${where}${next}`, { cause: error }));
      }
    };
    server.once("error", refuse);
    server.listen(spec.port, spec.address, () => {
      server.off("error", refuse);
      server.on("error", (error: Error) => spec.log.error("Listener failed", error, { address: where }));
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : spec.port);
    });
  });
}

/** The client certificate of a request; undefined when the client gave none. */
export function peerCertificate(request: IncomingMessage): Der | undefined {
  const socket = request.socket as Socket & { getPeerCertificate?: () => { raw?: Uint8Array } };
  const raw = socket.getPeerCertificate?.()?.raw;
  return raw === undefined || raw.length === 0 ? undefined : new Uint8Array(raw);
}
