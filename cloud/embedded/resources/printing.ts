import { type ApiObject, isObject, type JsonObject, objectAt, objectsAt, textAt } from "../object.ts";

/**
 * A span of time as people read it: two units at most.
 * Upstream: k8s.io/apimachinery pkg/util/duration/duration.go (HumanDuration) @ v1.32
 */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return two(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return two(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return two(days, "d", hours % 24, "h");
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  return hours < 24 * 365 * 8 ? two(years, "y", days % 365, "d") : `${years}y`;
}

function two(a: number, unit: string, b: number, smaller: string): string {
  return b === 0 ? `${a}${unit}` : `${a}${unit}${b}${smaller}`;
}

/** Time since a timestamp; "<unknown>" without one. */
export function since(timestamp: string | undefined, now: number): string {
  if (timestamp === undefined || timestamp === "") return "<unknown>";
  return humanDuration(now - Date.parse(timestamp));
}

/** Age of an object. */
export function ageOf(object: ApiObject, now: number): string {
  return since(object.metadata.creationTimestamp, now);
}

/** A map as `a=b,c=d` in the order of keys; "<none>" when it is empty. */
export function mapText(map: unknown, none = "<none>"): string {
  const entries = isObject(map) ? Object.entries(map).sort(([a], [b]) => a < b ? -1 : 1) : [];
  return entries.length === 0 ? none : entries.map(([k, v]) => `${k}=${v}`).join(",");
}

/** A LabelSelector as the text of a selector; "<none>" when it is missing or empty. */
export function labelSelectorText(selector: unknown): string {
  if (!isObject(selector)) return "<none>";
  const parts = Object.entries(objectAt(selector, "matchLabels")).map(([k, v]) => `${k}=${v}`);
  for (const { key, operator, values } of objectsAt(selector, "matchExpressions")) {
    const list = Array.isArray(values) ? values.map(String).sort().join(",") : "";
    if (operator === "In") parts.push(`${key} in (${list})`);
    else if (operator === "NotIn") parts.push(`${key} notin (${list})`);
    else parts.push(operator === "Exists" ? String(key) : `!${key}`);
  }
  return parts.length === 0 ? "<none>" : parts.sort().join(",");
}

/** Names and images of the containers of a pod template. */
export function templateContainers(object: JsonObject): [names: string, images: string] {
  const containers = objectsAt(object, "spec", "template", "spec", "containers");
  return [
    containers.map((c) => textAt(c, "name")).join(","),
    containers.map((c) => textAt(c, "image")).join(","),
  ];
}

/** Access modes as `RWO,ROX`. */
export function accessModesText(modes: unknown): string {
  const short: Record<string, string> = {
    ReadWriteOnce: "RWO",
    ReadOnlyMany: "ROX",
    ReadWriteMany: "RWX",
    ReadWriteOncePod: "RWOP",
  };
  const given = Array.isArray(modes) ? modes : [];
  return Object.keys(short).filter((mode) => given.includes(mode)).map((mode) => short[mode]).join(",");
}
