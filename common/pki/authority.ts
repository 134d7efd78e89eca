import { StatusError } from "../errors/mod.ts";
import { loadX509 } from "./_load_x509.ts";
import type { Extension, X509CertificateGenerator } from "./_x509.ts";
import { ExtendedKeyUsage, isIpAddress, publicKeyOf, type Subject } from "./certificate.ts";
import { verifyRequest, writeName } from "./csr.ts";
import type { Der } from "./der.ts";
import { exportSec1, generateKeys, importSigningKey, type SigningKey } from "./ec_key.ts";

/** A certificate and its private key. */
export interface KeyPair {
  certificate: Der;
  /** SEC1 when made here; files and secrets may hold PKCS#8. */
  key: Der;
}

const DAY_MS = 86_400_000;
/** Validity of the CA and of serving certificates. Upstream: kubeedge pkg/security/certs @ 16cd854 */
const LONG_VALIDITY_DAYS = 100 * 364;
/** digitalSignature and keyEncipherment; with keyCertSign for the CA. */
const KEY_USAGES = 0x01 | 0x04;
const CA_KEY_USAGES = KEY_USAGES | 0x20;
const ORGANIZATION = "KubeEdge";

/**
 * Certificates are valid from a while before they are made: an edge whose clock is behind the cloud's by an hour, or by the hour of
 * a wrong time zone and some more, joins all the same. Kubernetes' signers do so by 5 min, upstream not at all.
 */
export const BACKDATED_MS = 2 * 3_600_000;

/** Times in certificates have whole seconds; fractions would not be DER. */
function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  const start = Math.floor(now / 1000) * 1000 - BACKDATED_MS;
  return { notBefore: new Date(start), notAfter: new Date(start + days * DAY_MS) };
}

/** 62 random bits with the highest of them set: positive, never zero, always 8 bytes. */
function randomSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toHex();
}

/**
 * A new certificate authority: P-256, CN `KubeEdge`, serial 1024, valid for 100 × 364 days.
 * @param now Unix milliseconds
 */
export async function createAuthority(now: number): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const name = new x509.Name(writeName([["CN", ORGANIZATION]]));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: "0400",
    subject: name,
    issuer: name,
    ...validity(now, LONG_VALIDITY_DAYS),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      new x509.KeyUsagesExtension(CA_KEY_USAGES, true),
      new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new x509.BasicConstraintsExtension(true, undefined, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: new Uint8Array(certificate.rawData), key: await exportSec1(keys.privateKey) };
}

/** A certificate authority that can sign. */
export interface Authority extends KeyPair {
  readonly signingKey: SigningKey;
}

/**
 * Loads an authority and checks that key and certificate belong together.
 * @throws {StatusError} BadRequest, naming what does not fit
 */
export async function loadAuthority({ certificate, key }: KeyPair): Promise<Authority> {
  const signingKey = await importSigningKey(key);
  const probe = crypto.getRandomValues(new Uint8Array(32));
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, signingKey.key, probe);
  const publicKey = await importPublicKey(publicKeyOf(certificate), signingKey);
  if (publicKey === undefined || !await crypto.subtle.verify(algorithm, publicKey, signature, probe)) {
    throw new StatusError(
      "BadRequest",
      "Cannot use the CA: its private key does not belong to its certificate",
    );
  }
  return { certificate, key, signingKey };
}

async function importPublicKey(
  publicKey: Der,
  { curve }: SigningKey,
): Promise<CryptoKey | undefined> {
  try {
    const algorithm = { name: "ECDSA", namedCurve: curve };
    return await crypto.subtle.importKey("spki", publicKey, algorithm, false, ["verify"]);
  } catch (error) {
    // A key of another kind or curve is simply not the one.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** For whom a serving certificate is. */
export interface ServingOptions {
  /** Empty names are left out. */
  dnsNames: readonly string[];
  /** IP addresses; a name found here becomes a DNS name. */
  addresses: readonly string[];
  /** Unix milliseconds. */
  now: number;
}

/** A serving certificate with a fresh P-256 key for every name and address. */
export async function issueServingCertificate(
  authority: Authority,
  options: ServingOptions,
): Promise<KeyPair> {
  const x509 = await loadX509();
  const keys = await generateKeys();
  const all = [...options.dnsNames, ...options.addresses].filter((name) => name !== "");
  const names = all.map((value) => ({ type: isIpAddress(value) ? "ip" as const : "dns" as const, value }));
  const extensions: Extension[] = [
    new x509.KeyUsagesExtension(KEY_USAGES, true),
    new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    ...await authorityKeyIdentifier(authority),
  ];
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names));
  const certificate = await sign(authority, {
    subject: new x509.Name(writeName([["O", ORGANIZATION], ["CN", ORGANIZATION]])),
    ...validity(options.now, LONG_VALIDITY_DAYS),
    publicKey: keys.publicKey,
    extensions,
  });
  return { certificate, key: await exportSec1(keys.privateKey) };
}

/** How a node's certificate is made. */
export interface NodeCertificateOptions {
  /** Days. */
  validityDays: number;
  /** Numbers of Go's x509.ExtKeyUsage. @default [2], clientAuth */
  extKeyUsages?: readonly number[];
  /** Whose certificate it becomes. @default the subject of the request */
  subject?: Subject;
  /** Unix milliseconds. */
  now: number;
}

/** Go's x509.ExtKeyUsage numbers. Upstream: Go crypto/x509 x509.go */
const GO_EXT_KEY_USAGES: readonly string[] = [
  ExtendedKeyUsage.any,
  ExtendedKeyUsage.serverAuth,
  ExtendedKeyUsage.clientAuth,
  "1.3.6.1.5.5.7.3.3",
  "1.3.6.1.5.5.7.3.4",
  "1.3.6.1.5.5.7.3.5",
  "1.3.6.1.5.5.7.3.6",
  "1.3.6.1.5.5.7.3.7",
  "1.3.6.1.5.5.7.3.8",
  "1.3.6.1.5.5.7.3.9",
];

/**
 * Signs a node's request: common name, organizations and alternative names come from it, everything else of it is dropped.
 * @throws {StatusError} BadRequest for a request that is malformed, not signed with its key, or has no common name
 */
export async function signNodeRequest(
  authority: Authority,
  csr: Der,
  options: NodeCertificateOptions,
): Promise<Der> {
  const { subject: asked, request } = await verifyRequest(csr);
  const subject = options.subject ?? asked;
  if (subject.commonName === "") {
    throw new StatusError("BadRequest", "Cannot sign the certificate request: must specify a CommonName");
  }
  const usages = (options.extKeyUsages ?? [2]).map((n) => GO_EXT_KEY_USAGES[n]);
  if (usages.length === 0) {
    throw new StatusError(
      "BadRequest",
      "Cannot sign the certificate request: must specify at least one ExtKeyUsage",
    );
  }
  const known = usages.filter((usage) => usage !== undefined);
  if (known.length < usages.length) {
    throw new StatusError("BadRequest", "Cannot sign the certificate request: an ExtKeyUsage is unknown");
  }
  const x509 = await loadX509();
  const extensions: Extension[] = [
    new x509.KeyUsagesExtension(KEY_USAGES, true),
    new x509.ExtendedKeyUsageExtension(known),
    ...await authorityKeyIdentifier(authority),
  ];
  const names = request.extensions.find((e) => e instanceof x509.SubjectAlternativeNameExtension);
  if (names !== undefined) extensions.push(new x509.SubjectAlternativeNameExtension(names.names.toJSON()));
  return sign(authority, {
    subject: new x509.Name(writeName([
      ...subject.organizations.map((o) => ["O", o] as const),
      ["CN", subject.commonName],
    ])),
    ...validity(options.now, options.validityDays),
    publicKey: request.publicKey,
    extensions,
  });
}

type Unsigned = Pick<
  Parameters<typeof X509CertificateGenerator.create>[0],
  "subject" | "notBefore" | "notAfter" | "publicKey" | "extensions"
>;

async function sign(authority: Authority, unsigned: Unsigned): Promise<Der> {
  const x509 = await loadX509();
  const certificate = await x509.X509CertificateGenerator.create({
    ...unsigned,
    serialNumber: randomSerial(),
    // The library's own Name object keeps the issuer's bytes as they are, on which chaining depends.
    issuer: new x509.X509Certificate(authority.certificate).subjectName,
    signingKey: authority.signingKey.key,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
  });
  return new Uint8Array(certificate.rawData);
}

/** Nothing for a CA, brought by a user, that has no identifier of its own. */
async function authorityKeyIdentifier({ certificate }: Authority): Promise<Extension[]> {
  const x509 = await loadX509();
  const ski = new x509.X509Certificate(certificate).getExtension(x509.SubjectKeyIdentifierExtension);
  return ski === null ? [] : [new x509.AuthorityKeyIdentifierExtension(ski.keyId)];
}

/** Lower-case hexadecimal SHA-256 of a CA certificate: what a join token carries in front. */
export async function caHash(certificate: Der): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", certificate)).toHex();
}
