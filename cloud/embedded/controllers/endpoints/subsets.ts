import type { EndpointAddress, EndpointSubset } from "../../../../common/api/core_v1.ts";
import type { Backend, BackendPort } from "./backends.ts";

/** Addresses that an Endpoints object may have. Upstream: pkg/controller/endpoint/endpoints_controller.go (maxCapacity) @ v1.33 */
export const MAX_ADDRESSES = 1000;

/**
 * The subsets of an Endpoints object: ports that the same pods have, together.
 * Upstream: k8s.io/kubernetes pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go @ v1.33
 * @param publishing whether pods that are ending count as well
 * @param headless whether a service without ports has addresses all the same
 */
export function subsetsOf(
  backends: readonly Backend[],
  { publishing, headless }: { publishing: boolean; headless: boolean },
): { subsets: EndpointSubset[]; truncated: boolean } {
  const eligible = backends.filter(({ terminating }) => publishing || !terminating);
  const kept = [...eligible.filter(({ ready }) => ready), ...eligible.filter(({ ready }) => !ready)]
    .slice(0, MAX_ADDRESSES);
  const byPort = new Map<string, { port: BackendPort | undefined; backends: Backend[] }>();
  for (const backend of kept) {
    const ports: Array<BackendPort | undefined> = backend.ports.length > 0
      ? backend.ports
      : headless
      ? [undefined]
      : [];
    for (const port of ports) {
      const key = JSON.stringify(port ?? null);
      const group = byPort.get(key);
      if (group === undefined) byPort.set(key, { port, backends: [backend] });
      else group.backends.push(backend);
    }
  }
  const byPods = new Map<string, { ports: BackendPort[]; backends: Backend[] }>();
  for (const { port, backends } of byPort.values()) {
    const key = backends.map(({ ip, ready }) => `${ip} ${ready}`).sort().join();
    const group = byPods.get(key) ?? { ports: [], backends };
    if (port !== undefined) group.ports.push(port);
    byPods.set(key, group);
  }
  const subsets = [...byPods.values()].map(({ ports, backends }) => {
    const addresses = backends.filter(({ ready }) => ready).map(addressOf);
    const notReadyAddresses = backends.filter(({ ready }) => !ready).map(addressOf);
    return {
      ...(addresses.length > 0 && { addresses }),
      ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
      ...(ports.length > 0 && { ports: ports.map(printPort).sort((a, b) => a.port - b.port) }),
    };
  });
  const order = (subset: EndpointSubset) =>
    JSON.stringify([subset.ports, subset.addresses, subset.notReadyAddresses]);
  subsets.sort((a, b) => order(a) < order(b) ? -1 : 1);
  return { subsets, truncated: eligible.length > kept.length };
}

function printPort(
  { name, port, protocol, appProtocol }: BackendPort,
): NonNullable<EndpointSubset["ports"]>[number] {
  return {
    ...(name !== "" && { name }),
    port,
    protocol,
    ...(appProtocol !== undefined && { appProtocol }),
  };
}

function addressOf({ ip, hostname, nodeName, pod }: Backend): EndpointAddress {
  const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
  return {
    ip,
    ...(hostname !== undefined && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}
