/** Most duplicates that are told. */
const MAX_FOUND = 20;

interface Level {
  /** Keys of an object; undefined in an array. */
  keys: Set<string> | undefined;
  /** Path of the object or array. */
  path: string;
  /** The key, or in an array the number, of the value that comes next. */
  at: string | number;
}

/**
 * Paths of the fields that objects in a JSON text have twice, such as `spec.containers[0].name`.
 * @param text valid JSON
 */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs;
  let expectsKey = false;
  for (let match = token.exec(text); match !== null && found.length < MAX_FOUND; match = token.exec(text)) {
    const piece = match[0];
    const level = levels.at(-1);
    switch (piece[0]) {
      case "{":
        levels.push({ keys: new Set(), path: pathOf(level), at: "" });
        expectsKey = true;
        break;
      case "[":
        levels.push({ keys: undefined, path: pathOf(level), at: 0 });
        expectsKey = false;
        break;
      case "}":
      case "]":
        levels.pop();
        expectsKey = false;
        break;
      case ",":
        if (level?.keys === undefined) {
          if (typeof level?.at === "number") level.at++;
        } else expectsKey = true;
        break;
      default:
        if (!expectsKey || level?.keys === undefined) break;
        level.at = piece.includes("\\") ? JSON.parse(piece) : piece.slice(1, -1);
        if (level.keys.has(String(level.at))) found.push(pathOf(level));
        level.keys.add(String(level.at));
        expectsKey = false;
    }
  }
  return [...new Set(found)];
}

/** Path of the value that comes next in an object or array. */
function pathOf(level: Level | undefined): string {
  if (level === undefined) return "";
  if (typeof level.at === "number") return `${level.path}[${level.at}]`;
  return level.path === "" ? level.at : `${level.path}.${level.at}`;
}
