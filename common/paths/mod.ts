/**
 * The one thing done with paths everywhere. Not node:path, which costs a worker 7 MB of RSS.
 * @module
 */

/** The directory a file is in: `/a/b` of `/a/b/c`, `.` of a bare name. */
export function directoryOf(path: string): string {
  const end = path.lastIndexOf("/");
  if (end < 0) return ".";
  return path.slice(0, end).replace(/\/+$/, "") || "/";
}
