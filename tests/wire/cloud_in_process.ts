/** cloudhub and edgecontroller joined in this process, on an API in memory, with real sockets. For tests only. */
import assert from "node:assert/strict";
import {
  type ConnectOptions,
  type RunningHub,
  startHub,
  type TestEdge,
} from "../../cloud/cloudhub/_testing.ts";
import type { CloudHubComponents, CloudHubOptions } from "../../cloud/cloudhub/mod.ts";
import { edgeController } from "../../cloud/edgecontroller/mod.ts";
import { FakeKubeClient, type FakeKubeClientOptions } from "../../common/kubeclient/fake_client.ts";
import { informer } from "../../common/kubeclient/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { type Message, newMessage } from "../../common/model/mod.ts";
import { silentLogger, systemClock } from "../../common/module/mod.ts";

export interface InProcessOptions {
  kube?: FakeKubeClient | FakeKubeClientOptions;
  hub?: Partial<CloudHubOptions>;
  modules?: Omit<Partial<CloudHubComponents>, "kube">;
}

/** A running pair of modules; disposing stops both. */
export class InProcessCloud implements AsyncDisposable {
  readonly kube: FakeKubeClient;
  hub!: RunningHub;
  readonly #stop = new AbortController();
  readonly #edges: TestEdge[] = [];
  #controller!: Promise<void>;

  private constructor(kube: FakeKubeClient) {
    this.kube = kube;
  }

  /** Starts both; `seed` fills the API before. */
  static async start(
    options: InProcessOptions = {},
    seed?: (kube: FakeKubeClient) => void,
  ): Promise<InProcessCloud> {
    const { kube = {} } = options;
    const cloud = new InProcessCloud(kube instanceof FakeKubeClient ? kube : new FakeKubeClient(kube));
    seed?.(cloud.kube);
    await cloud.#start(options);
    return cloud;
  }

  async #start({ hub = {}, modules = {} }: InProcessOptions): Promise<void> {
    const { kube } = this;
    this.hub = await startHub({ clusterCa: "PEM", ...hub }, { kube, ...modules });
    const module = edgeController({
      inbox: this.hub.upstream,
      cloudHub: this.hub.inbox.send,
      kube,
      informers: (type, selection, options) =>
        informer(kube, type, selection, { clock: systemClock, log: silentLogger, ...options }),
      clock: systemClock,
      log: silentLogger,
      metrics: new MetricsRegistry(),
    }, { advertiseAddress: "127.0.0.1" });
    this.#controller = module.run(this.#stop.signal);
    await Promise.race([module.ready, this.#controller.then(() => assert.fail("edgecontroller ended"))]);
  }

  /** Opens a session, which is closed at the end. */
  async connect(node: string, options?: ConnectOptions): Promise<TestEdge> {
    const edge = await this.hub.connect(node, options);
    this.#edges.push(edge);
    return edge;
  }

  /** Asks as edged does; what comes besides the reply is dropped. @throws when there is no reply in five seconds */
  async ask(edge: TestEdge, operation: string, resource: string, content: unknown = null): Promise<Message> {
    const message = newMessage({ source: "edged", group: "meta", operation, resource }, content);
    edge.send(message);
    return await this.next(
      edge,
      ({ header }) => header.parentMsgId === message.header.msgId,
      `${operation} ${resource}`,
    );
  }

  /** The next message that fits; others are dropped. */
  async next(edge: TestEdge, fits: (message: Message) => boolean, what: string): Promise<Message> {
    const signal = AbortSignal.timeout(30_000);
    for (;;) {
      const got = await edge.received.receive({ signal });
      assert.ok(got, `the session ended without ${what}`);
      if (fits(got)) return got;
    }
  }

  /** Whether the session of a node is served: what the edge asks for is answered. */
  async serves(edge: TestEdge, node: string): Promise<void> {
    await this.ask(edge, "query", `kube-node-lease/lease/${node}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const edge of this.#edges) await edge[Symbol.asyncDispose]();
    this.#stop.abort();
    await this.#controller;
    await this.hub.stop();
    await this.kube[Symbol.asyncDispose]();
  }
}
