/** A proxy in front of an API server that does what API servers and networks do on bad days. */

/** What becomes of one request; undefined lets it through. */
export type Fault =
  | { kind: "answer"; status: number; headers?: Record<string, string>; body?: unknown }
  | { kind: "delay"; ms: number }
  /** The connection breaks in the middle of the answer. */
  | { kind: "reset" }
  /** The head of the answer arrives and then nothing more, without an end. */
  | { kind: "silence" };

/** One request as the proxy sees it. */
export interface SeenRequest {
  method: string;
  path: string;
  isWatch: boolean;
  /** Empty when nothing is selected by fields. */
  fieldSelector: string;
}

const HOP_BY_HOP = ["connection", "content-length", "content-encoding", "transfer-encoding", "host"];

/** The proxy, on a free port of loopback, without TLS. Disposing ends what is under way. */
export class FaultyApi implements AsyncDisposable {
  /** Asked for each request; without one all pass. */
  fault: ((request: SeenRequest) => Fault | undefined) | undefined;
  /** Every request, in order. */
  readonly seen: SeenRequest[] = [];
  readonly #target: string;
  readonly #client: Deno.HttpClient;
  readonly #stop = new AbortController();
  #cut = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor({ server, caCertificate }: { server: string; caCertificate: string }) {
    this.#target = server;
    this.#client = Deno.createHttpClient({ caCerts: [caCertificate], http2: false });
    this.#server = Deno.serve({
      hostname: "127.0.0.1",
      port: 0,
      signal: this.#stop.signal,
      onListen: () => {},
      // What a client or this proxy broke off is what tests want.
      onError: () => new Response(null, { status: 502 }),
    }, (request) => this.#serve(request));
  }

  /** Where clients reach it. */
  get server(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Breaks all that is under way, watches above all. */
  cut(): void {
    this.#cut.abort();
    this.#cut = new AbortController();
  }

  async #serve(request: Request): Promise<Response> {
    const { pathname, search, searchParams } = new URL(request.url);
    const seen = {
      method: request.method,
      path: pathname,
      isWatch: searchParams.has("watch"),
      fieldSelector: searchParams.get("fieldSelector") ?? "",
    };
    this.seen.push(seen);
    const fault = this.fault?.(seen);
    if (fault?.kind === "answer") {
      await request.body?.cancel();
      const { status, headers = {}, body = { kind: "Status", status: "Failure", code: status } } = fault;
      return Response.json(body, { status, headers });
    }
    if (fault?.kind === "delay") await new Promise((resolve) => setTimeout(resolve, fault.ms));
    const body = request.body === null ? undefined : await request.bytes();
    const ended = AbortSignal.any([this.#stop.signal, this.#cut.signal, request.signal]);
    const answer = await fetch(this.#target + pathname + search, {
      method: request.method,
      headers: without(request.headers),
      client: this.#client,
      signal: ended,
      ...(body === undefined ? {} : { body }),
    });
    const head = { status: answer.status, headers: without(answer.headers) };
    if (fault?.kind === "reset") {
      await answer.body?.cancel();
      return new Response(broken(), head);
    }
    if (fault?.kind === "silence") {
      await answer.body?.cancel();
      return new Response(silent(ended), head);
    }
    return new Response(answer.body, head);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#server.finished;
    this.#client.close();
  }
}

function without(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of HOP_BY_HOP) kept.delete(name);
  return kept;
}

/** A body that begins and breaks. */
function broken(): ReadableStream<Uint8Array> {
  let pulls = 0;
  return new ReadableStream({
    pull(controller) {
      if (pulls++ === 0) controller.enqueue(new TextEncoder().encode('{"kind":"Li'));
      else controller.error(new Error("broken on purpose"));
    },
  });
}

/** A body that never has anything and ends with the connection. */
function silent(ended: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      ended.addEventListener("abort", () => controller.error(ended.reason), { once: true });
    },
  });
}
