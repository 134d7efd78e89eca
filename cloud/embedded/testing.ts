import assert from "node:assert/strict";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";
import {
  embeddedControlPlane,
  type EmbeddedControlPlaneEndpoint,
  type EmbeddedControlPlaneOptions,
} from "./mod.ts";
import type { ApiObject } from "./object.ts";

/** What a request to a control plane under test gave. */
export interface Answer {
  status: number;
  headers: Headers;
  // Answers of many kinds are looked into by tests.
  body: ApiObject & Record<string, unknown>;
}

/** A control plane on a free port with a directory of its own, and a client of it. For tests only. */
export interface ControlPlaneUnderTest extends AsyncDisposable {
  readonly endpoint: EmbeddedControlPlaneEndpoint;
  readonly dataDir: string;
  /** A request as the administrator, with a JSON body; headers may say otherwise. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** The lines of a watch, parsed, until `enough` says so. */
  watch(
    path: string,
    enough: (events: WatchLine[]) => boolean,
    headers?: Record<string, string>,
  ): Promise<WatchLine[]>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** Ends it and starts it again on the same directory. @param meanwhile what happens to the files in between */
  restart(meanwhile?: () => void): Promise<void>;
}

/** One line of a watch. */
export interface WatchLine {
  type: string;
  object: ApiObject & Record<string, unknown>;
}

/** Starts a control plane for a test. */
export async function startControlPlane(
  options: Partial<EmbeddedControlPlaneOptions> = {},
): Promise<ControlPlaneUnderTest> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "embedded-" });
  const components = () => ({ clock: systemClock, log: silentLogger, metrics: new MetricsRegistry() });
  const start = async () => {
    const controller = new AbortController();
    const module = embeddedControlPlane(components(), { dataDir, port: 0, ...options });
    const ended = module.run(controller.signal);
    const endpoint = await Promise.race([module.endpoint, ended.then(() => assert.fail("it ended"))]);
    const client = Deno.createHttpClient({ caCerts: [endpoint.caCertificate] });
    return { controller, ended, endpoint, client };
  };
  let running = await start();
  const stop = async () => {
    running.client.close();
    running.controller.abort();
    await running.ended;
  };
  const send = (path: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${running.endpoint.adminToken}`);
    if (headers.get("authorization") === "") headers.delete("authorization");
    return fetch(running.endpoint.server + path, { ...init, headers, client: running.client });
  };
  return {
    get endpoint() {
      return running.endpoint;
    },
    dataDir,
    fetch: send,
    request: async (method, path, body, headers = {}) => {
      const response = await send(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text.startsWith("{") ? JSON.parse(text) : text,
      };
    },
    watch: async (path, enough, headers = {}) => {
      const response = await send(path, { headers });
      assert.equal(response.status, 200);
      const events: WatchLine[] = [];
      const decoder = new TextDecoder();
      let rest = "";
      for await (const chunk of response.body!) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop()!;
        events.push(...lines.map((line): WatchLine => JSON.parse(line)));
        if (enough(events)) break;
      }
      return events;
    },
    restart: async (meanwhile) => {
      await stop();
      meanwhile?.();
      running = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await Deno.remove(dataDir, { recursive: true });
    },
  };
}

/** Whether this machine has kubectl. */
export async function hasKubectl(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("kubectl", {
      args: ["version", "--client"],
      stdout: "null",
      stderr: "null",
    })
      .output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
