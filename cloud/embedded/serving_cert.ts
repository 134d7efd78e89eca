import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** A key and a certificate, PEM. */
export interface KeyPair {
  key: string;
  certificate: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 3600_000;
const CA_DAYS = 3650;
const SERVING_DAYS = 365;
const RENEW_BEFORE_MS = 30 * DAY_MS;

async function newKeys(): Promise<{ pair: CryptoKeyPair; pem: string }> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  const lines = pkcs8.toBase64().replace(/.{64}(?=.)/g, "$&\n");
  return { pair, pem: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n` };
}

async function readKey(pem: string): Promise<CryptoKey> {
  const body = pem.replace(/-----[A-Z ]+-----/g, "").replace(/\s+/g, "");
  return await crypto.subtle.importKey("pkcs8", Uint8Array.fromBase64(body), ALGORITHM, false, ["sign"]);
}

function serial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0]! &= 0x7f;
  return bytes.toHex();
}

/** A certificate authority for the serving certificate. @param now Unix milliseconds */
export async function createAuthority(now: number): Promise<KeyPair> {
  cryptoProvider.set(crypto);
  const { pair, pem } = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: "CN=kubeedge-embedded-ca",
    notBefore: new Date(now - 3600_000),
    notAfter: new Date(now + CA_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys: pair,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(
        KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature,
        true,
      ),
      await SubjectKeyIdentifierExtension.create(pair.publicKey),
    ],
  });
  return { key: pem, certificate: certificate.toString("pem") + "\n" };
}

/** A serving certificate for addresses and names, signed by the authority. @param now Unix milliseconds */
export async function createServing(
  authority: KeyPair,
  names: readonly string[],
  now: number,
): Promise<KeyPair> {
  cryptoProvider.set(crypto);
  const issuer = new X509Certificate(authority.certificate);
  const { pair, pem } = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: "CN=kube-apiserver",
    issuer: issuer.subject,
    notBefore: new Date(now - 3600_000),
    notAfter: new Date(now + SERVING_DAYS * DAY_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: pair.publicKey,
    signingKey: await readKey(authority.key),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(alternativeNames(names)),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { key: pem, certificate: certificate.toString("pem") + "\n" };
}

function alternativeNames(names: readonly string[]): Array<{ type: "ip" | "dns"; value: string }> {
  return [...new Set(names)].map((value) => ({ type: isAddress(value) ? "ip" : "dns", value }));
}

/** Whether a name is an IP address. */
export function isAddress(name: string): boolean {
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(name) || name.includes(":");
}

/** Whether a serving certificate still covers the names, for some time to come. @param now Unix milliseconds */
export function covers(pair: KeyPair, authority: KeyPair, names: readonly string[], now: number): boolean {
  const certificate = new X509Certificate(pair.certificate);
  if (certificate.notAfter.getTime() - now < RENEW_BEFORE_MS) return false;
  if (certificate.issuer !== new X509Certificate(authority.certificate).subject) return false;
  const extension = certificate.getExtension(SubjectAlternativeNameExtension);
  const present = new Set(extension?.names.items.map(({ value }) => value));
  return names.every((name) => present.has(name));
}
