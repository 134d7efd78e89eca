import type { Endpoint, EndpointSlice } from "../../../../common/api/discovery_v1.ts";
import type { Service } from "../../../../common/api/core_v1.ts";
import { equalJson } from "../../../../common/kubeclient/mod.ts";
import { controllerReference } from "../owners.ts";
import type { Backend } from "./backends.ts";

/** Upstream: kube-controller-manager --max-endpoints-per-slice */
export const MAX_PER_SLICE = 100;

export const SERVICE_LABEL = "kubernetes.io/service-name";
export const MANAGED_LABEL = "endpointslice.kubernetes.io/managed-by";
export const MANAGER = "endpointslice-controller.k8s.io";
export const HEADLESS_LABEL = "service.kubernetes.io/headless";

/** What brings the slices of a service to what its pods call for. */
export interface SlicePlan {
  create: EndpointSlice[];
  update: EndpointSlice[];
  delete: EndpointSlice[];
}

/** What identifies an endpoint across changes. */
function keyOf({ targetRef, addresses }: Endpoint): string {
  return targetRef?.uid ?? addresses.join();
}

function endpointOf({ ip, ready, serving, terminating, hostname, nodeName, zone, pod }: Backend): Endpoint {
  const { name = "", namespace = "", uid = "" } = pod.metadata ?? {};
  return {
    addresses: [ip],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    targetRef: { kind: "Pod", namespace, name, uid },
    ...(zone !== undefined && { zone }),
  };
}

/** Labels that the slices of a service have. Upstream: k8s.io/endpointslice utils.go (setEndpointSliceLabels) @ v0.33 */
export function sliceLabels({ metadata, spec }: Service): Record<string, string> {
  const reserved = new Set([SERVICE_LABEL, MANAGED_LABEL, HEADLESS_LABEL]);
  const own = Object.entries(metadata?.labels ?? {}).filter(([key]) => !reserved.has(key));
  return {
    ...Object.fromEntries(own),
    [MANAGED_LABEL]: MANAGER,
    [SERVICE_LABEL]: metadata?.name ?? "",
    ...(spec?.clusterIP === "None" && { [HEADLESS_LABEL]: "" }),
  };
}

/**
 * Compares the slices of a service with its pods. An endpoint stays in its slice as long as its ports do, so that a pod that comes
 * or goes changes one slice.
 * Upstream: k8s.io/endpointslice reconciler.go (reconcileByPortMapping) @ v0.33
 */
export function planSlices(
  service: Service,
  backends: readonly Backend[],
  existing: readonly EndpointSlice[],
): SlicePlan {
  const labels = sliceLabels(service);
  const groups = new Map<string, { ports: EndpointSlice["ports"]; endpoints: Endpoint[] }>();
  for (const backend of backends) {
    const key = JSON.stringify(backend.ports);
    const group = groups.get(key) ?? { ports: backend.ports, endpoints: [] };
    group.endpoints.push(endpointOf(backend));
    groups.set(key, group);
  }
  const plan: SlicePlan = { create: [], update: [], delete: [] };
  const spare: EndpointSlice[] = [];
  const kept = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const key = JSON.stringify((slice.ports ?? []).map(({ name = "", port, protocol, appProtocol }) => ({
      name,
      port,
      protocol,
      ...(appProtocol !== undefined && { appProtocol }),
    })));
    if (slice.addressType === "IPv4" && groups.has(key)) kept.set(key, [...kept.get(key) ?? [], slice]);
    else if (slice.addressType === "IPv4") spare.push(slice);
    else plan.delete.push(slice);
  }
  const write = (
    slice: EndpointSlice | undefined,
    endpoints: Endpoint[] | null,
    ports: EndpointSlice["ports"] | null,
  ) => {
    const wanted = { endpoints, ports } as Pick<EndpointSlice, "endpoints" | "ports">;
    if (slice === undefined) {
      const { name = "", namespace = "" } = service.metadata ?? {};
      plan.create.push({
        addressType: "IPv4",
        metadata: {
          generateName: `${name}-`,
          namespace,
          labels,
          ownerReferences: [controllerReference(service, "v1", "Service")],
        },
        ...wanted,
      });
      return;
    }
    const changed = !equalJson(slice.endpoints ?? null, endpoints) ||
      !equalJson(slice.ports ?? null, ports) ||
      !equalJson(slice.metadata?.labels, labels);
    if (changed) plan.update.push({ ...slice, ...wanted, metadata: { ...slice.metadata, labels } });
  };
  for (const [key, { ports, endpoints }] of groups) {
    const left = new Map(endpoints.map((endpoint) => [keyOf(endpoint), endpoint]));
    const slices = (kept.get(key) ?? []).map((slice) => {
      const stay: Endpoint[] = [];
      for (const endpoint of slice.endpoints ?? []) {
        const wanted = left.get(keyOf(endpoint));
        if (wanted === undefined) continue;
        left.delete(keyOf(endpoint));
        stay.push(wanted);
      }
      return { slice, stay };
    });
    const rest = [...left.values()];
    for (const { slice, stay } of slices) {
      stay.push(...rest.splice(0, MAX_PER_SLICE - stay.length));
      if (stay.length === 0) spare.push(slice);
      else write(slice, stay, ports);
    }
    while (rest.length > 0) write(spare.shift(), rest.splice(0, MAX_PER_SLICE), ports);
  }
  // One empty slice tells those who watch that the service is known and has nothing.
  if (groups.size === 0) write(spare.shift(), null, null);
  plan.delete.push(...spare);
  return plan;
}
