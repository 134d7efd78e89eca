import type { Message } from "../../common/model/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { type Clock, createLogger, Mailbox, systemClock } from "../../common/module/mod.ts";
import { edgeHub, type EdgeHubOptions } from "./mod.ts";

/** A running edgehub whose neighbour metamanager is played by the test. For tests only. */
export interface Harness extends AsyncDisposable {
  logged: string[];
  /** Puts a message into edgehub's inbox. */
  give(message: Message): Promise<void>;
  /** The next message to metamanager. */
  metaManager(): Promise<Message>;
  /** Resolves once a line with this text has been logged. */
  log(text: string | RegExp): Promise<string>;
}

/** Starts an edgehub; `await using` stops it. */
export async function startEdgeHub(options: EdgeHubOptions, clock: Clock = systemClock): Promise<Harness> {
  const inbox = new Mailbox<Message>("edgehub", 64);
  const toMetaManager = new Mailbox<Message>("metamanager", 64);
  const logged: string[] = [];
  let wakers: Array<() => void> = [];
  const module = edgeHub({
    inbox,
    metaManager: toMetaManager.send,
    clock,
    log: createLogger("edgehub", {
      level: "debug",
      write: (line) => {
        logged.push(line);
        for (const wake of wakers.splice(0)) wake();
      },
    }),
    metrics: new MetricsRegistry(),
  }, options);
  const controller = new AbortController();
  const running = module.run(controller.signal);
  await module.ready;
  return {
    logged,
    give: (message) => inbox.send(message),
    metaManager: async () => (await toMetaManager.receive())!,
    log: async (text) => {
      for (;;) {
        const line = logged.find((l) => typeof text === "string" ? l.includes(text) : text.test(l));
        if (line !== undefined) return line;
        await new Promise<void>((resolve) => wakers = [...wakers, resolve]);
      }
    },
    [Symbol.asyncDispose]: async () => {
      controller.abort(new DOMException("The test is over", "AbortError"));
      await running;
    },
  };
}
