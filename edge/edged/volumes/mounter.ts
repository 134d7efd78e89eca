/** A file system in memory. */
export interface TmpfsOptions {
  /** 0 for no bound. */
  sizeBytes: number;
  /** Bits of its top directory. */
  mode: number;
  /** Group of its top directory. @default 0 */
  gid?: number | undefined;
}

/** Mounts file systems. */
export interface Mounter {
  mountTmpfs(dir: string, options: TmpfsOptions): Promise<unknown>;
  /** Shows a file or directory at another path. */
  bind(source: string, target: string): Promise<unknown>;
  unmount(target: string): Promise<unknown>;
  /** Everything that is mounted, in the order it was. */
  list(): Promise<MountEntry[]>;
}

/** One line of /proc/self/mountinfo, as far as it is used. */
export interface MountEntry {
  /** `major:minor` of the file system. */
  device: string;
  /** Path inside the file system that is shown. */
  root: string;
  target: string;
  fileSystem: string;
}

/** Mounts through the programs mount and umount; needs root, and permission to run them and cat. */
export const systemMounter: Mounter = {
  mountTmpfs: (dir, { sizeBytes, mode, gid = 0 }) => {
    const options = [`mode=${mode.toString(8).padStart(4, "0")}`, `gid=${gid}`];
    if (sizeBytes > 0) options.push(`size=${sizeBytes}`);
    return run("mount", ["-n", "-t", "tmpfs", "-o", options.join(","), "--", "tmpfs", dir]);
  },
  bind: (source, target) => run("mount", ["-n", "--no-canonicalize", "--bind", "--", source, target]),
  unmount: (target) => run("umount", ["-n", "--no-canonicalize", "--", target]),
  // Deno lets nobody but `--allow-all` read this file; a child has the same mounts.
  list: async () => parseMountInfo(await run("cat", ["/proc/self/mountinfo"])),
};

const TIMEOUT_MS = 30_000;

async function run(program: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  if (code === 0) return new TextDecoder().decode(stdout);
  const text = new TextDecoder().decode(stderr).trim() || `exit code ${code}`;
  throw new Error(`${program} ${args.at(-1)} failed: ${text.slice(0, 1000)}`);
}

/** Whether a directory is the top of a file system of its own. */
export async function isFileSystem(dir: string): Promise<boolean> {
  const [own, parent] = await Promise.all([Deno.lstat(dir), Deno.lstat(dir.slice(0, dir.lastIndexOf("/")))]);
  return own.dev !== parent.dev;
}

/**
 * Lines of mountinfo: `36 35 98:0 /root /target rw,noatime master:1 - ext3 /dev/root rw`, with octal escapes in paths.
 * Upstream: Linux Documentation/filesystems/proc.rst, 3.5
 */
export function parseMountInfo(text: string): MountEntry[] {
  return text.split("\n").flatMap((line) => {
    const fields = line.split(" ");
    const [, , device, root, target] = fields;
    const separator = fields.indexOf("-");
    const fileSystem = separator === -1 ? undefined : fields[separator + 1];
    if (device === undefined || root === undefined || target === undefined || fileSystem === undefined) {
      return [];
    }
    return [{ device, root: unescape(root), target: unescape(target), fileSystem }];
  });
}

/** Undoes `\040` and the like: the kernel writes space, tab, line feed and backslash so. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
