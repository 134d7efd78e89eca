import type { Clock } from "../../common/module/mod.ts";
import type { EdgeDatabase } from "./database.ts";

/** How many are remembered: far more than can still have containers. */
const MAX_GONE = 2000;

/**
 * Which pods the cloud took away. A pod that runs here and is in neither this list nor the store is one that the store has
 * lost, and not one that is to go.
 */
export class GonePods {
  readonly #db: EdgeDatabase;
  readonly #clock: Pick<Clock, "now">;

  constructor(db: EdgeDatabase, clock: Pick<Clock, "now">) {
    this.#db = db;
    this.#clock = clock;
  }

  has(uid: string): boolean {
    return this.#db.get("SELECT 1 FROM gone_pods WHERE uid = ?", uid) !== undefined;
  }

  /** UIDs, newest first. */
  list(): string[] {
    return this.#db.all("SELECT uid FROM gone_pods ORDER BY gone_at DESC, rowid DESC").map(({ uid }) =>
      String(uid)
    );
  }

  add(uid: string): void {
    if (uid === "") return;
    this.#db.run("INSERT OR REPLACE INTO gone_pods (uid, gone_at) VALUES (?, ?)", uid, this.#clock.now());
    this.#db.run(
      "DELETE FROM gone_pods WHERE rowid IN " +
        "(SELECT rowid FROM gone_pods ORDER BY gone_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
      MAX_GONE,
    );
  }
}
