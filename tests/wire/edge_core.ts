/**
 * A whole edgecore in one process: the modules of its compartments joined as `edge/edgecore.ts` joins them, over mailboxes
 * in place of ports, with a container engine in memory and a clock that the test moves. Sockets, TLS, certificates, the
 * database and the pods' volumes are real. For tests only.
 */
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { type Message, MESSAGE_TEXT } from "../../common/model/mod.ts";
import { createLogger, Mailbox, type Module, runAll, type Send } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { edgeHub, type EdgeHubOptions } from "../../edge/edgehub/mod.ts";
import { edged, type EdgedOptions } from "../../edge/edged/mod.ts";
import { envResolver, fieldValue, resourceValue } from "../../edge/edged/env/mod.ts";
import { MemoryRuntime, type MemoryRuntimeOptions } from "../../edge/edged/runtime/memory_runtime.ts";
import type { CallOptions, PodSandboxStatus } from "../../edge/edged/runtime/types.ts";
import { FACTS } from "../../edge/edged/testing.ts";
import { podVolumes } from "../../edge/edged/volumes/mod.ts";
import { metaManager } from "../../edge/metamanager/mod.ts";

const ALLOCATABLE = { cpu: "2", memory: "1073741824" };

/** The engine's pods answer on loopback, so that probes can reach what the test serves. */
export class LoopbackRuntime extends MemoryRuntime {
  override async podSandboxStatus(id: string, options?: CallOptions): Promise<PodSandboxStatus> {
    const status = await super.podSandboxStatus(id, options);
    return status.ips.length === 0 ? status : { ...status, ips: ["127.0.0.1"] };
  }
}

export interface EdgeCoreOptions {
  /** Of the link; its addresses and files. */
  hub: EdgeHubOptions;
  /** Directory of the database and the pods' volumes. */
  directory: string;
  clock?: FakeClock;
  runtime?: MemoryRuntime;
  program?: MemoryRuntimeOptions["program"];
  edged?: Partial<EdgedOptions>;
  /** How long metamanager hands out what the cloud spoke of without asking, milliseconds. */
  recentMs?: number;
}

/** Whole milliseconds, as the system's clock has them, whatever was slept. */
class WholeClock extends FakeClock {
  override now(): number {
    return Math.floor(super.now());
  }
}

/** Images that the engine has. */
export const IMAGES = ["docker.io/local/busybox:1", "busybox:1", "kubeedge/pause:3.6"];

export interface EdgeCore extends AsyncDisposable {
  readonly clock: FakeClock;
  readonly runtime: MemoryRuntime;
  readonly logged: string[];
  readonly databasePath: string;
  readonly metrics: MetricsRegistry;
  /** Undefined while it runs; what ended it otherwise. */
  readonly ended: { error: unknown } | undefined;
  /** Moves the time step by step, real sockets given their turn, until the condition holds; fails after `limitMs` of the edge's time. */
  until<T>(what: string, condition: () => T | undefined | false, options?: UntilOptions): Promise<T>;
  /** Lets so much of the edge's time pass, in steps. */
  pass(ms: number, stepMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface UntilOptions {
  /** Of the edge's clock. @default 20 */
  stepMs?: number;
  /** Of the edge's clock. @default 120000 */
  limitMs?: number;
}

/** What crosses from one compartment to another crosses as text. */
function crossing(send: Send<Message>): Send<Message> {
  return (message, options) => send(MESSAGE_TEXT.decode(MESSAGE_TEXT.encode(message)), options);
}

/** Real sockets and files get their turn. */
export const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, 1));

/** How long a condition is waited for at least, and at most, by the machine's clock. */
const REAL_LEAST_MS = 10_000;
const REAL_MOST_MS = 60_000;

/** Starts an edgecore; `await using` stops it and the engine. */
export function startEdgeCore(options: EdgeCoreOptions): EdgeCore {
  const { clock = new WholeClock(Date.now()), directory, hub } = options;
  const runtime = options.runtime ?? new LoopbackRuntime({
    clock,
    images: IMAGES.map((reference) => ({ reference })),
    ...options.program === undefined ? {} : { program: options.program },
  });
  const logged: string[] = [];
  const log = createLogger("edgecore", { level: "debug", write: (line) => void logged.push(line) });
  const metrics = new MetricsRegistry();
  const boxes = {
    edgehub: new Mailbox<Message>("edgehub", 1024),
    metamanager: new Mailbox<Message>("metamanager", 1024),
    edged: new Mailbox<Message>("edged", 1024),
  };
  const databasePath = `${directory}/edgecore.db`;
  const modules: Module[] = [
    metaManager({
      inbox: boxes.metamanager,
      edgeHub: crossing(boxes.edgehub.send),
      edged: crossing(boxes.edged.send),
      clock,
      log: log.child("metamanager"),
      metrics,
    }, { databasePath, nodeName: hub.nodeName, recentMs: options.recentMs }),
    edged({
      inbox: boxes.edged,
      metaManager: crossing(boxes.metamanager.send),
      runtime,
      volumes: (api) =>
        podVolumes({
          api,
          downward: {
            field: (pod, path) => fieldValue(pod, path),
            resource: (pod, selector) => resourceValue(pod, undefined, selector, ALLOCATABLE),
          },
          clock,
          log: log.child("volumes"),
        }, { rootDirectory: `${directory}/pods` }),
      resolveEnv: (api) => envResolver({ api, allocatable: () => ALLOCATABLE, log: log.child("env") }),
      clock,
      log: log.child("edged"),
      metrics,
      facts: () => Promise.resolve(() => Promise.resolve(FACTS)),
    }, {
      nodeName: hub.nodeName,
      version: "v1.32.10-kubeedge-v1.23.1",
      readOnlyPort: 0,
      ...options.edged,
    }),
    edgeHub({
      inbox: boxes.edgehub,
      metaManager: crossing(boxes.metamanager.send),
      clock,
      log: log.child("edgehub"),
      metrics,
    }, hub),
  ];
  const controller = new AbortController();
  let ended: { error: unknown } | undefined;
  const running = runAll(modules, controller.signal).then(
    () => void (ended = { error: undefined }),
    (error) => void (ended = { error }),
  );
  const step = async (ms: number) => {
    await clock.advance(ms);
    await breathe();
    if (ended !== undefined && !controller.signal.aborted) {
      throw new Error(`edgecore has ended: ${ended.error}\n${logged.slice(-20).join("")}`, {
        cause: ended.error,
      });
    }
  };
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    controller.abort(new DOMException("The test is over", "AbortError"));
    while (ended === undefined) {
      await clock.advance(50);
      await breathe();
    }
    await running;
  };
  return {
    clock,
    runtime,
    logged,
    databasePath,
    metrics,
    get ended() {
      return ended;
    },
    async until(what, condition, { stepMs = 20, limitMs = 120_000 } = {}) {
      const end = clock.now() + limitMs;
      const begin = performance.now();
      for (;;) {
        const result = condition();
        if (result !== undefined && result !== false) return result;
        // Real sockets, files and a busy machine take their time, however far the edge's clock is.
        const realMs = performance.now() - begin;
        if (clock.now() > end && realMs > REAL_LEAST_MS || realMs > REAL_MOST_MS) {
          throw new Error(`It did not happen: ${what}\n${logged.slice(-30).join("")}`);
        }
        await step(stepMs);
      }
    },
    async pass(ms, stepMs = 100) {
      for (let left = ms; left > 0; left -= stepMs) await step(Math.min(stepMs, left));
    },
    stop: () => stopped ??= stop(),
    async [Symbol.asyncDispose]() {
      await this.stop();
      runtime[Symbol.dispose]();
    },
  };
}
