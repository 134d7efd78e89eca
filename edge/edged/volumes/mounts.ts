import type { Container, Pod, VolumeMount } from "../../../common/api/core_v1.ts";
import { expandVariables } from "../expand.ts";
import { PodEnvironmentError, type VolumeTable } from "../pod_environment.ts";
import type { Mount } from "../runtime/types.ts";
import { payloadKind } from "./sources.ts";

/** A mount of a container before its `subPath` is looked up. */
export interface PlannedMount extends Mount {
  volume: string;
  /** Place among the container's mounts. */
  index: number;
  /** Empty for the whole volume. */
  subPath: string;
}

const PROPAGATION: Readonly<Record<string, Mount["propagation"]>> = {
  "": "private",
  None: "private",
  HostToContainer: "hostToContainer",
  Bidirectional: "bidirectional",
};

/**
 * The mounts of a container as its spec has them. Volumes with content from the API are always read-only.
 * Upstream: k8s.io/kubernetes pkg/kubelet/kubelet_pods.go (makeMounts) @ v1.32
 * @throws {PodEnvironmentError} invalid
 */
export function planMounts(
  pod: Pod,
  container: Container,
  volumes: VolumeTable,
  env: ReadonlyArray<{ name: string; value: string }>,
): PlannedMount[] {
  const values = new Map(env.map(({ name, value }) => [name, value]));
  return (container.volumeMounts ?? []).map((mount, index) => {
    const hostPath = volumes.get(mount.name);
    if (hostPath === undefined) {
      throw new PodEnvironmentError(
        "invalid",
        `cannot find volume "${mount.name}" to mount into container "${container.name}"`,
      );
    }
    const propagation = PROPAGATION[mount.mountPropagation ?? ""];
    if (propagation === undefined) {
      throw new PodEnvironmentError(
        "invalid",
        `invalid mountPropagation mode: ${JSON.stringify(mount.mountPropagation)}`,
      );
    }
    const volume = pod.spec?.volumes?.find((v) => v.name === mount.name);
    return {
      volume: mount.name,
      index,
      subPath: subPathOf(mount, values),
      hostPath,
      containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
      readOnly: mount.readOnly === true || (volume !== undefined && payloadKind(volume) !== undefined),
      propagation,
    };
  });
}

function subPathOf(mount: VolumeMount, values: ReadonlyMap<string, string>): string {
  const { subPath = "", subPathExpr = "" } = mount;
  if (subPathExpr === "") return subPath;
  if (subPath !== "") {
    throw new PodEnvironmentError("invalid", `volumeMount "${mount.name}" has both subPath and subPathExpr`);
  }
  return expandVariables(subPathExpr, (name) => {
    const value = values.get(name);
    if (value === undefined) {
      throw new PodEnvironmentError("invalid", `missing value for ${JSON.stringify(name)} in subPathExpr`);
    }
    return value;
  });
}
