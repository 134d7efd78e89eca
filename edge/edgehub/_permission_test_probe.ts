/** A worker that runs edgehub and tells what metamanager would get, and what it was refused. For tests only. */
import type { Message } from "../../common/model/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { createLogger, Mailbox, systemClock } from "../../common/module/mod.ts";
import { edgeHub, type EdgeHubOptions } from "./mod.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<{ options: EdgeHubOptions } | "stop">) => void;
  postMessage(message: unknown): void;
};
const controller = new AbortController();

scope.onmessage = async ({ data }) => {
  if (data === "stop") return controller.abort();
  const attempts: Array<[string, () => Promise<unknown>]> = [
    ["read", () => Deno.readTextFile("/etc/hostname")],
    ["write", () => Deno.writeTextFile("/tmp/edgehub-probe", "")],
    ["net", async () => await Deno.connect({ hostname: "127.0.0.1", port: 1 })],
    ["run", async () => await new Deno.Command("true").output()],
  ];
  for (const [name, attempt] of attempts) {
    const outcome = await attempt().then(() => "allowed", (error) => error.name);
    scope.postMessage({ name, outcome });
  }
  const module = edgeHub({
    inbox: new Mailbox<Message>("edgehub", 8),
    metaManager: (message) => {
      scope.postMessage({ name: "message", outcome: message.content });
      return Promise.resolve();
    },
    clock: systemClock,
    log: createLogger("edgehub", { write: (line) => scope.postMessage({ name: "log", outcome: line }) }),
    metrics: new MetricsRegistry(),
  }, data.options);
  await module.run(controller.signal);
  scope.postMessage({ name: "message", outcome: "ended" });
};
