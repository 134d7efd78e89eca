import type { Pod } from "../../common/api/core_v1.ts";
import { errorText } from "../../common/errors/mod.ts";
import type { Lister } from "../../common/kubeclient/mod.ts";
import { backoffMs, type Clock, type Logger } from "../../common/module/mod.ts";
import { isForeign } from "./edge_pods.ts";
import type { Tasks } from "./tasks.ts";

/** What finding pods is made of. */
export interface ForeignPodsComponents {
  pods: Pick<Lister<Pod>, "list">;
  /** The pods of a node, whole, as the API has them now. */
  podsOfNode: (node: string, signal: AbortSignal) => Promise<Pod[]>;
  /** Takes the pods of a node that became an edge. */
  found: (node: string, pods: readonly Pod[]) => void;
  clock: Clock;
  log: Logger;
  tasks: Tasks;
}

const RETRY = { baseMs: 500, maxMs: 30_000 };

/**
 * Looks up the pods of nodes that turn out to be edges after their pods were seen: of pods of other nodes no more than the place is
 * kept. That is rare but for pods that are bound in the moment in which their node appears.
 */
export class ForeignPods {
  readonly #components: ForeignPodsComponents;
  /** Nodes whose pods are looked up, and whether they are to be once more. */
  readonly #pending = new Map<string, { again: boolean }>();
  #idle: Array<() => void> = [];

  constructor(components: ForeignPodsComponents) {
    this.#components = components;
  }

  /** Whether it is not yet known what pods a node has. */
  isPending(node: string): boolean {
    return this.#pending.has(node);
  }

  /** Resolves once the pods of all edges are known. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** A node is an edge from now on. */
  nodeIsEdge(node: string, signal: AbortSignal): void {
    const { pods } = this.#components;
    if (pods.list().some((pod) => pod.spec?.nodeName === node && isForeign(pod))) this.lookUp(node, signal);
  }

  /** Looks up the pods of an edge. */
  lookUp(node: string, signal: AbortSignal): void {
    const pending = this.#pending.get(node);
    if (pending !== undefined) {
      pending.again = true;
      return;
    }
    this.#pending.set(node, { again: false });
    this.#components.tasks.add(this.#work(node, signal), signal);
  }

  async #work(node: string, signal: AbortSignal): Promise<void> {
    const { podsOfNode, found, clock, log } = this.#components;
    try {
      for (let attempt = 0;; attempt++) {
        const asked = { again: false };
        this.#pending.set(node, asked);
        try {
          const pods = await podsOfNode(node, signal);
          if (asked.again) continue;
          this.#pending.delete(node);
          return found(node, pods);
        } catch (error) {
          if (signal.aborted) throw error;
          log.warning("Cannot list the pods of a new edge, trying again", { node, err: errorText(error) });
          await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
        }
      }
    } finally {
      this.#pending.delete(node);
      if (this.#pending.size === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    }
  }
}
