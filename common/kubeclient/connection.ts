import { errorText, StatusError, statusErrorFrom } from "../errors/mod.ts";
import type { Clock, Logger } from "../module/mod.ts";
import type { AccessReport, RequestKind } from "./access_report.ts";
import { authorizationHeaders, type Credential, type CredentialSource } from "./credentials.ts";
import type { ExecConfig } from "./exec_credentials.ts";
import { concat } from "./lines.ts";
import type { OidcConfig } from "./oidc_credentials.ts";
import { type Bucket, type RateLimit, takeToken } from "./rate_limit.ts";

/** How to reach one API server as one user. */
export interface KubeClientConfig {
  /** `https://host:port`, possibly with a path in front of `/api`. */
  server: string;
  /** Certificates that may sign the server's, PEM. @default the runtime's own */
  ca?: string;
  /** Client certificate chain, PEM; goes with `key`. */
  cert?: string;
  /** Private key of the client certificate, PEM. */
  key?: string;
  /** Bearer token that does not change. */
  token?: string;
  /** File with a bearer token that is replaced from time to time; read again every minute and after a 401. */
  tokenFile?: string;
  username?: string;
  password?: string;
  /** A command that gives the credential. */
  exec?: ExecConfig;
  /** An issuer that gives the credential. */
  oidc?: OidcConfig;
  /** Whom the requests are made for. */
  impersonate?: Impersonation;
  /** Where all of this is written, for messages; files are read again when they change. */
  origin?: KubeOrigin;
  /** Proxy to go through. */
  proxyUrl?: string;
  /** Longest wait for an answer, milliseconds; does not end watches. @default 30000 */
  timeoutMs?: number;
  /** A watch that brings nothing for so long, not even a bookmark, is given up, milliseconds. @default 150000 */
  watchSilenceMs?: number;
  /** Largest answer to one request, bytes. @default 64 MiB */
  limitBytes?: number;
  /** Largest event of a watch, bytes. @default 8 MiB */
  eventLimitBytes?: number;
  /** Objects per page of a list: what a page is made of is garbage at once, and more of it than the objects kept. @default 200 */
  pageSize?: number;
  /** @default unlimited */
  rateLimit?: RateLimit;
  /** @default "kubeedge-deno" */
  userAgent?: string;
}

/** Whom a user with that right acts for. */
export interface Impersonation {
  user: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

/** Where a configuration was read. */
export interface KubeOrigin {
  /** The kubeconfig, or what stands for it in a pod. */
  file: string;
  /** The context that was taken; undefined in a pod. */
  context?: string;
  /** Fields, as people find them: `clusters[0].cluster.server`. */
  server: string;
  ca: string;
  user: string;
  /** All that was read. */
  files: string[];
}

/** The part of the global fetch that is used. */
export type Fetch = (url: string, init: RequestInit & { client?: Deno.HttpClient }) => Promise<Response>;

/** What a connection is made of. */
export interface ConnectionOptions {
  clock: Clock;
  log: Logger;
  fetch: Fetch;
  credentials: CredentialSource;
  report: AccessReport;
}

/** One request to the API server. */
export interface ApiRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  path: string;
  contentType?: string;
  body?: string;
  signal?: AbortSignal;
}

/** Upstream: k8s.io/client-go rest/request.go (maxRetries) @ v0.32 */
const MAX_RETRIES = 10;
/** A server that asks for more patience than this is answered with an error at once. */
const MAX_RETRY_AFTER_S = 30;
/** How the runtime says that a server's certificate is not from the CA it was given. */
const FOREIGN_CA = /UnknownIssuer|unable to get (local )?issuer|self.signed|BadSignature/i;
const ERROR_LIMIT_BYTES = 1 << 20;

/** Sends requests: TLS, credentials, rate limit, time limits, retries the server asks for, and errors as StatusError. */
export class Connection implements AsyncDisposable {
  readonly server: string;
  readonly config: KubeClientConfig;
  readonly #options: ConnectionOptions;
  readonly #closed = new AbortController();
  #client: { http: Deno.HttpClient; cert: string | undefined; ca: string | undefined } | undefined;
  #bucket: Bucket | undefined;

  constructor(config: KubeClientConfig, options: ConnectionOptions) {
    const url = URL.parse(config.server);
    if (url === null || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
      throw new TypeError(
        `Cannot use ${JSON.stringify(config.server)} as Kubernetes API server: expected https://host:port`,
      );
    }
    if ((config.cert === undefined) !== (config.key === undefined)) {
      throw new TypeError(
        "Cannot use a client certificate without its key, or a key without its certificate",
      );
    }
    this.server = config.server.replace(/\/+$/, "");
    this.config = config;
    this.#options = options;
  }

  /** Sends a request and reads the whole answer as JSON. */
  async json(request: ApiRequest): Promise<unknown> {
    const { timeoutMs = 30_000, limitBytes = 64 << 20 } = this.config;
    return await this.#limited(request, timeoutMs, async (signal, credential) => {
      const response = await this.#send(request, credential, signal);
      const text = await readText(response, limitBytes, `${request.method} ${this.server}${request.path}`);
      try {
        return JSON.parse(text);
      } catch (cause) {
        throw new StatusError(
          "InternalError",
          `Cannot read the answer of ${this.server} to ${request.method} ${request.path}: it is not JSON; is this a Kubernetes API server?`,
          { cause },
        );
      }
    });
  }

  /** Sends a request and hands out the answer as soon as its headers are there; the signal ends its body too. */
  async stream(request: ApiRequest & { signal: AbortSignal }): Promise<Response> {
    const { timeoutMs = 30_000 } = this.config;
    const body = AbortSignal.any([request.signal, this.#closed.signal]);
    const stop = new AbortController();
    const onAbort = () => stop.abort(body.reason);
    if (body.aborted) onAbort();
    // Not removed once the headers are there: this is what ends the body.
    body.addEventListener("abort", onAbort, { once: true });
    return await this.#limited(request, timeoutMs, (limited, credential) => {
      const onTimeout = () => stop.abort(limited.reason);
      limited.addEventListener("abort", onTimeout, { once: true });
      return this.#send(request, credential, stop.signal).finally(() =>
        limited.removeEventListener("abort", onTimeout)
      );
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort(new StatusError("ServiceUnavailable", `The client of ${this.server} is closed`));
    this.#client?.http.close();
    this.#client = undefined;
    return Promise.resolve();
  }

  /** Runs `work` with a signal that aborts when the caller's does, when the client is closed and when time is up. */
  async #limited<R>(
    request: ApiRequest,
    timeoutMs: number,
    work: (signal: AbortSignal, credential: Credential) => Promise<R>,
  ): Promise<R> {
    const { clock, credentials } = this.#options;
    const over = new AbortController();
    const signals = [this.#closed.signal, over.signal];
    if (request.signal !== undefined) signals.push(request.signal);
    const signal = AbortSignal.any(signals);
    for (let attempt = 0;; attempt++) {
      signal.throwIfAborted();
      await this.#throttle(signal);
      // What gives it has a limit of its own, and the server no part in that.
      const credential = await credentials.current(signal);
      const done = new AbortController();
      const timer = clock.sleep(timeoutMs, { signal: done.signal }).then(
        () =>
          over.abort(
            new StatusError(
              "Timeout",
              `${this.server} did not answer ${request.method} ${request.path} within ${timeoutMs} ms`,
            ),
          ),
        (error) => {
          if (!done.signal.aborted) throw error;
        },
      );
      let failure: StatusError;
      try {
        return await work(signal, credential);
      } catch (error) {
        // The reason of the abort says more than what fetch makes of it.
        if (signal.aborted) throw signal.reason;
        failure = error instanceof StatusError ? error : this.#unreachable(error);
      } finally {
        done.abort();
        await timer;
      }
      const seconds = retryAfterSeconds(failure);
      if (seconds === undefined || attempt >= MAX_RETRIES) throw failure;
      this.#options.log.debug("Waiting as the server asks", { server: this.server, seconds, attempt });
      await clock.sleep(seconds * 1000, { signal });
    }
  }

  async #throttle(signal: AbortSignal): Promise<void> {
    const { rateLimit } = this.config;
    if (rateLimit === undefined) return;
    const { clock } = this.#options;
    const { bucket, waitMs } = takeToken(this.#bucket, rateLimit, clock.now());
    this.#bucket = bucket;
    if (waitMs > 0) await clock.sleep(waitMs, { signal });
  }

  async #send(request: ApiRequest, given: Credential, signal: AbortSignal): Promise<Response> {
    const { credentials, report } = this.#options;
    const kind: RequestKind = { method: request.method, path: request.path };
    let credential = given;
    let response: Response;
    try {
      response = await this.#fetch(request, credential, signal);
    } catch (error) {
      // The CA may have been replaced with the server's certificate.
      if (signal.aborted || !FOREIGN_CA.test(errorText(error))) throw error;
      const other = await credentials.current(signal, credential);
      if (other.ca === credential.ca) throw error;
      credential = other;
      response = await this.#fetch(request, credential, signal);
    }
    if (response.status === 401) {
      const other = await credentials.current(signal, credential);
      if (other !== credential) {
        await response.body?.cancel();
        credential = other;
        response = await this.#fetch(request, credential, signal);
      }
    }
    report.reached();
    if (response.ok) {
      report.allowed(kind);
      return response;
    }
    const error = await this.#refusal(response);
    report.refused(kind, error, credential);
    throw error;
  }

  async #fetch(request: ApiRequest, credential: Credential, signal: AbortSignal): Promise<Response> {
    const headers: Array<[string, string]> = [
      ["Accept", "application/json"],
      ["User-Agent", this.config.userAgent ?? "kubeedge-deno"],
      ...authorizationHeaders(credential, this.config.impersonate),
    ];
    if (request.contentType !== undefined) headers.push(["Content-Type", request.contentType]);
    return await this.#options.fetch(this.server + request.path, {
      method: request.method,
      headers,
      redirect: "error",
      signal,
      client: this.#http(credential),
      ...(request.body !== undefined && { body: request.body }),
    });
  }

  #http({ cert, key, ca = this.config.ca }: Credential): Deno.HttpClient {
    // What is under way on a client that is closed goes on.
    if (this.#client !== undefined && (this.#client.cert !== cert || this.#client.ca !== ca)) {
      this.#client.http.close();
      this.#client = undefined;
    }
    if (this.#client === undefined) {
      const { proxyUrl } = this.config;
      try {
        const http = Deno.createHttpClient({
          // A watch is a stream that does not end, kube-apiserver allows 100 of them on a connection, and the runtime opens
          // no second connection: from then on every request would wait for ever.
          http2: false,
          ...(ca !== undefined && { caCerts: [ca] }),
          ...(cert !== undefined && key !== undefined && { cert, key }),
          ...(proxyUrl !== undefined && { proxy: { url: proxyUrl } }),
        });
        this.#client = { http, cert, ca };
      } catch (cause) {
        const { origin } = this.config;
        const where = origin === undefined ? "" : ` (${origin.ca} and ${origin.user} of ${origin.file})`;
        throw new StatusError(
          "Unauthorized",
          `Cannot use the certificates for ${this.server}${where}: the CA, client certificate and key must be PEM and belong together`,
          { cause },
        );
      }
    }
    return this.#client.http;
  }

  /** The error a refused request stands for, with Retry-After in its details. */
  async #refusal(response: Response): Promise<StatusError> {
    const text = await readText(response, ERROR_LIMIT_BYTES, this.server);
    let status: unknown;
    try {
      status = JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      status = { message: text.slice(0, 300).trim() };
    }
    const error = normalizeAnonymous(
      normalizeTooLarge(normalizeExpired(statusErrorFrom(status, response.status))),
    );
    const after = Number(response.headers.get("Retry-After") ?? NaN);
    if (!Number.isFinite(after) || after < 0) return error;
    return new StatusError(error.reason, error.message, {
      code: error.code,
      details: { ...error.details, retryAfterSeconds: after },
    });
  }

  #unreachable(cause: unknown): StatusError {
    const { origin, proxyUrl } = this.config;
    const where = origin === undefined ? "" : ` (${origin.server} of ${origin.file})`;
    const through = proxyUrl === undefined ? "" : ` through the proxy ${URL.parse(proxyUrl)?.host}`;
    const error = new StatusError(
      "ServiceUnavailable",
      `Cannot reach the Kubernetes API server ${this.server}${where}${through}: ${
        whyUnreachable(cause, origin)
      }`,
      { cause },
    );
    this.#options.report.unreachable(error);
    return error;
  }
}

/** What people can do about a connection that failed. */
function whyUnreachable(cause: unknown, origin: KubeOrigin | undefined): string {
  const text = errorText(cause);
  const ca = origin === undefined ? "the CA of its configuration" : `${origin.ca} of ${origin.file}`;
  if (FOREIGN_CA.test(text)) {
    return `its certificate is not signed by ${ca}; take the CA of this cluster: kubectl config view --raw`;
  }
  if (/NotValidForName|not valid for/i.test(text)) {
    return "its certificate is not for this address; use an address that the certificate names";
  }
  if (/expired|not ?valid ?yet/i.test(text)) {
    return "its certificate has ended or is not valid yet; renew it, and see that the clocks of both machines are right";
  }
  if (/InvalidContentType/.test(text)) return "it does not speak TLS; is the port right, or is it http://";
  if (/certificate|handshake|tls/i.test(text)) return `the TLS handshake failed; is ${ca} right`;
  if (/dns error|lookup|resolve/i.test(text)) return "its name is not known to DNS here; check the name";
  if (/refused/i.test(text)) return "nothing listens there; is it running, and is the port right";
  if (/timed? ?out|unreachable|no route/i.test(text)) return "no answer; may this machine reach it";
  return "is it running, and may this machine reach it";
}

/** A server that lets anybody in takes a credential that it does not know for none: what is missing then is not a right. */
function normalizeAnonymous(error: StatusError): StatusError {
  if (error.code !== 403 || !/\bUser "system:anonymous" cannot /.test(error.message)) return error;
  return new StatusError("Unauthorized", error.message, { cause: error });
}

/** Both words for a resourceVersion that is no longer kept come as Expired. */
export function normalizeExpired(error: StatusError): StatusError {
  if (error.code !== 410 || error.reason === "Expired") return error;
  const { code, details } = error;
  return new StatusError("Expired", error.message, details === undefined ? { code } : { code, details });
}

/** How etcd, and the API server's connection to it, say that an object is larger than they take. */
const TOO_LARGE_FOR_ETCD =
  /etcdserver: request is too large|ResourceExhausted desc = trying to send message larger than max/;

/** What the API server tells as a failure of its own, although the same object would fail again, comes as what it is. */
function normalizeTooLarge(error: StatusError): StatusError {
  if (error.code !== 500 || !TOO_LARGE_FOR_ETCD.test(error.message)) return error;
  return new StatusError("RequestEntityTooLarge", error.message, { details: error.details });
}

function retryAfterSeconds({ code, details }: StatusError): number | undefined {
  if (code !== 429 && code < 500) return undefined;
  const seconds = details?.retryAfterSeconds ?? (code === 429 ? 1 : undefined);
  return typeof seconds === "number" && seconds >= 0 && seconds <= MAX_RETRY_AFTER_S ? seconds : undefined;
}

/** The whole body as text. @throws {StatusError} when it is over the limit */
export async function readText(response: Response, limitBytes: number, what: string): Promise<string> {
  if (response.body === null) return "";
  const pieces: Uint8Array[] = [];
  let total = 0;
  // Leaving the loop early cancels the body.
  for await (const piece of response.body) {
    total += piece.length;
    if (total > limitBytes) {
      throw new StatusError("RequestEntityTooLarge", `The answer to ${what} is over ${limitBytes} bytes`);
    }
    pieces.push(piece);
  }
  return new TextDecoder().decode(concat(pieces, total));
}
