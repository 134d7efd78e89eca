import type { Container, Pod } from "../../../common/api/core_v1.ts";
import { PodEnvironmentError, type PodPlace } from "../pod_environment.ts";
import { parseQuantity } from "../../../common/api/quantity.ts";

/** Which resource of which container, as in `resourceFieldRef`. */
export interface ResourceSelector {
  containerName?: string;
  resource: string;
  divisor?: string;
}

/** Resources a node has for pods, as in `status.allocatable`. */
export type Allocatable = Readonly<Record<string, string>>;

/**
 * The value of a field of a pod, as in `fieldRef`: `metadata.*` anywhere, `spec.*` and `status.*` where the pod's place is
 * given.
 * Upstream: k8s.io/kubernetes pkg/fieldpath/fieldpath.go, pkg/kubelet/kubelet_pods.go @ v1.32
 * @throws {PodEnvironmentError} invalid, for a field that cannot be shown
 */
export function fieldValue(pod: Pod, fieldPath: string, place?: PodPlace): string {
  const { name = "", namespace = "", uid = "", labels = {}, annotations = {} } = pod.metadata ?? {};
  const keyed = /^metadata\.(labels|annotations)\['([^']*)'\]$/.exec(fieldPath);
  if (keyed !== null) {
    const map: Record<string, string> = keyed[1] === "labels" ? labels : annotations;
    const key = keyed[2] ?? "";
    return Object.hasOwn(map, key) ? map[key] ?? "" : "";
  }
  switch (fieldPath) {
    case "metadata.name":
      return name;
    case "metadata.namespace":
      return namespace;
    case "metadata.uid":
      return uid;
    case "metadata.labels":
      return formatMap(labels);
    case "metadata.annotations":
      return formatMap(annotations);
  }
  if (place !== undefined) {
    switch (fieldPath) {
      case "spec.nodeName":
        return pod.spec?.nodeName || place.nodeName;
      case "spec.serviceAccountName":
        return pod.spec?.serviceAccountName ?? "";
      case "status.hostIP":
        return place.hostIPs[0] ?? "";
      case "status.hostIPs":
        return place.hostIPs.join(",");
      case "status.podIP":
        return place.podIPs[0] ?? "";
      case "status.podIPs":
        return place.podIPs.join(",");
    }
  }
  throw new PodEnvironmentError("invalid", `unsupported fieldPath: ${fieldPath}`);
}

/** One `key="value"` per line, sorted by key. */
function formatMap(map: Readonly<Record<string, string>>): string {
  return Object.keys(map).sort().map((key) => `${key}=${quote(map[key] ?? "")}`).join("\n");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  '"': '\\"',
  "\\": "\\\\",
};

/** Text in the quotes of a Go string literal, as fmt's %q prints it. */
function quote(text: string): string {
  const inner = text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, (char) => {
    const escape = ESCAPES[char];
    if (escape !== undefined) return escape;
    const code = char.codePointAt(0) ?? 0;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\U${code.toString(16).padStart(8, "0")}`;
  });
  return `"${inner}"`;
}

/**
 * The value of a resource of a container, as in `resourceFieldRef`, in units of the divisor, rounded up. A limit that is not
 * set is what the node has.
 * Upstream: k8s.io/kubernetes pkg/api/v1/resource/helpers.go @ v1.32
 * @throws {PodEnvironmentError} invalid
 */
export function resourceValue(
  pod: Pod,
  container: Container | undefined,
  selector: ResourceSelector,
  allocatable: Allocatable,
): string {
  const { containerName = "", resource } = selector;
  const chosen = containerName === "" ? container : findContainer(pod, containerName);
  if (chosen === undefined) {
    throw new PodEnvironmentError("invalid", `container ${containerName} not found`);
  }
  const match = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/.exec(resource);
  if (match === null) {
    throw new PodEnvironmentError("invalid", `Unsupported container resource : ${resource}`);
  }
  const [, kind, name = ""] = match;
  const { limits = {}, requests = {} } = chosen.resources ?? {};
  const set = kind === "limits" ? limits[name] : requests[name] ?? limits[name];
  const given = amount(resource, set ?? "0");
  const value = kind === "limits" && given === 0 && !name.startsWith("hugepages-")
    ? amount(resource, allocatable[name] ?? "0")
    : given;
  const divisor = amount("divisor", selector.divisor ?? "0") || 1;
  const unit = name === "cpu" ? 1000 : 1;
  return String(Math.ceil(whole(value, unit) / Math.max(1, whole(divisor, unit))));
}

/** The next whole number of units, blind to what binary fractions add. */
function whole(value: number, unit: number): number {
  return Math.ceil(Math.round(value * unit * 1e6) / 1e6);
}

function amount(what: string, text: unknown): number {
  const value = parseQuantity(text);
  if (value === undefined || value < 0) {
    throw new PodEnvironmentError("invalid", `Invalid quantity ${JSON.stringify(text)} of ${what}`);
  }
  return value;
}

function findContainer(pod: Pod, name: string): Container | undefined {
  return [...pod.spec?.containers ?? [], ...pod.spec?.initContainers ?? []].find((c) => c.name === name);
}
