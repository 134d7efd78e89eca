import { readdirSync, readFileSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

/** What is known of the machine. */
export interface NodeFacts {
  cpus: number;
  memoryBytes: number;
  memoryAvailableBytes: number;
  disk: { totalBytes: number; availableBytes: number; inodes: number; freeInodes: number };
  /** Page size as Kubernetes writes it ("2Mi") to the bytes set aside. */
  hugePages: Record<string, number>;
  processes: { running: number; max: number };
  machineID: string;
  systemUUID: string;
  bootID: string;
  kernelVersion: string;
  osImage: string;
  architecture: string;
  addresses: string[];
}

/** Where a machine is asked: the root of the file system, for tests another. */
export interface FactsOptions {
  /** Directory whose file system holds pods and images. */
  rootDirectory: string;
  /** @default "/" */
  systemRoot?: string;
  /** Address to show; absent: that of the interface of the default route. */
  nodeIP?: string;
}

/** Files and directories that are read. */
export const FACT_PATHS = [
  "/proc",
  "/sys/kernel/mm/hugepages",
  "/sys/class/dmi/id",
  "/etc/machine-id",
  "/etc/os-release",
];

/** A file's text; empty when the machine has no such file, which differs from machine to machine. */
function readOptional(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR" || code === "EPERM") return "";
    throw error;
  }
}

/** A value of `/proc/meminfo`, bytes. */
function memory(meminfo: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(meminfo);
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** Reads the facts anew. Upstream: kubelet via google/cadvisor machine/*.go */
export function readNodeFacts(options: FactsOptions): NodeFacts {
  const root = (options.systemRoot ?? "").replace(/\/$/, "");
  const read = (path: string) => readOptional(`${root}${path}`);
  const meminfo = read("/proc/meminfo");
  const disk = statDisk(options.rootDirectory);
  const machineID = read("/etc/machine-id").trim();
  return {
    cpus: countCpus(read("/proc/stat")),
    memoryBytes: memory(meminfo, "MemTotal"),
    memoryAvailableBytes: memory(meminfo, "MemAvailable"),
    disk: {
      totalBytes: disk.blocks * disk.bsize,
      availableBytes: disk.bavail * disk.bsize,
      inodes: disk.files,
      freeInodes: disk.ffree,
    },
    hugePages: hugePages(root),
    processes: {
      running: Number(/\d+\/(\d+)/.exec(read("/proc/loadavg"))?.[1] ?? 0),
      max: Number(read("/proc/sys/kernel/pid_max").trim() || 0),
    },
    machineID,
    systemUUID: read("/sys/class/dmi/id/product_uuid").trim() || machineID,
    bootID: read("/proc/sys/kernel/random/boot_id").trim(),
    kernelVersion: read("/proc/sys/kernel/osrelease").trim(),
    osImage: osImage(read("/etc/os-release")),
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    addresses: options.nodeIP ? [options.nodeIP] : ownAddresses(read("/proc/net/route")),
  };
}

/** The file system that a directory is on, or will be on once it is made. */
function statDisk(directory: string): ReturnType<typeof statfsSync> {
  for (let path = directory;; path = dirname(path)) {
    try {
      return statfsSync(path);
    } catch (error) {
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!missing || path === dirname(path)) throw error;
    }
  }
}

export const countCpus = (stat: string): number => Math.max(1, stat.match(/^cpu\d+ /gm)?.length ?? 0);

/** `PRETTY_NAME` of os-release. */
export function osImage(release: string): string {
  const line = /^PRETTY_NAME=(.*)$/m.exec(release)?.[1] ?? "";
  return line.replace(/^(["'])(.*)\1$/, "$2") || "Linux";
}

function hugePages(root: string): Record<string, number> {
  const directory = `${root}/sys/kernel/mm/hugepages`;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    // A kernel without huge pages has no such directory.
    return {};
  }
  const pages: Record<string, number> = {};
  for (const name of names) {
    const kib = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
    if (kib === 0) continue;
    const size = kib % (1024 * 1024) === 0
      ? `${kib / 1024 / 1024}Gi`
      : kib % 1024 === 0
      ? `${kib / 1024}Mi`
      : `${kib}Ki`;
    pages[size] = Number(readOptional(`${directory}/${name}/nr_hugepages`).trim() || 0) * kib * 1024;
  }
  return pages;
}

/** Interface of the default route in the text of `/proc/net/route`: the one with the lowest metric. */
export function defaultInterface(routes: string): string | undefined {
  const found = routes.split("\n").slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, , flags, , , , mask]) =>
      destination === "00000000" && mask === "00000000" && (parseInt(flags ?? "0", 16) & 1) === 1
    )
    .sort((a, b) => Number(a[6]) - Number(b[6]))[0];
  return found?.[0];
}

function ownAddresses(routes: string): string[] {
  const byRoute = defaultInterface(routes);
  const all = Deno.networkInterfaces().filter(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.") && !address.startsWith("169.254.")
  );
  const chosen = all.find(({ name }) => name === byRoute) ??
    all.find(({ name }) => !/^(docker|br-|veth|cni|virbr)/.test(name)) ?? all[0];
  return [chosen?.address ?? "127.0.0.1"];
}
