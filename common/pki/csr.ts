import { StatusError } from "../errors/mod.ts";
import {
  Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
} from "./_x509.ts";
import { type Subject, subjectOf } from "./certificate.ts";
import { type Der, MAX_DER_BYTES } from "./der.ts";
import { exportSec1, generateKeys } from "./ec_key.ts";

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

/** A name with the text unescaped: nothing in a value is taken for syntax. */
export function exactName(parts: ReadonlyArray<readonly [string, string]>): Name {
  return new Name(parts.map(([type, value]) => ({
    [type]: [PRINTABLE.test(value) ? { printableString: value } : { utf8String: value }],
  })));
}

/**
 * A request as edgecore makes it, with a fresh P-256 key.
 * Upstream: kubeedge edge/pkg/edgehub/certificate/certmanager.go @ 16cd854
 */
export async function createNodeRequest(nodeName: string): Promise<NewRequest> {
  const keys = await generateKeys();
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: exactName([
      ["C", "CN"],
      ["ST", "Zhejiang"],
      ["L", "Hangzhou"],
      ["O", NODES_GROUP],
      ["CN", nodeUser(nodeName)],
    ]),
    keys,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
  });
  return { csr: new Uint8Array(request.rawData), key: await exportSec1(keys.privateKey) };
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
  let request: Pkcs10CertificateRequest;
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
  return { subject: subjectOf(request.subjectName), hasAlternativeNames, request };
}
