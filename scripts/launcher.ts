/**
 * One executable file out of a runtime and a program: a POSIX launcher in front of two gzipped tar archives.
 *
 *   launcher text │ program.tar.gz │ runtime.tar.gz
 *
 * On first start it unpacks both into a directory of the owner's, named after their content (checked against the SHA-256 in the
 * launcher, on the disk before it is moved into place in one rename) and then replaces itself by the runtime, so that pid, signals
 * and exit code are the program's own. At later starts a file that is missing or of another size has all of it unpacked again.
 * Programs of one release share the unpacked runtime, on disk and in memory.
 */
import { createHash } from "node:crypto";
import type { Program } from "./bundle.ts";
import { type Arch, DENO_VERSION } from "./runtime.ts";

export interface SelfExtractOptions {
  program: Program;
  arch: Arch;
  /** Directory with the bundled program. */
  staged: string;
  /** The runtime's executable. */
  runtime: string;
  /** Flags of `deno run`. */
  permissions: string[];
  /** Directory for what is in between. */
  work: string;
  /** Directory where archives of runtimes are kept from one build to the next. */
  archives: string;
  out: string;
}

/** `uname -m` of each architecture. */
const MACHINES: Readonly<Record<Arch, string>> = { amd64: "x86_64", arm64: "aarch64" };

interface Section {
  path: string;
  bytes: number;
  sha256: string;
  /** What is in it. */
  files: Array<{ path: string; bytes: number }>;
}

/** Writes the executable. */
export async function packSelfExtracting(options: SelfExtractOptions): Promise<void> {
  const { program, arch, staged, work, out } = options;
  await Deno.mkdir(options.archives, { recursive: true });
  const runtime = await archive(
    `${options.archives}/deno-${DENO_VERSION}-${arch}.tar.gz`,
    async (directory) => {
      await Deno.copyFile(options.runtime, `${directory}/deno`);
      await Deno.chmod(`${directory}/deno`, 0o755);
    },
  );
  const bundle = await archive(`${work}/${program.name}.tar.gz`, (directory) => copyTree(staged, directory));
  const text = launcherText({
    name: program.name,
    main: program.main.replace(/\.ts$/, ".js"),
    files: [program.main, ...program.workers].map((path) => path.replace(/\.ts$/, ".js")),
    arch,
    v8Flags: program.v8Flags,
    permissions: options.permissions,
    bundle,
    runtime,
  });
  const partial = `${out}.partial`;
  {
    using file = await Deno.open(partial, { write: true, create: true, truncate: true, mode: 0o755 });
    await writeAll(file, new TextEncoder().encode(text));
    for (const section of [bundle, runtime]) {
      using source = await Deno.open(section.path);
      const buffer = new Uint8Array(1 << 20);
      for (let n = await source.read(buffer); n !== null; n = await source.read(buffer)) {
        await writeAll(file, buffer.subarray(0, n));
      }
    }
  }
  await Deno.chmod(partial, 0o755);
  await Deno.rename(partial, out);
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/** A gzipped tar with fixed owners and times, so that the same content gives the same bytes; made once per path. */
async function archive(path: string, fill: (directory: string) => Promise<void>): Promise<Section> {
  const known = await Deno.stat(path).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
  if (!known) {
    const directory = `${path}.d`;
    await Deno.mkdir(directory, { recursive: true });
    await fill(directory);
    const { success, stderr } = await new Deno.Command("tar", {
      args: [
        "--create",
        "--use-compress-program=gzip -9 -n",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
        "--mtime=@0",
        `--file=${path}.partial`,
        `--directory=${directory}`,
        ".",
      ],
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`Cannot archive ${path}: ${new TextDecoder().decode(stderr).trim()}`);
    await Deno.rename(`${path}.partial`, path);
    await Deno.remove(directory, { recursive: true });
  }
  const hash = createHash("sha256");
  let bytes = 0;
  using file = await Deno.open(path);
  for await (const chunk of file.readable) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { path, bytes, sha256: hash.digest("hex"), files: await filesIn(path) };
}

/** The files in an archive; tar's listing of one is `-rwxr-xr-x 0/0 123 1970-01-01 00:00 ./deno`. */
async function filesIn(path: string): Promise<Section["files"]> {
  const { success, stdout, stderr } = await new Deno.Command("tar", {
    args: ["--list", "--verbose", "--gzip", `--file=${path}`],
    env: { LC_ALL: "C", TZ: "UTC" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (!success) throw new Error(`Cannot list ${path}: ${text(stderr)}`);
  return text(stdout).split("\n").filter((line) => line.startsWith("-")).map((line) => {
    const [, , bytes, , , name = ""] = line.split(/ +/);
    return { path: name.replace(/^\.\//, ""), bytes: Number(bytes) };
  });
}

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(from)) {
    if (entry.isDirectory) await copyTree(`${from}/${entry.name}`, `${to}/${entry.name}`);
    else await Deno.copyFile(`${from}/${entry.name}`, `${to}/${entry.name}`);
  }
}

interface LauncherValues {
  name: string;
  main: string;
  /** All of its files that are started, below its directory. */
  files: readonly string[];
  arch: Arch;
  v8Flags: readonly string[];
  permissions: string[];
  bundle: Section;
  runtime: Section;
}

/** The launcher's text; its own length is part of it, which is why it is computed twice. */
export function launcherText(values: LauncherValues): string {
  let size = 0;
  for (;;) {
    const text = renderLauncher(values, size);
    const bytes = new TextEncoder().encode(text).length;
    if (bytes === size) return text;
    size = bytes;
  }
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function renderLauncher(
  { name, main, files, arch, v8Flags, permissions, bundle, runtime }: LauncherValues,
  size: number,
): string {
  return `#!/bin/sh
# ${name} of KubeEdge on Deno for linux/${arch}: this launcher, then the program and its runtime.
# KUBEEDGE_CACHE_DIR: where they are unpacked, once (default /var/cache/kubeedge, or ~/.cache/kubeedge when not root).
# KUBEEDGE_RUNTIME_WRAPPER: a command to start the runtime with, such as an emulator of another machine.
set -eu
umask 077
fail() { echo "${name}: $1" >&2; exit 1; }
machine=$(uname -m)
if [ "$machine" != ${MACHINES[arch]} ] && [ -z "\${KUBEEDGE_RUNTIME_WRAPPER:-}" ]; then
  fail "this file is for ${arch} (${
    MACHINES[arch]
  }), this machine is $machine: take the file for its architecture"
fi
uid=$(id -u)
if [ -n "\${KUBEEDGE_CACHE_DIR:-}" ]; then cache=$KUBEEDGE_CACHE_DIR
elif [ "$uid" = 0 ]; then cache=/var/cache/kubeedge
elif [ -n "\${XDG_CACHE_HOME:-}" ]; then cache=$XDG_CACHE_HOME/kubeedge
elif [ -n "\${HOME:-}" ]; then cache=$HOME/.cache/kubeedge
else fail "there is no home directory to unpack into: set KUBEEDGE_CACHE_DIR"; fi
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac
mkdir -p "$cache" 2>/dev/null || fail "cannot make $cache: set KUBEEDGE_CACHE_DIR to a directory of yours with 150 MB free"
# Whoever else could write there could put a program of theirs in place of this one.
case $(stat -c '%u %A' "$cache") in
  "$uid d"????-??-?*) ;;
  "$uid "*) fail "others may write to $cache: set KUBEEDGE_CACHE_DIR to a directory that only you may write to" ;;
  *) fail "$cache belongs to another user: set KUBEEDGE_CACHE_DIR to a directory of yours" ;;
esac
new=
# whole <directory> <sizes> <files>
whole() { [ "$(cd "$cache/$1" 2>/dev/null && echo $(stat -c %s $3 2>/dev/null))" = "$2" ]; }
# unpack <directory> <sizes> <files> <offset> <bytes> <sha256>
unpack() {
  whole "$1" "$2" "$3" && return 0
  new=yes
  # What a start that was killed has left; its process number may be this one's, as in a container.
  part=$cache/.$1.$$
  for old in "$cache/.$1".*; do
    [ "$old" != "$part" ] && [ -e "/proc/\${old##*.}" ] || rm -rf "$old"
  done
  trap 'rm -rf "$part"' EXIT
  mkdir "$part" 2>/dev/null || fail "cannot write to $cache: free 150 MB or set KUBEEDGE_CACHE_DIR to a directory of yours"
  tail -c "+$4" "$0" | head -c "$5" > "$part/archive" || fail "cannot unpack into $cache: free 150 MB or set KUBEEDGE_CACHE_DIR"
  sum=$(sha256sum < "$part/archive")
  [ "\${sum%% *}" = "$6" ] || fail "this file is damaged: get it again"
  mkdir "$part/content"
  gzip -dc "$part/archive" | tar -xf - -C "$part/content" || fail "cannot unpack into $cache: free 150 MB or set KUBEEDGE_CACHE_DIR"
  # A name that is there after a power cut stands for content that is there too.
  sync -f "$part/content" 2>/dev/null || sync || :
  # Another start may have been faster: its directory has the same content, and may be in use. What has lost some of its files makes way.
  if ! mv -T "$part/content" "$cache/$1" 2>/dev/null && ! whole "$1" "$2" "$3"; then
    mv -T "$cache/$1" "$part/old" 2>/dev/null || :
    mv -T "$part/content" "$cache/$1" 2>/dev/null || whole "$1" "$2" "$3" || fail "cannot write $cache/$1"
  fi
  rm -rf "$part"
  trap - EXIT
}
unpack ${name}-${bundle.sha256.slice(0, 16)} ${sizes(bundle)} ${size + 1} ${bundle.bytes} ${bundle.sha256}
unpack runtime-${runtime.sha256.slice(0, 16)} ${sizes(runtime)} ${
    size + bundle.bytes + 1
  } ${runtime.bytes} ${runtime.sha256}
umask 022
# Each of the runtime's threads would keep an arena of its own; what is large goes back to the system when it is freed.
export MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=65536
# The runtime starts no program from a compartment while the loader is told of other libraries.
unset LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT
export DENO_DIR="$cache/deno" DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
deno="$cache/runtime-${runtime.sha256.slice(0, 16)}/deno"
program="$cache/${name}-${bundle.sha256.slice(0, 16)}"
cannot="cannot run what is in $cache: it takes a C library as Debian's (glibc), and a directory that is not mounted noexec; set KUBEEDGE_CACHE_DIR to another"
[ -x "$deno" ] || fail "$cannot"
[ -z "$new" ] || \${KUBEEDGE_RUNTIME_WRAPPER:-} "$deno" --version > /dev/null || fail "$cannot"
# What the runtime finds out about a file it has not seen takes 20 MB that the running program would keep.
[ -z "$new" ] || \${KUBEEDGE_RUNTIME_WRAPPER:-} "$deno" cache --quiet --no-config --no-lock --no-remote \\
  ${
    files.map((file) => `"$program/${file}"`).join(" ")
  } || fail "cannot write to $cache/deno: free 150 MB or set KUBEEDGE_CACHE_DIR"
exec \${KUBEEDGE_RUNTIME_WRAPPER:-} "$deno" run --quiet --no-config --no-lock --no-remote \\
  --unstable-worker-options --v8-flags=${v8Flags.join(",")} \\
  ${permissions.map(quote).join(" ")} \\
  "$program/${main}" "$@"
`;
}

/** Sizes and names of the files of an archive, as two words of the shell; none has a space in its name. */
function sizes({ files }: Section): string {
  return `"${files.map(({ bytes }) => bytes).join(" ")}" "${files.map(({ path }) => path).join(" ")}"`;
}
