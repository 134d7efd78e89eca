import { StatusError } from "../errors/mod.ts";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "./_x509.ts";
import { type Der, equalBytes, MAX_DER_BYTES } from "./der.ts";

/** The parts of a distinguished name that mean something here. */
export interface Subject {
  /** Empty when there is none. */
  commonName: string;
  organizations: string[];
}

/** What a certificate says, as plain data. */
export interface CertificateInfo {
  subject: Subject;
  issuer: Subject;
  /** Lower-case hexadecimal. */
  serialNumber: string;
  /** Unix milliseconds. */
  notBefore: number;
  /** Unix milliseconds. */
  notAfter: number;
  dnsNames: string[];
  /** Normalised as {@linkcode normalizeAddress} does. */
  addresses: string[];
  isCa: boolean;
  /** Object identifiers; undefined when the certificate does not restrict its use. */
  extendedKeyUsages: string[] | undefined;
}

/** Object identifiers of extended key usages. */
export const ExtendedKeyUsage = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** Reads one certificate. @throws {StatusError} BadRequest */
export function readCertificate(der: Der): X509Certificate {
  if (der.length > MAX_DER_BYTES || der[0] !== 0x30) {
    throw new StatusError("BadRequest", "Cannot read the certificate: it is not DER");
  }
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw new StatusError("BadRequest", "Cannot read the certificate: it is malformed", { cause });
  }
}

/** What a certificate says. @throws {StatusError} BadRequest */
export function parseCertificate(der: Der): CertificateInfo {
  return certificateInfo(readCertificate(der));
}

/** Name, validity and uses of a certificate that is read already. @throws {StatusError} BadRequest */
export function certificateInfo(certificate: X509Certificate): CertificateInfo {
  try {
    const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
    const usages = certificate.getExtension(ExtendedKeyUsageExtension)?.usages;
    return {
      subject: subjectOf(certificate.subjectName),
      issuer: subjectOf(certificate.issuerName),
      serialNumber: certificate.serialNumber.toLowerCase(),
      notBefore: certificate.notBefore.getTime(),
      notAfter: certificate.notAfter.getTime(),
      dnsNames: names.filter((n) => n.type === "dns").map((n) => n.value),
      addresses: names.filter((n) => n.type === "ip").map((n) => normalizeAddress(n.value)),
      isCa: certificate.getExtension(BasicConstraintsExtension)?.ca ?? false,
      extendedKeyUsages: usages === undefined ? undefined : [...usages].map(String),
    };
  } catch (cause) {
    if (cause instanceof StatusError) throw cause;
    throw new StatusError("BadRequest", "Cannot read the certificate: an extension is malformed", { cause });
  }
}

/** Common name and organizations of a name of the library. */
export function subjectOf(name: { getField(id: string): string[] }): Subject {
  return { commonName: name.getField("CN")[0] ?? "", organizations: name.getField("O") };
}

/** An IP address in its one canonical spelling; anything else unchanged. */
export function normalizeAddress(address: string): string {
  const host = address.includes(":") ? `[${address}]` : address;
  const url = /^[\d.]+$|:/.test(address) ? URL.parse(`http://${host}`) : null;
  return url === null ? address : url.hostname.replace(/^\[|\]$/g, "");
}

/** Whether text is an IPv4 or IPv6 address. */
export function isIpAddress(text: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split(".").every((part) => Number(part) <= 255);
  return text.includes(":") && URL.canParse(`http://[${text}]`);
}

/** Extensions that are understood, and so may be critical. */
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set([
  "2.5.29.14",
  "2.5.29.15",
  "2.5.29.17",
  "2.5.29.19",
  "2.5.29.35",
  "2.5.29.37",
]);

/**
 * Checks that a certificate was signed by the CA itself, is valid now, and may authenticate a client.
 * The CA's own validity counts too. There are no intermediate certificates in a KubeEdge cluster.
 * @param now Unix milliseconds
 * @throws {StatusError} Unauthorized, with the reason in words; BadRequest when a certificate cannot be read
 */
export async function verifyClientCertificate(
  caDer: Der,
  certificateDer: Der,
  now: number,
): Promise<CertificateInfo> {
  const ca = readCertificate(caDer);
  const certificate = readCertificate(certificateDer);
  const info = certificateInfo(certificate);
  const refuse = (detail: string) =>
    new StatusError("Unauthorized", `Cannot accept the certificate: ${detail}`);
  if (!await issuedBy(ca, certificate)) {
    throw refuse("it was signed by an unknown authority, not by this cluster's CA");
  }
  for (const [what, one] of [["it", info], ["the CA's certificate", certificateInfo(ca)]] as const) {
    if (now < one.notBefore) {
      throw refuse(`${what} is not valid before ${new Date(one.notBefore).toISOString()}: check the clocks`);
    }
    if (now > one.notAfter) throw refuse(`${what} expired at ${new Date(one.notAfter).toISOString()}`);
  }
  if (info.isCa) throw refuse("it is a CA certificate");
  const usages = info.extendedKeyUsages;
  if (
    usages !== undefined && !usages.includes(ExtendedKeyUsage.clientAuth) &&
    !usages.includes(ExtendedKeyUsage.any)
  ) throw refuse("its extended key usages do not include clientAuth");
  const keyUsage = certificate.getExtension(KeyUsagesExtension);
  if (keyUsage !== null && (keyUsage.usages & KeyUsageFlags.digitalSignature) === 0) {
    throw refuse("its key usages do not include digitalSignature");
  }
  const unknown = certificate.extensions.find((e) => e.critical && !KNOWN_EXTENSIONS.has(e.type));
  if (unknown !== undefined) throw refuse(`the critical extension ${unknown.type} is unknown`);
  return info;
}

/** Whether a certificate names the CA as its issuer and has its signature. @throws {StatusError} BadRequest */
export function isIssuedBy(caDer: Der, certificateDer: Der): Promise<boolean> {
  return issuedBy(readCertificate(caDer), readCertificate(certificateDer));
}

async function issuedBy(ca: X509Certificate, certificate: X509Certificate): Promise<boolean> {
  const issuer = new Uint8Array(certificate.issuerName.toArrayBuffer());
  return equalBytes(issuer, new Uint8Array(ca.subjectName.toArrayBuffer())) &&
    await hasSignatureOf(certificate, ca);
}

/** Whether the CA's key made the signature; a key or algorithm that WebCrypto cannot use did not. */
async function hasSignatureOf(certificate: X509Certificate, ca: X509Certificate): Promise<boolean> {
  try {
    return await certificate.verify({ publicKey: ca.publicKey, signatureOnly: true });
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}
