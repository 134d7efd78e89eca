import { parseCertificate, parseFirstPem } from "../pki/mod.ts";

/** When a certificate in PEM ends; undefined when it is none. */
export function certificateEnd(pem: string): Date | undefined {
  try {
    return new Date(parseCertificate(parseFirstPem(pem).der).notAfter);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
