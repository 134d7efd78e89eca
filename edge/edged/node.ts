import type { Node, NodeStatus } from "../../common/api/core_v1.ts";
import { errorText, findStatusError, isAlreadyExists, isNotFound } from "../../common/errors/mod.ts";
import { backoffMs, type Clock, type Logger, News } from "../../common/module/mod.ts";
import type { RecordEvent } from "./events.ts";
import type { KubeApi } from "./kube_api.ts";
import type { NodeFacts } from "./node_facts.ts";
import {
  type EngineState,
  newNode,
  nodeLabels,
  type NodeSpec,
  nodeStatus,
  nodeStatusPatch,
} from "./node_status.ts";
import { LeaseKeeper } from "./lease.ts";

/** What the node's agent is made of. */
export interface NodeAgentComponents {
  api: Pick<
    KubeApi,
    "createNode" | "getNode" | "patchNodeStatus" | "updateNode" | "getLease" | "createLease" | "updateLease"
  >;
  clock: Clock;
  log: Logger;
  /** The machine as it is now. */
  facts: NodeFacts;
  readFacts: () => Promise<NodeFacts>;
  engine: () => EngineState;
  event: RecordEvent;
  random?: () => number;
}

/** Cadences of the node. Upstream: edge-interfaces: computed every 10 s, sent on change or every 5 min; lease 40 s / 10 s */
export const STATUS_PERIOD_MS = 10_000;
export const STATUS_REPORT_MS = 300_000;

/** Pause between tries to register. Upstream: kubelet pkg/kubelet/kubelet_node_status.go (registerWithAPIServer) @ v1.32 */
const REGISTER_BACKOFF = { baseMs: 100, maxMs: 7_000, jitter: 0 };

/** Pause between tries with what the API refuses: until the node there, or a right, is changed it would refuse it again. */
const REFUSED_BACKOFF = { ...REGISTER_BACKOFF, maxMs: STATUS_REPORT_MS };
const REFUSALS: ReadonlySet<string | undefined> = new Set([
  "BadRequest",
  "Forbidden",
  "Invalid",
  "RequestEntityTooLarge",
]);

/** Registers the node, keeps its status true and its lease fresh. */
export class NodeAgent {
  readonly #c: NodeAgentComponents;
  readonly #spec: NodeSpec;
  readonly #lease: LeaseKeeper;
  #known: Node | undefined;
  #sentAt = 0;
  #facts: NodeFacts;
  #wake: (() => void) | undefined;
  #wakeLease: (() => void) | undefined;
  /** The API may have other conditions than edged thinks: all are sent again. */
  #resend = false;
  #woken = false;
  /** As it was last looked at. */
  #ready = false;
  #leaseWoken = false;

  constructor(spec: NodeSpec, components: NodeAgentComponents) {
    this.#spec = spec;
    this.#c = components;
    this.#facts = components.facts;
    this.#lease = new LeaseKeeper(spec.nodeName, components.api);
  }

  /** The node as it was last answered; undefined before it is registered. */
  get node(): Node | undefined {
    return this.#known;
  }

  /** What was last found out of the machine. */
  get facts(): NodeFacts {
    return this.#facts;
  }

  /** Something the node's status depends on has changed, or the link came up: look now. */
  wake(): void {
    this.#woken = this.#leaseWoken = true;
    this.#wake?.();
    this.#wakeLease?.();
  }

  /** The link to the cloud came up: meanwhile the cloud may have given the node up. */
  reconnected(): void {
    this.#resend = true;
    this.wake();
  }

  /** The cloud tells how the node is there. Anything that others changed in edged's conditions is put right. */
  onNode(node: Node): void {
    const known = this.#known;
    if (known === undefined || node.metadata?.name !== this.#spec.nodeName) return;
    const ready = (conditions: NodeStatus["conditions"] = []) =>
      conditions.find(({ type }) => type === "Ready")?.status;
    if (node.metadata.uid !== known.metadata?.uid) {
      this.#known = node;
      this.reconnected();
    } else if (
      ready(node.status?.conditions) === "Unknown" && ready(known.status?.conditions) !== "Unknown"
    ) {
      this.reconnected();
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#event("Starting", "Starting kubelet.");
    await Promise.all([this.#keepStatus(signal), this.#keepLease(signal)]);
  }

  async #keepStatus(signal: AbortSignal): Promise<void> {
    const { log, clock, random = Math.random } = this.#c;
    let failures = 0;
    const news = new News(clock);
    while (!signal.aborted) {
      this.#woken = false;
      let waitMs = STATUS_PERIOD_MS;
      try {
        if (this.#known === undefined) {
          await this.#register();
          log.info("Node registered", { node: this.#spec.nodeName });
          this.#leaseWoken = true;
          this.#wakeLease?.();
        }
        await this.#report();
        failures = 0;
        news.forget("status");
      } catch (error) {
        if (signal.aborted) return;
        if (isNotFound(error)) {
          log.warning("Node is not there any more and registers again", { node: this.#spec.nodeName });
          this.#known = undefined;
          this.#lease.forget();
          failures = 0;
        }
        // Whether a patch without an answer was applied is not known.
        this.#resend = true;
        const reason = findStatusError(error)?.reason;
        const isRefused = REFUSALS.has(reason);
        waitMs = backoffMs(failures++, isRefused ? REFUSED_BACKOFF : REGISTER_BACKOFF, random());
        const about = { node: this.#spec.nodeName, retryMs: Math.round(waitMs) };
        if (reason === "ServiceUnavailable") log.debug("Node waits for the cloud", about);
        else if (news.isNew("status", errorText(error))) {
          const message = isRefused
            ? "Node status refused; pods and lease go on, trying again less and less often"
            : "Node status not sent; trying again";
          log.error(message, error, about);
        } else log.debug("Node status still not sent", about);
      }
      if (!this.#woken) await this.#sleep(waitMs, signal, (wake) => this.#wake = wake);
    }
  }

  async #register(): Promise<void> {
    const { api } = this.#c;
    const status = await this.#status(undefined);
    try {
      this.#known = await api.createNode(newNode(this.#spec, this.facts, status));
      this.#sentAt = this.#c.clock.elapsed();
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const node = await this.#existing();
      await this.#updateLabels(node);
      this.#known = node;
      this.#resend = true;
    }
  }

  /** The node that is there already. The edge's own store may not have it yet: an empty patch fetches it. */
  async #existing(): Promise<Node> {
    const { api } = this.#c;
    try {
      return await api.getNode(this.#spec.nodeName);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return await api.patchNodeStatus(this.#spec.nodeName, {});
    }
  }

  async #updateLabels(node: Node): Promise<void> {
    const wanted = nodeLabels(this.#spec, this.facts);
    const has = node.metadata?.labels ?? {};
    if (Object.entries(wanted).every(([key, value]) => has[key] === value)) return;
    await this.#c.api.updateNode({ ...node, metadata: { ...node.metadata, labels: { ...has, ...wanted } } });
  }

  #event(reason: string, message: string): void {
    this.#c.event({ kind: "Node", name: this.#spec.nodeName }, "Normal", reason, message);
  }

  async #status(previous: NodeStatus | undefined): Promise<NodeStatus> {
    this.#facts = await this.#c.readFacts();
    const ready = this.#c.engine().failure === undefined;
    if (ready !== this.#ready) {
      const reason = ready ? "NodeReady" : "NodeNotReady";
      this.#event(reason, `Node ${this.#spec.nodeName} status is now: ${reason}`);
    }
    this.#ready = ready;
    return nodeStatus(this.#spec, this.#facts, this.#c.engine(), previous, this.#c.clock.now());
  }

  async #report(): Promise<void> {
    const { api, clock } = this.#c;
    const before = this.#known?.status ?? {};
    const after = await this.#status(before);
    const due = clock.elapsed() - this.#sentAt >= STATUS_REPORT_MS;
    const resend = this.#resend;
    const base = resend ? { ...before, conditions: [] } : before;
    const patch = nodeStatusPatch(base, after, due || resend);
    if (patch === undefined) return;
    this.#resend = false;
    const answer = await api.patchNodeStatus(this.#spec.nodeName, patch);
    // What was accepted is what the next patch builds on, whatever an answer leaves out.
    this.#known = { ...this.#known, ...answer, status: { ...before, ...answer.status, ...after } };
    this.#sentAt = clock.elapsed();
  }

  async #keepLease(signal: AbortSignal): Promise<void> {
    const { log, clock, random = Math.random } = this.#c;
    let failures = 0;
    let renewedAt = clock.elapsed();
    const news = new News(clock);
    while (!signal.aborted) {
      this.#leaseWoken = false;
      let waitMs = LeaseKeeper.renewMs;
      try {
        await this.#lease.renew(this.#known?.metadata?.uid, clock.now());
        failures = 0;
        news.forget("lease");
        // While the lease had run out, the cloud gave the node up.
        if (clock.elapsed() - renewedAt > LeaseKeeper.durationMs) this.reconnected();
        renewedAt = clock.elapsed();
      } catch (error) {
        if (signal.aborted) return;
        waitMs = backoffMs(failures++, { baseMs: 200, maxMs: 7_000 }, random());
        if (findStatusError(error)?.reason !== "ServiceUnavailable") {
          const level = news.isNew("lease", errorText(error)) ? "warning" : "debug";
          log[level]("Lease not renewed", { node: this.#spec.nodeName, error, retryMs: Math.round(waitMs) });
        }
      }
      if (!this.#leaseWoken) await this.#sleep(waitMs, signal, (wake) => this.#wakeLease = wake);
    }
  }

  async #sleep(
    ms: number,
    signal: AbortSignal,
    register: (wake: (() => void) | undefined) => void,
  ): Promise<void> {
    const roused = new AbortController();
    const stop = () => roused.abort();
    signal.addEventListener("abort", stop, { once: true });
    register(stop);
    try {
      await this.#c.clock.sleep(ms, { signal: roused.signal });
    } catch (error) {
      if (!roused.signal.aborted) throw error;
    } finally {
      register(undefined);
      signal.removeEventListener("abort", stop);
    }
  }
}
