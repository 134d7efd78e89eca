import type { Credentials } from "./credentials.ts";

/**
 * When a certificate is to be replaced: at a point of chance between 70 % and 90 % of its life, so that nodes that joined
 * together do not all come at once.
 * Upstream: kubeedge edge/pkg/edgehub/certificate/certmanager.go @ 16cd854
 * @param random a number in [0, 1)
 * @returns Unix milliseconds
 */
export function rotationTime(
  { notBefore, notAfter }: Pick<Credentials, "notBefore" | "notAfter">,
  random: number,
): number {
  return notBefore + (notAfter - notBefore) * (0.7 + 0.2 * random);
}

/** How long to wait before a renewal is tried again: 2 s doubling to 32 s. */
export const RENEWAL_RETRY = { baseMs: 2000, maxMs: 32_000 };
