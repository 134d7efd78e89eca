import { DISK_PROGRAM, FACT_FILES, READ_PROGRAM } from "./permissions.ts";

/** What is known of the machine. */
export interface NodeFacts {
  cpus: number;
  memoryBytes: number;
  memoryAvailableBytes: number;
  disk: { totalBytes: number; availableBytes: number; inodes: number; freeInodes: number };
  /** Page size as Kubernetes writes it ("2Mi") to the bytes set aside. */
  hugePages: Record<string, number>;
  machineID: string;
  systemUUID: string;
  bootID: string;
  kernelVersion: string;
  osImage: string;
  architecture: string;
  addresses: string[];
}

/** What of the machine is to be looked at. */
export interface FactsOptions {
  /** Directory whose file system holds pods and images. */
  rootDirectory: string;
  /** Address to show; empty: that of the interface of the default route. */
  nodeIP: string;
}

const PAGE_SIZES = ["64kB", "2048kB", "32768kB", "1048576kB"].map((size) =>
  `/sys/kernel/mm/hugepages/hugepages-${size}/nr_hugepages`
);

const KERNEL_FILES = [
  "/proc/net/route",
  "/proc/sys/kernel/random/boot_id",
  "/sys/class/dmi/id/product_uuid",
  ...PAGE_SIZES,
];

/** The texts of files by path; those that are not there are left out. */
export type ReadKernelFiles = (paths: readonly string[]) => Promise<ReadonlyMap<string, string>>;

/** Reads files of the kernel by way of {@linkcode READ_PROGRAM}: one line of output for each line of a file. */
export const readKernelFiles: ReadKernelFiles = async (paths) => {
  const { stdout } = await new Deno.Command(READ_PROGRAM, {
    args: ["-sH", "", "--", ...paths],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return parseGrep(new TextDecoder().decode(stdout), paths);
};

/** Takes apart lines of the form `path:line`. */
export function parseGrep(output: string, paths: readonly string[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const line of output.split("\n")) {
    const path = paths.find((path) => line.startsWith(`${path}:`));
    if (path !== undefined) texts.set(path, `${texts.get(path) ?? ""}${line.slice(path.length + 1)}\n`);
  }
  return texts;
}

/** Reads the facts, those that change again with each call of the result. Upstream: google/cadvisor machine/*.go */
export async function nodeFacts(
  options: FactsOptions,
  readKernel: ReadKernelFiles = readKernelFiles,
): Promise<() => Promise<NodeFacts>> {
  const kernel = await readKernel(KERNEL_FILES);
  const [machineID = "", release = ""] = await Promise.all(FACT_FILES.map(readOptional));
  const line = (path: string) => kernel.get(path)?.trim() ?? "";
  const fixed = {
    cpus: Math.max(1, navigator.hardwareConcurrency),
    hugePages: hugePages(kernel),
    machineID: machineID.trim(),
    systemUUID: line("/sys/class/dmi/id/product_uuid") || machineID.trim(),
    bootID: line("/proc/sys/kernel/random/boot_id"),
    kernelVersion: Deno.osRelease(),
    osImage: osImage(release),
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
  };
  const route = defaultInterface(kernel.get("/proc/net/route") ?? "");
  return async () => {
    const memory = Deno.systemMemoryInfo();
    const disk = await statDisk(options.rootDirectory);
    return {
      ...fixed,
      memoryBytes: memory.total,
      memoryAvailableBytes: memory.available,
      disk: {
        totalBytes: disk.blocks * disk.bsize,
        availableBytes: disk.bavail * disk.bsize,
        inodes: disk.files,
        freeInodes: disk.ffree,
      },
      addresses: [options.nodeIP || ownAddress(Deno.networkInterfaces(), route)],
    };
  };
}

/** A file's text; empty when the machine has no such file, which differs from machine to machine. */
async function readOptional(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return "";
    throw error;
  }
}

interface DiskFigures {
  bsize: number;
  blocks: number;
  bavail: number;
  files: number;
  ffree: number;
}

/** The directory or, where it is still to be made, the nearest one above it that is there. */
async function existing(directory: string): Promise<string> {
  for (let path = directory;; path = path.slice(0, path.lastIndexOf("/")) || "/") {
    try {
      await Deno.lstat(path);
      return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || path === "/" || !path.startsWith("/")) throw error;
    }
  }
}

/** The file system that a directory is on, or will be on once it is made. */
async function statDisk(directory: string): Promise<DiskFigures> {
  const path = await existing(directory);
  const { state } = await Deno.permissions.query({ name: "run", command: DISK_PROGRAM });
  if (state === "granted") {
    const args = ["-f", "-c", "%S %b %a %c %d", "--", path];
    const { success, stdout } = await new Deno.Command(DISK_PROGRAM, { args, stdin: "null", stderr: "null" })
      .output();
    const figures = success ? parseDiskFigures(new TextDecoder().decode(stdout)) : undefined;
    if (figures !== undefined) return figures;
  }
  const { statfsSync } = await import("node:fs");
  return statfsSync(path, { bigint: false }) as DiskFigures;
}

/** Reads `<block size> <blocks> <available blocks> <inodes> <free inodes>`; undefined when it is something else. */
export function parseDiskFigures(text: string): DiskFigures | undefined {
  const numbers = text.trim().split(" ").map((word) => /^\d+$/.test(word) ? Number(word) : NaN);
  if (numbers.length !== 5 || numbers.some(Number.isNaN)) return undefined;
  const [bsize, blocks, bavail, files, ffree] = numbers as [number, number, number, number, number];
  return { bsize, blocks, bavail, files, ffree };
}

/** `PRETTY_NAME` of os-release. */
export function osImage(release: string): string {
  const line = /^PRETTY_NAME=(.*)$/m.exec(release)?.[1] ?? "";
  return line.replace(/^(["'])(.*)\1$/, "$2") || "Linux";
}

function hugePages(kernel: ReadonlyMap<string, string>): Record<string, number> {
  const pages: Record<string, number> = {};
  for (const path of PAGE_SIZES) {
    const count = kernel.get(path);
    const kib = Number(/hugepages-(\d+)kB/.exec(path)![1]);
    if (count === undefined) continue;
    const mib = kib / 1024;
    const size = mib >= 1024 ? `${mib / 1024}Gi` : mib >= 1 ? `${mib}Mi` : `${kib}Ki`;
    pages[size] = Number(count.trim() || 0) * kib * 1024;
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

/** The address others reach this machine under: the default route's interface, else the first that is no bridge. */
export function ownAddress(
  interfaces: ReadonlyArray<Pick<Deno.NetworkInterfaceInfo, "name" | "family" | "address">>,
  route: string | undefined,
): string {
  const all = interfaces.filter(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.") && !address.startsWith("169.254.")
  );
  const chosen = all.find(({ name }) => name === route) ??
    all.find(({ name }) => !/^(docker|br-|veth|cni|virbr)/.test(name)) ?? all[0];
  return chosen?.address ?? "127.0.0.1";
}
