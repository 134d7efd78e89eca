import { isAlreadyExists } from "../../common/errors/mod.ts";
import { type ApiObject, type JsonObject, objectAt } from "./object.ts";
import type { Registry } from "./registry.ts";
import type { ResourceDefinition } from "./resources/definition.ts";
import { SYSTEM_PRIORITIES } from "./resources/policy.ts";
import { addressNumber, KUBERNETES_ADDRESS } from "./resources/service_addresses.ts";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

/** Where the API is served. */
export interface ServedAt {
  port: number;
  /** As it was advertised; a name, or an address of this machine only, cannot be an endpoint. */
  address: string;
}

/** Makes the objects that every control plane has, where they are missing, and keeps the service `kubernetes` true. */
export function ensureDefaults(registry: Registry, { port, address }: ServedAt): void {
  for (const name of NAMESPACES) {
    ensure(registry, "", "namespaces", "", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  for (const [name, value] of Object.entries(SYSTEM_PRIORITIES)) {
    ensure(registry, "scheduling.k8s.io", "priorityclasses", "", {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name },
      value,
      description: `Used for system critical pods that must not be moved from their current ${
        name.includes("node") ? "node" : "cluster"
      }.`,
    });
  }
  ensureService(registry, port);
  const number = addressNumber(address);
  if (number !== undefined && number >>> 24 !== 127 && number !== 0) ensureEndpoints(registry, address, port);
}

function ensureService(registry: Registry, port: number): void {
  const definition = find(registry, "", "services");
  const ref = { namespace: "default", name: "kubernetes" };
  const present = registry.cache(definition).get(ref.namespace, ref.name);
  // Before services had addresses here it was made without one, which no update can change.
  if (present?.fields?.["spec.clusterIP"] === "None") registry.delete(definition, ref);
  const ports = [{ name: "https", port: 443, protocol: "TCP", targetPort: port }];
  ensure(registry, "", "services", "default", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: { clusterIP: KUBERNETES_ADDRESS, ports },
  });
  registry.update(
    definition,
    ref,
    (current) => ({ ...current, spec: { ...objectAt(current, "spec"), ports } }),
  );
}

/** Upstream: k8s.io/kubernetes pkg/controlplane/reconcilers/endpointsadapter.go @ v1.33 */
function ensureEndpoints(registry: Registry, ip: string, port: number): void {
  const ports = [{ name: "https", port, protocol: "TCP" }];
  const keep = (group: string, resource: string, object: ApiObject, content: JsonObject) => {
    ensure(registry, group, resource, "default", { ...object, ...content });
    const ref = { namespace: "default", name: "kubernetes" };
    registry.update(find(registry, group, resource), ref, (current) => ({ ...current, ...content }));
  };
  keep("", "endpoints", {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { name: "kubernetes", labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
  }, { subsets: [{ addresses: [{ ip }], ports }] });
  keep("discovery.k8s.io", "endpointslices", {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "kubernetes", labels: { "kubernetes.io/service-name": "kubernetes" } },
    addressType: "IPv4",
  }, { endpoints: [{ addresses: [ip], conditions: { ready: true } }], ports });
}

function find(registry: Registry, group: string, resource: string): ResourceDefinition {
  const definition = registry.table.find(group, "v1", resource);
  if (definition === undefined) throw new TypeError(`Cannot make ${resource}: there is no such resource`);
  return definition;
}

function ensure(
  registry: Registry,
  group: string,
  resource: string,
  namespace: string,
  object: ApiObject,
): void {
  const definition = find(registry, group, resource);
  if (registry.cache(definition).get(namespace, object.metadata.name ?? "") !== undefined) return;
  try {
    registry.create(definition, namespace, object, { manager: "kube-apiserver" });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
