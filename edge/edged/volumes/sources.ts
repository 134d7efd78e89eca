import type { Pod, Volume } from "../../../common/api/core_v1.ts";
import { errorText, isNotFound } from "../../../common/errors/mod.ts";
import type { KubeApi } from "../kube_api.ts";
import { PodEnvironmentError } from "../pod_environment.ts";
import { cleanRelativePath, type PluginKind } from "./paths.ts";
import {
  checkMode,
  configMapData,
  DEFAULT_MODE,
  type KeyToPath,
  type Payload,
  type PayloadFile,
  planPayload,
  secretData,
} from "./payload.ts";
import { DEFAULT_EXPIRATION_SECONDS, type TokenCache } from "./tokens.ts";

/** Values of a pod's own fields and resources for its volumes. */
export interface DownwardValues {
  /** @throws {PodEnvironmentError} invalid */
  field(pod: Pod, fieldPath: string): string;
  /** @throws {PodEnvironmentError} invalid */
  resource(pod: Pod, selector: { containerName?: string; resource: string; divisor?: string }): string;
}

/** What the content of volumes is read from. */
export interface PayloadSources {
  api: Pick<KubeApi, "getConfigMap" | "getSecret">;
  tokens: TokenCache;
  downward: DownwardValues;
}

/** What a volume is to show now. */
export interface ReadPayload {
  files: Map<string, PayloadFile>;
  /** Unix milliseconds; when a token in it wants to be replaced. */
  renewAt?: number;
}

/** The part of a volume that the sources of a projected one also have. */
interface ObjectSource {
  name?: string;
  secretName?: string;
  items?: KeyToPath[];
  optional?: boolean;
}

interface DownwardItem {
  path: string;
  fieldRef?: { fieldPath: string };
  resourceFieldRef?: { containerName?: string; resource: string; divisor?: string };
  mode?: number;
}

/** The kind of a volume whose content comes from the API; undefined for all others. */
export function payloadKind(volume: Volume): Exclude<PluginKind, "emptyDir"> | undefined {
  return (["configMap", "secret", "downwardAPI", "projected"] as const).find((kind) =>
    volume[kind] !== undefined
  );
}

/**
 * Reads what a volume is to show.
 * @throws {PodEnvironmentError} in the kubelet's words, without the volume's name
 */
export async function readPayload(pod: Pod, volume: Volume, sources: PayloadSources): Promise<ReadPayload> {
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    const mode = checkMode(configMap.defaultMode ?? DEFAULT_MODE);
    return { files: await configMapFiles(pod, configMap, mode, sources) };
  }
  if (secret !== undefined) {
    const mode = checkMode(secret.defaultMode ?? DEFAULT_MODE);
    return { files: await secretFiles(pod, secret, mode, sources) };
  }
  if (downwardAPI !== undefined) {
    const mode = checkMode(downwardAPI.defaultMode ?? DEFAULT_MODE);
    return { files: downwardFiles(pod, downwardAPI.items ?? [], mode, sources) };
  }
  const mode = checkMode(projected?.defaultMode ?? DEFAULT_MODE);
  const files = new Map<string, PayloadFile>();
  let renewAt: number | undefined;
  for (const source of projected?.sources ?? []) {
    let part: Payload;
    if (source.configMap !== undefined) part = await configMapFiles(pod, source.configMap, mode, sources);
    else if (source.secret !== undefined) part = await secretFiles(pod, source.secret, mode, sources);
    else if (source.downwardAPI !== undefined) {
      part = downwardFiles(pod, source.downwardAPI.items ?? [], mode, sources);
    } else if (source.serviceAccountToken !== undefined) {
      const { path, audience = "", expirationSeconds = DEFAULT_EXPIRATION_SECONDS } =
        source.serviceAccountToken;
      const held = await sources.tokens.get({
        namespace: pod.metadata?.namespace ?? "",
        serviceAccount: pod.spec?.serviceAccountName || "default",
        pod: { name: pod.metadata?.name ?? "", uid: pod.metadata?.uid ?? "" },
        audience,
        expirationSeconds,
      });
      renewAt = Math.min(renewAt ?? Infinity, held.renewAt);
      // Only the pod's group may read it, where it has one.
      const tokenMode = pod.spec?.securityContext?.fsGroup === undefined ? mode : 0o600;
      part = new Map([[cleanRelativePath(path), {
        data: new TextEncoder().encode(held.token),
        mode: tokenMode,
      }]]);
    } else {
      throw new PodEnvironmentError(
        "invalid",
        `unsupported source ${
          JSON.stringify(Object.keys(source)[0] ?? "")
        } of a projected volume: use configMap, secret, downwardAPI or serviceAccountToken`,
      );
    }
    for (const [path, file] of part) files.set(path, file);
  }
  return renewAt === undefined ? { files } : { files, renewAt };
}

async function configMapFiles(
  pod: Pod,
  { name = "", items, optional = false }: ObjectSource,
  defaultMode: number,
  { api }: PayloadSources,
): Promise<Map<string, PayloadFile>> {
  const namespace = pod.metadata?.namespace ?? "";
  const object = await read("configmap", name, optional, () => api.getConfigMap(namespace, name));
  const data = object === undefined ? new Map<string, Uint8Array>() : configMapData(object);
  return planPayload("config", data, items, { defaultMode, optional });
}

async function secretFiles(
  pod: Pod,
  { name = "", secretName = name, items, optional = false }: ObjectSource,
  defaultMode: number,
  { api }: PayloadSources,
): Promise<Map<string, PayloadFile>> {
  const namespace = pod.metadata?.namespace ?? "";
  const object = await read("secret", secretName, optional, () => api.getSecret(namespace, secretName));
  const data = object === undefined ? new Map<string, Uint8Array>() : secretData(object);
  return planPayload("secret", data, items, { defaultMode, optional });
}

async function read<T>(
  kind: string,
  name: string,
  optional: boolean,
  get: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (!isNotFound(error)) {
      throw new PodEnvironmentError("failed", `couldn't get ${kind} "${name}": ${errorText(error)}`, {
        cause: error,
      });
    }
    if (optional) return undefined;
    throw new PodEnvironmentError("missing", `${kind} "${name}" not found`, { cause: error });
  }
}

function downwardFiles(
  pod: Pod,
  items: readonly DownwardItem[],
  defaultMode: number,
  { downward }: PayloadSources,
): Map<string, PayloadFile> {
  return new Map(items.map(({ path, fieldRef, resourceFieldRef, mode = defaultMode }) => {
    const value = fieldRef !== undefined
      ? downward.field(pod, fieldRef.fieldPath)
      : resourceFieldRef !== undefined
      ? downward.resource(pod, resourceFieldRef)
      : "";
    return [cleanRelativePath(path), { data: new TextEncoder().encode(value), mode: checkMode(mode) }];
  }));
}
