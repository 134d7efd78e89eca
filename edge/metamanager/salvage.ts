import { DatabaseSync } from "node:sqlite";

/** A row of `meta` that was still readable. */
export interface SalvagedRow {
  key: string;
  type: string;
  value: string;
}

/** Most rows taken out of a damaged file. */
const MAX_ROWS = 50_000;

/**
 * The stored objects that can still be read out of a damaged file, up to the first damage: an edge that is cut off needs
 * every pod it still knows. Rows whose value is not JSON are left out.
 */
export function salvage(path: string): SalvagedRow[] {
  const rows: SalvagedRow[] = [];
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    for (const { key, type, value } of db.prepare("SELECT key, type, value FROM meta").iterate()) {
      if (typeof key !== "string" || typeof type !== "string" || typeof value !== "string") continue;
      if (isJson(value)) rows.push({ key, type, value });
      if (rows.length >= MAX_ROWS) break;
    }
  } catch (error) {
    // The damage itself, which has been reported: what was read before it counts.
    if (!(error instanceof Error)) throw error;
  } finally {
    db?.close();
  }
  return rows;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
