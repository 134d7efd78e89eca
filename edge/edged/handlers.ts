import type { Container } from "../../common/api/core_v1.ts";
import { errorText } from "../../common/errors/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import { type ContainerRuntime, RuntimeError } from "./runtime/types.ts";

/** What a probe or a hook does. */
export interface Handler {
  exec?: { command?: readonly string[] };
  httpGet?: {
    path?: string;
    port: number | string;
    host?: string;
    scheme?: string;
    httpHeaders?: ReadonlyArray<{ name: string; value: string }>;
  };
  tcpSocket?: { port: number | string; host?: string };
  grpc?: { port: number; service?: string };
  sleep?: { seconds: number };
}

/** On what a handler works. */
export interface HandlerTarget {
  containerId: string;
  container: Container;
  podIP: string;
  timeoutMs: number;
  signal: AbortSignal;
}

/** Whether a handler was content, and what it said. */
export interface HandlerResult {
  ok: boolean;
  output: string;
  /** The handler could not be run, which says nothing about the container. */
  errored?: true;
}

export type RunHandler = (handler: Handler, target: HandlerTarget) => Promise<HandlerResult>;

const failed = (output: string): HandlerResult => ({ ok: false, output });

/** Runs probes and hooks. Never rejects: what cannot be done is a failure with its reason. */
export function handlerRunner(runtime: Pick<ContainerRuntime, "execSync">, clock: Clock): RunHandler {
  return async (handler, target) => {
    try {
      if (handler.exec !== undefined) {
        const { exitCode, output } = await runtime.execSync(
          target.containerId,
          handler.exec.command ?? [],
          target.timeoutMs,
          { signal: target.signal },
        );
        return {
          ok: exitCode === 0,
          output: exitCode === 0 ? output : `exit code ${exitCode}: ${output.slice(0, 1024)}`,
        };
      }
      if (handler.sleep !== undefined) {
        await clock.sleep(Math.min(target.timeoutMs, handler.sleep.seconds * 1000), {
          signal: target.signal,
        });
        return { ok: true, output: "" };
      }
      if (handler.httpGet !== undefined) return await httpGet(handler.httpGet, target);
      if (handler.tcpSocket !== undefined) return await tcpConnect(handler.tcpSocket, target);
      if (handler.grpc !== undefined) return await grpcHealth(handler.grpc, target);
      return failed("no exec, httpGet, tcpSocket or grpc is given");
    } catch (error) {
      const errored = error instanceof RuntimeError &&
        (error.kind === "unavailable" || error.kind === "not-found");
      return { ...failed(errorText(error)), ...errored ? { errored } : {} };
    }
  };
}

/** The number behind a port's number or name. @throws {RangeError} when the container has no port of that name */
export function portNumber(port: number | string, container: Container): number {
  if (typeof port === "number") return port;
  if (/^\d+$/.test(port)) return Number(port);
  const named = container.ports?.find(({ name }) => name === port);
  if (named === undefined) throw new RangeError(`Cannot find port ${port} of container ${container.name}`);
  return named.containerPort;
}

async function grpcHealth(
  { port, service = "" }: NonNullable<Handler["grpc"]>,
  target: HandlerTarget,
): Promise<HandlerResult> {
  // Few pods need it, and the others need not pay for it.
  const { checkHealth } = await import("./grpc_health.ts");
  const status = await within(
    target,
    (signal) => checkHealth({ hostname: target.podIP, port, service }, signal),
  );
  return status === "SERVING"
    ? { ok: true, output: "service healthy" }
    : failed(`service unhealthy (responded with "${status}")`);
}

/** Longest head of an answer that is read. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Does work that a time bounds. @throws what the work throws; that there was no answer */
async function within<T>(
  { timeoutMs, signal }: HandlerTarget,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const late = new Error(`No answer in ${timeoutMs} ms`);
  const timer = setTimeout(() => stop.abort(late), timeoutMs);
  const end = () => stop.abort(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener("abort", end, { once: true });
  try {
    return await work(stop.signal);
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

/** A connection that is closed when the signal aborts, so that no read waits for ever. */
async function connect(
  hostname: string,
  port: number,
  signal: AbortSignal,
): Promise<Disposable & { socket: Deno.Conn }> {
  const socket = await Deno.connect({ hostname, port, signal });
  let open = true;
  const close = () => {
    if (open) socket.close();
    open = false;
  };
  signal.addEventListener("abort", close, { once: true });
  if (signal.aborted) close();
  return {
    socket,
    [Symbol.dispose]() {
      signal.removeEventListener("abort", close);
      close();
    },
  };
}

/** Success is any code from 200 to 399. Upstream: k8s.io/kubernetes pkg/probe/http/http.go @ v1.32 */
async function httpGet(
  action: NonNullable<Handler["httpGet"]>,
  target: HandlerTarget,
): Promise<HandlerResult> {
  const port = portNumber(action.port, target.container);
  const host = action.host || target.podIP;
  const path = (action.path ?? "/").replace(/[^\x21-\x7e]/g, encodeURIComponent);
  const headers = new Map([
    ["host", `${host.includes(":") ? `[${host}]` : host}:${port}`],
    ["user-agent", "kube-probe/1.32"],
    ["accept", "*/*"],
  ]);
  for (const { name, value } of action.httpHeaders ?? []) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value ?? "")) {
      return failed(`header ${JSON.stringify(name.slice(0, 80))} cannot be sent`);
    }
    headers.set(name.toLowerCase(), value ?? "");
  }
  headers.set("connection", "close");
  const ask = { host, port, path: path.startsWith("/") ? path : `/${path}`, headers };
  const code = await within(
    target,
    (signal) => action.scheme === "HTTPS" ? askTls(ask, signal) : askPlain(ask, signal),
  );
  return code >= 200 && code < 400
    ? { ok: true, output: "" }
    : failed(`HTTP probe failed with statuscode: ${code}`);
}

interface Ask {
  host: string;
  port: number;
  path: string;
  headers: ReadonlyMap<string, string>;
}

/** Status code of an answer. Only its head is read: `fetch` could neither name another host nor leave redirects and bodies alone. */
async function askPlain({ host, port, path, headers }: Ask, signal: AbortSignal): Promise<number> {
  using connection = await connect(host, port, signal);
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const writer = connection.socket.writable.getWriter();
  await writer.write(Uint8Array.from(`GET ${path} HTTP/1.1\r\n${lines}\r\n`, (c) => c.charCodeAt(0)));
  writer.releaseLock();
  let head = "";
  const buffer = new Uint8Array(4096);
  for (let code: number | undefined; head.length < MAX_HEAD_BYTES;) {
    const count = await connection.socket.read(buffer);
    if (count === null) break;
    head += String.fromCharCode(...buffer.subarray(0, count));
    while ((code = statusCode(head)) !== undefined) {
      if (code >= 200) return code;
      // An interim answer: the real one follows its head.
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) break;
      head = head.slice(end + 4);
    }
  }
  throw new Error("The answer is not HTTP");
}

/** The code in the first line of an answer; undefined while the line is not complete. */
export function statusCode(head: string): number | undefined {
  const end = head.indexOf("\n");
  if (end < 0) return undefined;
  const match = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |\r?$)/.exec(head.slice(0, end));
  if (match === null) throw new Error("The answer is not HTTP");
  return Number(match[1]);
}

/** As {@linkcode askPlain} over TLS. A probe asks whether the server answers, not who it is. */
async function askTls({ host, port, path, headers }: Ask, signal: AbortSignal): Promise<number> {
  // Loaded only where such a probe is: it costs every process that loads it several megabytes.
  const { request } = await import("node:https");
  return await new Promise((resolve, reject) => {
    const send = request({
      host,
      port,
      path,
      headers: Object.fromEntries(headers),
      agent: false,
      signal,
      rejectUnauthorized: false,
    });
    send.on("response", (response) => {
      response.on("error", () => send.destroy());
      resolve(response.statusCode ?? 0);
      response.destroy();
      send.destroy();
    });
    send.on("error", reject);
    send.end();
  });
}

async function tcpConnect(
  action: NonNullable<Handler["tcpSocket"]>,
  target: HandlerTarget,
): Promise<HandlerResult> {
  const port = portNumber(action.port, target.container);
  await within(target, async (signal) => {
    using _connection = await connect(action.host || target.podIP, port, signal);
  });
  return { ok: true, output: "" };
}
