/**
 * The volumes of pods on this node's disk: content from ConfigMaps, Secrets, tokens and the pod's own fields, written so that
 * readers see all of a change or nothing of it; empty directories; paths of the node; mounts of containers.
 *
 * Takes: a pod; ConfigMaps, Secrets and tokens from the API.
 * Gives: host paths of volumes, mounts of containers, termination messages.
 * Upstream: k8s.io/kubernetes pkg/volume/{configmap,secret,emptydir,hostpath,downwardapi,projected}, pkg/volume/util/atomic_writer.go,
 * pkg/kubelet/kubelet_pods.go (makeMounts) @ v1.32
 * @module
 */
export { podVolumes } from "./volumes.ts";
export type { VolumesComponents, VolumesOptions } from "./volumes.ts";
export { systemMounter } from "./mounter.ts";
export type { Mounter } from "./mounter.ts";
export type { DownwardValues } from "./sources.ts";
