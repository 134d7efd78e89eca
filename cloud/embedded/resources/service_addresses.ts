import {
  type ApiObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import type { Surroundings } from "./definition.ts";
import { type FieldError, invalid, invalidObject } from "./field_error.ts";

/** Addresses of services. Upstream: kube-apiserver --service-cluster-ip-range as kubeadm gives it */
export const SERVICE_RANGE = { text: "10.96.0.0/12", first: 0x0a60_0000, size: 2 ** 20 } as const;
/** Upstream: kube-apiserver --service-node-port-range */
export const NODE_PORTS = { first: 30000, last: 32767 } as const;
/** Address of the service `kubernetes`: the first of the range. */
export const KUBERNETES_ADDRESS = "10.96.0.1";
/** Addresses at the beginning that are left to those who ask for them. Upstream: pkg/registry/core/service/ipallocator */
const STATIC_ADDRESSES = 256;
const STATIC_PORTS = 86;

/** Names of the fields by which allocations are found in memory; they are not selectable. */
const ADDRESSES = "spec.clusterIPs";
const PORTS = "spec.nodePorts";

/** What a service holds of what there is only once, as fields of its entry in memory. */
export function allocationFields(service: JsonObject): Record<string, string> {
  const ips = valueAt(service, "spec", "clusterIPs");
  return {
    [ADDRESSES]: Array.isArray(ips) ? ips.filter((ip) => ip !== "None").join(",") : "",
    [PORTS]: nodePortsOf(objectAt(service, "spec")).map(({ key }) => key).join(","),
  };
}

/** Whether a service of this type has an address. */
export function hasAddress(type: unknown): boolean {
  return type !== "ExternalName";
}

/** Whether a service of this type has ports on the nodes. */
export function hasNodePorts(type: unknown): boolean {
  return type === "NodePort" || type === "LoadBalancer";
}

function nodePortsOf(spec: JsonObject): Array<{ key: string; port: number; field: string }> {
  const found = objectsAt(spec, "ports").flatMap((port, i) => {
    const number = numberAt(port, "nodePort");
    return number === 0
      ? []
      : [{ key: `${number}/${textAt(port, "protocol")}`, port: number, field: `spec.ports[${i}].nodePort` }];
  });
  const health = numberAt(spec, "healthCheckNodePort");
  if (health > 0) found.push({ key: `${health}/TCP`, port: health, field: "spec.healthCheckNodePort" });
  return found;
}

/** What other services hold. */
function held(around: Surroundings, field: string, { metadata }: ApiObject): Set<string> {
  const taken = new Set<string>();
  for (const { namespace, name, fields } of around.entries("services")) {
    if (namespace === metadata.namespace && name === metadata.name) continue;
    for (const one of (fields?.[field] ?? "").split(",")) if (one !== "") taken.add(one);
  }
  return taken;
}

/**
 * Gives a service the addresses and node ports that its type calls for and it does not have. What is allocated is what the stored
 * services hold, so that a restart, or a deletion, needs no repair.
 * Upstream: k8s.io/kubernetes pkg/registry/core/service/storage/alloc.go @ v1.33
 * @throws {StatusError} Invalid when what it asks for is taken, or there is nothing left
 */
export function allocate(service: ApiObject, old: ApiObject | undefined, around: Surroundings): void {
  const spec = objectAt(service, "spec");
  const errors: FieldError[] = [];
  if (hasAddress(spec.type)) errors.push(...allocateAddress(service, spec, old, around));
  if (hasNodePorts(spec.type)) errors.push(...allocatePorts(service, spec, old, around));
  if (errors.length > 0) {
    throw invalidObject({ group: "", kind: "Service" }, service.metadata.name ?? "", errors);
  }
}

function allocateAddress(
  service: ApiObject,
  spec: JsonObject,
  old: ApiObject | undefined,
  around: Surroundings,
): FieldError[] {
  const asked = textAt(spec, "clusterIP");
  if (asked === "None" || (old !== undefined && asked !== "" && asked === textAt(old, "spec", "clusterIP"))) {
    spec.clusterIPs = [asked];
    return [];
  }
  const taken = held(around, ADDRESSES, service);
  if (asked !== "") {
    // Whether it is an address at all, validation says.
    const number = addressNumber(asked);
    if (number === undefined) return [];
    const why = !isInRange(number)
      ? `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${SERVICE_RANGE.text}`
      : taken.has(asked)
      ? "provided IP is already allocated"
      : undefined;
    spec.clusterIPs = [asked];
    return why === undefined
      ? []
      : [invalid("spec.clusterIPs", [asked], `failed to allocate IP ${asked}: ${why}`)];
  }
  const offset = pickFree(
    { first: 1, split: STATIC_ADDRESSES, end: SERVICE_RANGE.size - 1 },
    (at) => taken.has(addressText(SERVICE_RANGE.first + at)),
  );
  if (offset === undefined) {
    return [invalid("spec.clusterIPs", [], "failed to allocate a serviceIP: range is full")];
  }
  spec.clusterIP = addressText(SERVICE_RANGE.first + offset);
  spec.clusterIPs = [spec.clusterIP];
  return [];
}

function allocatePorts(
  service: ApiObject,
  spec: JsonObject,
  old: ApiObject | undefined,
  around: Surroundings,
): FieldError[] {
  const before = new Set(old === undefined ? [] : nodePortsOf(objectAt(old, "spec")).map(({ key }) => key));
  const taken = held(around, PORTS, service);
  const mine = new Set<string>();
  const errors: FieldError[] = [];
  for (const { key, port, field } of nodePortsOf(spec)) {
    if (mine.has(key) || (taken.has(key) && !before.has(key))) {
      errors.push(invalid(field, port, "provided port is already allocated"));
    } else if (!before.has(key) && (port < NODE_PORTS.first || port > NODE_PORTS.last)) {
      errors.push(
        invalid(
          field,
          port,
          `provided port is not in the valid range. The range of valid ports is ${NODE_PORTS.first}-${NODE_PORTS.last}`,
        ),
      );
    }
    mine.add(key);
  }
  const pick = (protocol: string) => {
    const port = pickFree(
      { first: NODE_PORTS.first, split: NODE_PORTS.first + STATIC_PORTS, end: NODE_PORTS.last + 1 },
      (at) => taken.has(`${at}/${protocol}`) || mine.has(`${at}/${protocol}`),
    );
    if (port !== undefined) mine.add(`${port}/${protocol}`);
    return port;
  };
  const full = (field: string) => invalid(field, 0, "failed to allocate a nodePort: range is full");
  if (spec.type === "NodePort" || spec.allocateLoadBalancerNodePorts !== false) {
    for (const [i, port] of objectsAt(spec, "ports").entries()) {
      if (numberAt(port, "nodePort") !== 0) continue;
      // Ports of one number and different protocols share the port of the node, as upstream has it.
      const twin = objectsAt(spec, "ports").find((other) =>
        other.port === port.port && numberAt(other, "nodePort") !== 0 &&
        !mine.has(`${other.nodePort}/${textAt(port, "protocol")}`) &&
        !taken.has(`${other.nodePort}/${textAt(port, "protocol")}`)
      );
      const found = twin === undefined ? pick(textAt(port, "protocol")) : Number(twin.nodePort);
      if (found === undefined) errors.push(full(`spec.ports[${i}].nodePort`));
      else {
        port.nodePort = found;
        mine.add(`${found}/${textAt(port, "protocol")}`);
      }
    }
  }
  if (needsHealthPort(spec) && numberAt(spec, "healthCheckNodePort") === 0) {
    const found = pick("TCP");
    if (found === undefined) errors.push(full("spec.healthCheckNodePort"));
    else spec.healthCheckNodePort = found;
  }
  return errors;
}

/** Whether a service has a port at which nodes tell that they have pods of it. */
export function needsHealthPort(spec: JsonObject): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
}

/** A free number: a random one after the split, the first one found where those are taken; undefined when there is none. */
function pickFree(
  { first, split, end }: { first: number; split: number; end: number },
  isTaken: (at: number) => boolean,
): number | undefined {
  for (let attempt = 0; attempt < 16; attempt++) {
    const [random = 0] = crypto.getRandomValues(new Uint32Array(1));
    const at = split + random % (end - split);
    if (!isTaken(at)) return at;
  }
  for (let at = split; at < end; at++) if (!isTaken(at)) return at;
  for (let at = first; at < split; at++) if (!isTaken(at)) return at;
  return undefined;
}

/** An IPv4 address as a number; undefined when it is none. */
export function addressNumber(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  if (
    parts === undefined || parts.some((part) => Number(part) > 255 || (part.length > 1 && part[0] === "0"))
  ) {
    return undefined;
  }
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");
}

function isInRange(number: number): boolean {
  return number > SERVICE_RANGE.first && number < SERVICE_RANGE.first + SERVICE_RANGE.size - 1;
}
