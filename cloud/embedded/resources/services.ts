import {
  type ApiObject,
  isObject,
  jsonEqual,
  type JsonObject,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { Cell, ResourceDefinition, Surroundings } from "./definition.ts";
import { ENDPOINT_SLICE } from "./endpoint_slices.ts";
import { ageOf, mapText } from "./printing.ts";
import {
  allocate,
  allocationFields,
  hasAddress,
  hasNodePorts,
  needsHealthPort,
} from "./service_addresses.ts";
import { validateService, validateServiceUpdate } from "./service_validation.ts";

const MAX_ENDPOINTS_PRINTED = 3;

function portsText(service: ApiObject): string {
  const ports = objectsAt(service, "spec", "ports").map(({ port, nodePort, protocol }) =>
    typeof nodePort === "number" && nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`
  );
  return ports.length === 0 ? "<none>" : ports.join(",");
}

function externalText(service: ApiObject): string {
  const external = valueAt(service, "spec", "externalIPs");
  const given = Array.isArray(external) ? external.map(String) : [];
  const type = textAt(service, "spec", "type");
  if (type === "ExternalName") return textAt(service, "spec", "externalName");
  if (type !== "LoadBalancer") return given.length === 0 ? "<none>" : given.join(",");
  const ingress = objectsAt(service, "status", "loadBalancer", "ingress").map((i) =>
    textAt(i, "ip") || textAt(i, "hostname")
  );
  return [...ingress, ...given].join(",") || "<pending>";
}

function row(service: ApiObject, now: number): Cell[] {
  const ip = textAt(service, "spec", "clusterIP");
  return [
    service.metadata.name ?? "",
    textAt(service, "spec", "type"),
    ip === "" ? "<none>" : ip,
    externalText(service),
    portsText(service),
    ageOf(service, now),
    mapText(valueAt(service, "spec", "selector")),
  ];
}

/** Upstream: k8s.io/kubernetes pkg/apis/core/v1/defaults.go (SetDefaults_Service) @ v1.33 */
function applyDefaults(service: ApiObject): void {
  const spec = objectAt(service, "spec");
  service.spec = spec;
  if (textAt(spec, "type") === "") spec.type = "ClusterIP";
  if (textAt(spec, "sessionAffinity") === "") spec.sessionAffinity = "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP" && !isObject(spec.sessionAffinityConfig)) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10800 } };
  }
  for (const port of objectsAt(spec, "ports")) {
    if (textAt(port, "protocol") === "") port.protocol = "TCP";
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") {
      port.targetPort = port.port ?? 0;
    }
    if (port.nodePort === 0) delete port.nodePort;
  }
  if (spec.type !== "ExternalName" && spec.internalTrafficPolicy === undefined) {
    spec.internalTrafficPolicy = "Cluster";
  }
  const external = Array.isArray(spec.externalIPs) && spec.externalIPs.length > 0;
  if ((hasNodePorts(spec.type) || external) && spec.externalTrafficPolicy === undefined) {
    spec.externalTrafficPolicy = "Cluster";
  }
  if (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts === undefined) {
    spec.allocateLoadBalancerNodePorts = true;
  }
  service.status = { loadBalancer: {}, ...objectAt(service, "status") };
}

/** The families of addresses are no defaults: they come with the addresses, and belong to nobody. */
function fillFamilies(spec: JsonObject): void {
  if (spec.type === "ExternalName") return;
  const free = spec.clusterIP === "None" && Object.keys(objectAt(spec, "selector")).length === 0;
  if (spec.ipFamilyPolicy === undefined) spec.ipFamilyPolicy = free ? "RequireDualStack" : "SingleStack";
  if (spec.ipFamilies === undefined) {
    spec.ipFamilies = spec.ipFamilyPolicy !== "SingleStack" && free ? ["IPv4", "IPv6"] : ["IPv4"];
  }
}

/** Takes what is allocated over from the old service where the new one leaves it open. Upstream: storage.go (patchAllocatedValues) */
function keepAllocated(spec: JsonObject, before: JsonObject): void {
  if (hasAddress(spec.type) && hasAddress(before.type)) {
    if (textAt(spec, "clusterIP") === "") spec.clusterIP = before.clusterIP;
    // A client that knows of one address only changes that and leaves the list.
    if (spec.clusterIPs === undefined || jsonEqual(spec.clusterIPs, before.clusterIPs)) {
      spec.clusterIPs = [spec.clusterIP];
    }
  }
  if (!hasNodePorts(spec.type) || !hasNodePorts(before.type)) return;
  for (const port of objectsAt(spec, "ports")) {
    if (port.nodePort !== undefined) continue;
    const same = objectsAt(before, "ports").find((one) =>
      one.port === port.port && one.protocol === port.protocol
    );
    if (same?.nodePort !== undefined) port.nodePort = same.nodePort;
  }
  if (needsHealthPort(spec) && needsHealthPort(before) && spec.healthCheckNodePort === undefined) {
    if (before.healthCheckNodePort !== undefined) spec.healthCheckNodePort = before.healthCheckNodePort;
  }
}

/**
 * Drops what only the old type had, where the request leaves it as it was: a change of the type alone is then a valid one.
 * Upstream: k8s.io/kubernetes pkg/registry/core/service/strategy.go (dropTypeDependentFields) @ v1.33
 */
function dropDependent(spec: JsonObject, before: JsonObject): void {
  const drop = (field: string) => {
    if (jsonEqual(spec[field], before[field])) delete spec[field];
  };
  if (hasAddress(before.type) && !hasAddress(spec.type)) {
    for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) drop(field);
    drop("internalTrafficPolicy");
  }
  if (hasNodePorts(before.type) && !hasNodePorts(spec.type)) {
    const old = new Set(objectsAt(before, "ports").map((port) => port.nodePort));
    for (const port of objectsAt(spec, "ports")) if (old.has(port.nodePort)) delete port.nodePort;
    drop("externalTrafficPolicy");
  }
  if (needsHealthPort(before) && !needsHealthPort(spec)) drop("healthCheckNodePort");
  if (before.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    drop("allocateLoadBalancerNodePorts");
    drop("loadBalancerClass");
  }
}

function prepareForUpdate(service: ApiObject, old: ApiObject, around: Surroundings): void {
  const [spec, before] = [objectAt(service, "spec"), objectAt(old, "spec")];
  fillFamilies(spec);
  dropDependent(spec, before);
  keepAllocated(spec, before);
  if (validateService(service).length + validateServiceUpdate(service, old).length === 0) {
    allocate(service, old, around);
  }
  if (spec.type !== "LoadBalancer") service.status = { ...objectAt(service, "status"), loadBalancer: {} };
}

function prepareForCreate(service: ApiObject, around: Surroundings): void {
  const spec = objectAt(service, "spec");
  fillFamilies(spec);
  if (textAt(spec, "clusterIP") !== "" && spec.clusterIPs === undefined) spec.clusterIPs = [spec.clusterIP];
  if (validateService(service).length === 0) allocate(service, undefined, around);
}

function endpointsText(endpoints: ApiObject): string {
  const all = objectsAt(endpoints, "subsets").flatMap((subset) => {
    const addresses = objectsAt(subset, "addresses").map((a) => textAt(a, "ip"));
    const ports = objectsAt(subset, "ports");
    if (ports.length === 0) return addresses;
    return ports.flatMap((port) =>
      addresses.map((ip) => ip.includes(":") ? `[${ip}]:${port.port}` : `${ip}:${port.port}`)
    );
  });
  if (all.length === 0) return "<none>";
  const more = all.length - MAX_ENDPOINTS_PRINTED;
  return all.slice(0, MAX_ENDPOINTS_PRINTED).join(",") + (more > 0 ? ` + ${more} more...` : "");
}

/** Services, Endpoints and EndpointSlices. */
export const SERVICES: readonly ResourceDefinition[] = [
  ENDPOINT_SLICE,
  {
    group: "",
    version: "v1",
    resource: "endpoints",
    singular: "endpoints",
    kind: "Endpoints",
    shortNames: ["ep"],
    namespaced: true,
    schema: "core.v1.Endpoints",
    columns: [NAME, { name: "Endpoints" }, AGE],
    row: (o, now) => [o.metadata.name ?? "", endpointsText(o), ageOf(o, now)],
  },
  {
    group: "",
    version: "v1",
    resource: "services",
    singular: "service",
    kind: "Service",
    shortNames: ["svc"],
    categories: ["all"],
    namespaced: true,
    schema: "core.v1.Service",
    status: "statusAndMetadata",
    nameRule: "dns1035",
    selectableFields: ["spec.clusterIP", "spec.type"],
    readFields: (o) => ({
      "spec.clusterIP": textAt(o, "spec", "clusterIP"),
      "spec.type": textAt(o, "spec", "type"),
      ...allocationFields(o),
    }),
    columns: [
      NAME,
      { name: "Type" },
      { name: "Cluster-IP" },
      { name: "External-IP" },
      { name: "Port(s)" },
      AGE,
      { name: "Selector", wide: true },
    ],
    row,
    applyDefaults,
    prepareForCreate,
    prepareForUpdate,
    validate: validateService,
    validateUpdate: validateServiceUpdate,
  },
];
