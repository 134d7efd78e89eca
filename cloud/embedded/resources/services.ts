import {
  type ApiObject,
  isObject,
  type JsonObject,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import { AGE, NAME } from "./core.ts";
import type { Cell, ResourceDefinition, Surroundings } from "./definition.ts";
import {
  duplicate,
  type FieldError,
  forbidden,
  invalid,
  invalidObject,
  notSupported,
  required,
} from "./field_error.ts";
import { ageOf, mapText } from "./printing.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
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

function applyDefaults(service: ApiObject): void {
  const spec = objectAt(service, "spec");
  service.spec = spec;
  if (textAt(spec, "type") === "") spec.type = "ClusterIP";
  if (textAt(spec, "sessionAffinity") === "") spec.sessionAffinity = "None";
  if (spec.sessionAffinity === "ClientIP" && !isObject(spec.sessionAffinityConfig)) {
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10800 } };
  }
  for (const port of objectsAt(spec, "ports")) {
    if (textAt(port, "protocol") === "") port.protocol = "TCP";
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") {
      port.targetPort = port.port;
    }
  }
  if (spec.type !== "ExternalName") {
    if (spec.internalTrafficPolicy === undefined) spec.internalTrafficPolicy = "Cluster";
    if (spec.ipFamilyPolicy === undefined) spec.ipFamilyPolicy = "SingleStack";
    if (spec.ipFamilies === undefined) spec.ipFamilies = ["IPv4"];
  }
  if (
    (spec.type === "NodePort" || spec.type === "LoadBalancer") && spec.externalTrafficPolicy === undefined
  ) {
    spec.externalTrafficPolicy = "Cluster";
  }
  service.status = { loadBalancer: {}, ...objectAt(service, "status") };
}

/** Nothing routes cluster addresses here, so a service without a given one is headless in fact; it gets no address. */
function prepareForCreate(service: ApiObject, _around: Surroundings): void {
  const spec = objectAt(service, "spec");
  if (spec.type === "NodePort" || spec.type === "LoadBalancer") {
    throw invalidObject({ group: "", kind: "Service" }, service.metadata.name ?? "", [
      forbidden(
        "spec.type",
        `the embedded control plane leads no traffic to a ${spec.type}; use hostPort or hostNetwork in the pod, or a full Kubernetes control plane`,
      ),
    ]);
  }
  if (spec.type === "ExternalName") return;
  setClusterIp(spec);
}

function setClusterIp(spec: JsonObject): void {
  if (textAt(spec, "clusterIP") === "") spec.clusterIP = "None";
  spec.clusterIPs = [spec.clusterIP];
}

function validate(service: ApiObject): FieldError[] {
  const spec = objectAt(service, "spec");
  const errors: FieldError[] = [];
  if (!TYPES.includes(textAt(spec, "type"))) errors.push(notSupported("spec.type", spec.type, TYPES));
  const ports = objectsAt(spec, "ports");
  if (ports.length === 0 && spec.clusterIP !== "None" && spec.type !== "ExternalName") {
    errors.push(required("spec.ports"));
  }
  if (spec.type === "ExternalName" && textAt(spec, "externalName") === "") {
    errors.push(required("spec.externalName"));
  }
  const names = new Set<string>();
  ports.forEach((port, i) => {
    const name = textAt(port, "name");
    if (ports.length > 1 && name === "") errors.push(required(`spec.ports[${i}].name`));
    if (name !== "" && names.has(name)) errors.push(duplicate(`spec.ports[${i}].name`, name));
    names.add(name);
    if (typeof port.port !== "number" || port.port < 1 || port.port > 65535) {
      errors.push(invalid(`spec.ports[${i}].port`, port.port ?? 0, "must be between 1 and 65535, inclusive"));
    }
  });
  return errors;
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

/** Services and Endpoints. */
export const SERVICES: readonly ResourceDefinition[] = [
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
    prepareForUpdate: (service, old) => {
      const spec = objectAt(service, "spec");
      if (spec.type === "ExternalName") return;
      if (textAt(spec, "clusterIP") === "") spec.clusterIP = textAt(old, "spec", "clusterIP");
      setClusterIp(spec);
    },
    validate,
    validateUpdate: (service, old) => {
      const [now, before] = [textAt(service, "spec", "clusterIP"), textAt(old, "spec", "clusterIP")];
      return before === "" || now === before || textAt(service, "spec", "type") === "ExternalName"
        ? []
        : [invalid("spec.clusterIPs[0]", [now], "may not change once set")];
    },
  },
];
