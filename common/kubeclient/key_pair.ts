/** What the runtime's TLS takes; it ends the process over anything else. */
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/**
 * What is wrong with a client certificate and its key, both PEM; undefined when they can be used together. What is written into
 * two files is for a moment the new certificate with the old key.
 */
export async function faultOfPair(cert: string, key: string): Promise<string | undefined> {
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  let certificate: InstanceType<typeof X509Certificate>;
  try {
    certificate = new X509Certificate(block(cert, "CERTIFICATE"));
  } catch {
    return "the client certificate is not PEM of a certificate";
  }
  let privateKey: ReturnType<typeof createPrivateKey>;
  try {
    privateKey = createPrivateKey(block(key, "PRIVATE KEY"));
  } catch {
    return "the key is not PEM of a private key without password, or not of a kind that is known here";
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: { namedCurve = "", modulusLength = 0 } = {} } =
    privateKey;
  const isKnown = type === "ed25519" || (type === "ec" && CURVES.includes(namedCurve)) ||
    (type === "rsa" && modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS);
  if (!isKnown) {
    const kind = [type, namedCurve || modulusLength || ""].join(" ").trim();
    return `the key is ${kind}; EC P-256, P-384 and P-521, Ed25519 and RSA of 2048 bits or more can be used`;
  }
  return certificate.checkPrivateKey(privateKey)
    ? undefined
    : "the key does not belong to the client certificate";
}

/** The first block with that label; one file may have both. */
function block(pem: string, label: string): string {
  const kind = label === "PRIVATE KEY" ? "(?:[A-Z]+ )*PRIVATE KEY" : label;
  return new RegExp(`-----BEGIN ${kind}-----[^-]*-----END ${kind}-----`).exec(pem)?.[0] ?? pem;
}
