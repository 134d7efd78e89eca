import { DatabaseSync, type StatementSync } from "node:sqlite";
import { errorText, StatusError } from "../../../common/errors/mod.ts";
import { MIGRATIONS } from "./migrations.ts";

/** An object as it is stored: the body is the JSON text with `metadata.resourceVersion` equal to `resourceVersion`. */
export interface StoredObject {
  /** `<resource>.<group>`, or the bare resource of the core group. */
  resource: string;
  /** Empty for cluster-scoped resources. */
  namespace: string;
  name: string;
  uid: string;
  resourceVersion: number;
  body: string;
}

/** One write. The version it was decided on makes it a compare-and-set. */
export type Change =
  | { kind: "insert"; object: StoredObject }
  | { kind: "update"; object: StoredObject; expectedVersion: number }
  | { kind: "delete"; object: StoredObject; expectedVersion: number };

/**
 * What a write survives: "power" is synced to the disk before it is acknowledged; "process" is handed to the operating system,
 * so it survives the end of this process at any moment but may be lost, with what came after it, when the power fails.
 */
export type Durability = "power" | "process";

/**
 * All objects of the control plane in one SQLite database (WAL), with one resourceVersion that only grows. It is opened by one
 * process at a time; what another process changes meanwhile is not seen, so the file is locked.
 */
export class ObjectStore implements Disposable {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #statements: Record<"insert" | "update" | "delete" | "version", StatementSync>;
  #version: number;
  #durability: Durability = "power";

  private constructor(path: string, db: DatabaseSync) {
    this.path = path;
    this.#db = db;
    this.#statements = {
      insert: db.prepare(
        "INSERT INTO objects (resource, namespace, name, uid, resource_version, body) VALUES (?, ?, ?, ?, ?, ?)",
      ),
      update: db.prepare(
        "UPDATE objects SET uid = ?, resource_version = ?, body = ? " +
          "WHERE resource = ? AND namespace = ? AND name = ? AND resource_version = ?",
      ),
      delete: db.prepare(
        "DELETE FROM objects WHERE resource = ? AND namespace = ? AND name = ? AND resource_version = ?",
      ),
      version: db.prepare("UPDATE settings SET value = ? WHERE name = 'resourceVersion'"),
    };
    this.#version = Number(this.setting("resourceVersion"));
  }

  /** Opens the database, makes it if there is none, and brings it to the newest layout. @throws {StatusError} naming the fix */
  static open(path: string): ObjectStore {
    let db: DatabaseSync | undefined;
    try {
      db = new DatabaseSync(path, { timeout: 2000 });
      db.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      // A small page cache is enough: every object is in memory and pages are only written.
      db.exec(
        "PRAGMA cache_size = -1024; PRAGMA wal_autocheckpoint = 500; PRAGMA journal_size_limit = 4194304",
      );
      migrate(db);
      return new ObjectStore(path, db);
    } catch (error) {
      if (db?.isOpen) db.close();
      throw storageError(`Cannot open the database ${path}`, error);
    }
  }

  /** The newest resourceVersion that was given to anything. */
  get version(): number {
    return this.#version;
  }

  /** All objects, or those of one resource, in the order of resource, namespace and name. */
  *load(resource?: string): Generator<StoredObject> {
    const select =
      "SELECT resource, namespace, name, uid, resource_version AS resourceVersion, body FROM objects";
    const rows = resource === undefined
      ? this.#db.prepare(select).iterate()
      : this.#db.prepare(`${select} WHERE resource = ?`).iterate(resource);
    try {
      for (const row of rows) yield row as unknown as StoredObject;
    } catch (error) {
      throw storageError(`Cannot read the database ${this.path}`, error);
    }
  }

  /**
   * Writes one change under the next resourceVersion, which `change` is given to build its object.
   * @throws {StatusError} Conflict or AlreadyExists when the stored object is not the expected one; ServiceUnavailable when it cannot be stored
   */
  commit(make: (version: number) => Change, durability: Durability = "power"): Change {
    const version = this.#version + 1;
    const change = make(version);
    const { object } = change;
    try {
      if (durability !== this.#durability) {
        this.#db.exec(`PRAGMA synchronous = ${durability === "power" ? "FULL" : "NORMAL"}`);
        this.#durability = durability;
      }
      this.#db.exec("BEGIN IMMEDIATE");
      const { changes } = this.#apply(change);
      if (Number(changes) !== 1) {
        throw new StatusError(
          "Conflict",
          `Cannot ${change.kind} ${object.resource} "${object.name}": it was changed meanwhile`,
        );
      }
      this.#statements.version.run(version);
      this.#db.exec("COMMIT");
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      if (error instanceof StatusError) throw error;
      throw storageError(`Cannot store ${object.resource} "${object.name}"`, error);
    }
    this.#version = version;
    return change;
  }

  #apply(change: Change): ReturnType<StatementSync["run"]> {
    const { resource, namespace, name, uid, resourceVersion, body } = change.object;
    switch (change.kind) {
      case "insert":
        return this.#statements.insert.run(resource, namespace, name, uid, resourceVersion, body);
      case "update":
        return this.#statements.update.run(
          uid,
          resourceVersion,
          body,
          resource,
          namespace,
          name,
          change.expectedVersion,
        );
      case "delete":
        return this.#statements.delete.run(resource, namespace, name, change.expectedVersion);
    }
  }

  /** A setting; undefined when it was never set. */
  setting(name: string): string | undefined {
    const row = this.#db.prepare("SELECT value FROM settings WHERE name = ?").get(name);
    return row?.value === undefined ? undefined : String(row.value);
  }

  /** Keeps a setting. */
  setSetting(name: string, value: string): void {
    try {
      this.#db.prepare("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)").run(name, value);
    } catch (error) {
      throw storageError(`Cannot store the setting ${name}`, error);
    }
  }

  /** Bounds the size of the database, in pages of 4 KiB; a write that needs more fails as on a full disk. */
  limitPages(pages: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${Math.trunc(pages)}`);
  }

  [Symbol.dispose](): void {
    if (this.#db.isOpen) this.#db.close();
  }
}

function migrate(db: DatabaseSync): void {
  const row = db.prepare("PRAGMA user_version").get();
  const from = Number(row?.user_version ?? 0);
  if (from > MIGRATIONS.length) {
    throw new StatusError(
      "InternalError",
      `its layout ${from} is newer than this program knows (${MIGRATIONS.length}): use the newer program, or another data directory`,
    );
  }
  for (let i = from; i < MIGRATIONS.length; i++) {
    db.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[i]}; PRAGMA user_version = ${i + 1}; COMMIT`);
  }
}

/** What SQLite's messages mean to the one who has to mend it; the runtime gives no result code. */
const MEANING: ReadonlyArray<readonly [RegExp, string]> = [
  [/locked/, "another process has it open: stop that one, or use another data directory"],
  [/readonly/, "it is read-only: make the data directory writable for this user"],
  [/disk I\/O/, "reading or writing the disk failed: look at the disk and the kernel's log"],
  [
    /malformed/,
    "it is damaged: restore it from a backup, or move it away to start with an empty control plane",
  ],
  [/is full/, "the disk is full: free some space"],
  [/unable to open/, "it cannot be opened: make the data directory exist and writable for this user"],
  [
    /not a database/,
    "it is not a SQLite database: restore it from a backup, or move it away to start with an empty control plane",
  ],
];

function storageError(doing: string, error: unknown): StatusError {
  const text = errorText(error);
  const meaning = MEANING.find(([pattern]) => pattern.test(text))?.[1] ?? text;
  return new StatusError("ServiceUnavailable", `${doing}: ${meaning}`, { cause: error });
}
