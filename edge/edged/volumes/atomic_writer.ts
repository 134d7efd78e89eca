import { makeLink } from "./link.ts";
import { checkPayload, type Payload } from "./payload.ts";

/*
 * Layout of a written volume, the same as the kubelet's:
 *
 *   ..2026_11_20_16_27_03.1a2b3c4d/   the files as they are now
 *   ..data -> ..2026_11_20_16_27_03.1a2b3c4d
 *   index.html -> ..data/index.html   one link per first part of a path
 *
 * A reader that opens through `..data` sees all of the old files or all of the new ones.
 * Upstream: k8s.io/kubernetes pkg/volume/util/atomic_writer.go @ v1.32
 */

const DATA = "..data";
const DATA_NEW = "..data_tmp";

export interface WriteOptions {
  /** Owns directories and files, and new directories keep it. */
  gid?: number;
  /** Unix milliseconds, for the name of the directory. */
  now: number;
}

/**
 * Makes a directory show exactly this payload, switching to it at once. The directory exists. Writes nothing when it shows it
 * already. Returns whether it wrote.
 * @throws {PodEnvironmentError} invalid, for a payload that no directory can hold
 */
export async function writeAtomically(
  dir: string,
  payload: Payload,
  options: WriteOptions,
): Promise<boolean> {
  checkPayload(payload);
  const current = await currentDir(dir);
  const same = current !== undefined && await shows(`${dir}/${current}`, payload, options.gid);
  let shown = current;
  if (!same) {
    shown = await writeNew(dir, payload, options);
    await removeIfThere(`${dir}/${DATA_NEW}`);
    await makeLink(shown, `${dir}/${DATA_NEW}`);
    await Deno.rename(`${dir}/${DATA_NEW}`, `${dir}/${DATA}`);
  }
  const names = new Set([...payload.keys()].map((path) => path.split("/")[0] ?? path));
  await linkNames(dir, names);
  for await (const { name } of Deno.readDir(dir)) {
    if (name === DATA || name === shown || names.has(name)) continue;
    await Deno.remove(`${dir}/${name}`, { recursive: true });
  }
  return !same;
}

/** Name of the directory that is shown; undefined before the first write. */
async function currentDir(dir: string): Promise<string | undefined> {
  try {
    const target = await Deno.readLink(`${dir}/${DATA}`);
    return /^\.\.[0-9][^/]*$/.test(target) ? target : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether a directory holds these files, with these bits and this group, and no others. */
async function shows(dir: string, payload: Payload, gid: number | undefined): Promise<boolean> {
  const found = await filesIn(dir);
  if (found === undefined || found.length !== payload.size) return false;
  for (const path of found) {
    const wanted = payload.get(path);
    if (wanted === undefined) return false;
    const info = await Deno.lstat(`${dir}/${path}`);
    if (!info.isFile || info.size !== wanted.data.length) return false;
    if (((info.mode ?? 0) & 0o777) !== wanted.mode || (gid !== undefined && info.gid !== gid)) return false;
    const bytes = await Deno.readFile(`${dir}/${path}`);
    if (!bytes.every((byte, i) => byte === wanted.data[i])) return false;
  }
  return true;
}

/** Relative paths of everything in a directory that is not a directory; undefined when there is no such directory. */
async function filesIn(dir: string, prefix = ""): Promise<string[] | undefined> {
  const paths: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(`${dir}/${prefix}`)) {
      if (isDirectory) paths.push(...await filesIn(dir, `${prefix}${name}/`) ?? []);
      else paths.push(prefix + name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return paths;
}

async function writeNew(dir: string, payload: Payload, { gid, now }: WriteOptions): Promise<string> {
  const stamp = new Date(now).toISOString().slice(0, 19).replace(/[-T:]/g, "_");
  const name = `..${stamp}.${crypto.getRandomValues(new Uint8Array(4)).toHex()}`;
  const top = `${dir}/${name}`;
  const makeDir = async (path: string) => {
    await Deno.mkdir(path);
    if (gid !== undefined) await Deno.chown(path, null, gid);
    await Deno.chmod(path, gid === undefined ? 0o755 : 0o2755);
  };
  try {
    await makeDir(top);
    const made = new Set<string>();
    for (const [path, { data, mode }] of payload) {
      const parts = path.split("/").slice(0, -1);
      for (let depth = 1; depth <= parts.length; depth++) {
        const parent = parts.slice(0, depth).join("/");
        if (made.has(parent)) continue;
        await makeDir(`${top}/${parent}`);
        made.add(parent);
      }
      await Deno.writeFile(`${top}/${path}`, data, { createNew: true, mode: 0o600 });
      if (gid !== undefined) await Deno.chown(`${top}/${path}`, null, gid);
      // After the owner: changing it may clear bits; and the umask has no say here.
      await Deno.chmod(`${top}/${path}`, mode);
    }
  } catch (error) {
    await Deno.remove(top, { recursive: true });
    throw error;
  }
  return name;
}

async function linkNames(dir: string, names: ReadonlySet<string>): Promise<void> {
  for (const name of names) {
    const target = `${DATA}/${name}`;
    if (await linkTarget(`${dir}/${name}`) === target) continue;
    await removeIfThere(`${dir}/${name}`);
    await makeLink(target, `${dir}/${name}`);
  }
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return (await Deno.lstat(path)).isSymlink ? await Deno.readLink(path) : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
