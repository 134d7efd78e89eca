import type { Container, Pod, Volume } from "../../../common/api/core_v1.ts";
import { errorText } from "../../../common/errors/mod.ts";
import type { Clock, Logger } from "../../../common/module/mod.ts";
import type { KubeApi } from "../kube_api.ts";
import {
  type ContainerMounts,
  PodEnvironmentError,
  type PodVolumes,
  type VolumeTable,
} from "../pod_environment.ts";
import { parseQuantity } from "../../../common/api/quantity.ts";
import type { Mount } from "../runtime/types.ts";
import { untilAborted } from "../until_aborted.ts";
import { writeAtomically } from "./atomic_writer.ts";
import { prepareHostPath } from "./host_path.ts";
import { isFileSystem, type Mounter, type TmpfsOptions } from "./mounter.ts";
import { planMounts, type PlannedMount } from "./mounts.ts";
import { containerDir, isPodUid, PLUGIN, podDir, subPathDir, volumeDir } from "./paths.ts";
import { readableByGroup } from "./payload.ts";
import { type DownwardValues, payloadKind, readPayload } from "./sources.ts";
import { bindSubPath, isInside, resolveSubPath } from "./sub_path.ts";
import { makeTerminationFile, readTerminationFile } from "./termination.ts";
import { TokenCache } from "./tokens.ts";

/** What {@linkcode podVolumes} uses. */
export interface VolumesComponents {
  api: Pick<KubeApi, "getConfigMap" | "getSecret" | "createToken">;
  downward: DownwardValues;
  /** Absent where this process may not mount: volumes in memory are then directories on disk. */
  mounter?: Mounter;
  clock: Clock;
  log: Logger;
}

export interface VolumesOptions {
  /** The kubelet's root directory; absolute. */
  rootDirectory: string;
}

interface Done {
  path: string;
  renewAt?: number;
}

/** The volumes of pods below the kubelet's root directory. */
export function podVolumes(components: VolumesComponents, { rootDirectory }: VolumesOptions): PodVolumes {
  if (!rootDirectory.startsWith("/")) {
    throw new TypeError(`Cannot keep volumes in ${JSON.stringify(rootDirectory)}: the path must be absolute`);
  }
  const root = rootDirectory.replace(/\/+$/, "");
  const { clock, log, mounter } = components;
  const tokens = new TokenCache(components.api, clock, log);
  const sources = { ...components, tokens };
  let warned = false;

  const uidOf = (pod: Pod) => pod.metadata?.uid ?? "";

  const warnOnDisk = (volume: string, err?: string) => {
    if (!warned) {
      log.warning("Volumes in memory are kept on disk: this process may not mount", { volume, err });
    }
    warned = true;
  };

  const inMemory = async (dir: string, options: TmpfsOptions, volume: string) => {
    if (mounter === undefined) return warnOnDisk(volume);
    if (await isFileSystem(dir)) return;
    try {
      await mounter.mountTmpfs(dir, options);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      warnOnDisk(volume, errorText(error));
    }
  };

  const writePayload = async (pod: Pod, volume: Volume, signal: AbortSignal | undefined): Promise<Done> => {
    const kind = payloadKind(volume)!;
    const dir = volumeDir(root, uidOf(pod), kind, volume.name);
    const { files, renewAt } = await untilAborted(readPayload(pod, volume, sources), signal);
    const gid = pod.spec?.securityContext?.fsGroup;
    await Deno.mkdir(dir, { recursive: true, mode: 0o755 });
    // What came from a Secret or is a token does not go to disk.
    if (kind === "secret" || kind === "projected") {
      await inMemory(dir, { sizeBytes: 0, mode: 0o755 }, volume.name);
    }
    await writeAtomically(dir, gid === undefined ? files : readableByGroup(files), {
      now: clock.now(),
      ...(gid === undefined ? {} : { gid }),
    });
    return renewAt === undefined ? { path: dir } : { path: dir, renewAt };
  };

  const makeEmptyDir = async (pod: Pod, volume: Volume): Promise<Done> => {
    const { medium = "", sizeLimit } = volume.emptyDir ?? {};
    if (medium !== "" && medium !== "Memory") {
      throw new PodEnvironmentError(
        "invalid",
        `unknown storage medium ${JSON.stringify(medium)}: use "" or Memory`,
      );
    }
    const gid = pod.spec?.securityContext?.fsGroup;
    const mode = gid === undefined ? 0o777 : 0o2777;
    const dir = volumeDir(root, uidOf(pod), "emptyDir", volume.name);
    await makeOwned(dir, mode, gid);
    if (medium === "Memory") {
      await inMemory(dir, { sizeBytes: memorySize(pod, sizeLimit), mode, gid }, volume.name);
    }
    return { path: dir };
  };

  const setUpOne = async (pod: Pod, volume: Volume, signal: AbortSignal | undefined): Promise<Done> => {
    if (payloadKind(volume) !== undefined) return await writePayload(pod, volume, signal);
    if (volume.hostPath !== undefined) {
      return { path: await prepareHostPath(volume.hostPath.path, volume.hostPath.type ?? "") };
    }
    const kind = Object.keys(volume).find((key) => key !== "name");
    // A volume that names no source is an emptyDir.
    if (volume.emptyDir !== undefined || kind === undefined) return await makeEmptyDir(pod, volume);
    throw new PodEnvironmentError(
      "invalid",
      `volume type ${kind} is not supported at this edge: use configMap, secret, emptyDir, hostPath, downwardAPI or projected`,
    );
  };

  const setUpAll = async (pod: Pod, volumes: readonly Volume[], signal: AbortSignal | undefined) => {
    signal?.throwIfAborted();
    podDir(root, uidOf(pod));
    const results = await Promise.allSettled(volumes.map((volume) => setUpOne(pod, volume, signal)));
    signal?.throwIfAborted();
    return results.map((result, i): [string, Done] => {
      const name = volumes[i]!.name;
      if (result.status === "fulfilled") return [name, result.value];
      throw wrapped(`MountVolume.SetUp failed for volume "${name}" : `, result.reason);
    });
  };

  const setUp = async (pod: Pod, { signal }: { signal?: AbortSignal } = {}): Promise<VolumeTable> => {
    await Deno.mkdir(`${podDir(root, uidOf(pod))}/volumes`, { recursive: true, mode: 0o750 });
    const done = await setUpAll(pod, pod.spec?.volumes ?? [], signal);
    return new Map(done.map(([name, { path }]) => [name, path]));
  };

  const refresh = async (
    pod: Pod,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<number | undefined> => {
    const volumes = (pod.spec?.volumes ?? []).filter((volume) => payloadKind(volume) !== undefined);
    const done = await setUpAll(pod, volumes, signal);
    const next = Math.min(...done.map(([, { renewAt = Infinity }]) => renewAt));
    return next === Infinity ? undefined : Math.max(0, next - clock.now());
  };

  const locate = async (pod: Pod, container: Container, planned: PlannedMount): Promise<Mount> => {
    const { volume, index, subPath, ...mount } = planned;
    if (subPath === "") return mount;
    try {
      const source = await resolveSubPath(mount.hostPath, subPath);
      if (mounter === undefined) return { ...mount, hostPath: source };
      const target = subPathDir(root, uidOf(pod), volume, container.name, index);
      try {
        await bindSubPath(mounter, source, target);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        return { ...mount, hostPath: source };
      }
      return { ...mount, hostPath: target };
    } catch (error) {
      throw wrapped(
        `failed to prepare subPath for volumeMount "${volume}" of container "${container.name}": `,
        error,
      );
    }
  };

  const containerMounts: PodVolumes["containerMounts"] = async (
    pod,
    container,
    { volumes, attempt, env },
  ): Promise<ContainerMounts> => {
    const mounts: Mount[] = [];
    for (const planned of planMounts(pod, container, volumes, env)) {
      mounts.push(await locate(pod, container, planned));
    }
    const messagePath = container.terminationMessagePath || "/dev/termination-log";
    const dir = containerDir(root, uidOf(pod), container.name);
    mounts.push({
      hostPath: await makeTerminationFile(dir, attempt),
      containerPath: messagePath.startsWith("/") ? messagePath : `/${messagePath}`,
      readOnly: false,
      propagation: "private",
    });
    return { mounts };
  };

  const tearDown = async (podUid: string): Promise<void> => {
    const dir = podDir(root, podUid);
    tokens.forget(podUid);
    try {
      await removePodDir(dir, mounter);
    } catch (error) {
      throw wrapped(`Cannot remove the directory of pod ${podUid}: `, error);
    }
  };

  return {
    setUp,
    refresh,
    containerMounts,
    tearDown,
    terminationMessage: (podUid, name, attempt) =>
      readTerminationFile(containerDir(root, podUid, name), attempt),
    listPodUids: async () => {
      const uids: string[] = [];
      try {
        for await (const { name, isDirectory } of Deno.readDir(`${root}/pods`)) {
          if (isDirectory && isPodUid(name)) uids.push(name);
        }
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      return uids;
    },
  };
}

/** Makes a directory with these bits and this group unless it is there: complete, or not at all. */
async function makeOwned(dir: string, mode: number, gid: number | undefined): Promise<void> {
  if (await isDirectory(dir)) return;
  // No volume has a dot in its name.
  const unfinished = `${dir}.new`;
  await Deno.mkdir(dir.slice(0, dir.lastIndexOf("/")), { recursive: true, mode: 0o750 });
  if (!await isDirectory(unfinished)) await Deno.mkdir(unfinished);
  if (gid !== undefined) await Deno.chown(unfinished, null, gid);
  await Deno.chmod(unfinished, mode);
  await Deno.rename(unfinished, dir);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.lstat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Bytes of a volume in memory: its limit, or the memory of its pod where that is less; 0 for no bound.
 * Upstream: k8s.io/kubernetes pkg/volume/emptydir/empty_dir.go (calculateEmptyDirMemorySize) @ v1.32
 */
export function memorySize(pod: Pod, sizeLimit: unknown): number {
  const limits = (pod.spec?.containers ?? []).map((c) =>
    parseQuantity(c.resources?.limits?.["memory"] ?? "0") ?? 0
  );
  const podLimit = limits.every((limit) => limit > 0) ? limits.reduce((sum, limit) => sum + limit, 0) : 0;
  const own = sizeLimit === undefined ? 0 : parseQuantity(sizeLimit);
  if (own === undefined || own < 0) {
    throw new PodEnvironmentError("invalid", `Invalid sizeLimit ${JSON.stringify(sizeLimit)}`);
  }
  const bounds = [own, podLimit].filter((bytes) => bytes > 0);
  return bounds.length === 0 ? 0 : Math.floor(Math.min(...bounds));
}

/** Unmounts everything below, the deepest first, then removes. What is still mounted is never walked into. */
async function removePodDir(dir: string, mounter: Mounter | undefined): Promise<void> {
  let real: string;
  try {
    real = await Deno.realPath(dir);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (mounter !== undefined) {
    const below = async () =>
      (await mounter.list()).map((mount) => mount.target).filter((target) => isInside(real, target));
    for (const target of (await below()).reverse().sort((a, b) => b.length - a.length)) {
      await mounter.unmount(target);
    }
    const left = await below();
    if (left.length > 0) throw new PodEnvironmentError("failed", `${left[0]} is still mounted`);
  } else if (await mayHoldMounts(real)) {
    throw new PodEnvironmentError(
      "failed",
      "something may be mounted in it, which this process may not unmount",
    );
  }
  await Deno.remove(real, { recursive: true });
}

/** Whether an earlier run of this program, with more rights, may have left mounts in a pod's directory. */
async function mayHoldMounts(dir: string): Promise<boolean> {
  const top = await Deno.lstat(dir);
  for (const part of ["volume-subpaths", ...Object.values(PLUGIN).map((plugin) => `volumes/${plugin}`)]) {
    try {
      if (part === "volume-subpaths" && (await Deno.lstat(`${dir}/${part}`)).isDirectory) return true;
      for await (const { name } of Deno.readDir(`${dir}/${part}`)) {
        if ((await Deno.lstat(`${dir}/${part}/${name}`)).dev !== top.dev) return true;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return false;
}

/** Root without the right to mount, as in many containers. */
function isRefusal(error: unknown): boolean {
  return /permission denied|operation not permitted|must be superuser/i.test(errorText(error));
}

function wrapped(prefix: string, error: unknown): Error {
  if (error instanceof PodEnvironmentError) {
    return new PodEnvironmentError(error.kind, prefix + error.message, { cause: error });
  }
  return new PodEnvironmentError("failed", prefix + errorText(error), { cause: error });
}
