/** The form of an answer of the HTTPS endpoint: what stays when keys, numbers, times and serials are other ones. */
import { parseCertificate } from "../../common/pki/mod.ts";
import { type Name, X509Certificate } from "../../common/pki/_x509.ts";
import type { HttpsAnswer } from "./cloud_https_cases.ts";

/** A certificate without what is different in every one. */
export interface CertificateForm {
  subject: string;
  issuer: string;
  version: number;
  signature: string;
  /** Seconds. */
  validity: number;
  /** Object identifiers; "!" in front of critical ones. */
  extensions: string[];
  names: string[];
  usages: string[];
  publicKey: string;
}

/** An answer as it is recorded. */
export interface AnswerForm {
  status: string;
  headers: Record<string, string>;
  body: string | { certificate: CertificateForm };
}

/** What may differ from one answer to the next, and nothing else. */
const VARYING_HEADERS: ReadonlySet<string> = new Set(["date"]);

/** An answer without what varies. A length is left out where the body is a certificate. */
export function recordAnswer({ status, headers, body }: HttpsAnswer): AnswerForm {
  const isCertificate = body[0] === 0x30 && body[1] === 0x82;
  const kept = Object.entries(headers).filter(([name]) =>
    !VARYING_HEADERS.has(name) && !(isCertificate && name === "content-length")
  ).sort(([a], [b]) => a < b ? -1 : 1);
  return {
    status,
    headers: Object.fromEntries(kept),
    body: isCertificate ? { certificate: certificateForm(body) } : new TextDecoder().decode(body),
  };
}

function certificateForm(der: Uint8Array): CertificateForm {
  const certificate = new X509Certificate(new Uint8Array(der));
  const info = parseCertificate(new Uint8Array(der));
  const text = (name: Name) => name.toJSON().map((part) => JSON.stringify(part)).join("");
  return {
    subject: text(certificate.subjectName),
    issuer: text(certificate.issuerName),
    version: 3,
    signature: `${certificate.signatureAlgorithm.name} ${certificate.signatureAlgorithm.hash.name}`,
    validity: (info.notAfter - info.notBefore) / 1000,
    extensions: Array.from(certificate.extensions, (e) => `${e.critical ? "!" : ""}${e.type}`).sort(),
    names: [...info.dnsNames, ...info.addresses],
    usages: info.extendedKeyUsages ?? [],
    publicKey: JSON.stringify(certificate.publicKey.algorithm),
  };
}
