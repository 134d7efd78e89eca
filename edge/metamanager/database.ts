import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import type { Clock, Logger } from "../../common/module/mod.ts";
import { directoryOf } from "../../common/paths/mod.ts";
import { salvage } from "./salvage.ts";
import { MIGRATIONS, SCHEMA_COMPONENT, SCHEMA_TABLE } from "./migrations.ts";

/** Why the database refused: "full" and "locked" pass by themselves, "corrupt" does not. */
export type DatabaseTrouble = "locked" | "full" | "corrupt" | "unusable";

/** A failure of the edge's database, told with what to do about it. */
export class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly trouble: DatabaseTrouble;

  constructor(trouble: DatabaseTrouble, message: string, cause: unknown) {
    super(message, { cause });
    this.trouble = trouble;
  }
}

/** What {@linkcode EdgeDatabase} is opened with. */
export interface EdgeDatabaseOptions {
  /** Path of the file; its directory is created when missing. */
  path: string;
  /** Largest size of the file, bytes. @default 1073741824 (1 GiB) */
  limitBytes?: number;
}

/** How long a statement waits for another process's lock: it stops the whole module meanwhile. */
const BUSY_TIMEOUT_MS = 1000;
const PAGE_BYTES = 4096;
/** Pages kept in memory, KiB: the objects of a node are few and each is read seldom. */
const CACHE_KIB = 256;
const DEFAULT_LIMIT_BYTES = 1024 * 1024 * 1024;

/**
 * The SQLite file of the edge.
 *
 * It is in WAL mode with `synchronous=FULL`: what is acknowledged to the cloud is never sent again, so each commit must
 * outlive a power cut, which `NORMAL` does not promise. The file is readable by its owner only, since it holds Secrets.
 */
export class EdgeDatabase implements Disposable {
  readonly path: string;
  readonly #limitBytes: number;
  readonly #clock: Pick<Clock, "now">;
  readonly #log: Logger;
  #db: DatabaseSync;
  /** By their text, of which there is a fixed number: what a statement holds outside the heap is freed late. */
  readonly #statements = new Map<string, StatementSync>();

  /**
   * Opens or creates the file. One that is damaged is moved aside to `<path>.corrupt-<time>` and a fresh one is made.
   * @throws {DatabaseError} when it is locked by another process or cannot be made
   */
  constructor(
    { path, limitBytes = DEFAULT_LIMIT_BYTES }: EdgeDatabaseOptions,
    clock: Pick<Clock, "now">,
    log: Logger,
  ) {
    this.path = path;
    this.#limitBytes = limitBytes;
    this.#clock = clock;
    this.#log = log;
    this.#db = this.#openOrReplace();
  }

  get isOpen(): boolean {
    return this.#db.isOpen;
  }

  /** Runs statements in one transaction: all or nothing. @throws {DatabaseError}; what `act` throws */
  transact<T>(act: () => T): T {
    return this.#guard("write to", (db) => {
      db.exec("BEGIN IMMEDIATE");
      let result: T;
      try {
        result = act();
        db.exec("COMMIT");
      } catch (error) {
        // SQLite itself rolls back on some failures (disk full), and refuses a second time.
        if (db.isTransaction) db.exec("ROLLBACK");
        throw error;
      }
      return result;
    });
  }

  /** The rows of a query. @throws {DatabaseError} */
  all(sql: string, ...values: SQLInputValue[]): Record<string, SQLOutputValue>[] {
    return this.#guard("read", () => this.#statement(sql).all(...values));
  }

  /** The first row of a query. @throws {DatabaseError} */
  get(sql: string, ...values: SQLInputValue[]): Record<string, SQLOutputValue> | undefined {
    return this.#guard("read", () => this.#statement(sql).get(...values));
  }

  /** Runs a statement; returns how many rows it changed. @throws {DatabaseError} */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard("write to", () => Number(this.#statement(sql).run(...values).changes));
  }

  /** Writes the log back into the file and closes it. */
  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }

  #guard<T>(what: string, act: (db: DatabaseSync) => T): T {
    try {
      return act(this.#db);
    } catch (cause) {
      const trouble = cause instanceof DatabaseError ? cause.trouble : troubleOf(cause);
      // A statement inside a transaction leaves the replacing to the transaction, which rolls back first.
      if (trouble === "corrupt" && !this.#db.isTransaction) this.#replaceDamaged(cause);
      if (trouble === undefined || cause instanceof DatabaseError) throw cause;
      throw new DatabaseError(
        trouble,
        `Cannot ${what} ${JSON.stringify(this.path)}: ${ADVICE[trouble]}`,
        cause,
      );
    }
  }

  #openOrReplace(): DatabaseSync {
    try {
      return this.#open();
    } catch (cause) {
      const trouble = troubleOf(cause) ?? "unusable";
      if (trouble !== "corrupt") {
        throw new DatabaseError(
          trouble,
          `Cannot open ${JSON.stringify(this.path)}: ${ADVICE[trouble]}`,
          cause,
        );
      }
      try {
        return this.#begin(cause);
      } catch (error) {
        const again = troubleOf(error) ?? "unusable";
        throw new DatabaseError(
          again,
          `Cannot replace ${JSON.stringify(this.path)}: ${ADVICE[again]}`,
          error,
        );
      }
    }
  }

  #replaceDamaged(cause: unknown): void {
    this.#statements.clear();
    this.#db.close();
    this.#db = this.#begin(cause);
  }

  /** A fresh file in place of the damaged one, with what of that could still be read. */
  #begin(cause: unknown): DatabaseSync {
    const aside = this.#moveAside();
    const db = this.#open();
    const rows = salvage(aside);
    try {
      db.exec("BEGIN IMMEDIATE");
      const insert = db.prepare("INSERT OR REPLACE INTO meta (key, type, value) VALUES (?, ?, ?)");
      for (const { key, type, value } of rows) insert.run(key, type, value);
      db.exec("COMMIT");
    } catch (error) {
      db.close();
      throw error;
    }
    this.#log.error(
      "The edge's database is damaged: moved it aside and began a new one with the objects that could still be read; " +
        "the cloud sends the rest again. Delete the moved file once it is not wanted for inspection",
      cause,
      { file: this.path, movedTo: aside, objects: rows.length },
    );
    return db;
  }

  #open(): DatabaseSync {
    Deno.mkdirSync(directoryOf(this.path), { recursive: true, mode: 0o700 });
    Deno.openSync(this.path, { create: true, write: true, mode: 0o600 }).close();
    Deno.chmodSync(this.path, 0o600);
    const db = new DatabaseSync(this.path);
    try {
      db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
      db.exec("PRAGMA journal_mode = WAL");
      db.exec("PRAGMA synchronous = FULL");
      db.exec("PRAGMA journal_size_limit = 4194304");
      db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
      const check = db.prepare("PRAGMA quick_check(1)").get()?.quick_check;
      if (check !== "ok") throw new Error(`database disk image is malformed: ${check}`);
      const pageBytes = Number(db.prepare("PRAGMA page_size").get()?.page_size ?? PAGE_BYTES);
      db.exec(`PRAGMA max_page_count = ${Math.ceil(this.#limitBytes / pageBytes)}`);
      migrate(db, this.#clock.now());
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  }

  #moveAside(): string {
    const time = new Date(this.#clock.now()).toISOString().replace(/[:.]/g, "-");
    const aside = `${this.path}.corrupt-${time}`;
    for (const suffix of ["", "-wal", "-shm"]) {
      try {
        Deno.renameSync(this.path + suffix, aside + suffix);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return aside;
  }
}

/** Brings a file up to date, in one transaction. */
function migrate(db: DatabaseSync, now: number): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(SCHEMA_TABLE);
    const row = db.prepare("SELECT max(version) AS version FROM schema_versions WHERE component = ?")
      .get(SCHEMA_COMPONENT);
    const done = Number(row?.version ?? 0);
    for (const { version, sql } of MIGRATIONS) {
      if (version <= done) continue;
      db.exec(sql);
      db.prepare("INSERT INTO schema_versions (component, version, applied_at) VALUES (?, ?, ?)")
        .run(SCHEMA_COMPONENT, version, new Date(now).toISOString());
    }
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

const ADVICE: Readonly<Record<DatabaseTrouble, string>> = {
  locked: "another process holds its lock; stop the other edgecore or sqlite3 that has it open " +
    "(`fuser` on the file names it)",
  full: "the disk is full or the size limit is reached; free space on that file system",
  corrupt: "it is damaged; it was moved aside",
  unusable: "check that its directory exists, is writable and lies on a healthy local file system",
};

/** SQLite's result codes, for failures that carry one. */
const TROUBLE_CODES: ReadonlyMap<number, DatabaseTrouble> = new Map([
  [5, "locked"],
  [6, "locked"],
  [8, "unusable"],
  [10, "unusable"],
  [11, "corrupt"],
  [13, "full"],
  [14, "unusable"],
  [26, "corrupt"],
]);

/** SQLite's texts, since failures of `exec` and of opening carry no code. */
const TROUBLE_TEXTS: ReadonlyArray<readonly [RegExp, DatabaseTrouble]> = [
  [/database (table )?is locked/, "locked"],
  [/disk is full/, "full"],
  [/not a database|malformed/, "corrupt"],
  [/unable to open|readonly database|disk I\/O error/, "unusable"],
];

/** What is wrong with the database; undefined for an error that is not the database's. */
function troubleOf(error: unknown): DatabaseTrouble | undefined {
  if (!(error instanceof Error)) return undefined;
  if (!("code" in error) && !/malformed/.test(error.message)) return undefined;
  const code = "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
  return (code === undefined ? undefined : TROUBLE_CODES.get(code)) ??
    TROUBLE_TEXTS.find(([text]) => text.test(error.message))?.[1];
}
