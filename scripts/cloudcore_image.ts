/**
 * Makes the image of cloudcore that `cloud/install/4-cloudcore.yaml` runs, out of its executable, `cloud/install/Dockerfile` and
 * three Debian packages, which are unpacked and not installed: a static busybox for the launcher, the C library for the runtime.
 *
 *   deno run --allow-read --allow-write --allow-run=apt-get,dpkg-deb,tar,docker scripts/cloudcore_image.ts [REFERENCE]
 * @module
 */
import { HOST_ARCH } from "./runtime.ts";
import { runToEnd } from "./trial/program.ts";

/** What the manifests name. */
export const CLOUDCORE_IMAGE = "kubeedge/cloudcore:v1.23.1-deno";

const ROOT = new URL("../", import.meta.url).pathname;
const PACKAGES = ["libc6", "libgcc-s1", "busybox-static"] as const;

/** What the launcher calls. */
const APPLETS = [
  "cat",
  "gzip",
  "head",
  "id",
  "mkdir",
  "mv",
  "rm",
  "sh",
  "sha256sum",
  "stat",
  "sync",
  "tail",
  "tar",
  "uname",
];
/** Of the C library's package, what is for other programs. */
const DROPPED = ["usr/share", "usr/lib/x86_64-linux-gnu/gconv", "usr/lib/aarch64-linux-gnu/gconv"];
/** Who it runs as. */
const USER = 65532;

const FILES: Readonly<Record<string, string>> = {
  "etc/passwd": `root:x:0:0:root:/:/bin/false\ncloudcore:x:${USER}:${USER}:cloudcore:/:/bin/false\n`,
  "etc/group": `root:x:0:\ncloudcore:x:${USER}:\n`,
  "etc/nsswitch.conf": "hosts: files dns\n",
};

/** What {@linkcode makeCloudcoreImage} takes. */
export interface CloudcoreImageOptions {
  /** @default what the manifests name */
  reference?: string;
  /** @default "dist/cloudcore-linux-<this machine's>" */
  executable?: string;
  /** Where packages are kept. @default ".cache/cloudcore-image" */
  cacheDir?: string;
}

/** Builds the image. @throws {Error} naming the program that failed and what it said */
export async function makeCloudcoreImage(options: CloudcoreImageOptions = {}): Promise<string> {
  const {
    reference = CLOUDCORE_IMAGE,
    executable = `${ROOT}dist/cloudcore-linux-${HOST_ARCH}`,
    cacheDir = `${ROOT}.cache/cloudcore-image`,
  } = options;
  const context = await Deno.makeTempDir({ prefix: "kubeedge-image-" });
  try {
    const rootfs = `${context}/rootfs`;
    await unpack(await packages(cacheDir), rootfs);
    await run("tar", [
      "--create",
      "--owner=0",
      "--group=0",
      "--numeric-owner",
      "--sort=name",
      "--mtime=@0",
      `--file=${context}/rootfs.tar`,
      `--directory=${rootfs}`,
      ".",
    ]);
    await Deno.remove(rootfs, { recursive: true });
    await Deno.copyFile(executable, `${context}/cloudcore`);
    await Deno.chmod(`${context}/cloudcore`, 0o755);
    await Deno.copyFile(`${ROOT}cloud/install/Dockerfile`, `${context}/Dockerfile`);
    await run("docker", ["build", "--quiet", "--tag", reference, context]);
    return reference;
  } finally {
    await Deno.remove(context, { recursive: true });
  }
}

/** The packages' files, downloaded unless they are there. */
async function packages(cacheDir: string): Promise<string[]> {
  await Deno.mkdir(cacheDir, { recursive: true });
  const list = async () => (await Array.fromAsync(Deno.readDir(cacheDir))).map(({ name }) => name).sort();
  const missing = async () => {
    const names = await list();
    return PACKAGES.filter((name) => !names.some((file) => file.startsWith(`${name}_`)));
  };
  const lacking = await missing();
  if (lacking.length > 0) await run("apt-get", ["download", ...lacking], cacheDir);
  return (await list()).filter((file) => file.endsWith(".deb")).map((file) => `${cacheDir}/${file}`);
}

async function unpack(files: readonly string[], rootfs: string): Promise<void> {
  await Deno.mkdir(rootfs);
  for (const file of files) await run("dpkg-deb", ["--extract", file, rootfs]);
  for (const path of DROPPED) {
    try {
      await Deno.remove(`${rootfs}/${path}`, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  for (const name of APPLETS) await Deno.symlink("busybox", `${rootfs}/bin/${name}`);
  for (const directory of ["etc/kubeedge/config", "var/cache/kubeedge", "tmp"]) {
    await Deno.mkdir(`${rootfs}/${directory}`, { recursive: true });
  }
  // Usable without a volume too.
  for (const directory of ["var/cache/kubeedge", "tmp"]) await Deno.chmod(`${rootfs}/${directory}`, 0o1777);
  for (const [path, text] of Object.entries(FILES)) await Deno.writeTextFile(`${rootfs}/${path}`, text);
}

async function run(program: string, args: string[], cwd?: string): Promise<void> {
  const { code, stderr } = await runToEnd(program, args, cwd === undefined ? {} : { cwd });
  if (code !== 0) {
    throw new Error(`Cannot make the image: ${program} ${args[0]} ended with ${code}: ${stderr.trim()}`);
  }
}

if (import.meta.main) {
  const [reference] = Deno.args;
  // deno-lint-ignore no-console
  console.log(await makeCloudcoreImage(reference === undefined ? {} : { reference }));
}
