/**
 * Certificates, keys and join tokens of a KubeEdge cluster: its CA, the serving certificate of cloudcore, the requests and
 * certificates of nodes. EC P-256 on WebCrypto. Certificates and keys are DER bytes everywhere; PEM only at files.
 * Upstream: kubeedge pkg/security/certs, pkg/security/token @ 16cd854
 * @module
 */
export {
  BACKDATED_MS,
  caHash,
  createAuthority,
  issueServingCertificate,
  loadAuthority,
  signNodeRequest,
} from "./authority.ts";
export type { Authority, KeyPair, NodeCertificateOptions, ServingOptions } from "./authority.ts";
export {
  ExtendedKeyUsage,
  isIpAddress,
  isIssuedBy,
  normalizeAddress,
  parseCertificate,
  verifyClientCertificate,
} from "./certificate.ts";
export type { CertificateFault, CertificateInfo, Subject } from "./certificate.ts";
export { createNodeRequest, NODES_GROUP, nodeUser, verifyRequest } from "./csr.ts";
export type { NewRequest, VerifiedRequest } from "./csr.ts";
export { equalBytes, MAX_DER_BYTES } from "./der.ts";
export type { Der } from "./der.ts";
export {
  exportSec1,
  generateKeys,
  importSigningKey,
  keyFormatOf,
  printEcKeyPem,
  printKeyPem,
  toPkcs8,
  toSec1,
} from "./ec_key.ts";
export type { KeyFormat, NamedCurve, SigningKey } from "./ec_key.ts";
export { isKeyOf } from "./key_match.ts";
export { checkTokenForCa, createJoinToken, parseJoinToken, verifyTokenJwt } from "./join_token.ts";
export type { JoinToken, TokenFault } from "./join_token.ts";
export { parseFirstPem, parsePem, printPem } from "./pem.ts";
export type { PemBlock } from "./pem.ts";
