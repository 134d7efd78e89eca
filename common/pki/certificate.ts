import { StatusError } from "../errors/mod.ts";
import { type Der, equalBytes, readElements, readSequence, type Tlv } from "./der.ts";
import { ecCurveOf, rawSignature } from "./ec_key.ts";

/*
 * Certificate    ::= SEQUENCE { tbs, signatureAlgorithm, signature BIT STRING }                                  RFC 5280
 * TBSCertificate ::= SEQUENCE { [0] version, serialNumber, signature, issuer, SEQUENCE { notBefore, notAfter },
 *                               subject, subjectPublicKeyInfo, [1], [2], [3] SEQUENCE OF Extension }
 * Name           ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value string }
 * Extension      ::= SEQUENCE { id OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, value OCTET STRING }
 *
 * Read here and not by the library that signs, since an edge needs no more than this and the library's 26 MB stay unloaded.
 */

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

/** A certificate taken apart. */
interface ParsedCertificate {
  info: CertificateInfo;
  tbs: Der;
  issuerName: Der;
  subjectName: Der;
  publicKey: Der;
  signatureAlgorithm: string;
  signature: Der;
  /** By object identifier. */
  extensions: ReadonlyMap<string, { critical: boolean; value: Der }>;
}

const OID = {
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
} as const;

function malformed(detail: string, cause?: unknown): StatusError {
  return new StatusError("BadRequest", `Cannot read the certificate: ${detail}`, { cause });
}

function expect(element: Tlv | undefined, tag: number, what: string): Tlv {
  if (element?.tag !== tag) throw malformed(`${what} is missing or of another type`);
  return element;
}

/** What a certificate says. @throws {StatusError} BadRequest */
export function parseCertificate(der: Der): CertificateInfo {
  return readCertificate(der).info;
}

function readCertificate(der: Der): ParsedCertificate {
  if (der[0] !== 0x30) throw malformed("it is not DER");
  const [tbs, outerAlgorithm, signature] = readSequence(der);
  const parts = readElements(expect(tbs, 0x30, "its body").content);
  if (parts[0]?.tag === 0xa0) parts.shift();
  const [serial, algorithm, issuer, validity, subject, publicKey, ...rest] = parts;
  const bits = expect(signature, 0x03, "its signature").content;
  if (bits[0] !== 0) throw malformed("its signature is no whole number of bytes");
  if (
    !equalBytes(
      expect(algorithm, 0x30, "its algorithm").whole,
      expect(outerAlgorithm, 0x30, "its algorithm").whole,
    )
  ) {
    throw malformed("it names two signature algorithms");
  }
  const [notBefore, notAfter] = readElements(expect(validity, 0x30, "its validity").content);
  const extensions = readExtensions(rest.find((e) => e.tag === 0xa3)?.content);
  const issuerName = expect(issuer, 0x30, "its issuer");
  const subjectName = expect(subject, 0x30, "its subject");
  const names = alternativeNames(extensions.get(OID.subjectAltName)?.value);
  const usages = extensions.get(OID.extKeyUsage)?.value;
  const constraints = extensions.get(OID.basicConstraints)?.value;
  return {
    info: {
      subject: readName(subjectName),
      issuer: readName(issuerName),
      serialNumber: expect(serial, 0x02, "its serial number").content.toHex(),
      notBefore: readTime(notBefore),
      notAfter: readTime(notAfter),
      dnsNames: names.filter((e) => e.tag === 0x82).map((e) => readText(e.content)),
      addresses: names.filter((e) => e.tag === 0x87).map((e) => printAddress(e.content)),
      isCa: constraints !== undefined &&
        readSequence(constraints).some((e) => e.tag === 0x01 && e.content[0] !== 0),
      extendedKeyUsages: usages === undefined ? undefined : readSequence(usages).map(readOid),
    },
    tbs: tbs!.whole,
    issuerName: issuerName.whole,
    subjectName: subjectName.whole,
    publicKey: expect(publicKey, 0x30, "its public key").whole,
    signatureAlgorithm: readOid(readElements(outerAlgorithm!.content)[0]),
    signature: bits.subarray(1),
    extensions,
  };
}

function readExtensions(bytes: Der | undefined): ParsedCertificate["extensions"] {
  const extensions = new Map<string, { critical: boolean; value: Der }>();
  for (const extension of bytes === undefined ? [] : readSequence(bytes)) {
    const [id, ...rest] = readElements(expect(extension, 0x30, "an extension").content);
    const oid = readOid(id);
    if (extensions.has(oid)) throw malformed(`the extension ${oid} is there twice`);
    extensions.set(oid, {
      critical: rest.some((e) => e.tag === 0x01 && e.content[0] !== 0),
      value: expect(rest.at(-1), 0x04, "an extension's value").content,
    });
  }
  return extensions;
}

function alternativeNames(value: Der | undefined): Tlv[] {
  return value === undefined ? [] : readSequence(value);
}

/** Dotted decimal form of an OBJECT IDENTIFIER. */
function readOid(element: Tlv | undefined): string {
  const { content } = expect(element, 0x06, "an object identifier");
  const numbers: number[] = [];
  let value = 0;
  for (const byte of content) {
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw malformed("an object identifier is too long");
    if (byte & 0x80) continue;
    numbers.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = numbers;
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}

function readText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw malformed("a text is not UTF-8", cause);
  }
}

/** UTF8String, PrintableString, IA5String. */
const TEXT_TAGS: ReadonlySet<number> = new Set([0x0c, 0x13, 0x16]);

function readName(name: Tlv): Subject {
  const values = (wanted: string) => {
    const found: string[] = [];
    for (const set of readElements(name.content)) {
      for (const pair of readElements(expect(set, 0x31, "a part of a name").content)) {
        const [type, value] = readElements(expect(pair, 0x30, "a part of a name").content);
        if (readOid(type) !== wanted) continue;
        if (value === undefined || !TEXT_TAGS.has(value.tag)) {
          throw malformed("a name is in an unknown encoding");
        }
        found.push(readText(value.content));
      }
    }
    return found;
  };
  // With several common names the last counts, as in Go.
  return { commonName: values(OID.commonName).at(-1) ?? "", organizations: values(OID.organization) };
}

/** UTCTime `YYMMDDhhmmssZ` (1950 to 2049) or GeneralizedTime `YYYYMMDDhhmmssZ`, as Unix milliseconds. */
function readTime(element: Tlv | undefined): number {
  const match = readText(element?.content ?? new Uint8Array())
    .match(
      element?.tag === 0x17
        ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/
        : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/,
    );
  if (match === null || (element?.tag !== 0x17 && element?.tag !== 0x18)) {
    throw malformed("a time is malformed");
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const full = element.tag === 0x18 ? year : year >= 50 ? 1900 + year : 2000 + year;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}

function printAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) throw malformed("an address is neither IPv4 nor IPv6");
  return normalizeAddress(bytes.toHex().match(/.{4}/g)!.join(":"));
}

/** Object identifiers of extended key usages. */
export const ExtendedKeyUsage = {
  any: "2.5.29.37.0",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

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
const KNOWN_EXTENSIONS: ReadonlySet<string> = new Set(Object.values(OID));

/** Why a certificate is refused, for those who tell it in other words: the reason of the error's first cause. */
export type CertificateFault = "UnknownAuthority" | "Expired" | "Usage" | "Critical";

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
  const { info } = certificate;
  const refuse = (fault: CertificateFault, detail: string) =>
    new StatusError("Unauthorized", `Cannot accept the certificate: ${detail}`, {
      details: { causes: [{ reason: fault }] },
    });
  if (!await issuedBy(ca, certificate)) {
    throw refuse("UnknownAuthority", "it was signed by an unknown authority, not by this cluster's CA");
  }
  for (const [what, one] of [["it", info], ["the CA's certificate", ca.info]] as const) {
    if (now < one.notBefore) {
      const from = new Date(one.notBefore).toISOString();
      throw refuse("Expired", `${what} is not valid before ${from}: check the clocks`);
    }
    if (now > one.notAfter) {
      throw refuse("Expired", `${what} expired at ${new Date(one.notAfter).toISOString()}`);
    }
  }
  if (info.isCa) throw refuse("Usage", "it is a CA certificate");
  const usages = info.extendedKeyUsages;
  if (
    usages !== undefined && !usages.includes(ExtendedKeyUsage.clientAuth) &&
    !usages.includes(ExtendedKeyUsage.any)
  ) throw refuse("Usage", "its extended key usages do not include clientAuth");
  const keyUsage = certificate.extensions.get(OID.keyUsage)?.value;
  // The content of the BIT STRING is the number of unused bits, then the bits; the first is digitalSignature.
  if (keyUsage !== undefined && ((readElements(keyUsage)[0]?.content[1] ?? 0) & 0x80) === 0) {
    throw refuse("Usage", "its key usages do not include digitalSignature");
  }
  for (const [oid, { critical }] of certificate.extensions) {
    if (critical && !KNOWN_EXTENSIONS.has(oid)) {
      throw refuse("Critical", `the critical extension ${oid} is unknown`);
    }
  }
  return info;
}

/** Whether a certificate names the CA as its issuer and has its signature. @throws {StatusError} BadRequest */
export async function isIssuedBy(caDer: Der, certificateDer: Der): Promise<boolean> {
  return await issuedBy(readCertificate(caDer), readCertificate(certificateDer));
}

async function issuedBy(ca: ParsedCertificate, certificate: ParsedCertificate): Promise<boolean> {
  return equalBytes(certificate.issuerName, ca.subjectName) && await hasSignatureOf(certificate, ca);
}

/** Hashes of ecdsa-with-SHA256, -SHA384, -SHA512. */
const ECDSA_HASHES: Readonly<Record<string, string>> = {
  "1.2.840.10045.4.3.2": "SHA-256",
  "1.2.840.10045.4.3.3": "SHA-384",
  "1.2.840.10045.4.3.4": "SHA-512",
};

/** Whether the CA's key made the signature; with a key or algorithm other than ECDSA it did not. */
async function hasSignatureOf(certificate: ParsedCertificate, ca: ParsedCertificate): Promise<boolean> {
  const hash = ECDSA_HASHES[certificate.signatureAlgorithm];
  const curve = ecCurveOf(ca.publicKey);
  if (hash === undefined || curve === undefined) return false;
  const signature = rawSignature(certificate.signature, curve);
  if (signature === undefined) return false;
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey("spki", ca.publicKey, { name: "ECDSA", namedCurve: curve }, false, [
      "verify",
    ]);
  } catch (cause) {
    throw malformed("the CA's public key is not on its curve", cause);
  }
  return await crypto.subtle.verify({ name: "ECDSA", hash }, key, signature, certificate.tbs);
}

/** The SubjectPublicKeyInfo of a certificate. @throws {StatusError} BadRequest */
export function publicKeyOf(certificate: Der): Der {
  return readCertificate(certificate).publicKey;
}
