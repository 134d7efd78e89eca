import { isAlreadyExists } from "../../common/errors/mod.ts";
import type { ApiObject } from "./object.ts";
import type { Registry } from "./registry.ts";
import { SYSTEM_PRIORITIES } from "./resources/policy.ts";
import { KUBERNETES_ADDRESS } from "./resources/service_addresses.ts";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

/** Makes the objects that every control plane has, where they are missing. @param port where the API is served */
export function ensureDefaults(registry: Registry, port: number): void {
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
  ensure(registry, "", "services", "default", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      clusterIP: KUBERNETES_ADDRESS,
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: port }],
    },
  });
}

function ensure(
  registry: Registry,
  group: string,
  resource: string,
  namespace: string,
  object: ApiObject,
): void {
  const definition = registry.table.find(group, "v1", resource);
  if (definition === undefined) throw new TypeError(`Cannot make ${resource}: there is no such resource`);
  if (registry.cache(definition).get(namespace, object.metadata.name ?? "") !== undefined) return;
  try {
    registry.create(definition, namespace, object, { manager: "kube-apiserver" });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
