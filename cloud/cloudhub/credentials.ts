import type { Namespace, Secret } from "../../common/api/core_v1.ts";
import { isAlreadyExists, isConflict, isNotFound, StatusError } from "../../common/errors/mod.ts";
import { type KubeClient, NAMESPACES, SECRETS } from "../../common/kubeclient/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import {
  type Authority,
  createAuthority,
  type Der,
  equalBytes,
  ExtendedKeyUsage,
  isIssuedBy,
  issueServingCertificate,
  type KeyPair,
  loadAuthority,
  normalizeAddress,
  parseCertificate,
  parseFirstPem,
} from "../../common/pki/mod.ts";
import { readTextFileIfAny } from "./files.ts";
import type { ResolvedOptions } from "./options.ts";

/** What loading the credentials uses. */
export interface CredentialComponents {
  kube: KubeClient;
  clock: Clock;
  log: Logger;
}

/** The keys cloudhub serves and signs with. */
export interface Credentials {
  authority: Authority;
  serving: KeyPair;
}

interface SecretKeys {
  name: string;
  certificate: string;
  key: string;
}

const CA_SECRET: SecretKeys = { name: "casecret", certificate: "cadata", key: "cakeydata" };
const SERVING_SECRET: SecretKeys = {
  name: "cloudcoresecret",
  certificate: "cloudcoredata",
  key: "cloudcorekeydata",
};

/** A serving certificate is replaced when it ends within this time. */
const RENEW_BEFORE_MS = 30 * 86_400_000;

/** Tries of a write that lost against another replica. */
const WRITE_TRIES = 5;

/**
 * Loads the CA and the serving pair: local files, then secrets, then new ones; what was chosen is in the secrets afterwards.
 * Of two replicas that start at once without a CA the one whose secret exists first wins, and both use it.
 * Upstream: kubeedge cloud/pkg/cloudhub/servers/httpserver/pre_server.go @ 16cd854
 * @throws {StatusError} for any failure of the API other than NotFound, and for credentials that do not fit
 */
export async function loadCredentials(
  components: CredentialComponents,
  options: ResolvedOptions,
): Promise<Credentials> {
  await ensureNamespace(components.kube, options.namespace);
  const authority = await loadCa(components, options);
  return { authority, serving: await loadServing(components, options, authority) };
}

/** Creates the namespace of the secrets unless it is there. */
async function ensureNamespace(kube: KubeClient, name: string): Promise<void> {
  const namespace: Namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  try {
    await kube.get(NAMESPACES, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    try {
      await kube.create(NAMESPACES, namespace);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }
}

async function loadCa(
  { kube, clock, log }: CredentialComponents,
  options: ResolvedOptions,
): Promise<Authority> {
  const { tlsCAFile, tlsCAKeyFile } = options.files;
  const copied = await isNodesCopy(kube, options);
  if (copied) {
    log.info("The file of the CA is a node's copy: taking the CA from its secret", { file: tlsCAFile });
  }
  const fromFiles = copied ? undefined : await readPair("tlsCAFile", tlsCAFile, "tlsCAKeyFile", tlsCAKeyFile);
  if (fromFiles !== undefined) {
    const authority = await loadAuthority(fromFiles);
    await writePair(kube, options.namespace, CA_SECRET, fromFiles);
    log.info("Loaded the CA from files", { file: tlsCAFile });
    return authority;
  }
  const stored = await readSecretPair(kube, options.namespace, CA_SECRET);
  if (stored !== undefined) return await loadAuthority(stored.pair);
  const made = await createAuthority(clock.now());
  try {
    await kube.create(SECRETS, pairSecret(options.namespace, CA_SECRET, made));
    log.info("Made a new CA", { storedAs: CA_SECRET.name });
    return await loadAuthority(made);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
  const theirs = await readSecretPair(kube, options.namespace, CA_SECRET);
  if (theirs === undefined) {
    throw new StatusError("Conflict", `Cannot load the CA: secret ${CA_SECRET.name} comes and goes`);
  }
  return await loadAuthority(theirs.pair);
}

/**
 * Whether the CA file was written by an edgecore on this machine, whose default path is the same: it has no key beside it and
 * is the certificate of the stored CA.
 */
async function isNodesCopy(
  kube: KubeClient,
  { namespace, files: { tlsCAFile, tlsCAKeyFile } }: ResolvedOptions,
): Promise<boolean> {
  const text = tlsCAFile ? await readTextFileIfAny(tlsCAFile) : undefined;
  if (text === undefined || (tlsCAKeyFile && await readTextFileIfAny(tlsCAKeyFile) !== undefined)) {
    return false;
  }
  const stored = await readSecretPair(kube, namespace, CA_SECRET);
  return stored !== undefined && equalBytes(parseFirstPem(text).der, stored.pair.certificate);
}

async function loadServing(
  { kube, clock, log }: CredentialComponents,
  options: ResolvedOptions,
  authority: Authority,
): Promise<KeyPair> {
  const { tlsCertFile, tlsPrivateKeyFile } = options.files;
  const fromFiles = await readPair("tlsCertFile", tlsCertFile, "tlsPrivateKeyFile", tlsPrivateKeyFile);
  if (fromFiles !== undefined && !canServe(fromFiles.certificate)) {
    log.info("The certificate in tlsCertFile is a node's: taking the one in the secret", {
      file: tlsCertFile,
    });
  } else if (fromFiles !== undefined) {
    const missing = missingNames(fromFiles.certificate, options);
    if (missing.length > 0) {
      log.warning(
        "The certificate in tlsCertFile does not cover every advertised name; edges cannot use these",
        {
          file: tlsCertFile,
          missing: missing.join(","),
        },
      );
    }
    await writePair(kube, options.namespace, SERVING_SECRET, fromFiles);
    return fromFiles;
  }
  for (let attempt = 1;; attempt++) {
    const stored = await readSecretPair(kube, options.namespace, SERVING_SECRET);
    const reason = stored === undefined
      ? "there is none"
      : await reissueReason(stored.pair.certificate, authority, options, clock.now());
    if (stored !== undefined && reason === undefined) return stored.pair;
    const kept = stored === undefined
      ? { dnsNames: [], addresses: [] }
      : parseCertificate(stored.pair.certificate);
    const made = await issueServingCertificate(authority, {
      // Names of the former certificate stay: another replica may be reached by them.
      dnsNames: [...new Set([...kept.dnsNames, ...options.dnsNames])],
      addresses: [...new Set([...kept.addresses, ...options.advertiseAddress.map(normalizeAddress)])],
      now: clock.now(),
    });
    const secret = pairSecret(options.namespace, SERVING_SECRET, made);
    try {
      if (stored === undefined) await kube.create(SECRETS, secret);
      else await kube.update(SECRETS, { ...stored.secret, data: { ...stored.secret.data, ...secret.data } });
      log.info("Issued the serving certificate", { reason });
      return made;
    } catch (error) {
      if (attempt >= WRITE_TRIES || !(isAlreadyExists(error) || isConflict(error) || isNotFound(error))) {
        throw error;
      }
    }
  }
}

/** Whether a certificate may be shown by a server; that of an edgecore on this machine may not. */
function canServe(certificate: Der): boolean {
  const usages = parseCertificate(certificate).extendedKeyUsages;
  return usages === undefined || usages.includes(ExtendedKeyUsage.serverAuth) ||
    usages.includes(ExtendedKeyUsage.any);
}

/** Why a serving certificate cannot be used any longer; undefined when it can. */
export async function reissueReason(
  certificate: Der,
  authority: Authority,
  options: Pick<ResolvedOptions, "advertiseAddress" | "dnsNames">,
  now: number,
): Promise<string | undefined> {
  const info = parseCertificate(certificate);
  if (!await isIssuedBy(authority.certificate, certificate)) return "it is from another CA";
  if (info.notAfter - now < RENEW_BEFORE_MS) return "it ends soon";
  const missing = missingNames(certificate, options);
  return missing.length > 0 ? `it does not cover ${missing.join(", ")}` : undefined;
}

/** Which advertised names and addresses a certificate does not cover. */
function missingNames(
  certificate: Der,
  { advertiseAddress, dnsNames }: Pick<ResolvedOptions, "advertiseAddress" | "dnsNames">,
): string[] {
  const info = parseCertificate(certificate);
  const covered = new Set([...info.dnsNames.map((name) => name.toLowerCase()), ...info.addresses]);
  return [...advertiseAddress.map(normalizeAddress), ...dnsNames]
    .filter((name) => !covered.has(name.toLowerCase()));
}

/** A pair of PEM files; undefined when neither exists. @throws {StatusError} Invalid when only one exists */
async function readPair(
  certificateKey: string,
  certificateFile: string | undefined,
  keyKey: string,
  keyFile: string | undefined,
): Promise<KeyPair | undefined> {
  const certificate = certificateFile ? await readTextFileIfAny(certificateFile) : undefined;
  const key = keyFile ? await readTextFileIfAny(keyFile) : undefined;
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) {
    const [there, missing] = certificate === undefined
      ? [`${keyKey} ${keyFile}`, `${certificateKey} ${certificateFile ?? "(not set)"}`]
      : [`${certificateKey} ${certificateFile}`, `${keyKey} ${keyFile ?? "(not set)"}`];
    throw new StatusError(
      "Invalid",
      `Cannot load the certificate: ${there} exists but ${missing} does not; give both files or neither`,
    );
  }
  try {
    return { certificate: parseFirstPem(certificate).der, key: parseFirstPem(key).der };
  } catch (cause) {
    throw new StatusError("Invalid", `Cannot load ${certificateFile} and ${keyFile}`, { cause });
  }
}

interface StoredPair {
  secret: Secret;
  pair: KeyPair;
}

async function readSecretPair(
  kube: KubeClient,
  namespace: string,
  keys: SecretKeys,
): Promise<StoredPair | undefined> {
  let secret: Secret;
  try {
    secret = await kube.get(SECRETS, { namespace, name: keys.name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
  return {
    secret,
    pair: {
      certificate: secretBytes(secret, namespace, keys.certificate),
      key: secretBytes(secret, namespace, keys.key),
    },
  };
}

function secretBytes(secret: Secret, namespace: string, key: string): Der {
  const text = secret.data?.[key];
  const where = `secret ${namespace}/${secret.metadata?.name}`;
  if (!text) {
    throw new StatusError(
      "Invalid",
      `Cannot use ${where}: ${key} is missing; delete the secret to have it made anew`,
    );
  }
  try {
    return Uint8Array.fromBase64(text);
  } catch (cause) {
    throw new StatusError("Invalid", `Cannot use ${where}: ${key} is not base64`, { cause });
  }
}

function pairSecret(namespace: string, keys: SecretKeys, pair: KeyPair): Secret {
  return opaqueSecret(namespace, keys.name, {
    [keys.certificate]: pair.certificate.toBase64(),
    [keys.key]: pair.key.toBase64(),
  });
}

/** A Secret of type Opaque; `data` is base64 already. */
export function opaqueSecret(namespace: string, name: string, data: Record<string, string>): Secret {
  return { apiVersion: "v1", kind: "Secret", type: "Opaque", metadata: { namespace, name }, data };
}

/** Makes the secret hold this pair. */
async function writePair(
  kube: KubeClient,
  namespace: string,
  keys: SecretKeys,
  pair: KeyPair,
): Promise<void> {
  for (let attempt = 1;; attempt++) {
    try {
      let secret: Secret;
      try {
        secret = await kube.get(SECRETS, { namespace, name: keys.name });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        await kube.create(SECRETS, pairSecret(namespace, keys, pair));
        return;
      }
      const wanted = pairSecret(namespace, keys, pair).data!;
      if (Object.entries(wanted).every(([key, value]) => secret.data?.[key] === value)) return;
      await kube.update(SECRETS, { ...secret, data: { ...secret.data, ...wanted } });
      return;
    } catch (error) {
      if (attempt >= WRITE_TRIES || !(isAlreadyExists(error) || isConflict(error))) throw error;
    }
  }
}
