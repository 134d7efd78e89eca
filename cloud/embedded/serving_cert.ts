import {
  createAuthority as createCa,
  isIpAddress,
  isIssuedBy,
  issueServingCertificate,
  type KeyPair as DerKeyPair,
  loadAuthority,
  normalizeAddress,
  parseCertificate,
  parseFirstPem,
  printKeyPem,
  printPem,
} from "../../common/pki/mod.ts";

/** A key and a certificate, PEM. */
export interface KeyPair {
  key: string;
  certificate: string;
}

const RENEW_BEFORE_MS = 30 * 24 * 3600_000;

function printPair({ key, certificate }: DerKeyPair): KeyPair {
  return { key: printKeyPem(key), certificate: printPem("CERTIFICATE", certificate) };
}

function readPair({ key, certificate }: KeyPair): DerKeyPair {
  return { key: parseFirstPem(key).der, certificate: parseFirstPem(certificate).der };
}

/** A certificate authority for the serving certificate. @param now Unix milliseconds */
export async function createAuthority(now: number): Promise<KeyPair> {
  return printPair(await createCa(now));
}

/** A serving certificate for addresses and names, signed by the authority. @param now Unix milliseconds */
export async function createServing(
  authority: KeyPair,
  names: readonly string[],
  now: number,
): Promise<KeyPair> {
  const issuer = await loadAuthority(readPair(authority));
  const addresses = names.filter(isIpAddress).map(normalizeAddress);
  const dnsNames = names.filter((name) => !isIpAddress(name));
  return printPair(await issueServingCertificate(issuer, { dnsNames, addresses, now }));
}

/** Whether a serving certificate still covers the names, for some time to come. @param now Unix milliseconds */
export async function covers(
  pair: KeyPair,
  authority: KeyPair,
  names: readonly string[],
  now: number,
): Promise<boolean> {
  const { certificate } = readPair(pair);
  if (!await isIssuedBy(readPair(authority).certificate, certificate)) return false;
  const { notAfter, dnsNames, addresses } = parseCertificate(certificate);
  if (notAfter - now < RENEW_BEFORE_MS) return false;
  const present = new Set([...dnsNames, ...addresses]);
  return names.every((name) => present.has(isIpAddress(name) ? normalizeAddress(name) : name));
}
