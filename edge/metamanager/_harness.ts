import { type Message, newMessage, type Route } from "../../common/model/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { createLogger, Mailbox } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { metaManager, type MetaManagerOptions } from "./mod.ts";

/**
 * A running metamanager with both its neighbours played by the test: `cloud` is what would arrive at edgehub, `edged` what
 * would arrive at edged. For tests only; there is no link, so nothing is ever refused by it.
 */
export interface Harness extends AsyncDisposable {
  clock: FakeClock;
  logged: string[];
  databasePath: string;
  /** Puts a message into metamanager's inbox. */
  give(message: Message): Promise<void>;
  /** The next message to the cloud. */
  cloud(): Promise<Message>;
  /** The next message to edged. */
  edged(): Promise<Message>;
  /** Messages that wait for the cloud and for edged, once nothing more happens. */
  idle(): Promise<{ cloud: number; edged: number }>;
  setConnected(connected: boolean): Promise<void>;
}

/** Starts a metamanager; `await using` stops it. */
export async function startMetaManager(
  options: Partial<MetaManagerOptions> & { databasePath: string },
  clock = new FakeClock(),
): Promise<Harness> {
  const inbox = new Mailbox<Message>("metamanager", 64);
  const toCloud = new Mailbox<Message>("edgehub", 64);
  const toEdged = new Mailbox<Message>("edged", 64);
  const logged: string[] = [];
  const module = metaManager({
    inbox,
    edgeHub: toCloud.send,
    edged: toEdged.send,
    clock,
    log: createLogger("metamanager", { level: "debug", write: (line) => logged.push(line) }),
    metrics: new MetricsRegistry(),
  }, { nodeName: "edge-1", ...options });
  const controller = new AbortController();
  const running = module.run(controller.signal);
  await Promise.race([module.ready, running]);
  const take = async (mailbox: Mailbox<Message>) => {
    const timer = AbortSignal.timeout(30_000);
    try {
      return (await mailbox.receive({ signal: timer }))!;
    } catch (cause) {
      throw new Error(`Nothing came to ${mailbox.name} in 30 s; logged: ${logged.join("")}`, { cause });
    }
  };
  return {
    clock,
    logged,
    databasePath: options.databasePath,
    give: (message) => inbox.send(message),
    cloud: () => take(toCloud),
    edged: () => take(toEdged),
    idle: async () => {
      await clock.advance(0);
      return { cloud: toCloud.length, edged: toEdged.length };
    },
    setConnected: (connected) =>
      inbox.send(newMessage(
        { source: "edgehub", group: "meta", operation: "connect", resource: "node/connection" },
        connected ? "cloud_connected" : "cloud_disconnected",
      )),
    [Symbol.asyncDispose]: async () => {
      controller.abort();
      await running;
    },
  };
}

/** A message as the cloud pushes it. */
export function fromCloud(operation: string, resource: string, content: unknown): Message {
  return newMessage({ source: "edgecontroller", group: "resource", operation, resource }, content);
}

/** A request as edged makes it. */
export function fromEdged(operation: string, resource: string, content: unknown = null): Message {
  return newMessage({ source: "edged", group: "meta", operation, resource }, content);
}

/** The cloud's reply to a request. */
export function replyTo(request: Message, content: unknown, route: Partial<Route> = {}): Message {
  return newMessage(
    {
      source: "edgecontroller",
      group: "resource",
      operation: "response",
      resource: request.route.resource,
      ...route,
    },
    content,
    { parentMsgId: request.header.msgId },
  );
}

/** A pod as the API has it. */
export function pod(name: string, uid: string, resourceVersion: string, more: Record<string, unknown> = {}) {
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, namespace: "default", uid, resourceVersion, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { nodeName: "edge-1", containers: [{ name: "c", image: "busybox" }] },
    ...more,
  };
}

/** A ConfigMap as the API has it. */
export function configMap(name: string, resourceVersion: string, data: Record<string, string>) {
  return {
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion },
    data,
  };
}
