/** A client that shows the wire: status, headers and JSON of every answer, and watches line by line. */
import type { ControlPlane, Credentials } from "./control_plane.ts";

// What a server answers is looked into by the cases, deeper than a type could follow.
// deno-lint-ignore no-explicit-any
export type Json = any;

/** What a request gave. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; undefined when it is none. */
  body: Json;
}

/** What a request carries. */
export interface RequestOptions {
  /** An object becomes JSON; text and bytes are sent as they are. */
  body?: unknown;
  headers?: Record<string, string>;
  query?: Record<string, string | number | boolean | readonly string[]>;
}

/** One line of a watch. */
export interface WatchEvent {
  type: string;
  object: Json;
}

const REQUEST_TIMEOUT_MS = 60_000;

/** A client with one identity. */
export class Api implements Disposable {
  readonly server: string;
  readonly #caCertificate: string;
  readonly #headers: Record<string, string>;
  readonly #client: Deno.HttpClient;

  constructor(
    { server, caCertificate }: Pick<ControlPlane, "server" | "caCertificate">,
    credentials: Credentials | undefined,
  ) {
    this.server = server;
    this.#caCertificate = caCertificate;
    this.#headers = credentials?.kind === "token" ? { authorization: `Bearer ${credentials.token}` } : {};
    const pair = credentials?.kind === "certificate"
      ? { cert: credentials.certificate, key: credentials.key }
      : {};
    // Connections of their own for watches would need HTTP/2 streams without end; HTTP/1.1 opens one for each.
    this.#client = Deno.createHttpClient({
      caCerts: [caCertificate],
      http2: false,
      poolMaxIdlePerHost: 16,
      ...pair,
    });
  }

  /** A client of the same server with a token; with "" one without credentials. */
  as(token: string): Api {
    const target = { server: this.server, caCertificate: this.#caCertificate };
    return new Api(target, token === "" ? undefined : { kind: "token", token });
  }

  /** Sends a request; any answer is an answer. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const response = await this.fetch(method, path, options, AbortSignal.timeout(REQUEST_TIMEOUT_MS));
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parseOrNothing(text) };
  }

  /** Sends a request and leaves the body to the caller. */
  async fetch(method: string, path: string, options: RequestOptions, signal: AbortSignal): Promise<Response> {
    const { body, headers = {}, query } = options;
    const sent = body === undefined || typeof body === "string" || body instanceof Uint8Array
      ? body as string | Uint8Array<ArrayBuffer> | undefined
      : JSON.stringify(body);
    return await fetch(this.server + path + printQuery(path, query), {
      method,
      headers: {
        ...this.#headers,
        ...(sent === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
      client: this.#client,
      signal,
      redirect: "manual",
    });
  }

  get(
    path: string,
    query: RequestOptions["query"] = {},
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.request("GET", path, { query, headers });
  }

  post(path: string, body: unknown, query: RequestOptions["query"] = {}): Promise<Answer> {
    return this.request("POST", path, { body, query });
  }

  put(path: string, body: unknown, query: RequestOptions["query"] = {}): Promise<Answer> {
    return this.request("PUT", path, { body, query });
  }

  delete(path: string, body?: unknown, query: RequestOptions["query"] = {}): Promise<Answer> {
    return this.request("DELETE", path, { body, query });
  }

  patch(path: string, type: PatchType, body: unknown, query: RequestOptions["query"] = {}): Promise<Answer> {
    return this.request("PATCH", path, { body, query, headers: { "content-type": PATCH_TYPES[type] } });
  }

  /** Begins a watch; the first answer must be 200. */
  async watch(
    path: string,
    query: NonNullable<RequestOptions["query"]> = {},
    headers: Record<string, string> = {},
  ): Promise<Watch> {
    const stop = new AbortController();
    const response = await this.fetch(
      "GET",
      path,
      { query: { watch: true, ...query }, headers },
      stop.signal,
    );
    if (response.status !== 200) {
      throw new Error(`A watch of ${path} was answered ${response.status}: ${await response.text()}`);
    }
    return new Watch(response.body!, stop);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Media types of patches. */
export const PATCH_TYPES = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;
export type PatchType = keyof typeof PATCH_TYPES;

/** The events of a watch, one after another; disposing ends it. */
export class Watch implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  readonly #stop: AbortController;
  #lines: string[] = [];
  #rest = "";

  constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>, stop: AbortController) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
    this.#stop = stop;
  }

  /** The next event; undefined once the server has ended the watch. @throws when none comes in time */
  async next(patienceMs = 20_000): Promise<WatchEvent | undefined> {
    const timer = setTimeout(
      () => this.#stop.abort(new Error("No event of a watch came in time")),
      patienceMs,
    );
    try {
      while (this.#lines.length === 0) {
        const { value, done } = await this.#reader.read();
        if (done) return undefined;
        const lines = (this.#rest + value).split("\n");
        this.#rest = lines.pop()!;
        this.#lines.push(...lines.filter((line) => line !== ""));
      }
    } finally {
      clearTimeout(timer);
    }
    return JSON.parse(this.#lines.shift()!);
  }

  /** The events up to and with the first that fits. @throws when the watch ends before */
  async until(fits: (event: WatchEvent) => boolean): Promise<WatchEvent[]> {
    const seen: WatchEvent[] = [];
    for (;;) {
      const event = await this.next();
      if (event === undefined) {
        throw new Error(`The watch ended after ${JSON.stringify(seen).slice(0, 2000)}`);
      }
      seen.push(event);
      if (fits(event)) return seen;
    }
  }

  /** So many events. */
  async take(count: number): Promise<WatchEvent[]> {
    let left = count;
    return await this.until(() => --left === 0);
  }

  /** All events until the server ends the watch. */
  async rest(): Promise<WatchEvent[]> {
    const seen: WatchEvent[] = [];
    for (;;) {
      const event = await this.next();
      if (event === undefined) return seen;
      seen.push(event);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    try {
      await this.#reader.cancel();
    } catch (error) {
      // The abort above is what ended it.
      if (!this.#stop.signal.aborted) throw error;
    }
  }
}

function printQuery(path: string, query: RequestOptions["query"] = {}): string {
  const values = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) values.append(key, String(one));
  }
  const text = values.toString();
  return text === "" ? "" : `${path.includes("?") ? "&" : "?"}${text}`;
}

function parseOrNothing(text: string): Json {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
