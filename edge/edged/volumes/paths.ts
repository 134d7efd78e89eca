import { PodEnvironmentError } from "../pod_environment.ts";

/** Directory of a volume's kind, as the kubelet names them. Upstream: k8s.io/kubernetes pkg/volume/* (plugin names) @ v1.32 */
export const PLUGIN = {
  configMap: "kubernetes.io~configmap",
  secret: "kubernetes.io~secret",
  emptyDir: "kubernetes.io~empty-dir",
  downwardAPI: "kubernetes.io~downward-api",
  projected: "kubernetes.io~projected",
} as const;

/** A kind of volume that has a directory of its own. */
export type PluginKind = keyof typeof PLUGIN;

const UID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;
const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Whether a text can be a pod's uid and the name of its directory. */
export const isPodUid = (text: string): boolean => UID.test(text);

/** Directory of everything of a pod. @throws {PodEnvironmentError} invalid, for a uid that is not fit for a path */
export function podDir(rootDirectory: string, uid: string): string {
  if (!isPodUid(uid)) {
    throw new PodEnvironmentError(
      "invalid",
      `Pod uid ${JSON.stringify(uid.slice(0, 80))} is not fit for a path`,
    );
  }
  return `${rootDirectory}/pods/${uid}`;
}

/** Directory of a volume. @throws {PodEnvironmentError} invalid */
export function volumeDir(rootDirectory: string, uid: string, kind: PluginKind, name: string): string {
  return `${podDir(rootDirectory, uid)}/volumes/${PLUGIN[kind]}/${checkName("volume", name)}`;
}

/** Directory of a container's own files. @throws {PodEnvironmentError} invalid */
export function containerDir(rootDirectory: string, uid: string, container: string): string {
  return `${podDir(rootDirectory, uid)}/containers/${checkName("container", container)}`;
}

/** Where a part of a volume is bound for one mount of a container. @throws {PodEnvironmentError} invalid */
export function subPathDir(
  rootDirectory: string,
  uid: string,
  volume: string,
  container: string,
  index: number,
) {
  const pod = podDir(rootDirectory, uid);
  return `${pod}/volume-subpaths/${checkName("volume", volume)}/${
    checkName("container", container)
  }/${index}`;
}

function checkName(what: string, name: string): string {
  if (NAME.test(name)) return name;
  throw new PodEnvironmentError(
    "invalid",
    `Name ${JSON.stringify(name.slice(0, 80))} of a ${what} is not fit for a path: ` +
      "only lower-case letters, digits and '-', at most 63",
  );
}

const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;

/**
 * A relative path inside a volume without empty and "." parts; throws for what could leave the volume or hide in it.
 * Upstream: k8s.io/kubernetes pkg/volume/util/atomic_writer.go (validatePath) @ v1.32
 * @throws {PodEnvironmentError} invalid
 */
export function cleanRelativePath(path: string): string {
  const refuse = (why: string): never => {
    throw new PodEnvironmentError("invalid", `invalid path ${JSON.stringify(path.slice(0, 120))}: ${why}`);
  };
  const bytes = (text: string) => new TextEncoder().encode(text).length;
  if (path.startsWith("/")) refuse("must be relative path");
  if (path.includes("\0")) refuse("must not contain a zero byte");
  if (bytes(path) > MAX_PATH_BYTES) refuse(`must be less than or equal to ${MAX_PATH_BYTES} characters`);
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0) refuse("must not be empty");
  if (parts.includes("..")) refuse("must not contain '..'");
  if (parts[0]?.startsWith("..")) refuse("must not start with '..'");
  if (parts.some((part) => bytes(part) > MAX_NAME_BYTES)) {
    refuse(`a name must be less than or equal to ${MAX_NAME_BYTES} characters`);
  }
  return parts.join("/");
}
