import { publicKeyOf } from "./certificate.ts";
import type { Der } from "./der.ts";
import { ecCurveOf, importSigningKey } from "./ec_key.ts";

/**
 * Whether a private key belongs to a certificate: what it signs verifies with the certificate's key.
 * @throws {StatusError} BadRequest when one of the two cannot be read
 */
export async function isKeyOf(certificate: Der, key: Der): Promise<boolean> {
  const publicKey = publicKeyOf(certificate);
  const signing = await importSigningKey(key);
  if (ecCurveOf(publicKey) !== signing.curve) return false;
  const algorithm = { name: "ECDSA", namedCurve: signing.curve, hash: "SHA-256" };
  const verifying = await crypto.subtle.importKey("spki", publicKey, algorithm, false, ["verify"]);
  const probe = crypto.getRandomValues(new Uint8Array(32));
  const signature = await crypto.subtle.sign(algorithm, signing.key, probe);
  return await crypto.subtle.verify(algorithm, verifying, signature, probe);
}
