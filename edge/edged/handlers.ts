import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Container } from "../../common/api/core_v1.ts";
import { errorText } from "../../common/errors/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import type { ContainerRuntime } from "./runtime/types.ts";

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
  grpc?: { port: number };
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
      if (handler.grpc !== undefined) {
        return failed("gRPC probes are not supported: use exec, httpGet or tcpSocket");
      }
      return failed("no exec, httpGet or tcpSocket is given");
    } catch (error) {
      return failed(errorText(error));
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

/** Success is any code from 200 to 399. Upstream: k8s.io/kubernetes pkg/probe/http/http.go @ v1.32 */
function httpGet(action: NonNullable<Handler["httpGet"]>, target: HandlerTarget): Promise<HandlerResult> {
  const port = portNumber(action.port, target.container);
  const headers: Record<string, string> = {
    "user-agent": "kube-probe/1.32",
    accept: "*/*",
    connection: "close",
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  const path = action.path ?? "/";
  const options = {
    host: action.host || target.podIP,
    port,
    path: path.startsWith("/") ? path : `/${path}`,
    headers,
    agent: false as const,
    signal: target.signal,
    timeout: target.timeoutMs,
  };
  return new Promise((resolve) => {
    const send = action.scheme === "HTTPS"
      // A probe asks whether the server answers, not who it is.
      ? httpsRequest({ ...options, rejectUnauthorized: false })
      : httpRequest(options);
    const timer = setTimeout(
      () => send.destroy(new Error(`No answer in ${target.timeoutMs} ms`)),
      target.timeoutMs,
    );
    send.on("response", (response) => {
      clearTimeout(timer);
      const code = response.statusCode ?? 0;
      response.on("error", () => send.destroy());
      response.destroy();
      send.destroy();
      resolve(
        code >= 200 && code < 400
          ? { ok: true, output: "" }
          : failed(`HTTP probe failed with statuscode: ${code}`),
      );
    });
    send.on("error", (error) => {
      clearTimeout(timer);
      resolve(failed(errorText(error)));
    });
    send.end();
  });
}

async function tcpConnect(
  action: NonNullable<Handler["tcpSocket"]>,
  target: HandlerTarget,
): Promise<HandlerResult> {
  const port = portNumber(action.port, target.container);
  const signal = AbortSignal.any([target.signal, AbortSignal.timeout(target.timeoutMs)]);
  const connection = await Deno.connect({ hostname: action.host || target.podIP, port, signal });
  connection.close();
  return { ok: true, output: "" };
}
