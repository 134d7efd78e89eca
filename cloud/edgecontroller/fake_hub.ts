import { FakeClock } from "../../common/module/fake_clock.ts";
import { informer, type KubeClient } from "../../common/kubeclient/mod.ts";
import { FakeKubeClient, type FakeKubeClientOptions } from "../../common/kubeclient/fake_client.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { type Message, newMessage, Operation } from "../../common/model/mod.ts";
import { type Logger, Mailbox, type Module, silentLogger } from "../../common/module/mod.ts";
import { edgeController } from "./edge_controller.ts";
import type { EdgeControllerOptions } from "./options.ts";

/**
 * The edgecontroller at work between a fake API and a hub that only writes down what it is given. For tests only.
 * It cannot: lose, delay or acknowledge anything.
 */
export class Rig implements AsyncDisposable {
  readonly kube: FakeKubeClient;
  readonly clock = new FakeClock();
  readonly metrics = new MetricsRegistry();
  /** Everything that was sent to edges, in order. */
  readonly sent: Message[] = [];
  readonly module: Module;
  readonly ended: Promise<void>;
  readonly #inbox = new Mailbox<Message>("edgecontroller", 1000);
  readonly #stop = new AbortController();
  #watchers: Array<() => void> = [];

  constructor(
    { kube = {}, api, log = silentLogger, ...options }: Partial<EdgeControllerOptions> & {
      kube?: FakeKubeClientOptions;
      /** A real API instead of the fake, which then stays empty. */
      api?: KubeClient;
      log?: Logger;
    } = {},
  ) {
    this.kube = new FakeKubeClient({ now: () => this.clock.now(), ...kube });
    const { clock, metrics } = this;
    const client = api ?? this.kube;
    this.module = edgeController({
      inbox: this.#inbox,
      cloudHub: (message) => {
        this.sent.push(message);
        for (const wake of this.#watchers.splice(0)) wake();
        return Promise.resolve();
      },
      kube: client,
      informers: (type, selection, options) =>
        informer(client, type, selection, { clock, log: silentLogger, random: () => 0, ...options }),
      clock,
      log,
      metrics,
    }, { advertiseAddress: "192.0.2.1", ...options });
    this.ended = this.module.run(this.#stop.signal);
  }

  /** Gives the module a message as cloudhub would. */
  async give(operation: string, resource: string, content: unknown = null): Promise<Message> {
    const message = newMessage({ source: "edged", group: "meta", operation, resource }, content);
    await this.#inbox.send(message);
    return message;
  }

  /** Asks as an edge does, and waits for the answer. */
  async ask(operation: string, resource: string, content: unknown = null): Promise<Message> {
    const { header } = await this.give(operation, resource, content);
    return this.until(({ header: { parentMsgId } }) => parentMsgId === header.msgId);
  }

  connect(node: string): Promise<Message> {
    return this.give("connected", `node/${node}`);
  }

  disconnect(node: string): Promise<Message> {
    return this.give("disconnected", `node/${node}`);
  }

  /** The first message from `from` on that fits, waiting for it. */
  async until(fits: (message: Message) => boolean, from = 0): Promise<Message> {
    for (;;) {
      const found = this.sent.slice(from).find(fits);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** The first push of an operation and resource from `from` on, waiting for it. */
  pushed(operation: string, resource: string, from = 0): Promise<Message> {
    return this.until(
      ({ route, header }) =>
        header.parentMsgId === undefined && route.operation === operation && route.resource === resource,
      from,
    );
  }

  /** Pushes so far, as `<operation> <resource without node/<n>/>`. */
  pushes(from = 0): string[] {
    return this.sent.slice(from).filter(({ route, header }) =>
      header.parentMsgId === undefined && route.operation !== Operation.response
    ).map(({ route }) => `${route.operation} ${route.resource.split("/").slice(2).join("/")}`);
  }

  /** Waits until nothing more happens by itself. */
  async settle(): Promise<void> {
    for (let before = -1, quiet = 0; quiet < 3; quiet = before === this.#activity() ? quiet + 1 : 0) {
      before = this.#activity();
      // Beyond promises, the fake client needs nothing; a macrotask lets all of them run.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  #activity(): number {
    return this.sent.length + this.kube.calls.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.ended;
    await this.kube[Symbol.asyncDispose]();
    this.#inbox.close();
  }
}
