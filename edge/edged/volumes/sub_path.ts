import { PodEnvironmentError } from "../pod_environment.ts";
import type { MountEntry, Mounter } from "./mounter.ts";

/**
 * The path inside a volume that `subPath` names, following links only as long as they stay inside, and making directories
 * that are not there. Returns a path without links.
 * Upstream: k8s.io/kubernetes (mount-utils) subpath_linux.go (SafeMakeDir, doSafeOpen) @ v1.32
 * @throws {PodEnvironmentError} invalid, for a path that leaves the volume
 */
export async function resolveSubPath(volumePath: string, subPath: string): Promise<string> {
  const parts = subPath.split("/").filter((part) => part !== "" && part !== ".");
  if (subPath.startsWith("/") || subPath.includes("\0") || parts.includes("..")) {
    throw new PodEnvironmentError(
      "invalid",
      `subPath ${JSON.stringify(subPath.slice(0, 120))} must be relative and without '..'`,
    );
  }
  const top = await Deno.realPath(volumePath);
  const { mode, uid, gid } = await Deno.stat(top);
  let at = top;
  for (const part of parts) {
    const next = `${at}/${part}`;
    try {
      at = await Deno.realPath(next);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      // A link that leads nowhere is found here too: making a directory of its name fails.
      await makeDirectory(next, { mode: (mode ?? 0o755) & 0o7777, uid: uid ?? 0, gid: gid ?? 0 });
      at = await Deno.realPath(next);
    }
    if (!isInside(top, at)) {
      throw new PodEnvironmentError(
        "invalid",
        `subPath ${JSON.stringify(subPath.slice(0, 120))} leaves its volume`,
      );
    }
  }
  return at;
}

/** A made directory may seem this much older than it is: file systems keep time coarsely. */
const TIME_GRAIN_MS = 100;

/**
 * Makes a directory with just these bits and this owner. A container may exchange what lies on the way there at any moment, so
 * bits and owner are set on what was opened, and only when it has just been made.
 */
async function makeDirectory(
  path: string,
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
): Promise<void> {
  // Loaded when it is needed: the module costs a process several megabytes.
  const { default: fs } = await import("node:fs");
  const begin = Date.now();
  fs.mkdirSync(path);
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
  const fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    const made = fs.fstatSync(fd);
    if (made.birthtimeMs < begin - TIME_GRAIN_MS) {
      throw new PodEnvironmentError(
        "failed",
        "a part of the volume was exchanged while a directory was made in it",
      );
    }
    if (made.uid !== uid || made.gid !== gid) fs.fchownSync(fd, uid, gid);
    fs.fchmodSync(fd, mode);
  } finally {
    fs.closeSync(fd);
  }
}

/** Whether a path is another or below it; both without links. */
export function isInside(top: string, path: string): boolean {
  return path === top || path.startsWith(top === "/" ? top : `${top}/`);
}

/**
 * Binds a resolved part of a volume to a path of its own, and checks afterwards that it is the part that was meant: what a
 * container does to the volume in between can no longer lead the engine elsewhere.
 * @throws {PodEnvironmentError} failed, when something else was bound; nothing stays mounted then
 */
export async function bindSubPath(mounter: Mounter, source: string, path: string): Promise<void> {
  const parent = path.slice(0, path.lastIndexOf("/"));
  await Deno.mkdir(parent, { recursive: true, mode: 0o750 });
  // Mounts are listed by paths without links.
  const target = `${await Deno.realPath(parent)}${path.slice(parent.length)}`;
  if ((await mounter.list()).some((mount) => mount.target === target)) await mounter.unmount(target);
  const { isDirectory } = await Deno.lstat(source);
  await removeEmpty(target);
  if (isDirectory) await Deno.mkdir(target, { mode: 0o750 });
  else await Deno.writeFile(target, new Uint8Array(), { createNew: true, mode: 0o640 });
  await mounter.bind(source, target);
  const mounts = await mounter.list();
  const [bound, meant] = [placeOf(mounts, target), placeOf(mounts, source)];
  if (bound !== undefined && bound === meant) return;
  await mounter.unmount(target);
  throw new PodEnvironmentError("failed", "a part of the volume was exchanged while it was mounted");
}

/** Device and path inside it that a path leads to, out of the mount it lies in. */
function placeOf(mounts: readonly MountEntry[], path: string): string | undefined {
  // The last of those made at the longest path is the one that shows.
  let best: MountEntry | undefined;
  for (const mount of mounts) {
    if (isInside(mount.target, path) && mount.target.length >= (best?.target.length ?? 0)) best = mount;
  }
  if (best === undefined) return undefined;
  const rest = path.slice(best.target === "/" ? 0 : best.target.length);
  return `${best.device} ${best.root === "/" ? "" : best.root}${rest}`;
}

async function removeEmpty(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
