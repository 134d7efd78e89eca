import {
  createAuthority,
  createNodeRequest,
  loadAuthority,
  printEcKeyPem,
  printPem,
  signNodeRequest,
} from "../pki/mod.ts";

/** A client certificate and its key, both PEM, of a CA of their own. For tests only. */
export async function makePair(): Promise<{ cert: string; key: string }> {
  const authority = await loadAuthority(await createAuthority(Date.now()));
  const { csr, key } = await createNodeRequest("edge-1");
  const certificate = await signNodeRequest(authority, csr, { now: Date.now(), validityDays: 1 });
  return { cert: printPem("CERTIFICATE", certificate), key: printEcKeyPem(key) };
}
