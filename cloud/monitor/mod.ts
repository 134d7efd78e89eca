/**
 * The monitor server of cloudcore: `/metrics` in Prometheus' text format; `/livez`, whether it runs; `/healthz` and `/readyz`,
 * whether nodes are served.
 *
 * Takes: the metrics of the compartments. Gives: nothing to other modules.
 * Upstream: kubeedge cloud/pkg/common/monitor/monitor.go @ 16cd854
 * @module
 */
import { type MetricFamily, printMetrics } from "../../common/metrics/mod.ts";
import { aborted, defineModule, type Logger, type Module } from "../../common/module/mod.ts";

export interface MonitorComponents {
  /** All metrics now. */
  collect: () => Promise<MetricFamily[]>;
  /** Whether everything serves. @default always */
  serving?: () => boolean;
  log: Logger;
}

export interface MonitorOptions {
  /** IP address to listen on. */
  hostname: string;
  port: number;
}

/** Serves until it is stopped; ready when bound. The run rejects when the address cannot be bound, naming the configuration key. */
export function monitor(
  { collect, serving = () => true, log }: MonitorComponents,
  options: MonitorOptions,
): Module {
  return defineModule("monitor", async ({ signal, ready }) => {
    const server = listen(options, async (request) => {
      const { pathname } = new URL(request.url);
      if (request.method !== "GET" && request.method !== "HEAD") {
        return new Response("Method Not Allowed\n", { status: 405 });
      }
      if (pathname === "/livez") return new Response("ok");
      if (pathname === "/healthz" || pathname === "/readyz") {
        return serving() ? new Response("ok") : new Response("starting\n", { status: 503 });
      }
      if (pathname !== "/metrics") return new Response("Not Found\n", { status: 404 });
      return new Response(printMetrics(await collect()), {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    });
    log.info("Serving metrics", { address: `${options.hostname}:${options.port}` });
    ready();
    await aborted(signal);
    await server.shutdown();
  });
}

function listen({ hostname, port }: MonitorOptions, handler: Deno.ServeHandler): Deno.HttpServer {
  try {
    return Deno.serve({ hostname, port, onListen: () => {} }, handler);
  } catch (cause) {
    throw new Error(
      `Cannot listen on ${hostname}:${port} for metrics: choose another commonConfig.monitorServer.bindAddress`,
      { cause },
    );
  }
}

/** What the monitor server may do. */
export function monitorPermissions({ hostname, port }: MonitorOptions): Deno.PermissionOptionsObject {
  return { net: [`${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`] };
}
