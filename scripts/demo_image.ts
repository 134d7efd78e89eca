/**
 * Makes the images of a trial on this machine, with no registry: a pause image and a small web server, both out of
 * Debian's static busybox.
 *
 * `deno run --allow-read --allow-write=.cache --allow-run=docker,apt-get,dpkg-deb scripts/demo_image.ts`
 * @module
 */
import { tar, type TarEntry } from "./tar.ts";

/** The sandbox image that edgecore uses unless told otherwise. */
export const PAUSE_IMAGE = "kubeedge/pause:3.6";
/** Serves the files under /www on port 8080, and its environment as text on port 8081. */
export const DEMO_WEB_IMAGE = "demo-web:1";

/** Says which build of an image is there. */
const BUILD_LABEL = "io.kubeedge.deno.build";

// Process 1 gets no default action for SIGTERM, so it must be caught; `wait` also takes in orphans.
const PAUSE_SCRIPT = `#!/bin/sh
trap 'exit 0' TERM INT
while :; do
  sleep 2147483647 &
  wait $!
done
`;

// /www may be a volume that hides whatever the image has there, so the environment is served from elsewhere.
const WEB_SCRIPT = `#!/bin/sh
trap 'exit 0' TERM INT
httpd -f -p 8081 -h /site &
httpd -f -p 8080 -h /www &
wait $!
`;

const ENV_SCRIPT = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
env | sort
`;

const APPLETS = [
  "cat",
  "chmod",
  "date",
  "echo",
  "env",
  "false",
  "grep",
  "head",
  "hostname",
  "httpd",
  "id",
  "ip",
  "kill",
  "ls",
  "mkdir",
  "mount",
  "nc",
  "printf",
  "ps",
  "pwd",
  "rm",
  "seq",
  "sh",
  "sleep",
  "sort",
  "stat",
  "tail",
  "tar",
  "test",
  "touch",
  "true",
  "vi",
  "wc",
  "wget",
  "yes",
] as const;

interface ImagePlan {
  reference: string;
  entries: TarEntry[];
  /** Dockerfile instructions. */
  changes: string[];
}

/** The two images as data. */
export function planDemoImages(busybox: Uint8Array): ImagePlan[] {
  const text = (path: string, content: string, mode = 0o644): TarEntry => ({
    type: "file",
    path,
    data: new TextEncoder().encode(content),
    mode,
  });
  const base: TarEntry[] = [
    { type: "directory", path: "bin" },
    { type: "file", path: "bin/busybox", data: busybox, mode: 0o755 },
    ...APPLETS.map((name): TarEntry => ({ type: "symlink", path: `bin/${name}`, target: "busybox" })),
    { type: "directory", path: "etc" },
    text("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    text("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    { type: "directory", path: "tmp", mode: 0o1777 },
  ];
  const path = "ENV PATH=/bin";
  return [
    {
      reference: PAUSE_IMAGE,
      entries: [...base, text("pause", PAUSE_SCRIPT, 0o755)],
      changes: [path, 'ENTRYPOINT ["/pause"]'],
    },
    {
      reference: DEMO_WEB_IMAGE,
      entries: [
        ...base,
        { type: "directory", path: "www" },
        text("www/index.html", "demo-web\n"),
        { type: "directory", path: "site" },
        { type: "directory", path: "site/cgi-bin" },
        text("site/cgi-bin/index.cgi", ENV_SCRIPT, 0o755),
        text("web", WEB_SCRIPT, 0o755),
      ],
      changes: [path, "EXPOSE 8080 8081", 'CMD ["/web"]'],
    },
  ];
}

/** What {@linkcode makeDemoImages} takes. */
export interface DemoImageOptions {
  /** The engine's program. @default "docker" */
  binary?: string;
  /** Address of the engine. @default what its program finds */
  host?: string;
  /** Where a downloaded busybox is kept. @default ".cache/busybox" */
  cacheDir?: string;
}

/**
 * Makes the images that are not there yet; an image of the same name that someone else made is left alone.
 * Returns the references.
 * @throws {Error} when the engine does not answer or no static busybox can be had
 */
export async function makeDemoImages(options: DemoImageOptions = {}): Promise<string[]> {
  const { binary = "docker", host = "", cacheDir = ".cache/busybox" } = options;
  const first = host === "" ? [] : [`--host=${host}`];
  const plans = planDemoImages(await staticBusybox(cacheDir));
  for (const { reference, entries, changes } of plans) {
    const archive = tar(entries);
    const build = await sha256(archive, changes.join("\n"));
    const there = await labelOf(binary, first, reference);
    if (there !== undefined && (there === build || there === "")) continue;
    const args = [...first, "import"];
    for (const change of [...changes, `LABEL ${BUILD_LABEL}=${build}`]) args.push("--change", change);
    args.push("-", reference);
    await run(binary, args, { input: archive });
  }
  return plans.map((plan) => plan.reference);
}

/** The build label of an image, empty when it has none; undefined when there is no such image. */
async function labelOf(binary: string, first: string[], reference: string): Promise<string | undefined> {
  const { code, stdout, stderr } = await new Deno.Command(binary, {
    args: [...first, "image", "inspect", "--format", "{{json .Config.Labels}}", reference],
  }).output();
  if (code !== 0) {
    const text = new TextDecoder().decode(stderr).trim();
    if (/no such image/i.test(text)) return undefined;
    throw new Error(`Cannot look for image ${reference}: ${text}`);
  }
  const labels: unknown = JSON.parse(new TextDecoder().decode(stdout));
  if (typeof labels !== "object" || labels === null || !(BUILD_LABEL in labels)) return "";
  return String(labels[BUILD_LABEL]);
}

async function sha256(data: Uint8Array<ArrayBuffer>, more: string): Promise<string> {
  const extra = new TextEncoder().encode(more);
  const all = new Uint8Array(data.length + extra.length);
  all.set(data);
  all.set(extra, data.length);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", all)).toHex();
}

/**
 * The bytes of a busybox that needs no libraries: the machine's, or the one in Debian's package busybox-static, unpacked
 * into `cacheDir` without installing it.
 * @throws {Error} naming what to install
 */
export async function staticBusybox(cacheDir: string): Promise<Uint8Array> {
  for (const path of ["/bin/busybox", "/usr/bin/busybox", `${cacheDir}/root/bin/busybox`]) {
    const bytes = await readIfStatic(path);
    if (bytes !== undefined) return bytes;
  }
  await Deno.mkdir(cacheDir, { recursive: true });
  try {
    await run("apt-get", ["download", "busybox-static"], { cwd: cacheDir });
    for await (const file of Deno.readDir(cacheDir)) {
      if (file.name.endsWith(".deb")) await run("dpkg-deb", ["-x", file.name, "root"], { cwd: cacheDir });
    }
  } catch (error) {
    throw new Error("Cannot get a static busybox: install the package busybox-static", { cause: error });
  }
  for (const path of [`${cacheDir}/root/bin/busybox`, `${cacheDir}/root/usr/bin/busybox`]) {
    const bytes = await readIfStatic(path);
    if (bytes !== undefined) return bytes;
  }
  throw new Error("Cannot get a static busybox: the package busybox-static has none; install it by hand");
}

async function readIfStatic(path: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await Deno.readFile(path);
    return isStaticElf(bytes) ? bytes : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether these are the bytes of a 64-bit little-endian ELF program that names no interpreter. */
export function isStaticElf(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 64 || view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) return false;
  const tableAt = Number(view.getBigUint64(32, true));
  const entrySize = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  const PT_INTERP = 3;
  for (let i = 0; i < count; i++) {
    const at = tableAt + i * entrySize;
    if (at + 4 > bytes.length || view.getUint32(at, true) === PT_INTERP) return false;
  }
  return true;
}

async function run(
  binary: string,
  args: string[],
  options: { input?: Uint8Array; cwd?: string } = {},
): Promise<void> {
  await using child = new Deno.Command(binary, {
    args,
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  }).spawn();
  const output = child.output();
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(options.input);
    await writer.close();
  }
  const { code, stderr } = await output;
  if (code !== 0) {
    throw new Error(
      `${binary} ${args.find((arg) => !arg.startsWith("-"))} failed with ${code}: ${
        new TextDecoder().decode(stderr).trim()
      }`,
    );
  }
}

if (import.meta.main) {
  const references = await makeDemoImages();
  await Deno.stdout.write(new TextEncoder().encode(references.join("\n") + "\n"));
}
