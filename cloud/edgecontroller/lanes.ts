import type { Lane } from "./request.ts";

/** Numbers by lane. */
export type PerLane = Readonly<Record<Lane, number>>;

/** Bounds of {@linkcode Lanes}. */
export interface LanesOptions {
  /** Tasks at work at once, of all nodes. */
  workers: PerLane;
  /** Tasks at work at once, of one node. */
  workersPerNode: PerLane;
  /** Tasks of one node that may wait in one lane. */
  queuePerNode: PerLane;
  /** Characters that tasks of one node that wait in one lane may hold; one may always wait. */
  queueCharsPerNode: number;
}

interface Task {
  key: string;
  chars: number;
  work: () => Promise<void>;
}

interface NodeQueue {
  node: string;
  waiting: Task[];
  /** What those hold. */
  chars: number;
  busy: Set<string>;
}

interface LaneState {
  queues: Map<string, NodeQueue>;
  /** Nodes in turn: the one served last stands at the end. */
  turns: NodeQueue[];
  active: number;
}

/**
 * Lets many nodes share few workers fairly: lanes do not wait for each other, nodes take turns within a lane, and tasks of
 * one node with the same key are worked on in order, one at a time.
 */
export class Lanes {
  readonly #options: LanesOptions;
  #lanes: Record<Lane, LaneState> = {
    heartbeat: { queues: new Map(), turns: [], active: 0 },
    status: { queues: new Map(), turns: [], active: 0 },
    bulk: { queues: new Map(), turns: [], active: 0 },
  };
  #stopped = false;
  #idle: Array<() => void> = [];

  constructor(options: LanesOptions) {
    const { workers, workersPerNode, queuePerNode, queueCharsPerNode } = options;
    if (!(queueCharsPerNode >= 1)) {
      throw new RangeError(`Cannot work with ${queueCharsPerNode} characters: at least 1 is needed`);
    }
    for (const numbers of [workers, workersPerNode, queuePerNode]) {
      for (const [lane, number] of Object.entries(numbers)) {
        if (!Number.isInteger(number) || number < 1) {
          throw new RangeError(`Cannot work with ${number} for lane ${lane}: at least 1 is needed`);
        }
      }
    }
    this.#options = options;
  }

  /**
   * Takes a task; false when too many, or too large ones, of the node wait already.
   * @param task its key, and the characters that it holds
   * @param work never rejects
   */
  push(
    lane: Lane,
    node: string,
    { key, chars = 0 }: { key: string; chars?: number },
    work: () => Promise<void>,
  ): boolean {
    if (this.#stopped) return false;
    const { queuePerNode, queueCharsPerNode } = this.#options;
    const state = this.#lanes[lane];
    let queue = state.queues.get(node);
    if (queue === undefined) {
      queue = { node, waiting: [], chars: 0, busy: new Set() };
      state.queues.set(node, queue);
      state.turns.push(queue);
    }
    if (queue.waiting.length >= queuePerNode[lane]) return false;
    if (queue.waiting.length > 0 && queue.chars + chars > queueCharsPerNode) return false;
    queue.waiting.push({ key, chars, work });
    queue.chars += chars;
    this.#pump(lane);
    return true;
  }

  /** Tasks that wait in a lane. */
  waiting(lane: Lane): number {
    return this.#lanes[lane].turns.reduce((sum, { waiting }) => sum + waiting.length, 0);
  }

  /** Starts nothing more, forgets what waits, and resolves once what was at work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const state of Object.values(this.#lanes)) {
      for (const queue of state.turns) queue.waiting.length = 0;
    }
    while (Object.values(this.#lanes).some(({ active }) => active > 0)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  #pump(lane: Lane): void {
    const state = this.#lanes[lane];
    const perNode = this.#options.workersPerNode[lane];
    while (!this.#stopped && state.active < this.#options.workers[lane]) {
      const at = state.turns.findIndex((queue) => queue.busy.size < perNode && nextTask(queue) >= 0);
      if (at < 0) return;
      const [queue] = state.turns.splice(at, 1) as [NodeQueue];
      state.turns.push(queue);
      const [task] = queue.waiting.splice(nextTask(queue), 1) as [Task];
      queue.chars -= task.chars;
      state.active++;
      queue.busy.add(task.key);
      task.work().finally(() => {
        state.active--;
        queue.busy.delete(task.key);
        if (queue.busy.size === 0 && queue.waiting.length === 0) {
          state.queues.delete(queue.node);
          state.turns.splice(state.turns.indexOf(queue), 1);
        }
        for (const wake of this.#idle.splice(0)) wake();
        this.#pump(lane);
      });
    }
  }
}

function nextTask({ waiting, busy }: NodeQueue): number {
  return waiting.findIndex(({ key }) => !busy.has(key));
}
