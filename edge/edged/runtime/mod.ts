/**
 * Container engines behind one interface, in the words of CRI.
 *
 * Takes: calls of edged (sandboxes, containers, images, commands inside, output).
 * Gives: their results, and a stream of events that says which pod to look at again.
 * Upstream: k8s.io/cri-api pkg/apis/runtime/v1/api.proto @ v0.32; names and labels as in
 * k8s.io/kubernetes pkg/kubelet/kuberuntime/labels.go @ v1.32 and cri-dockerd core/naming.go
 * @module
 */
export { dockerRuntime } from "./docker.ts";
export type { DockerComponents, DockerOptions } from "./docker.ts";
export { ProcessTimeoutError, systemProcesses } from "./processes.ts";
export type { ProcessCall, ProcessChunk, Processes, ProcessOutcome, ProcessStream } from "./processes.ts";
export { RuntimeError } from "./types.ts";
export type {
  CallOptions,
  Container,
  ContainerConfig,
  ContainerRuntime,
  ContainerRuntimeStatus,
  ContainerSecurity,
  ExecResult,
  ImageAuth,
  ImageInfo,
  LinuxResources,
  Mount,
  PodIdentity,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStatus,
  PortMapping,
  RuntimeEvent,
  RuntimeVersion,
} from "./types.ts";
