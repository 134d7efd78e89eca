import type { Node, Pod, Service } from "../../../../common/api/core_v1.ts";
import { isPodFinished, isPodReady } from "../pod_state.ts";

/** A pod as it serves a service. */
export interface Backend {
  pod: Pod;
  ip: string;
  /** Whether it may get new connections. */
  ready: boolean;
  /** Whether it answers, though it may be ending. */
  serving: boolean;
  terminating: boolean;
  ports: BackendPort[];
  hostname: string | undefined;
  nodeName: string | undefined;
  zone: string | undefined;
}

/** A port of a pod under the name that the service gives it. */
export interface BackendPort {
  name: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

type ServicePort = NonNullable<NonNullable<Service["spec"]>["ports"]>[number];

/** Whether a service has its endpoints made for it. */
export function hasSelector({ spec }: Service): boolean {
  return spec?.selector !== undefined && spec.type !== "ExternalName";
}

/** Whether a service selects a pod. */
export function selectsPod({ metadata, spec }: Service, pod: Pod): boolean {
  if (pod.metadata?.namespace !== metadata?.namespace) return false;
  const labels = pod.metadata?.labels ?? {};
  return Object.entries(spec?.selector ?? {}).every(([key, value]) => labels[key] === value);
}

/**
 * The pods that serve a service, in the order of their names; those that have ended or have no address yet are not among them.
 * Upstream: k8s.io/endpointslice utils.go (podToEndpoint), util/controller_utils.go (ShouldPodBeInEndpoints) @ v0.33
 */
export function backendsOf(
  service: Service,
  pods: readonly Pod[],
  nodeOf: (name: string) => Node | undefined,
): Backend[] {
  const publish = service.spec?.publishNotReadyAddresses === true;
  const backends: Backend[] = [];
  for (const pod of pods) {
    const ip = addressOf(pod);
    if (ip === undefined || isPodFinished(pod)) continue;
    const serving = isPodReady(pod);
    const terminating = pod.metadata?.deletionTimestamp !== undefined;
    const { hostname, subdomain, nodeName } = pod.spec ?? {};
    backends.push({
      pod,
      ip,
      ready: publish || (serving && !terminating),
      serving,
      terminating,
      ports: portsOf(service, pod),
      hostname: hostname && subdomain === service.metadata?.name ? hostname : undefined,
      nodeName: nodeName || undefined,
      zone: nodeName ? nodeOf(nodeName)?.metadata?.labels?.["topology.kubernetes.io/zone"] : undefined,
    });
  }
  const nameOf = ({ pod }: Backend) => pod.metadata?.name ?? "";
  return backends.sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
}

/** Services here have IPv4 addresses, so that is what counts of a pod's. */
function addressOf({ status }: Pod): string | undefined {
  const all = [...(status?.podIPs ?? []).map(({ ip }) => ip), status?.podIP];
  return all.find((ip): ip is string => ip !== undefined && ip !== "" && !ip.includes(":"));
}

function portsOf({ spec }: Service, pod: Pod): BackendPort[] {
  return (spec?.ports ?? []).flatMap((port) => {
    const number = targetOf(port, pod);
    if (number === undefined) return [];
    const { name = "", protocol = "TCP", appProtocol } = port;
    return [{ name, port: number, protocol, ...(appProtocol !== undefined && { appProtocol }) }];
  });
}

function targetOf({ targetPort, port, protocol = "TCP" }: ServicePort, { spec }: Pod): number | undefined {
  if (targetPort === undefined) return port;
  if (typeof targetPort === "number") return targetPort;
  const sidecars = (spec?.initContainers ?? []).filter((container) => container.restartPolicy === "Always");
  for (const { ports = [] } of [...spec?.containers ?? [], ...sidecars]) {
    const found = ports.find((one) => one.name === targetPort && (one.protocol ?? "TCP") === protocol);
    if (found !== undefined) return found.containerPort;
  }
  return undefined;
}
