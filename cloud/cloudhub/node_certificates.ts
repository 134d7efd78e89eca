import { errorText, findStatusError, StatusError } from "../../common/errors/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import {
  type Authority,
  type CertificateFault,
  type Der,
  NODES_GROUP,
  nodeUser,
  signNodeRequest,
  type TokenFault,
  verifyClientCertificate,
  verifyRequest,
  verifyTokenJwt,
} from "../../common/pki/mod.ts";
import { isForAnyNode, isNodeName, speaksFor } from "./node_name.ts";

/** What a node asks for at `/edge.crt`. */
export interface CertificateRequest {
  /** Header `NodeName`. */
  node: string;
  /** Header `Authorization`; ignored when there is a certificate. */
  authorization: string;
  /** Header `ExtKeyUsages`: a JSON array of numbers, or empty. */
  extKeyUsages: string;
  /** The TLS client certificate. */
  peerCertificate: Der | undefined;
  /** Reads the body, a PKCS#10 request; called only for those who may ask. @throws {StatusError} when it is too large or cut off */
  csr: () => Promise<Der>;
}

/** The outcome, with what the metrics call it. */
export type CertificateAnswer =
  | { status: 200; body: Der; result: "joined" | "renewed" }
  | { status: 400 | 401 | 403 | 500; text: string; result: "unauthorized" | "forbidden" | "bad_request" };

/** What signing needs. */
export interface NodeCertificateComponents {
  authority: Authority;
  clock: Pick<Clock, "now">;
  validityDays: number;
  legacyCertificates: boolean;
}

/** Go's clientAuth. */
const CLIENT_AUTH = 2;
/** The last number that has a meaning outside of products of one maker. */
const LAST_EXT_KEY_USAGE = 9;

/** How upstream's libraries tell what is wrong with a token. Upstream: github.com/golang-jwt/jwt v5 errors.go */
const TOKEN_TEXTS: Readonly<Record<TokenFault, string>> = {
  Malformed: "token is malformed",
  Segments: "token is malformed: token contains an invalid number of segments",
  Method:
    "token is unverifiable: error while executing keyfunc: invalid token method type, want *jwt.SigningMethodHMAC",
  Signature: "token signature is invalid: signature is invalid",
  Expired: "token has invalid claims: token is expired",
  NotYetValid: "token has invalid claims: token is not valid yet",
};

/** How upstream's libraries tell why a certificate does not count. Upstream: Go crypto/x509 verify.go */
const CERTIFICATE_TEXTS: Readonly<Record<CertificateFault, string>> = {
  UnknownAuthority: "x509: certificate signed by unknown authority",
  Expired: "x509: certificate has expired or is not yet valid",
  Usage: "x509: certificate specifies an incompatible key usage",
  Critical: "x509: unhandled critical extension",
};

/** What upstream says, then what helps. */
function upstreamText(texts: Readonly<Record<string, string>>, error: StatusError): string {
  const text = texts[error.details?.causes?.[0]?.reason ?? ""];
  return text === undefined ? error.message : `${text}; ${error.message}`;
}

/**
 * Decides on a request for a node certificate and signs it. A node gets a certificate for its own name only: the name in the
 * request must be the one in the header, and for a renewal the one in the present certificate.
 *
 * Edgecore before v1.16 asks in the name `kubeedge.io`, which stands for no node: it gets a certificate for the node it says it
 * is, which is what the token would have let it ask for, and which it takes as any other.
 * Statuses and the beginnings of texts as upstream's: kubeedge cloud/pkg/cloudhub/servers/httpserver/certificate/certs.go @ 16cd854
 */
export async function answerCertificateRequest(
  request: CertificateRequest,
  components: NodeCertificateComponents,
): Promise<CertificateAnswer> {
  const { node } = request;
  const refusal = request.peerCertificate === undefined
    ? await checkToken(request.authorization, components)
    : await checkCertificate(node, request.peerCertificate, components);
  if (refusal !== undefined) return { status: 401, text: refusal, result: "unauthorized" };

  const failed = (cause: string) => `failed to sign certs for edgenode ${node}, err: ${cause}`;
  if (!isNodeName(node)) {
    const text = failed(`header NodeName ${JSON.stringify(node.slice(0, 253))} is not the name of a node`);
    return { status: 400, text, result: "bad_request" };
  }
  let step = "unmarshal http header ExtKeyUsages fail";
  try {
    const extKeyUsages = parseExtKeyUsages(request.extKeyUsages);
    step = "fail to read file when signing the cert";
    const csr = await request.csr();
    step = "fail to signCerts, err: failed to parse csr";
    const { subject, hasAlternativeNames } = await verifyRequest(csr);
    step = "fail to signCerts";
    if (subject.commonName === "") throw new StatusError("BadRequest", "must specify a CommonName");
    const forbidden = checkSubject(node, subject) ??
      // A server certificate with names of its choice would let a node pass for cloudcore.
      (hasAlternativeNames && extKeyUsages.some((usage) => usage !== CLIENT_AUTH)
        ? "alternative names are allowed for client certificates only"
        : undefined);
    if (forbidden !== undefined) return { status: 403, text: failed(forbidden), result: "forbidden" };
    if (extKeyUsages.length === 0) {
      throw new StatusError("BadRequest", "must specify at least one ExtKeyUsage");
    }
    if (extKeyUsages.some((usage) => usage > LAST_EXT_KEY_USAGE)) {
      throw new StatusError(
        "BadRequest",
        "failed to create certificate, err: x509: unknown extended key usage",
      );
    }
    const body = await signNodeRequest(components.authority, csr, {
      validityDays: components.validityDays,
      extKeyUsages,
      subject: { commonName: nodeUser(node), organizations: [NODES_GROUP] },
      now: components.clock.now(),
    });
    return { status: 200, body, result: request.peerCertificate === undefined ? "joined" : "renewed" };
  } catch (error) {
    if (findStatusError(error) === undefined) throw error;
    return { status: 500, text: failed(`${step}, err: ${errorText(error)}`), result: "bad_request" };
  }
}

function checkSubject(
  node: string,
  subject: { commonName: string; organizations: string[] },
): string | undefined {
  if (speaksFor({ subject }, node, false) || isForAnyNode(subject)) return undefined;
  const asked = JSON.stringify(subject.commonName.slice(0, 300));
  if (subject.commonName !== nodeUser(node)) {
    return `the request is for ${asked}, but node ${node} may only ask for "${nodeUser(node)}"`;
  }
  return `the request must have the organization ${NODES_GROUP} and no other before it`;
}

async function checkCertificate(
  node: string,
  certificate: Der,
  { authority, clock, legacyCertificates }: NodeCertificateComponents,
): Promise<string | undefined> {
  const failed = (cause: string) => `failed to verify the certificate for edgenode: ${node}, err: ${cause}`;
  try {
    const info = await verifyClientCertificate(authority.certificate, certificate, clock.now());
    return speaksFor(info, node, legacyCertificates)
      ? undefined
      : failed("request node name is not match with the certificate");
  } catch (error) {
    const status = findStatusError(error);
    if (status === undefined) throw error;
    return failed(`failed to verify edge certificate: ${upstreamText(CERTIFICATE_TEXTS, status)}`);
  }
}

async function checkToken(
  authorization: string,
  { authority, clock }: NodeCertificateComponents,
): Promise<string | undefined> {
  if (authorization === "") return "token validation failure, token is empty";
  const parts = authorization.split(" ");
  if (parts.length !== 2) return "token validation failure, token cannot be split";
  try {
    await verifyTokenJwt(parts[1]!, authority.key, clock.now());
    return undefined;
  } catch (error) {
    const status = findStatusError(error);
    if (status === undefined) throw error;
    return `token validation failure, err: ${upstreamText(TOKEN_TEXTS, status)}`;
  }
}

/** Numbers of Go's x509.ExtKeyUsage. @throws {StatusError} BadRequest when it is not an array of numbers */
function parseExtKeyUsages(text: string): number[] {
  if (text === "") return [CLIENT_AUTH];
  const numbers = text.match(/^\s*\[\s*(\d{1,2}(?:\s*,\s*\d{1,2}){0,9})?\s*\]\s*$/);
  if (numbers === null) {
    throw new StatusError("BadRequest", "header ExtKeyUsages is not a JSON array of numbers");
  }
  return (numbers[1] ?? "").split(",").filter((part) => part !== "").map(Number);
}
