import { errorText, StatusError } from "../../common/errors/mod.ts";
import { TAKEN_OVER_CODE } from "../../common/model/mod.ts";
import type { Credentials } from "./credentials.ts";
import { explain } from "./explain.ts";

/** How the hub is dialled. */
export interface DialOptions {
  url: string;
  headers: Readonly<Record<string, string>>;
  credentials: Pick<Credentials, "ca" | "certificate" | "key">;
  /** Milliseconds. */
  handshakeTimeoutMs: number;
  /** Told each text that arrives, in order. */
  onText: (text: string) => void;
  signal: AbortSignal;
}

/** An open connection to the hub. */
export interface Link {
  /** Hands a text to the socket; it is under way, not delivered. */
  send(text: string): void;
  /** Bytes handed over that the socket has not taken. */
  readonly bufferedBytes: number;
  /** Resolves with the reason once the connection is over; never rejects. */
  readonly closed: Promise<string>;
  /** Ends the connection for a reason of this side. */
  close(reason: string): void;
}

/** Whether a link ended because another edgecore connected as the same node. @param why what {@linkcode Link.closed} resolved to */
export function isTakenOver(why: string): boolean {
  return why.startsWith(closedBy(TAKEN_OVER_CODE));
}

const closedBy = (code: number) => `closed by the cloud (code ${code}`;

/** How long the other side may take to answer a close, before the socket is forgotten. */
const CLOSE_TIMEOUT_MS = 1000;

/**
 * Dials the hub with the node's certificate. The runtime's own WebSocket does that: it takes headers and a client with
 * certificates, and reads the fragmented messages Go sends.
 * @throws {StatusError} ServiceUnavailable, naming the cause
 */
export async function dialWebSocket(options: DialOptions): Promise<Link> {
  const { url, headers, credentials, handshakeTimeoutMs, onText, signal } = options;
  if (signal.aborted) throw signal.reason;
  const client = Deno.createHttpClient({
    caCerts: [credentials.ca],
    cert: credentials.certificate,
    key: credentials.key,
  });
  const socket = new WebSocket(url, { headers: { ...headers }, client });
  const over = Promise.withResolvers<string>();
  const opened = Promise.withResolvers<void>();
  let failure = "";
  let ended = false;
  const end = (reason: string) => {
    if (ended) return;
    ended = true;
    clearTimeout(closeTimer);
    client.close();
    over.resolve(failure || reason);
    opened.reject(new Error(failure || reason));
  };
  let closeTimer: ReturnType<typeof setTimeout> | undefined;
  const close = (reason: string) => {
    if (ended) return;
    failure ||= reason;
    if (socket.readyState < WebSocket.CLOSING) socket.close();
    closeTimer ??= setTimeout(() => end(reason), CLOSE_TIMEOUT_MS);
  };
  const link: Link = {
    send: (text) => socket.send(text),
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    closed: over.promise,
    close,
  };
  socket.onopen = () => opened.resolve();
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") onText(data);
    else if (data instanceof ArrayBuffer) onText(new TextDecoder().decode(data));
  };
  socket.binaryType = "arraybuffer";
  socket.onerror = (event) => {
    failure ||= event instanceof ErrorEvent && event.message !== "" ? event.message : "the connection failed";
  };
  socket.onclose = ({ code, reason }) => end(`${closedBy(code)}${reason === "" ? "" : `, ${reason}`})`);
  const timer = setTimeout(
    () => close(`no answer to the handshake in ${handshakeTimeoutMs / 1000} s`),
    handshakeTimeoutMs,
  );
  const stop = () => close("edgehub is stopping");
  signal.addEventListener("abort", stop, { once: true });
  try {
    await opened.promise;
    return link;
  } catch (cause) {
    await over.promise;
    if (signal.aborted) throw signal.reason;
    throw HIDDEN_CAUSE.test(errorText(cause)) ? await diagnose(options) : unreachable(url, cause);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

/**
 * When the TLS handshake fails the runtime tries HTTP/2 and reports only that this failed, whatever was wrong before.
 */
const HIDDEN_CAUSE = /HTTP\/2|NoApplicationProtocol/;
const DIAGNOSIS_TIMEOUT_MS = 5000;

function unreachable(url: string, cause: unknown): StatusError {
  return new StatusError("ServiceUnavailable", `Cannot connect to ${url}${explain(cause)}`, { cause });
}

/** Why a handshake failed, found out by a plain request to the same port with the same certificates. */
async function diagnose({ url, credentials, signal }: DialOptions): Promise<StatusError> {
  using client = Deno.createHttpClient({
    caCerts: [credentials.ca],
    cert: credentials.certificate,
    key: credentials.key,
  });
  const limit = new AbortController();
  const stop = () => limit.abort(signal.reason);
  const timer = setTimeout(stop, DIAGNOSIS_TIMEOUT_MS);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const reply = await fetch(url.replace(/^wss:/, "https:"), {
      client,
      signal: limit.signal,
      redirect: "manual",
    });
    await reply.body?.cancel();
    return unreachable(
      url,
      new Error(
        `it answers HTTP ${reply.status}: edgeHub.websocket.server must be cloudcore's WebSocket address, port 10000`,
      ),
    );
  } catch (error) {
    signal.throwIfAborted();
    return unreachable(url, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}
