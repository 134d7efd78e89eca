import {
  type ApiObject,
  isObject,
  jsonEqual,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "./field_error.ts";
import { nameProblem, validateLabels } from "./metadata.ts";
import { addressNumber, hasNodePorts, needsHealthPort } from "./service_addresses.ts";

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const AFFINITIES = ["ClientIP", "None"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const BAD_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const PORT_NUMBER = "must be between 1 and 65535, inclusive";
const MAX_AFFINITY_SECONDS = 86_400;

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** What is wrong with a service. Upstream: k8s.io/kubernetes pkg/apis/core/validation/validation.go (ValidateService) @ v1.33 */
export function validateService(service: ApiObject): FieldError[] {
  const spec = objectAt(service, "spec");
  const headless = spec.clusterIP === "None";
  const errors: FieldError[] = [];
  if (objectsAt(spec, "ports").length === 0 && !headless && spec.type !== "ExternalName") {
    errors.push(required("spec.ports"));
  }
  errors.push(...validateType(spec), ...validatePorts(spec));
  errors.push(...validateLabels(objectAt(spec, "selector") as Record<string, string>, "spec.selector"));
  const affinity = textAt(spec, "sessionAffinity");
  if (!AFFINITIES.includes(affinity)) errors.push(notSupported("spec.sessionAffinity", affinity, AFFINITIES));
  const seconds = valueAt(spec, "sessionAffinityConfig", "clientIP", "timeoutSeconds");
  if (
    affinity === "ClientIP" && typeof seconds === "number" && (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS)
  ) {
    errors.push(
      invalid(
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        seconds,
        `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`,
      ),
    );
  } else if (affinity === "None" && isObject(spec.sessionAffinityConfig)) {
    errors.push(
      forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None"),
    );
  }
  errors.push(...validateAddresses(spec), ...validateFamilies(spec), ...validatePolicies(spec));
  return errors;
}

function validateType(spec: JsonObject): FieldError[] {
  const type = textAt(spec, "type");
  if (!TYPES.includes(type)) return [notSupported("spec.type", spec.type, TYPES)];
  const ip = textAt(spec, "clusterIP");
  if (hasNodePorts(type) && ip === "None") {
    return [invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`)];
  }
  if (type !== "ExternalName") return [];
  const errors: FieldError[] = [];
  if (ip !== "" || strings(spec.clusterIPs).length > 0) {
    errors.push(forbidden("spec.clusterIPs", "may not be set for ExternalName services"));
  }
  const name = textAt(spec, "externalName").replace(/\.$/, "");
  const problem = nameProblem(name);
  if (name === "") errors.push(required("spec.externalName"));
  else if (problem !== undefined) errors.push(invalid("spec.externalName", name, problem));
  return errors;
}

function validatePorts(spec: JsonObject): FieldError[] {
  const ports = objectsAt(spec, "ports");
  const errors: FieldError[] = [];
  const names = new Set<string>();
  const seen = new Set<string>();
  ports.forEach((port, i) => {
    const at = `spec.ports[${i}]`;
    const name = textAt(port, "name");
    const problem = name === "" ? undefined : nameProblem(name, "label");
    if (ports.length > 1 && name === "") errors.push(required(`${at}.name`));
    else if (problem !== undefined) errors.push(invalid(`${at}.name`, name, problem));
    else if (names.has(name) && name !== "") errors.push(duplicate(`${at}.name`, name));
    names.add(name);
    const isPort = (value: unknown) => typeof value === "number" && value >= 1 && value <= 65535;
    if (!isPort(port.port)) errors.push(invalid(`${at}.port`, port.port ?? 0, PORT_NUMBER));
    const protocol = textAt(port, "protocol");
    if (!PROTOCOLS.includes(protocol)) errors.push(notSupported(`${at}.protocol`, protocol, PROTOCOLS));
    errors.push(...validateTarget(port, at, isPort));
    if (numberAt(port, "nodePort") !== 0 && !hasNodePorts(spec.type)) {
      errors.push(forbidden(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    }
    const key = `${port.port}/${protocol}`;
    if (seen.has(key)) errors.push(duplicate(at, { port: port.port, protocol }));
    seen.add(key);
  });
  return errors;
}

function validateTarget(
  port: JsonObject,
  at: string,
  isPort: (value: unknown) => boolean,
): FieldError[] {
  const target = port.targetPort;
  if (typeof target === "number") {
    return isPort(target) ? [] : [invalid(`${at}.targetPort`, target, PORT_NUMBER)];
  }
  const text = String(target);
  if (text.length > 15) {
    return [invalid(`${at}.targetPort`, text, "must be no more than 15 characters")];
  }
  if (!/^[-a-z0-9]+$/.test(text)) {
    return [
      invalid(
        `${at}.targetPort`,
        text,
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
      ),
    ];
  }
  return /[a-z]/.test(text)
    ? []
    : [invalid(`${at}.targetPort`, text, "must contain at least one letter (a-z)")];
}

function validateAddresses(spec: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const ips = strings(spec.clusterIPs);
  const ip = textAt(spec, "clusterIP");
  if (spec.type !== "ExternalName" && ips.length > 0) {
    if (ip === "") {
      errors.push(invalid("spec.clusterIPs", ips, "must be empty when `clusterIP` is not specified"));
    } else if (ips[0] !== ip) {
      errors.push(invalid("spec.clusterIPs", ips, "first value must match `clusterIP`"));
    }
    ips.forEach((one, i) => {
      if (one !== "None" && addressNumber(one) === undefined) {
        errors.push(invalid(`spec.clusterIPs[${i}]`, one, BAD_ADDRESS));
      }
    });
    if (ips.length > 1) {
      errors.push(invalid("spec.clusterIPs", ips, "may specify no more than one IP for each IP family"));
    }
  }
  strings(spec.externalIPs).forEach((one, i) => {
    const number = addressNumber(one);
    if (number === undefined && !one.includes(":")) {
      errors.push(invalid(`spec.externalIPs[${i}]`, one, BAD_ADDRESS));
    } else if (number !== undefined && number >>> 24 === 127) {
      errors.push(
        invalid(`spec.externalIPs[${i}]`, one, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
      );
    }
  });
  const ranges = strings(spec.loadBalancerSourceRanges);
  if (ranges.length > 0 && spec.type !== "LoadBalancer") {
    errors.push(
      forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'"),
    );
  }
  ranges.forEach((range, i) => {
    if (/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(range.trim())) return;
    errors.push(
      invalid(
        `spec.LoadBalancerSourceRanges[${i}]`,
        range,
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
      ),
    );
  });
  return errors;
}

/** There is one range of addresses here, and it is of IPv4. */
function validateFamilies(spec: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const free = spec.clusterIP === "None" && !isObject(spec.selector);
  strings(spec.ipFamilies).forEach((family, i) => {
    if (family === "IPv4" || (family === "IPv6" && free)) return;
    errors.push(
      family === "IPv6"
        ? invalid(`spec.ipFamilies[${i}]`, family, "not configured on this cluster")
        : notSupported(`spec.ipFamilies[${i}]`, family, ["IPv4", "IPv6"]),
    );
  });
  const policy = spec.ipFamilyPolicy;
  const policies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
  if (policy !== undefined && !policies.includes(String(policy))) {
    errors.push(notSupported("spec.ipFamilyPolicy", policy, policies));
  } else if (policy === "RequireDualStack" && !free) {
    errors.push(
      invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"),
    );
  }
  return errors;
}

function validatePolicies(spec: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  const balanced = spec.type === "LoadBalancer";
  for (const field of ["allocateLoadBalancerNodePorts", "loadBalancerClass"]) {
    if (spec[field] !== undefined && !balanced) {
      errors.push(forbidden(`spec.${field}`, "may only be used when `type` is 'LoadBalancer'"));
    }
  }
  const internal = spec.internalTrafficPolicy;
  if (internal !== undefined && internal !== "Cluster" && internal !== "Local") {
    errors.push(notSupported("spec.internalTrafficPolicy", internal, ["Cluster", "Local"]));
  }
  const external = spec.externalTrafficPolicy;
  const exposed = hasNodePorts(spec.type) || strings(spec.externalIPs).length > 0;
  if (external !== undefined && !exposed) {
    errors.push(
      invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"),
    );
  } else if (external !== undefined && external !== "Cluster" && external !== "Local") {
    errors.push(notSupported("spec.externalTrafficPolicy", external, ["Cluster", "Local"]));
  }
  if (numberAt(spec, "healthCheckNodePort") !== 0 && !needsHealthPort(spec)) {
    errors.push(
      invalid(
        "spec.healthCheckNodePort",
        spec.healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  }
  const distribution = spec.trafficDistribution;
  if (distribution !== undefined && distribution !== "PreferClose") {
    errors.push(notSupported("spec.trafficDistribution", distribution, ["PreferClose"]));
  }
  return errors;
}

/** What an update of a service may not change. Upstream: validation.go (ValidateServiceUpdate) @ v1.33 */
export function validateServiceUpdate(service: ApiObject, old: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  const [spec, before] = [objectAt(service, "spec"), objectAt(old, "spec")];
  const had = textAt(before, "clusterIP");
  const keeps = spec.type !== "ExternalName" && before.type !== "ExternalName";
  if (keeps && had !== "" && spec.clusterIP !== had) {
    errors.push(invalid("spec.clusterIPs[0]", strings(spec.clusterIPs), "may not change once set"));
  }
  const pinned = before.type === "LoadBalancer" && spec.type === "LoadBalancer";
  if (pinned && !jsonEqual(spec.loadBalancerClass, before.loadBalancerClass)) {
    errors.push(invalid("spec.loadBalancerClass", spec.loadBalancerClass ?? null, "may not change once set"));
  }
  return errors;
}
