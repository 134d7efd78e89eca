/** A worker that runs metamanager over one push and tells what came of it, and what it was refused. For tests only. */
import { type Message, newMessage } from "../../common/model/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { Mailbox, silentLogger, systemClock } from "../../common/module/mod.ts";
import { metaManager } from "./mod.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<{ databasePath: string }>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = async ({ data: { databasePath } }) => {
  const refused: Record<string, string> = {};
  const attempts: Array<[string, () => Promise<unknown>]> = [
    ["read", () => Deno.readTextFile("/etc/hostname")],
    ["write", () => Deno.writeTextFile("/tmp/metamanager-probe", "")],
    ["net", async () => await Deno.connect({ hostname: "127.0.0.1", port: 1 })],
    ["run", async () => await new Deno.Command("true").output()],
  ];
  for (const [name, attempt] of attempts) {
    refused[name] = await attempt().then(() => "allowed", (error) => error.name);
  }
  const inbox = new Mailbox<Message>("metamanager", 8);
  const controller = new AbortController();
  const acknowledged = Promise.withResolvers<Message>();
  const module = metaManager({
    inbox,
    edgeHub: (message) => {
      acknowledged.resolve(message);
      return Promise.resolve();
    },
    edged: () => Promise.resolve(),
    clock: systemClock,
    log: silentLogger,
    metrics: new MetricsRegistry(),
  }, { databasePath, nodeName: "edge-1" });
  const running = module.run(controller.signal);
  const route = {
    source: "edgecontroller",
    group: "resource",
    operation: "update",
    resource: "a/configmap/b",
  };
  await inbox.send(newMessage(route, { metadata: { name: "b", namespace: "a", resourceVersion: "1" } }));
  const ack = await acknowledged.promise;
  controller.abort();
  await running;
  scope.postMessage({ refused, content: ack.content });
};
