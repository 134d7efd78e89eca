import { StatusError } from "../../common/errors/mod.ts";
import { explain } from "./explain.ts";

/** One HTTPS request to cloudcore. */
export interface HttpsRequest {
  url: URL;
  headers?: Readonly<Record<string, string>>;
  /** Body of the request; cloudcore takes its GETs with one. */
  body?: Uint8Array;
  /** How the server is verified: by this CA (PEM), or not at all, which is right only where what comes back is checked itself. */
  trust: { ca: string } | "unverified";
  /** Client certificate and key, PEM. */
  identity?: { certificate: string; key: string };
  /** For everything, milliseconds. */
  timeoutMs: number;
  /** Longest body taken, bytes. */
  maxBytes: number;
  signal: AbortSignal;
}

/** What came back. */
export interface HttpsReply {
  status: number;
  body: Uint8Array<ArrayBuffer>;
  /** The server's clock when it answered, Unix milliseconds; undefined when it did not tell. */
  serverTime: number | undefined;
}

/**
 * Sends a GET and reads the reply whole. It is not `fetch`, since that sends no body with a GET and always verifies.
 * @throws {StatusError} ServiceUnavailable when there was no reply, naming the cause; RequestEntityTooLarge
 */
export async function getHttps(options: HttpsRequest): Promise<HttpsReply> {
  const { url, headers = {}, body, trust, identity, timeoutMs, maxBytes } = options;
  if (options.signal.aborted) throw options.signal.reason;
  // Loaded when needed, for the memory it costs: a node that has joined never needs it again until its certificate ages.
  const { request } = await import("node:https");
  const { promise, resolve, reject } = Promise.withResolvers<HttpsReply>();
  const sent = request({
    method: "GET",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port || 443,
    path: url.pathname,
    headers: body === undefined ? headers : { ...headers, "Content-Length": String(body.length) },
    agent: false,
    ...(trust === "unverified" ? { rejectUnauthorized: false, ca: [] } : { ca: trust.ca }),
    ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
  }, (reply) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    reply.on("data", (chunk: Uint8Array) => {
      length += chunk.length;
      if (length > maxBytes) {
        reject(new StatusError("RequestEntityTooLarge", `${url} answered with more than ${maxBytes} bytes`));
        sent.destroy();
      } else chunks.push(chunk);
    });
    reply.on("end", () => {
      const whole = new Uint8Array(length);
      let at = 0;
      for (const chunk of chunks) {
        whole.set(chunk, at);
        at += chunk.length;
      }
      const date = Date.parse(reply.headers.date ?? "");
      resolve({
        status: reply.statusCode ?? 0,
        body: whole,
        serverTime: Number.isNaN(date) ? undefined : date,
      });
    });
    reply.on("error", reject);
    reply.on("aborted", () => reject(new Error("the connection ended in the middle of the reply")));
  });
  const giveUp = (reason: unknown) => {
    reject(reason);
    sent.destroy();
  };
  const stop = () => giveUp(options.signal.reason);
  options.signal.addEventListener("abort", stop, { once: true });
  const timer = setTimeout(() => giveUp(new Error(`no reply in ${timeoutMs / 1000} s`)), timeoutMs);
  sent.on("error", reject);
  sent.end(body);
  try {
    return await promise;
  } catch (cause) {
    if (options.signal.aborted || cause instanceof StatusError) throw cause;
    throw new StatusError("ServiceUnavailable", `Cannot reach ${url.origin}${explain(cause)}`, { cause });
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener("abort", stop);
    sent.destroy();
  }
}
