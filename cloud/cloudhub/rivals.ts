import type { Clock, Logger } from "../../common/module/mod.ts";

/** So many sessions in a row that were alive when a newer one ended them are no coincidence. */
const TAKEN_OVER_COUNT = 3;
/** Those that are further apart have nothing to do with each other, milliseconds. */
const APART_MS = 600_000;

/**
 * Tells of machines that take the session of one node from each other, as edges do that connect again whatever they are told:
 * once for as long as it goes on.
 */
export class Rivals {
  readonly #clock: Pick<Clock, "elapsed">;
  readonly #log: Logger;
  readonly #nodes = new Map<string, { count: number; at: number }>();

  constructor({ clock, log }: { clock: Pick<Clock, "elapsed">; log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** A session of which the peer was still there was ended by a newer one; both by their addresses. */
  takenOver(node: string, older: string, newer: string): void {
    const now = this.#clock.elapsed();
    for (const [name, { at }] of this.#nodes) if (now - at > APART_MS) this.#nodes.delete(name);
    const count = (this.#nodes.get(node)?.count ?? 0) + 1;
    this.#nodes.set(node, { count, at: now });
    if (count !== TAKEN_OVER_COUNT) return;
    this.#log.warning("Machines keep taking the session of one node from each other", {
      node,
      addresses: older === newer ? `both ${older}` : `${older}, ${newer}`,
      fix:
        "stop edgecore on all but one; give the others names of their own (modules.edged.hostnameOverride), " +
        "remove their certificates (modules.edgeHub.tlsCertFile and tlsPrivateKeyFile) and join them with a token",
    });
  }

  /** Whether it was told of this node and goes on: that one of them comes or goes is then no news. */
  areKnown(node: string): boolean {
    const seen = this.#nodes.get(node);
    return seen !== undefined && seen.count >= TAKEN_OVER_COUNT &&
      this.#clock.elapsed() - seen.at <= APART_MS;
  }
}
