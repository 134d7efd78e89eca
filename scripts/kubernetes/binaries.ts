/** Finding the programs of a control plane, installing or building those that are missing. */
import { runToEnd } from "../trial/program.ts";
import {
  buildDirectory,
  KUBERNETES_PROGRAMS,
  KUBERNETES_VERSION,
  type KubernetesProgram,
  linkerFlags,
  printGoMod,
} from "./release.ts";

/** Paths of the programs of a control plane. */
export type Binaries = Readonly<Record<KubernetesProgram | "etcd", string>>;

/** Variables of a process' environment. */
type Env = Readonly<Record<string, string | undefined>>;

/** Where builds are kept: a folder of the user, so that every checkout finds them. */
export function cacheDirectory(env: Env): string {
  const folder = env.XDG_CACHE_HOME?.startsWith("/") ? env.XDG_CACHE_HOME : `${env.HOME ?? ""}/.cache`;
  return `${folder}/kubeedge-deno/kubernetes`;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    const { isFile, mode } = await Deno.stat(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/**
 * The program in KUBEBUILDER_ASSETS, else on PATH, else as built here; undefined when it is nowhere.
 * @param env of the process
 */
export async function findBinary(
  name: KubernetesProgram | "etcd" | "go",
  env: Env,
  cache = cacheDirectory(env),
): Promise<string | undefined> {
  const folders = [
    env.KUBEBUILDER_ASSETS ?? "",
    ...(env.PATH ?? "").split(":"),
    `${buildDirectory(cache)}/bin`,
    ...(name === "go" ? ["/usr/local/go/bin"] : []),
  ];
  for (const folder of folders) {
    if (folder.startsWith("/") && await isExecutable(`${folder}/${name}`)) return `${folder}/${name}`;
  }
  return undefined;
}

/** Which programs of a control plane are nowhere on this machine. */
export async function missingBinaries(
  env: Env,
  cache = cacheDirectory(env),
): Promise<Array<keyof Binaries>> {
  const missing: Array<keyof Binaries> = [];
  for (const name of ["etcd", ...KUBERNETES_PROGRAMS] as const) {
    if (await findBinary(name, env, cache) === undefined) missing.push(name);
  }
  return missing;
}

/**
 * Paths of all programs; installs etcd from Debian's package and builds Kubernetes where they are missing.
 * @param say told what is done
 * @throws {Error} whose message says what to install
 */
export async function ensureBinaries(say: (line: string) => void): Promise<Binaries> {
  const env = Deno.env.toObject();
  const missing = await missingBinaries(env);
  if (missing.includes("etcd")) await installEtcd(say);
  const programs = missing.filter((name) => name !== "etcd");
  if (programs.length > 0) await build(programs, env, say);
  const found: Partial<Record<keyof Binaries, string>> = {};
  for (const name of ["etcd", ...KUBERNETES_PROGRAMS] as const) {
    const path = await findBinary(name, env);
    if (path === undefined) {
      throw new Error(`Cannot find ${name} although it was installed or built just now`);
    }
    found[name] = path;
  }
  return found as Binaries;
}

async function installEtcd(say: (line: string) => void): Promise<void> {
  const advice = "install etcd 3.4 or newer so that it is on PATH, or set KUBEBUILDER_ASSETS";
  if (Deno.uid() !== 0 || !await isExecutable("/usr/bin/apt-get")) {
    throw new Error(`There is no etcd: ${advice}; on Debian: sudo apt-get install etcd-server`);
  }
  say("Installing etcd-server");
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (
    const args of [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "etcd-server"]]
  ) {
    const { code, stderr } = await runToEnd("apt-get", args, { env });
    if (code !== 0) throw new Error(`Cannot install etcd-server (${advice}): ${stderr.trim().slice(-500)}`);
  }
}

/** Builds programs from the module into the cache. */
async function build(
  programs: readonly KubernetesProgram[],
  env: Env,
  say: (line: string) => void,
): Promise<void> {
  const go = await findBinary("go", env);
  if (go === undefined) {
    throw new Error(
      `There is no ${programs.join(", ")} and no Go to build them: set KUBEBUILDER_ASSETS, or install Go ` +
        "(https://go.dev/dl) so that it is on PATH",
    );
  }
  const directory = buildDirectory(cacheDirectory(env));
  await Deno.mkdir(`${directory}/bin`, { recursive: true });
  const options = {
    cwd: directory,
    env: { CGO_ENABLED: "0", GOFLAGS: "-mod=mod", GOTOOLCHAIN: "auto", GOWORK: "off" },
  };
  say(`Reading the module k8s.io/kubernetes ${KUBERNETES_VERSION}`);
  const download = await runToEnd(
    go,
    ["mod", "download", "-json", `k8s.io/kubernetes@${KUBERNETES_VERSION}`],
    options,
  );
  if (download.code !== 0) {
    throw new Error(`Cannot read Kubernetes ${KUBERNETES_VERSION}: ${download.stdout}${download.stderr}`);
  }
  const { GoMod: path } = JSON.parse(download.stdout) as { GoMod?: unknown };
  if (typeof path !== "string") throw new Error("Cannot read Kubernetes: go mod download names no go.mod");
  const text = printGoMod(KUBERNETES_VERSION, await Deno.readTextFile(path));
  // Go writes what it found out into the file; the next build begins from there.
  if (!await Deno.stat(`${directory}/go.mod`).then(() => true, isNotFound)) {
    await Deno.writeTextFile(`${directory}/go.mod`, text);
  }
  const names = programs.map((name) => `k8s.io/kubernetes/cmd/${name}`);
  const listed = await runToEnd(go, ["list", "-deps", ...names], options);
  if (listed.code !== 0) {
    throw new Error(`Cannot read what Kubernetes is made of: ${listed.stderr.slice(-2000)}`);
  }
  const total = listed.stdout.split("\n").length - 1;
  say(
    `Building ${
      programs.join(", ")
    } of ${KUBERNETES_VERSION}: ${total} packages, once; with two cores 10 to 20 minutes`,
  );
  const args = [
    "build",
    "-v",
    "-p",
    "2",
    "-trimpath",
    "-buildvcs=false",
    "-ldflags",
    linkerFlags(KUBERNETES_VERSION),
    "-o",
    `${directory}/bin/`,
    ...names,
  ];
  const child = new Deno.Command("nice", {
    args: ["-n", "10", go, ...args],
    ...options,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const tail = await showProgress(child.stderr, total, say);
  const { success, code } = await child.status;
  if (!success) throw new Error(`Cannot build Kubernetes: go build ended with ${code}:\n${tail.join("\n")}`);
  say("Kubernetes is built");
}

function isNotFound(error: unknown): false {
  if (error instanceof Deno.errors.NotFound) return false;
  throw error;
}

/** `go build -v` names each package it compiles; says how many every hundred. Returns the last lines that were no package. */
async function showProgress(
  output: ReadableStream<Uint8Array>,
  total: number,
  say: (line: string) => void,
): Promise<string[]> {
  let rest = "";
  let compiled = 0;
  const other: string[] = [];
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (/^[\w./~-]+$/.test(line)) {
        if (++compiled % 100 === 0) say(`  ${compiled} of at most ${total} packages compiled: ${line}`);
      } else if (other.push(line) > 40) other.shift();
    }
  }
  return [...other, rest].filter((line) => line !== "");
}
