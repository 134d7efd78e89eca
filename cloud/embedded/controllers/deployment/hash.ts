import type { PodTemplateSpec } from "../../../../common/api/core_v1.ts";
import { equalJson } from "../../../../common/kubeclient/mod.ts";

/** The label that tells the replica sets of a deployment apart. */
export const HASH_LABEL = "pod-template-hash";

const SAFE = "bcdfghjklmnpqrstvwxz2456789";

/**
 * A short name for a pod template. The same template always gets the same name; the name itself is ours and differs from
 * upstream's, which hashes a Go value. Upstream: k8s.io/kubernetes pkg/controller/controller_utils.go (ComputeHash) @ v1.32
 * @param collisions how often the name was taken by another template
 */
export function templateHash(template: PodTemplateSpec, collisions = 0): string {
  const text = canonical(withoutHash(template)) + (collisions > 0 ? `#${collisions}` : "");
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...String(hash)].map((digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join("");
}

/** Whether two templates make the same pods, whatever hash they carry. */
export function sameTemplate(a: PodTemplateSpec, b: PodTemplateSpec): boolean {
  return equalJson(normal(a), normal(b));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** A template as it compares: a creationTimestamp of null, which clients write, is the same as none. */
function normal(template: PodTemplateSpec): unknown {
  return JSON.parse(canonical(withoutHash(template)));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) => {
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    const entries = Object.entries(inner).filter(([, v]) => v !== null && v !== undefined);
    return Object.fromEntries(entries.sort(([a], [b]) => a < b ? -1 : 1));
  });
}
