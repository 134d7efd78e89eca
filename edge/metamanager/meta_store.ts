import type { EdgeDatabase } from "./database.ts";
import { identityOf, isJsonObject, type JsonObject } from "./object_meta.ts";

/** The stored objects, by the resource path of the messages that brought them. */
export class MetaStore {
  readonly #db: EdgeDatabase;

  constructor(db: EdgeDatabase) {
    this.#db = db;
  }

  /** The object under a key; undefined when there is none, or what is there is not an object with a name. */
  get(key: string): JsonObject | undefined {
    const value = this.#db.get("SELECT value FROM meta WHERE key = ?", key)?.value;
    return parseObject(value);
  }

  /** A stored value that need not be an object, such as a certificate's text. */
  getValue(key: string): unknown {
    return parseValue(this.#db.get("SELECT value FROM meta WHERE key = ?", key)?.value);
  }

  /** All objects of a type, oldest key first. */
  list(type: string): JsonObject[] {
    return this.#db.all("SELECT value FROM meta WHERE type = ? ORDER BY key", type)
      .map(({ value }) => parseObject(value))
      .filter((object) => object !== undefined);
  }

  /** Stores a value under a key, in place of what was there. */
  put(key: string, type: string, value: unknown): void {
    this.#db.run(
      "INSERT INTO meta (key, type, value) VALUES (?, ?, ?) " +
        "ON CONFLICT (key) DO UPDATE SET type = excluded.type, value = excluded.value",
      key,
      type,
      JSON.stringify(value),
    );
  }

  delete(key: string): void {
    this.#db.run("DELETE FROM meta WHERE key = ?", key);
  }

  /** Forgets the service-account tokens that were bound to a pod. */
  deleteTokensOf(podUid: string): void {
    this.#db.run(
      "DELETE FROM meta WHERE type = 'serviceaccounttoken' AND json_valid(value) " +
        "AND json_extract(value, '$.spec.boundObjectRef.uid') = ?",
      podUid,
    );
  }
}

/**
 * A row's object. Upstream also wrote down error replies as if they were objects, which must not come to life here.
 */
function parseObject(text: unknown): JsonObject | undefined {
  const value = parseValue(text);
  if (!isJsonObject(value) || "ErrStatus" in value) return undefined;
  return identityOf(value)?.name ? value : undefined;
}

function parseValue(text: unknown): unknown {
  if (typeof text !== "string") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
