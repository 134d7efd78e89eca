import { StatusError } from "../errors/mod.ts";
import { loadX509 } from "./_load_x509.ts";
import type { Pkcs10CertificateRequest } from "./_x509.ts";
import type { Subject } from "./certificate.ts";
import { type Der, MAX_DER_BYTES, writeElement } from "./der.ts";
import { derSignature, exportSec1, generateKeys } from "./ec_key.ts";

/** The group of all nodes, in the certificates' organization. */
export const NODES_GROUP = "system:nodes";
const NODE_PREFIX = "system:node:";

/** The user name of a node: the common name of its certificate. */
export function nodeUser(nodeName: string): string {
  return NODE_PREFIX + nodeName;
}

/** A new certificate request and the key it is for. */
export interface NewRequest {
  /** PKCS#10. */
  csr: Der;
  /** SEC1. */
  key: Der;
}

/** What Go writes as PrintableString; the rest is UTF8String. */
const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

/** The last byte of the identifiers 2.5.4.x. */
const NAME_PARTS = { CN: 3, C: 6, L: 7, ST: 8, O: 10 } as const;

/** A Name in DER; nothing in a value is taken for syntax. */
export function writeName(parts: ReadonlyArray<readonly [keyof typeof NAME_PARTS, string]>): Der {
  return writeElement(
    0x30,
    ...parts.map(([type, value]) =>
      writeElement(
        0x31,
        writeElement(
          0x30,
          Uint8Array.of(0x06, 3, 0x55, 0x04, NAME_PARTS[type]),
          writeElement(PRINTABLE.test(value) ? 0x13 : 0x0c, new TextEncoder().encode(value)),
        ),
      )
    ),
  );
}

/** AlgorithmIdentifier ecdsa-with-SHA256. */
const ECDSA_WITH_SHA256 = Uint8Array.fromHex("300a06082a8648ce3d040302");

/**
 * A request as edgecore makes it, with a fresh P-256 key.
 *
 *   CertificationRequest ::= SEQUENCE { SEQUENCE { 0, subject, subjectPublicKeyInfo, [0] }, algorithm, BIT STRING }   RFC 2986
 *
 * Upstream: kubeedge edge/pkg/edgehub/certificate/certmanager.go @ 16cd854
 */
export async function createNodeRequest(nodeName: string): Promise<NewRequest> {
  const keys = await generateKeys();
  const subject = writeName([
    ["C", "CN"],
    ["ST", "Zhejiang"],
    ["L", "Hangzhou"],
    ["O", NODES_GROUP],
    ["CN", nodeUser(nodeName)],
  ]);
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const info = writeElement(0x30, Uint8Array.of(0x02, 1, 0), subject, publicKey, Uint8Array.of(0xa0, 0));
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, keys.privateKey, info);
  const bits = writeElement(0x03, Uint8Array.of(0), derSignature(new Uint8Array(signature)));
  return { csr: writeElement(0x30, info, ECDSA_WITH_SHA256, bits), key: await exportSec1(keys.privateKey) };
}

/** A request whose signature proves that the asker holds the key. */
export interface VerifiedRequest {
  subject: Subject;
  /** Whether it asks for subject alternative names. */
  hasAlternativeNames: boolean;
  request: Pkcs10CertificateRequest;
}

/**
 * Reads a request and checks its signature with the key it carries.
 * @throws {StatusError} BadRequest
 */
export async function verifyRequest(der: Der): Promise<VerifiedRequest> {
  if (der.length > MAX_DER_BYTES || der[0] !== 0x30) {
    throw new StatusError("BadRequest", "Cannot read the certificate request: it is not DER");
  }
  const { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } = await loadX509();
  let request: InstanceType<typeof Pkcs10CertificateRequest>;
  let valid: boolean;
  try {
    request = new Pkcs10CertificateRequest(der);
    valid = await request.verify();
  } catch (cause) {
    throw new StatusError("BadRequest", "Cannot read the certificate request: it is malformed", { cause });
  }
  if (!valid) {
    throw new StatusError(
      "BadRequest",
      "Cannot accept the certificate request: it is not signed with the key it carries",
    );
  }
  const hasAlternativeNames = request.extensions.some((e) => e instanceof SubjectAlternativeNameExtension);
  const { subjectName } = request;
  const subject = {
    commonName: subjectName.getField("CN").at(-1) ?? "",
    organizations: subjectName.getField("O"),
  };
  return { subject, hasAlternativeNames, request };
}
