import { errorText, findStatusError, StatusError } from "../../common/errors/mod.ts";
import type { Clock } from "../../common/module/mod.ts";
import {
  type Authority,
  type Der,
  NODES_GROUP,
  nodeUser,
  signNodeRequest,
  verifyClientCertificate,
  verifyRequest,
  verifyTokenJwt,
} from "../../common/pki/mod.ts";
import { isNodeName, speaksFor } from "./node_name.ts";

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
  /** PKCS#10. */
  csr: Der;
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

/**
 * Decides on a request for a node certificate and signs it. A node gets a certificate for its own name only: the name in the
 * request must be the one in the header, and for a renewal the one in the present certificate.
 * Texts as upstream's: kubeedge cloud/pkg/cloudhub/servers/httpserver/certificate/certs.go @ 16cd854
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
  try {
    const extKeyUsages = parseExtKeyUsages(request.extKeyUsages);
    const { subject, hasAlternativeNames } = await verifyRequest(request.csr);
    const forbidden = checkSubject(node, subject, components.legacyCertificates) ??
      // A server certificate with names of its choice would let a node pass for cloudcore.
      (hasAlternativeNames && extKeyUsages.some((usage) => usage !== CLIENT_AUTH)
        ? "alternative names are allowed for client certificates only"
        : undefined);
    if (forbidden !== undefined) return { status: 403, text: failed(forbidden), result: "forbidden" };
    const body = await signNodeRequest(components.authority, request.csr, {
      validityDays: components.validityDays,
      extKeyUsages,
      now: components.clock.now(),
    });
    return { status: 200, body, result: request.peerCertificate === undefined ? "joined" : "renewed" };
  } catch (error) {
    if (findStatusError(error) === undefined) throw error;
    return { status: 500, text: failed(errorText(error)), result: "bad_request" };
  }
}

function checkSubject(
  node: string,
  subject: { commonName: string; organizations: string[] },
  legacyCertificates: boolean,
): string | undefined {
  if (speaksFor({ subject }, node, legacyCertificates)) return undefined;
  const asked = JSON.stringify(subject.commonName.slice(0, 300));
  if (subject.commonName === "") return "must specify a CommonName";
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
    if (findStatusError(error) === undefined) throw error;
    return failed(`failed to verify edge certificate: ${errorText(error)}`);
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
    if (findStatusError(error) === undefined) throw error;
    return `token validation failure, err: ${errorText(error)}`;
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
