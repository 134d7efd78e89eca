import type { MetricFamily } from "../metrics/mod.ts";
import { MetricsRegistry } from "../metrics/mod.ts";
import { createLogger, type Logger, type LoggerOptions } from "./logger.ts";
import { connectPort, type Mailbox, type PortOptions, type Send } from "./mailbox.ts";
import { defineModule, type Module, runAll } from "./module.ts";
import { errorText } from "../errors/mod.ts";

/** A set of modules that share one worker and exactly the permissions they need. */
export interface CompartmentSpec<Init> {
  name: string;
  /** The worker's program, which calls {@linkcode runCompartment}. */
  entry: URL;
  /** What the worker may do; everything not named is refused. */
  permissions: Deno.PermissionOptionsObject;
  /** Plain data for the modules: configuration, addresses, paths. */
  init: Init;
  /** Message ports to other compartments, by the name the modules know them under. */
  ports?: Readonly<Record<string, MessagePort>>;
  log?: Pick<LoggerOptions, "level" | "format">;
}

/** What the program of a compartment is given. */
export interface CompartmentContext<Init> {
  init: Init;
  log: Logger;
  metrics: MetricsRegistry;
  /** Names of the ports the root gave. */
  ports: readonly string[];
  /**
   * Joins the port of a neighbour to a mailbox of this compartment.
   * @throws {TypeError} when the root gave no port of that name
   */
  connect<Out, In>(port: string, inbox: Mailbox<In>, options?: PortOptions<Out, In>): Send<Out>;
}

type ToWorker<Init> =
  | {
    kind: "start";
    name: string;
    init: Init;
    ports: Record<string, MessagePort>;
    log: CompartmentSpec<Init>["log"];
  }
  | { kind: "stop" }
  | { kind: "collect"; id: number };

type FromWorker =
  | { kind: "loaded" }
  | { kind: "ready" }
  | { kind: "ended"; error?: string }
  | { kind: "metrics"; id: number; families: MetricFamily[] };

/** How long a worker may take to end once told to stop, before it is ended by force. */
const STOP_TIMEOUT_MS = 4500;

/** A compartment seen from the main process: a module that can also be asked for its metrics. */
export interface Compartment extends Module {
  /** Resolves when its program is loaded: from then on it needs nothing of the main process. */
  readonly loaded: Promise<void>;
  /** The compartment's metrics now; empty when it is not running. */
  collect(): Promise<MetricFamily[]>;
}

/** Starts a worker with its permissions when run, and ends it when told to stop. */
export function compartment<Init>(spec: CompartmentSpec<Init>): Compartment {
  let worker: Worker | undefined;
  let nextId = 0;
  const loaded = Promise.withResolvers<void>();
  const asked = new Map<number, (families: MetricFamily[]) => void>();
  const module = defineModule(spec.name, ({ signal, ready }) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const started = new Worker(spec.entry, {
      type: "module",
      name: spec.name,
      deno: { permissions: { ...NO_PERMISSIONS, ...spec.permissions } },
    });
    worker = started;
    const post = (message: ToWorker<Init>, transfer: Transferable[] = []) =>
      started.postMessage(message, transfer);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = () => {
      post({ kind: "stop" });
      timer = setTimeout(
        () => reject(new Error(`Compartment ${spec.name} did not stop in ${STOP_TIMEOUT_MS} ms`)),
        STOP_TIMEOUT_MS,
      );
    };
    started.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      switch (data.kind) {
        case "loaded": {
          loaded.resolve();
          const ports = { ...spec.ports };
          post(
            { kind: "start", name: spec.name, init: spec.init, ports, log: spec.log },
            Object.values(ports),
          );
          if (signal.aborted) stop();
          else signal.addEventListener("abort", stop, { once: true });
          break;
        }
        case "ready":
          ready();
          break;
        case "metrics":
          asked.get(data.id)?.(data.families);
          asked.delete(data.id);
          break;
        case "ended":
          if (data.error === undefined) resolve();
          else reject(new Error(data.error));
      }
    };
    started.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Compartment ${spec.name} failed: ${event.message}`));
    };
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      started.terminate();
      worker = undefined;
      for (const answer of asked.values()) answer([]);
      asked.clear();
    });
  });
  return {
    ...module,
    loaded: loaded.promise,
    collect: () => {
      if (worker === undefined) return Promise.resolve([]);
      const { promise, resolve } = Promise.withResolvers<MetricFamily[]>();
      const id = nextId++;
      asked.set(id, resolve);
      worker.postMessage({ kind: "collect", id } satisfies ToWorker<Init>);
      return promise;
    },
  };
}

const NO_PERMISSIONS: Deno.PermissionOptionsObject = {
  env: false,
  ffi: false,
  import: false,
  net: false,
  read: false,
  run: false,
  sys: false,
  write: false,
};

/** The worker's own scope, as far as it is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

/**
 * The whole program of a compartment's worker: builds its modules when told to start and runs them until told to stop.
 * @param build makes the modules, in starting order
 */
export function runCompartment<Init>(
  build: (context: CompartmentContext<Init>) => Module[] | Promise<Module[]>,
): void {
  const scope = globalThis as unknown as WorkerScope;
  const controller = new AbortController();
  const metrics = new MetricsRegistry();
  const post = (message: FromWorker) => scope.postMessage(message);
  const start = async (order: Extract<ToWorker<Init>, { kind: "start" }>) => {
    const modules = await build({
      init: order.init,
      log: createLogger(order.name, order.log ?? {}),
      metrics,
      ports: Object.keys(order.ports),
      connect: (name, inbox, options) => {
        const port = order.ports[name];
        if (port === undefined) throw new TypeError(`Compartment ${order.name} has no port ${name}`);
        return connectPort(port, inbox, options);
      },
    });
    const all = Promise.all(modules.map((module) => module.ready)).then(() => post({ kind: "ready" }));
    await Promise.race([runAll(modules, controller.signal), all.then(() => new Promise<never>(() => {}))]);
  };
  scope.onmessage = ({ data }: MessageEvent<ToWorker<Init>>) => {
    switch (data.kind) {
      case "start":
        start(data).then(
          () => post({ kind: "ended" }),
          (error) => post({ kind: "ended", error: errorText(error) }),
        );
        break;
      case "stop":
        controller.abort(new DOMException("The process is stopping", "AbortError"));
        break;
      case "collect":
        post({ kind: "metrics", id: data.id, families: metrics.collect() });
    }
  };
  post({ kind: "loaded" });
}
