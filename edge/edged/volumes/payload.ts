import type { ConfigMap, Secret } from "../../../common/api/core_v1.ts";
import { PodEnvironmentError } from "../pod_environment.ts";
import { cleanRelativePath } from "./paths.ts";

/** A file of a volume before it is written. */
export interface PayloadFile {
  data: Uint8Array;
  /** Permission bits. */
  mode: number;
}

/** What a volume shows: relative path to file. */
export type Payload = ReadonlyMap<string, PayloadFile>;

/** Keys to files, as in `items`. */
export interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}

/** Permission bits of files where the spec says nothing. Upstream: k8s.io/api core/v1 types.go (…DefaultMode) @ v1.32 */
export const DEFAULT_MODE = 0o644;

/** The data of a ConfigMap, text and binary. @throws {PodEnvironmentError} invalid, for what is not base64 */
export function configMapData({ data = {}, binaryData = {}, metadata }: ConfigMap): Map<string, Uint8Array> {
  const encoder = new TextEncoder();
  return new Map([
    ...Object.entries(data).map(([key, text]) => [key, encoder.encode(text)] as const),
    ...decode("configmap", metadata?.name, binaryData),
  ]);
}

/** The data of a Secret. @throws {PodEnvironmentError} invalid, for what is not base64 */
export function secretData({ data = {}, metadata }: Secret): Map<string, Uint8Array> {
  return new Map(decode("secret", metadata?.name, data));
}

function decode(
  kind: string,
  name: string | undefined,
  data: Readonly<Record<string, string>>,
): Array<readonly [string, Uint8Array]> {
  return Object.entries(data).map(([key, value]) => {
    try {
      return [key, Uint8Array.fromBase64(value)] as const;
    } catch (cause) {
      throw new PodEnvironmentError("invalid", `${kind} "${name ?? ""}": key ${key} is not base64`, {
        cause,
      });
    }
  });
}

/**
 * The files of a ConfigMap or Secret: all keys, or those that `items` name.
 * Upstream: k8s.io/kubernetes pkg/volume/configmap/configmap.go (MakePayload), pkg/volume/secret/secret.go @ v1.32
 * @throws {PodEnvironmentError} missing, for a key that is not there and not optional; invalid, for a path that leaves the volume
 */
export function planPayload(
  kind: "config" | "secret",
  data: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  options: { defaultMode: number; optional: boolean },
): Map<string, PayloadFile> {
  const files = new Map<string, PayloadFile>();
  if (items === undefined || items.length === 0) {
    for (const [key, bytes] of data) {
      files.set(cleanRelativePath(key), { data: bytes, mode: options.defaultMode });
    }
    return files;
  }
  for (const { key, path, mode = options.defaultMode } of items) {
    const bytes = data.get(key);
    if (bytes !== undefined) files.set(cleanRelativePath(path), { data: bytes, mode: checkMode(mode) });
    else if (!options.optional) {
      const text = kind === "config"
        ? `configmap references non-existent config key: ${key}`
        : `references non-existent secret key: ${key}`;
      throw new PodEnvironmentError("missing", text);
    }
  }
  return files;
}

/** Permission bits as the spec gives them. @throws {PodEnvironmentError} invalid, outside 0000–0777 */
export function checkMode(mode: number): number {
  if (Number.isInteger(mode) && mode >= 0 && mode <= 0o777) return mode;
  throw new PodEnvironmentError("invalid", `File mode ${mode} is not between 0000 and 0777 octal`);
}

/**
 * The payload as members of the pod's group may read it.
 * Upstream: k8s.io/kubernetes pkg/volume/volume_linux.go (SetVolumeOwnership, read-only mask) @ v1.32
 */
export function readableByGroup(payload: Payload): Map<string, PayloadFile> {
  return new Map([...payload].map(([path, { data, mode }]) => [path, { data, mode: mode | 0o440 }]));
}

/**
 * @throws {PodEnvironmentError} invalid, where one file would have to be the directory of another
 */
export function checkPayload(payload: Payload): void {
  for (const path of payload.keys()) {
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
      if (payload.has(path.slice(0, at))) {
        throw new PodEnvironmentError(
          "invalid",
          `Path "${path.slice(0, at)}" is both a file and a directory`,
        );
      }
    }
  }
}
