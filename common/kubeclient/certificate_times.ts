import { parseCertificate, parseFirstPem } from "../pki/mod.ts";

/** From when to when a certificate in PEM is valid; undefined when it is none. */
export function certificateTimes(pem: string): { notBefore: Date; notAfter: Date } | undefined {
  try {
    const { notBefore, notAfter } = parseCertificate(parseFirstPem(pem).der);
    return { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
