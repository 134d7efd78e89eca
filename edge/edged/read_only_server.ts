import { errorText } from "../../common/errors/mod.ts";
import { type MetricFamily, printMetrics } from "../../common/metrics/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { CheckedPod } from "./parse_pod.ts";
import type { PodWorker } from "./pod_worker.ts";
import { newestPerName } from "./pod_runtime.ts";
import { type ContainerRuntime, type ContainerRuntimeStatus, RuntimeError } from "./runtime/types.ts";

/** What the server shows. */
export interface ServerComponents {
  pods: {
    readonly known: CheckedPod[];
    readonly running: PodWorker[];
    find(ns: string, name: string): PodWorker | undefined;
  };
  runtime: Pick<ContainerRuntime, "logs">;
  /** Why the loop over pods is not healthy; undefined when it is. */
  syncFailure: () => string | undefined;
  collect: () => MetricFamily[];
  now: () => number;
  log: Logger;
}

const plain = (text: string, status = 200) =>
  new Response(text, {
    status,
    headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  });

const json = (value: unknown) => Response.json(value);

/**
 * The read-only server that edgestream and people on the machine ask.
 * Upstream: kubelet pkg/kubelet/server/server.go @ v1.32; edge-interfaces: 127.0.0.1:10350, no authentication
 */
export function readOnlyHandler(components: ServerComponents): (request: Request) => Promise<Response> {
  const { pods, syncFailure, collect } = components;
  return async (request) => {
    if (request.method !== "GET" && request.method !== "HEAD") return plain("405 method not allowed\n", 405);
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/healthz":
      case "/healthz/ping":
      case "/healthz/log":
        return plain("ok");
      case "/healthz/syncloop": {
        const failure = syncFailure();
        return failure === undefined ? plain("ok") : plain(`internal server error: ${failure}`, 500);
      }
      case "/pods":
      case "/pods/":
        return json({ kind: "PodList", apiVersion: "v1", metadata: {}, items: pods.known });
      case "/runningpods":
      case "/runningpods/":
        return json({ kind: "PodList", apiVersion: "v1", metadata: {}, items: pods.running.map(runningPod) });
      case "/metrics":
        return new Response(printMetrics(collect()), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        });
    }
    const logs = /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(pathname);
    if (logs === null) return plain("404 page not found\n", 404);
    return await containerLogs(
      components,
      logs.slice(1) as [string, string, string],
      searchParams,
    );
  };
}

/** A pod as only the engine knows it. Upstream: kubelet pkg/kubelet/container/runtime.go (Pod.ToAPIPod) @ v1.32 */
function runningPod({ identity, runtime }: PodWorker) {
  const containers = runtime.containers.filter((c) => c.state === "running").map(({ name, image }) => ({
    name,
    image,
  }));
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { ...identity, creationTimestamp: null },
    spec: { containers },
    status: {},
  };
}

/** The options of a log request, or what is wrong with them. */
export function parseLogOptions(query: URLSearchParams, now: number) {
  const number = (name: string): number | undefined => {
    const text = query.get(name);
    if (text === null || text === "") return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new RangeError(`${name} is not a whole number from 0`);
    return Number(text);
  };
  const flag = (name: string) => /^(1|t|true)$/i.test(query.get(name) ?? "");
  const sinceSeconds = number("sinceSeconds");
  const sinceTime = query.get("sinceTime");
  const sinceMs = sinceSeconds !== undefined
    ? now - sinceSeconds * 1000
    : sinceTime
    ? Date.parse(sinceTime)
    : undefined;
  if (Number.isNaN(sinceMs)) throw new RangeError("sinceTime is not a time as in RFC 3339");
  const tailLines = number("tailLines");
  const limitBytes = number("limitBytes");
  return {
    follow: flag("follow"),
    previous: flag("previous"),
    timestamps: flag("timestamps"),
    ...tailLines === undefined ? {} : { tailLines },
    ...sinceMs === undefined ? {} : { sinceMs },
    limitBytes: limitBytes === undefined || limitBytes === 0 ? Infinity : limitBytes,
  };
}

/** The container that logs are asked of: the newest, or with `previous` the newest that ended before it. */
export function chooseContainer(
  containers: readonly ContainerRuntimeStatus[],
  name: string,
  previous: boolean,
): ContainerRuntimeStatus | undefined {
  const newest = newestPerName(containers).get(name);
  if (!previous) return newest;
  return containers.filter((c) => c.name === name && c !== newest && c.state === "exited")
    .sort((a, b) => b.attempt - a.attempt)[0];
}

async function containerLogs(
  { pods, runtime, now, log }: ServerComponents,
  [namespace, pod, container]: [string, string, string],
  query: URLSearchParams,
): Promise<Response> {
  let options;
  try {
    options = parseLogOptions(query, now());
  } catch (error) {
    return plain(`${errorText(error)}\n`, 400);
  }
  const worker = pods.find(namespace, pod);
  if (worker === undefined) return plain(`pod "${pod}" does not exist\n`, 404);
  const chosen = chooseContainer(worker.runtime.containers, container, options.previous);
  if (chosen === undefined) {
    const what = options.previous ? "previous terminated container" : "container";
    return plain(
      `${what} "${container}" in pod "${pod}" is waiting to start or not found\n`,
      options.previous ? 400 : 404,
    );
  }
  const stop = new AbortController();
  const chunks = runtime.logs(chosen.id, { ...options, signal: stop.signal })[Symbol.asyncIterator]();
  let left = options.limitBytes;
  // Also called when the client goes away: the body is cancelled then.
  const finish = async () => {
    stop.abort();
    await chunks.return?.();
  };
  // What goes wrong before the first byte is answered as an error, not as an empty log.
  let first: IteratorResult<Uint8Array>;
  try {
    first = options.follow ? { done: false, value: new Uint8Array() } : await chunks.next();
  } catch (error) {
    await finish();
    const status = error instanceof RuntimeError && error.kind === "unavailable" ? 503 : 500;
    return plain(`failed to get the logs of container "${container}": ${errorText(error)}\n`, status);
  }
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const next = first.done ? first : first.value.length > 0 ? first : await chunks.next();
        first = { done: false, value: new Uint8Array() };
        if (next.done || left <= 0) {
          controller.close();
          return await finish();
        }
        const bytes = next.value.length > left ? next.value.subarray(0, left) : next.value;
        left -= bytes.length;
        if (bytes.length > 0) controller.enqueue(new Uint8Array(bytes));
        if (left <= 0) {
          controller.close();
          await finish();
        }
      } catch (error) {
        if (!stop.signal.aborted) log.warning("Log stream broke", { namespace, pod, container, error });
        await finish();
        controller.close();
      }
    },
    cancel: finish,
  });
  return new Response(body, { headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** Pause before a port that was taken is tried again. */
const PORT_RETRY_MS = 10_000;

/** Serves until the signal aborts. A port that is taken is waited for: pods run without the server. */
export async function serveReadOnly(
  components: ServerComponents,
  options: { hostname: string; port: number; onListen?: (port: number) => void },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { log } = components;
  const { hostname, port, onListen } = options;
  const handler = readOnlyHandler(components);
  while (!signal.aborted) {
    try {
      const server = Deno.serve({
        hostname,
        port,
        signal,
        onListen: (address) => {
          log.info("Read-only server listens", { address: `${hostname}:${address.port}` });
          onListen?.(address.port);
        },
        onError: (error) => {
          log.error("Request failed", error);
          return plain("internal server error\n", 500);
        },
      }, handler);
      return await server.finished;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      log.error(
        "Read-only port is taken: stop the program that has it, or set readOnlyPort to another",
        error,
        {
          address: `${hostname}:${port}`,
          retryMs: PORT_RETRY_MS,
        },
      );
      await clock.sleep(PORT_RETRY_MS, { signal }).catch((reason) => {
        if (!signal.aborted) throw reason;
      });
    }
  }
}
