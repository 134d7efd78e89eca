import { errorText, StatusError } from "../../common/errors/mod.ts";
import {
  type CertificateInfo,
  type Der,
  isIssuedBy,
  isKeyOf,
  nodeUser,
  parseCertificate,
  parseFirstPem,
} from "../../common/pki/mod.ts";
import { directoryOf } from "../../common/paths/mod.ts";
import type { ResolvedOptions } from "./options.ts";

/** What the edge proves itself with, as PEM text. */
export interface Credentials {
  ca: string;
  certificate: string;
  key: string;
  /** Unix milliseconds. */
  notBefore: number;
  /** Unix milliseconds. */
  notAfter: number;
}

/** Where credentials are kept. */
export type CredentialFiles = Pick<ResolvedOptions, "tlsCaFile" | "tlsCertFile" | "tlsPrivateKeyFile">;

/** Why stored credentials cannot be used; the text says what to do. */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";
}

const MAX_FILE_BYTES = 1024 * 1024;
/** Marks files that were written completely but do not have their final name yet. */
const NEW = ".new";

/**
 * Reads the credentials of a node and checks that they are its own, belong together, chain to the CA and are valid now.
 * @returns undefined when there are none
 * @throws {CredentialsError} naming what is wrong and the fix
 */
export async function loadCredentials(
  files: CredentialFiles,
  nodeName: string,
  now: number,
): Promise<Credentials | undefined> {
  const ca = await readText(files.tlsCaFile);
  const certificate = await readText(files.tlsCertFile);
  if (ca === undefined || certificate === undefined) return undefined;
  const parsed = parse(certificate, files.tlsCertFile);
  const authority = parse(ca, files.tlsCaFile);
  const key = await matchingKey(files, parsed.der);
  if (key === undefined) return undefined;
  const { subject: { commonName: name }, notBefore, notAfter } = parsed.info;
  if (name !== nodeUser(nodeName)) {
    throw new CredentialsError(
      `${files.tlsCertFile} is the certificate of ${JSON.stringify(name)}, but this node is ${
        JSON.stringify(nodeName)
      }: set edged.hostnameOverride to the old name, or provide a join token (keadm gettoken) to join under the new one`,
    );
  }
  if (!await isIssuedBy(authority.der, parsed.der)) {
    throw new CredentialsError(
      `${files.tlsCertFile} was not signed by the CA in ${files.tlsCaFile}: provide a join token (keadm gettoken)`,
    );
  }
  if (now >= notAfter) {
    throw new CredentialsError(
      `The certificate in ${files.tlsCertFile} expired at ${iso(notAfter)} (this machine's clock says ${
        iso(now)
      }): ` +
        "provide a new join token (keadm gettoken), or set the clock if it is wrong",
    );
  }
  return { ca, certificate, key, notBefore, notAfter };
}

/**
 * Writes credentials so that a power cut at any moment leaves the old pair or the new one: both files are complete on disk
 * under temporary names before either gets its final name, and {@linkcode loadCredentials} finds a key that was left behind.
 */
export async function saveCredentials(
  files: CredentialFiles,
  { ca, certificate, key }: Pick<Credentials, "ca" | "certificate" | "key">,
): Promise<void> {
  for (const file of [files.tlsCaFile, files.tlsCertFile, files.tlsPrivateKeyFile]) {
    await Deno.mkdir(directoryOf(file), { recursive: true, mode: 0o755 });
  }
  await writeDurably(files.tlsPrivateKeyFile + NEW, key, 0o600);
  await writeDurably(files.tlsCertFile + NEW, certificate, 0o644);
  await writeDurably(files.tlsCaFile + NEW, ca, 0o644);
  for (const file of [files.tlsCaFile, files.tlsCertFile, files.tlsPrivateKeyFile]) {
    await Deno.rename(file + NEW, file);
    await syncDirectory(directoryOf(file));
  }
}

/** The CA file's text; undefined when there is none. */
async function readText(path: string): Promise<string | undefined> {
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new CredentialsError(`${path} is ${size} bytes long: it is not a PEM file`);
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function parse(pem: string, path: string): { der: Der; info: CertificateInfo } {
  try {
    const { der } = parseFirstPem(pem);
    return { der, info: parseCertificate(der) };
  } catch (cause) {
    throw new CredentialsError(
      `${path} is not a certificate in PEM (${
        errorText(cause)
      }): remove it and provide a join token (keadm gettoken)`,
      { cause },
    );
  }
}

/** The private key of a certificate: in its file, or still under the temporary name. */
async function matchingKey(files: CredentialFiles, certificate: Der): Promise<string | undefined> {
  for (const path of [files.tlsPrivateKeyFile, files.tlsPrivateKeyFile + NEW]) {
    const text = await readText(path);
    if (text !== undefined && await holdsKeyOf(certificate, text)) return text;
  }
  return undefined;
}

async function holdsKeyOf(certificate: Der, pem: string): Promise<boolean> {
  try {
    return await isKeyOf(certificate, parseFirstPem(pem).der);
  } catch (error) {
    // A file that holds no key holds none for this certificate.
    if (error instanceof StatusError) return false;
    throw error;
  }
}

async function writeDurably(path: string, text: string, mode: number): Promise<void> {
  using file = await Deno.open(path, { create: true, truncate: true, write: true, mode });
  // The mode of `open` does not change a file that exists.
  await Deno.chmod(path, mode);
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  using directory = await Deno.open(path);
  await directory.sync();
}

const iso = (ms: number) => new Date(ms).toISOString();
