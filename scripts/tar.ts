/** One entry of a tar archive. Directories first, paths relative and without "..". */
export type TarEntry =
  | { type: "directory"; path: string; mode?: number }
  | { type: "file"; path: string; data: Uint8Array; mode?: number }
  | { type: "symlink"; path: string; target: string };

const BLOCK = 512;

/**
 * A POSIX ustar archive, the same bytes for the same entries: owner 0:0 and time 0 everywhere.
 * @throws {RangeError} for a path longer than 99 bytes or one that leaves the archive
 */
export function tar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    const data = entry.type === "file" ? entry.data : new Uint8Array();
    parts.push(header(entry, data.length), data, new Uint8Array((BLOCK - data.length % BLOCK) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  const archive = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

const TYPE_FLAG = { file: "0", symlink: "2", directory: "5" } as const;

function header(entry: TarEntry, size: number): Uint8Array {
  const { path } = entry;
  if (path.startsWith("/") || path.split("/").includes("..")) {
    throw new RangeError(`Cannot archive "${path}": the path leaves the archive`);
  }
  const mode = entry.type === "symlink" ? 0o777 : entry.mode ?? (entry.type === "directory" ? 0o755 : 0o644);
  const block = new Uint8Array(BLOCK);
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, "0") + "\0";
  put(block, 0, 100, path);
  put(block, 100, 8, octal(mode, 8));
  put(block, 108, 8, octal(0, 8));
  put(block, 116, 8, octal(0, 8));
  put(block, 124, 12, octal(size, 12));
  put(block, 136, 12, octal(0, 12));
  put(block, 148, 8, " ".repeat(8));
  put(block, 156, 1, TYPE_FLAG[entry.type]);
  put(block, 157, 100, entry.type === "symlink" ? entry.target : "");
  put(block, 257, 8, "ustar\x0000");
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  put(block, 148, 8, checksum.toString(8).padStart(6, "0") + "\0 ");
  return block;
}

function put(block: Uint8Array, at: number, width: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > width || (width === 100 && bytes.length === width)) {
    throw new RangeError(`Cannot archive "${text}": longer than ${width - 1} bytes`);
  }
  block.set(bytes, at);
}
