import { type Message, parseMessage, printMessage } from "../../common/model/mod.ts";
import type { EdgeDatabase } from "./database.ts";
import { isJsonObject } from "./object_meta.ts";

/** A change of the edge that the cloud has not confirmed. */
export interface OutboxEntry {
  /** What it changes; a later change of the same takes its place. */
  key: string;
  /** Grows with each replacement. */
  revision: number;
  message: Message;
}

/** How many different things may wait for confirmation. */
const MAX_ENTRIES = 20_000;

/** Unconfirmed changes, in the edge's database. */
export class OutboxStore {
  readonly #db: EdgeDatabase;

  constructor(db: EdgeDatabase) {
    this.#db = db;
  }

  get length(): number {
    return Number(this.#db.get("SELECT count(*) AS n FROM outbox")?.n ?? 0);
  }

  /** Keeps a change in place of an earlier one of the same thing. @throws {RangeError} when too many wait */
  put(message: Message, now: number): OutboxEntry {
    const { operation, resource } = message.route;
    const uid = targetUid(message.content);
    const key = `${operation} ${resource} ${uid}`;
    return this.#db.transact(() => {
      const was = this.#db.get("SELECT revision FROM outbox WHERE key = ?", key)?.revision;
      if (was === undefined && this.length >= MAX_ENTRIES) {
        throw new RangeError(`Cannot keep ${resource} for the cloud: ${MAX_ENTRIES} changes wait already`);
      }
      const revision = Number(was ?? 0) + 1;
      this.#db.run(
        "INSERT INTO outbox (key, revision, resource, uid, message, created_at) VALUES (?, ?, ?, ?, ?, ?) " +
          "ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, message = excluded.message",
        key,
        revision,
        resource,
        uid,
        printMessage(message),
        now,
      );
      return { key, revision, message };
    });
  }

  /** Unconfirmed changes, longest waiting first. */
  list(limit: number): OutboxEntry[] {
    return this.#db.all("SELECT key, revision, message FROM outbox ORDER BY created_at, key LIMIT ?", limit)
      .map(({ key, revision, message }) => ({
        key: String(key),
        revision: Number(revision),
        message: parseMessage(String(message)),
      }));
  }

  /** Forgets a change unless it has been replaced since. */
  confirm(key: string, revision: number): void {
    this.#db.run("DELETE FROM outbox WHERE key = ? AND revision = ?", key, revision);
  }

  /** Forgets what waits for an object that is gone. */
  forget(resources: readonly string[], uid: string): void {
    for (const resource of resources) {
      this.#db.run("DELETE FROM outbox WHERE resource = ? AND (uid = ? OR uid = '')", resource, uid);
    }
  }
}

/** The UID a change is meant for: in a patch's metadata, or in the preconditions of a deletion. */
export function targetUid(content: unknown): string {
  const body = typeof content === "string" ? parsePatch(content) : content;
  if (!isJsonObject(body)) return "";
  for (const part of [body.metadata, body.preconditions]) {
    if (isJsonObject(part) && typeof part.uid === "string") return part.uid;
  }
  return "";
}

function parsePatch(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
