import type { Module } from "../../common/module/mod.ts";
import type { DeliveredObject } from "./delivery_class.ts";

/**
 * What each node confirmed to have, by the object's uid. Calls return at once; an implementation that stores elsewhere
 * does so behind them.
 */
export interface DeliveryLog {
  /** The version confirmed last; undefined when none is known. */
  recorded(node: string, uid: string): string | undefined;
  /**
   * A first delivery to the node begins. Undefined when the log has it already or keeps nothing; else resolves once it is on record, or
   * is found not to come on record now.
   */
  begin(node: string, object: DeliveredObject): Promise<void> | undefined;
  /** The node has this version. */
  confirm(node: string, object: DeliveredObject, version: string): void;
  /** The node confirmed that the object is gone. */
  forget(node: string, object: DeliveredObject): void;
  /** The node itself is gone. */
  forgetNode(node: string): void;
  /** A new connection of the node begins. */
  connected(node: string): void;
}

/** A delivery log with work of its own to be run beside cloudhub. */
export type RunningDeliveryLog = DeliveryLog & Module;

/**
 * A delivery log in memory. It starts empty on every connection: what an edge kept over a disconnection is not known here,
 * so everything it should have is offered again, and the edge compares versions.
 */
export class MemoryDeliveryLog implements DeliveryLog {
  readonly #nodes = new Map<string, Map<string, string>>();

  recorded(node: string, uid: string): string | undefined {
    return this.#nodes.get(node)?.get(uid);
  }

  begin(): undefined {}

  confirm(node: string, { uid }: DeliveredObject, version: string): void {
    if (uid === "") return;
    let versions = this.#nodes.get(node);
    if (versions === undefined) this.#nodes.set(node, versions = new Map());
    versions.set(uid, version);
  }

  forget(node: string, { uid }: DeliveredObject): void {
    this.#nodes.get(node)?.delete(uid);
  }

  forgetNode(node: string): void {
    this.#nodes.delete(node);
  }

  connected(node: string): void {
    this.#nodes.delete(node);
  }
}
