import { StatusError } from "../errors/mod.ts";
import { type Der, equalBytes, readElements, readSequence, writeElement } from "./der.ts";
import { printPem } from "./pem.ts";

/*
 * Private keys on elliptic curves have two shapes. Secrets, and files that Go writes, hold SEC1; WebCrypto speaks PKCS#8.
 *
 *   ECPrivateKey   ::= SEQUENCE { 1, privateKey OCTET STRING, [0] curve OID OPTIONAL, [1] publicKey BIT STRING OPTIONAL }   RFC 5915
 *   PrivateKeyInfo ::= SEQUENCE { 0, SEQUENCE { ecPublicKey OID, curve OID }, OCTET STRING { ECPrivateKey } }               RFC 5208
 */

/** Curves a key may be on. */
export type NamedCurve = "P-256" | "P-384";

const oid = (hex: string) => writeElement(0x06, Uint8Array.fromHex(hex));
const EC_PUBLIC_KEY = oid("2a8648ce3d0201");
const CURVES: ReadonlyArray<readonly [NamedCurve, Der]> = [
  ["P-256", oid("2a8648ce3d030107")],
  ["P-384", oid("2b81040022")],
];
const curveOid = (curve: NamedCurve): Der => CURVES.find(([name]) => name === curve)![1];

/** How the bytes of a private key are arranged. */
export type KeyFormat = "sec1" | "pkcs8" | "pkcs1";

/** Tells the formats of private keys apart by their structure. @throws {StatusError} BadRequest for anything else */
export function keyFormatOf(der: Der): KeyFormat {
  const [version, second] = readSequence(der);
  if (version?.tag === 0x02 && version.content.length === 1) {
    if (version.content[0] === 1 && second?.tag === 0x04) return "sec1";
    if (version.content[0]! <= 1 && second?.tag === 0x30) return "pkcs8";
    if (version.content[0] === 0 && second?.tag === 0x02) return "pkcs1";
  }
  throw new StatusError(
    "BadRequest",
    "Cannot read the private key: it is neither SEC1 nor PKCS#8 nor PKCS#1",
  );
}

interface EcPrivateKey {
  curve: NamedCurve;
  privateKey: Der;
  /** The BIT STRING's content with its leading zero. */
  publicKey: Der | undefined;
}

function curveFrom(element: Der | undefined): NamedCurve {
  const found = CURVES.find(([, der]) => element !== undefined && equalBytes(der, element));
  if (found === undefined) {
    throw new StatusError("BadRequest", "Cannot read the private key: its curve is not P-256 or P-384");
  }
  return found[0];
}

function parseEcPrivateKey(der: Der, outerCurve?: NamedCurve): EcPrivateKey {
  const [, key, ...optional] = readSequence(der);
  if (keyFormatOf(der) !== "sec1" || key === undefined) {
    throw new StatusError("BadRequest", "Cannot read the private key: SEC1 (RFC 5915) is expected");
  }
  const parameters = optional.find((e) => e.tag === 0xa0)?.content;
  const publicKey = optional.find((e) => e.tag === 0xa1)?.content;
  return {
    // Without a curve the length of the number tells which it is.
    curve: parameters !== undefined
      ? curveFrom(parameters)
      : outerCurve ?? (key.content.length > 32 ? "P-384" : "P-256"),
    privateKey: key.content,
    publicKey: publicKey === undefined ? undefined : readElements(publicKey)[0]?.content,
  };
}

function parsePkcs8(der: Der): EcPrivateKey {
  const [, algorithm, key] = readSequence(der);
  if (algorithm?.tag !== 0x30 || key?.tag !== 0x04) {
    throw new StatusError("BadRequest", "Cannot read the private key: PKCS#8 is expected");
  }
  const [kind, parameters] = readElements(algorithm.content);
  if (kind === undefined || !equalBytes(kind.whole, EC_PUBLIC_KEY)) {
    throw new StatusError("BadRequest", "Cannot read the private key: it is not an elliptic-curve key");
  }
  return parseEcPrivateKey(key.content, curveFrom(parameters?.whole));
}

function parseKey(der: Der): EcPrivateKey {
  switch (keyFormatOf(der)) {
    case "sec1":
      return parseEcPrivateKey(der);
    case "pkcs8":
      return parsePkcs8(der);
    case "pkcs1":
      throw new StatusError(
        "BadRequest",
        "Cannot use the private key: it is RSA, an elliptic-curve key is needed",
      );
  }
}

const VERSION_0 = Uint8Array.of(0x02, 1, 0);
const VERSION_1 = Uint8Array.of(0x02, 1, 1);

function printEcPrivateKey(key: EcPrivateKey, withCurve: boolean): Der {
  const parts = [VERSION_1, writeElement(0x04, key.privateKey)];
  if (withCurve) parts.push(writeElement(0xa0, curveOid(key.curve)));
  if (key.publicKey !== undefined) parts.push(writeElement(0xa1, writeElement(0x03, key.publicKey)));
  return writeElement(0x30, ...parts);
}

/** SEC1 bytes with curve and public key, as Go writes them, of an EC key in either format. @throws {StatusError} BadRequest */
export function toSec1(der: Der): Der {
  return printEcPrivateKey(parseKey(der), true);
}

/** PKCS#8 bytes of an EC key in either format. @throws {StatusError} BadRequest */
export function toPkcs8(der: Der): Der {
  const key = parseKey(der);
  const algorithm = writeElement(0x30, EC_PUBLIC_KEY, curveOid(key.curve));
  return writeElement(0x30, VERSION_0, algorithm, writeElement(0x04, printEcPrivateKey(key, false)));
}

/** The `EC PRIVATE KEY` PEM of an EC key in either format, which is what edgecore keeps beside its certificate. */
export function printEcKeyPem(der: Der): string {
  return printPem("EC PRIVATE KEY", toSec1(der));
}

/** The PEM block of a private key of any kind under the label its structure asks for. @throws {StatusError} BadRequest */
export function printKeyPem(der: Der): string {
  const labels: Readonly<Record<KeyFormat, string>> = {
    sec1: "EC PRIVATE KEY",
    pkcs8: "PRIVATE KEY",
    pkcs1: "RSA PRIVATE KEY",
  };
  return printPem(labels[keyFormatOf(der)], der);
}

/** An EC private key as WebCrypto uses it. */
export interface SigningKey {
  key: CryptoKey;
  curve: NamedCurve;
}

/** Imports an EC private key in either format for signing. @throws {StatusError} BadRequest */
export async function importSigningKey(der: Der): Promise<SigningKey> {
  const { curve } = parseKey(der);
  try {
    const algorithm = { name: "ECDSA", namedCurve: curve };
    return { curve, key: await crypto.subtle.importKey("pkcs8", toPkcs8(der), algorithm, true, ["sign"]) };
  } catch (cause) {
    throw new StatusError("BadRequest", "Cannot use the private key: it is not a valid EC key", { cause });
  }
}

/** A new P-256 key pair whose private half can be exported. */
export function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
}

/** SEC1 bytes of an exportable private key. */
export async function exportSec1(key: CryptoKey): Promise<Der> {
  return toSec1(new Uint8Array(await crypto.subtle.exportKey("pkcs8", key)));
}

/** The curve of a SubjectPublicKeyInfo; undefined for keys of another kind or curve. @throws {StatusError} BadRequest */
export function ecCurveOf(publicKey: Der): NamedCurve | undefined {
  const [algorithm] = readSequence(publicKey);
  const [kind, curve] = algorithm?.tag === 0x30 ? readElements(algorithm.content) : [];
  if (kind === undefined || curve === undefined || !equalBytes(kind.whole, EC_PUBLIC_KEY)) return undefined;
  return CURVES.find(([, der]) => equalBytes(der, curve.whole))?.[0];
}

const COORDINATE_BYTES: Readonly<Record<NamedCurve, number>> = { "P-256": 32, "P-384": 48 };

/** `r || s`, as WebCrypto has it, of an ECDSA signature in DER; undefined when it is none. */
export function rawSignature(der: Der, curve: NamedCurve): Der | undefined {
  const size = COORDINATE_BYTES[curve];
  const numbers = readSequence(der);
  if (numbers.length !== 2 || numbers.some((e) => e.tag !== 0x02)) return undefined;
  const raw = new Uint8Array(2 * size);
  for (const [i, { content }] of numbers.entries()) {
    const start = content.findIndex((byte) => byte !== 0);
    const digits = start < 0 ? content.subarray(content.length) : content.subarray(start);
    if (digits.length > size) return undefined;
    raw.set(digits, (i + 1) * size - digits.length);
  }
  return raw;
}

/** A signature of WebCrypto as DER. */
export function derSignature(raw: Uint8Array): Der {
  const half = raw.length / 2;
  const integer = (bytes: Uint8Array) => {
    let start = 0;
    while (start < bytes.length - 1 && bytes[start] === 0) start++;
    const digits = bytes.subarray(start);
    return writeElement(0x02, ...(digits[0]! >= 0x80 ? [Uint8Array.of(0)] : []), digits);
  };
  return writeElement(0x30, integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}
