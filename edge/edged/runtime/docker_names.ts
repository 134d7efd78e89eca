import { type PodIdentity, RuntimeError } from "./types.ts";

/**
 * Names and labels as the kubelet and cri-dockerd give them.
 * Upstream: k8s.io/kubernetes pkg/kubelet/types/labels.go @ v1.32; cri-dockerd core/naming.go, core/helpers.go @ v0.3
 */
export const Label = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
  type: "io.kubernetes.docker.type",
  sandboxId: "io.kubernetes.sandbox.id",
  /** Ours: which edgecore made it, so that several, or a kubelet, can share one engine. */
  nodeName: "io.kubeedge.node.name",
} as const;

/** Labels with this before their name hold annotations. */
export const ANNOTATION_PREFIX = "annotation.";

/** Name of the pause container in container names. */
const SANDBOX_NAME = "POD";

/** Labels that are for this program alone and are not shown. */
const INTERNAL: ReadonlySet<string> = new Set([Label.type, Label.sandboxId, Label.nodeName]);

const NAME_PART = /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/;

/**
 * `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`.
 * @throws {RuntimeError} invalid, for a part that such a name cannot hold
 */
export function printContainerName(pod: PodIdentity, container: string, attempt: number): string {
  for (const part of [container, pod.name, pod.namespace, pod.uid]) {
    if (!NAME_PART.test(part)) {
      throw new RuntimeError(
        "invalid",
        `Cannot name a container after ${JSON.stringify(part.slice(0, 80))}: ` +
          "only letters, digits, '-' and '.' are allowed",
      );
    }
  }
  if (!Number.isSafeInteger(attempt) || attempt < 0) {
    throw new RuntimeError("invalid", `Cannot name a container: attempt ${attempt} is not a count`);
  }
  return `k8s_${container}_${pod.name}_${pod.namespace}_${pod.uid}_${attempt}`;
}

/** The name of a pod's pause container. @throws as {@linkcode printContainerName} does */
export function printSandboxName(pod: PodIdentity, attempt: number): string {
  return printContainerName(pod, SANDBOX_NAME, attempt);
}

/** The attempt in a name that {@linkcode printContainerName} made, with or without docker's leading slash; 0 in others. */
export function parseAttempt(name: string): number {
  const parts = name.replace(/^\//, "").split("_");
  const attempt = parts[0] === "k8s" && parts.length >= 6 ? Number(parts[5]) : 0;
  return Number.isSafeInteger(attempt) && attempt >= 0 ? attempt : 0;
}

/** The labels that say whose a sandbox or container is. */
export function identityLabels(pod: PodIdentity, container?: string): Record<string, string> {
  return {
    [Label.podName]: pod.name,
    [Label.podNamespace]: pod.namespace,
    [Label.podUid]: pod.uid,
    ...(container === undefined ? {} : { [Label.containerName]: container }),
  };
}

/** All labels of a pause container (no `sandboxId`) or of a container, annotations included. */
export function engineLabels(
  config: {
    pod: PodIdentity;
    labels: Record<string, string>;
    annotations: Record<string, string>;
    name?: string;
  },
  nodeName: string,
  sandboxId?: string,
): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [key, value] of Object.entries(config.annotations)) labels[ANNOTATION_PREFIX + key] = value;
  // Whose it is comes last, so that a pod's own labels cannot pass it off as another's.
  return {
    ...labels,
    ...config.labels,
    ...identityLabels(config.pod, sandboxId === undefined ? SANDBOX_NAME : config.name),
    [Label.type]: sandboxId === undefined ? "podsandbox" : "container",
    ...(sandboxId === undefined ? {} : { [Label.sandboxId]: sandboxId }),
    [Label.nodeName]: nodeName,
  };
}

/** Labels and annotations out of an engine's labels. */
export function splitLabels(
  all: Readonly<Record<string, string>>,
): { labels: Record<string, string>; annotations: Record<string, string> } {
  const labels: Record<string, string> = {};
  const annotations: Record<string, string> = {};
  for (const [key, value] of Object.entries(all)) {
    if (key.startsWith(ANNOTATION_PREFIX)) annotations[key.slice(ANNOTATION_PREFIX.length)] = value;
    else if (!INTERNAL.has(key)) labels[key] = value;
  }
  return { labels, annotations };
}

/** Whose it is, or undefined when the labels do not say. */
export function parseIdentity(labels: Readonly<Record<string, string>>): PodIdentity | undefined {
  const namespace = labels[Label.podNamespace];
  const name = labels[Label.podName];
  const uid = labels[Label.podUid];
  return namespace && name && uid ? { namespace, name, uid } : undefined;
}
