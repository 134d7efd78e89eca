import type { Container } from "../../common/api/core_v1.ts";
import { HASH_ANNOTATION, hashContainer } from "./container_hash.ts";
import { expandVariables } from "./expand.ts";
import type { CheckedPod, PodIdentity } from "./parse_pod.ts";
import { parseQuantity } from "../../common/api/quantity.ts";
import type {
  ContainerConfig,
  ContainerSecurity,
  ImageInfo,
  LinuxResources,
  Mount,
  PodSandboxConfig,
  PortMapping,
} from "./runtime/types.ts";

/** What the node gives to every pod. */
export interface NodeSettings {
  nodeName: string;
  /** Image of the pause container. */
  sandboxImage: string;
  clusterDNS: readonly string[];
  clusterDomain: string;
  cgroupParent: string;
  /** Memory of the machine, which the out-of-memory score is relative to. */
  memoryBytes: number;
}

/** Grace period of the pod, kept beside its containers for when the pod itself is forgotten. */
export const GRACE_ANNOTATION = "io.kubernetes.pod.terminationGracePeriod";

export const identityOf = ({ metadata: { namespace, name, uid } }: CheckedPod): PodIdentity => ({
  namespace,
  name,
  uid,
});

const identityLabels = (pod: CheckedPod) => ({
  "io.kubernetes.pod.name": pod.metadata.name,
  "io.kubernetes.pod.namespace": pod.metadata.namespace,
  "io.kubernetes.pod.uid": pod.metadata.uid,
});

/** Host name of a pod: the spec's, else its own name cut to what a host name may be. */
function hostnameOf(pod: CheckedPod, settings: NodeSettings): string {
  if (pod.spec.hostNetwork === true) return settings.nodeName;
  const hostname = pod.spec.hostname || pod.metadata.name.slice(0, 63).replace(/[-.]+$/, "");
  const { subdomain, setHostnameAsFQDN } = pod.spec;
  if (!setHostnameAsFQDN || !subdomain) return hostname;
  return `${hostname}.${subdomain}.${pod.metadata.namespace}.svc.${settings.clusterDomain}`;
}

/** Upstream: kubelet pkg/kubelet/network/dns/dns.go (GetPodDNS) @ v1.32 */
function dnsOf(pod: CheckedPod, settings: NodeSettings): PodSandboxConfig["dns"] {
  const { dnsPolicy, dnsConfig, hostNetwork } = pod.spec;
  const cluster = settings.clusterDNS.length > 0 &&
    (dnsPolicy === "ClusterFirstWithHostNet" ||
      (dnsPolicy !== "Default" && dnsPolicy !== "None" && !hostNetwork));
  if (!cluster && dnsConfig === undefined) return undefined;
  const { clusterDomain: domain } = settings;
  const own = {
    servers: dnsConfig?.nameservers ?? [],
    searches: dnsConfig?.searches ?? [],
    options: (dnsConfig?.options ?? []).map(({ name = "", value }) => value ? `${name}:${value}` : name),
  };
  if (!cluster) return own;
  const unique = (items: readonly string[]) => [...new Set(items)];
  return {
    servers: unique([...settings.clusterDNS, ...own.servers]).slice(0, 3),
    searches: unique([
      `${pod.metadata.namespace}.svc.${domain}`,
      `svc.${domain}`,
      domain,
      ...own.searches,
    ]),
    options: [
      ...own.options,
      ...own.options.some((option) => option.startsWith("ndots:")) ? [] : ["ndots:5"],
    ],
  };
}

function portMappings(pod: CheckedPod): PortMapping[] {
  if (pod.spec.hostNetwork === true) return [];
  return [...pod.spec.initContainers ?? [], ...pod.spec.containers].flatMap((container) =>
    (container.ports ?? []).filter((port) => (port.hostPort ?? 0) > 0).map((port) => ({
      protocol: (port.protocol || "TCP") as PortMapping["protocol"],
      containerPort: port.containerPort,
      hostPort: port.hostPort!,
      hostIP: port.hostIP ?? "",
    }))
  );
}

/**
 * The sandbox of a pod.
 * Upstream: kubelet pkg/kubelet/kuberuntime/kuberuntime_sandbox.go (generatePodSandboxConfig) @ v1.32
 */
export function sandboxConfig(pod: CheckedPod, attempt: number, settings: NodeSettings): PodSandboxConfig {
  const { spec } = pod;
  const config: PodSandboxConfig = {
    pod: identityOf(pod),
    attempt,
    hostname: hostnameOf(pod, settings),
    hostNetwork: spec.hostNetwork === true,
    hostPID: spec.hostPID === true,
    hostIPC: spec.hostIPC === true,
    portMappings: portMappings(pod),
    // The host's own file is not the pod's to add to.
    hostAliases: spec.hostNetwork === true
      ? []
      : (spec.hostAliases ?? []).map(({ ip = "", hostnames = [] }) => ({ ip, hostnames })),
    sysctls: Object.fromEntries(
      (spec.securityContext?.sysctls ?? []).map(({ name, value }) => [name.replaceAll("/", "."), value]),
    ),
    cgroupParent: settings.cgroupParent,
    labels: { ...pod.metadata.labels, ...identityLabels(pod) },
    annotations: { [GRACE_ANNOTATION]: String(spec.terminationGracePeriodSeconds ?? 30) },
    image: settings.sandboxImage,
  };
  const dns = dnsOf(pod, settings);
  return dns === undefined ? config : { ...config, dns };
}

/** What is settled about a container before it is made. */
export interface ContainerContext {
  attempt: number;
  /** Reference or id of the image that the engine has. */
  image: string;
  env: Array<{ name: string; value: string }>;
  mounts: Mount[];
  settings: NodeSettings;
}

/**
 * A container of a pod.
 * Upstream: kubelet pkg/kubelet/kuberuntime/kuberuntime_container.go (generateContainerConfig), labels.go @ v1.32
 * @throws {RangeError} when a command grows past what an argument may be
 */
export function containerConfig(
  pod: CheckedPod,
  container: Container,
  context: ContainerContext,
): ContainerConfig {
  const values = new Map(context.env.map(({ name, value }) => [name, value]));
  const expand = (item: string) => expandVariables(item, (name) => values.get(name));
  const config: ContainerConfig = {
    pod: identityOf(pod),
    name: container.name,
    attempt: context.attempt,
    image: context.image,
    env: context.env,
    mounts: context.mounts,
    resources: linuxResources(pod, container, context.settings.memoryBytes),
    security: containerSecurity(pod, container),
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    tty: container.tty === true,
    labels: { ...identityLabels(pod), "io.kubernetes.container.name": container.name },
    annotations: {
      [HASH_ANNOTATION]: hashContainer(container),
      "io.kubernetes.container.restartCount": String(context.attempt),
      "io.kubernetes.container.terminationMessagePath": container.terminationMessagePath ||
        "/dev/termination-log",
      "io.kubernetes.container.terminationMessagePolicy": container.terminationMessagePolicy || "File",
      [GRACE_ANNOTATION]: String(pod.spec.terminationGracePeriodSeconds ?? 30),
    },
  };
  if (container.command?.length) config.command = container.command.map(expand);
  if (container.args?.length) config.args = container.args.map(expand);
  if (container.workingDir) config.workingDir = container.workingDir;
  return config;
}

/** Bounds of a container. Upstream: kuberuntime_container_linux.go, pkg/kubelet/qos/policy.go, pkg/kubelet/cm/helpers_linux.go @ v1.32 */
export function linuxResources(pod: CheckedPod, container: Container, memoryBytes: number): LinuxResources {
  const amount = (list: Record<string, unknown> | undefined, name: string) =>
    parseQuantity(list?.[name]) ?? 0;
  const { limits, requests } = container.resources ?? {};
  const cpuLimit = amount(limits, "cpu");
  const cpuRequest = amount(requests, "cpu") || cpuLimit;
  const memoryLimit = amount(limits, "memory");
  const resources: LinuxResources = {
    cpuShares: Math.max(2, Math.floor(cpuRequest * 1024)),
    oomScoreAdj: oomScore(pod, amount(requests, "memory") || memoryLimit, memoryBytes),
  };
  if (cpuLimit > 0) {
    resources.cpuPeriodMicros = 100_000;
    resources.cpuQuotaMicros = Math.max(1000, Math.floor(cpuLimit * 100_000));
  }
  if (memoryLimit > 0) resources.memoryLimitBytes = Math.floor(memoryLimit);
  return resources;
}

function oomScore(pod: CheckedPod, requestBytes: number, memoryBytes: number): number {
  switch (qosClass(pod)) {
    case "Guaranteed":
      return -997;
    case "BestEffort":
      return 1000;
    case "Burstable": {
      const share = memoryBytes > 0 ? Math.floor(1000 * requestBytes / memoryBytes) : 0;
      return Math.min(999, Math.max(3, 1000 - share));
    }
  }
}

/** Quality of service of a pod. Upstream: kubelet pkg/apis/core/v1/helper/qos/qos.go @ v1.32 */
export function qosClass(pod: CheckedPod): "Guaranteed" | "Burstable" | "BestEffort" {
  const all = [...pod.spec.initContainers ?? [], ...pod.spec.containers];
  const set = (list: Record<string, unknown> | undefined, name: string) => parseQuantity(list?.[name]) ?? 0;
  let any = false;
  let guaranteed = true;
  for (const { resources } of all) {
    for (const name of ["cpu", "memory"]) {
      const limit = set(resources?.limits, name);
      const request = set(resources?.requests, name) || limit;
      if (limit > 0 || request > 0) any = true;
      if (limit === 0 || request !== limit) guaranteed = false;
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

function containerSecurity(pod: CheckedPod, container: Container): ContainerSecurity {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const capability = (name: string) => name.toUpperCase().replace(/^CAP_/, "");
  const security: ContainerSecurity = {
    privileged: own.privileged === true,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    supplementalGroups: [
      ...new Set([
        ...shared.supplementalGroups ?? [],
        ...shared.fsGroup === undefined ? [] : [shared.fsGroup],
      ]),
    ],
    addCapabilities: (own.capabilities?.add ?? []).map(capability),
    dropCapabilities: (own.capabilities?.drop ?? []).map(capability),
  };
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  if (runAsUser !== undefined) security.runAsUser = runAsUser;
  if (runAsGroup !== undefined) security.runAsGroup = runAsGroup;
  return security;
}

/**
 * Why a container that must not run as root would do so; undefined when it would not.
 * Upstream: kubelet pkg/kubelet/kuberuntime/security_context_others.go (verifyRunAsNonRoot) @ v1.32
 */
export function rootRefusal(pod: CheckedPod, container: Container, image: ImageInfo): string | undefined {
  const own = container.securityContext;
  const shared = pod.spec.securityContext;
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) !== true) return undefined;
  const user = own?.runAsUser ?? shared?.runAsUser;
  if (user !== undefined) {
    return user === 0 ? "container's runAsUser breaks non-root policy" : undefined;
  }
  const imageUser = image.user.split(":")[0] ?? "";
  if (imageUser === "" || imageUser === "0") {
    return "container has runAsNonRoot and image will run as root";
  }
  if (!/^\d+$/.test(imageUser)) {
    return `container has runAsNonRoot and image has non-numeric user (${imageUser}), cannot verify user is non-root`;
  }
  return undefined;
}
