import type { Container } from "../../common/api/core_v1.ts";

/** Annotation with the hash of the container's definition, as the kubelet names it. */
export const HASH_ANNOTATION = "io.kubernetes.container.hash";

/**
 * A number that differs when a container must be made anew: over its name and image, the only fields that may change in
 * a running pod. FNV-1a, 32 bits, hexadecimal.
 * Upstream: kubeedge vendor/k8s.io/kubernetes/pkg/kubelet/container/helpers.go (HashContainer) @ 16cd854
 */
export function hashContainer({ name, image = "" }: Container): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(JSON.stringify({ name, image }))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash.toString(16);
}
