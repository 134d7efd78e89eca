import { errorText, StatusError } from "../../common/errors/mod.ts";
import {
  type CertificateInfo,
  checkTokenForCa,
  createNodeRequest,
  type Der,
  isKeyOf,
  parseCertificate,
  parseFirstPem,
  parseJoinToken,
  printEcKeyPem,
  printPem,
  verifyClientCertificate,
} from "../../common/pki/mod.ts";
import type { Logger } from "../../common/module/mod.ts";
import { clockDifference } from "./clock_difference.ts";
import type { Credentials } from "./credentials.ts";
import { getHttps } from "./https_request.ts";

/** What joining needs to know. */
export interface JoinOptions {
  nodeName: string;
  httpServer: string;
  /** Unix milliseconds. */
  now: number;
  /** For each request, milliseconds. @default 30000 */
  timeoutMs?: number;
  /** Told of a clock that differs from the cloud's. */
  log?: Pick<Logger, "warning">;
  signal: AbortSignal;
}

const MAX_CERTIFICATE_BYTES = 1024 * 1024;

/**
 * Joins a cluster by token: fetches the CA, checks it against the token before anything is trusted, and has a fresh key
 * certified. Whether the token is expired is left to the cloud, since this machine's clock may be the one that is wrong.
 * Upstream: kubeedge edge/pkg/edgehub/certificate/certmanager.go @ 16cd854
 * @throws {StatusError} in words that name the fix
 */
export async function joinByToken(tokenText: string, options: JoinOptions): Promise<Credentials> {
  const token = parseJoinToken(tokenText);
  const { ca: caDer, serverTime } = await fetchCa(options);
  const difference = clockDifference(options.now, serverTime);
  if (difference !== undefined) {
    options.log?.warning("The clocks of this machine and of the cloud differ; set the one that is wrong", {
      thisMachine: iso(options.now),
      cloud: iso(serverTime!),
      difference,
    });
  }
  await checkTokenForCa(token, caDer).catch((error) => {
    throw new StatusError("Unauthorized", `${errorText(error)}${anotherCluster(error)}`, { cause: error });
  });
  checkCaTime(caDer, options.now, difference);
  const ca = printPem("CERTIFICATE", caDer);
  return await certify(ca, { Authorization: `Bearer ${token.jwt}` }, undefined, options);
}

/** Has a fresh key certified on the strength of the present certificate. @throws {StatusError} */
export function renewCertificate(present: Credentials, options: JoinOptions): Promise<Credentials> {
  return certify(present.ca, {}, present, options);
}

function anotherCluster(error: unknown): string {
  return /CA hash/.test(errorText(error)) ? "; this token belongs to another cluster" : "";
}

async function fetchCa(
  { httpServer, timeoutMs = 30_000, signal }: JoinOptions,
): Promise<{ ca: Der; serverTime: number | undefined }> {
  const url = new URL("/ca.crt", httpServer);
  const { status, body, serverTime } = await getHttps({
    url,
    // There is no CA to verify with yet: the token's hash of what comes back is the proof.
    trust: "unverified",
    timeoutMs,
    maxBytes: MAX_CERTIFICATE_BYTES,
    signal,
  });
  if (status !== 200) {
    throw new StatusError(
      "ServiceUnavailable",
      `Cannot get the CA from ${url}: HTTP ${status}; edgeHub.httpServer must be cloudcore's HTTPS address, port 10002`,
    );
  }
  return { ca: body, serverTime };
}

function checkCaTime(ca: Der, now: number, difference: string | undefined): void {
  const { notBefore, notAfter } = parseCertificate(ca);
  if (now < notBefore || now > notAfter) {
    throw new StatusError(
      "Unauthorized",
      `Cannot use the cluster's CA: it is valid from ${iso(notBefore)} to ${
        iso(notAfter)
      }, but this machine's clock ` +
        `says ${iso(now)}${aside(difference)}: set the clock`,
    );
  }
}

async function certify(
  ca: string,
  headers: Readonly<Record<string, string>>,
  identity: Credentials | undefined,
  { nodeName, httpServer, now, timeoutMs = 30_000, signal }: JoinOptions,
): Promise<Credentials> {
  const { csr, key } = await createNodeRequest(nodeName);
  const url = new URL("/edge.crt", httpServer);
  const { status, body, serverTime } = await getHttps({
    url,
    headers: { ...headers, NodeName: nodeName },
    body: csr,
    trust: { ca },
    identity,
    timeoutMs,
    maxBytes: MAX_CERTIFICATE_BYTES,
    signal,
  });
  if (status !== 200) {
    const text = new TextDecoder().decode(body.subarray(0, 1000)).trim();
    throw refusal(status, text, clockDifference(now, serverTime));
  }
  const info = await verifyFresh(parseFirstPem(ca).der, body, now).catch((cause) => {
    throw new StatusError(
      "Unauthorized",
      `Cannot use the certificate that ${url} gave: ${errorText(cause)}${setTheClock(now, serverTime)}`,
      { cause },
    );
  });
  if (info.subject.commonName !== `system:node:${nodeName}`) {
    throw new StatusError(
      "Unauthorized",
      `Cannot use the certificate that ${url} gave: it is for ${
        JSON.stringify(info.subject.commonName)
      }, not for ` +
        `node ${JSON.stringify(nodeName)}`,
    );
  }
  const certificate = printPem("CERTIFICATE", body);
  if (!await isKeyOf(body, key)) {
    throw new StatusError(
      "Unauthorized",
      `Cannot use the certificate that ${url} gave: it is not for the key it was asked for`,
    );
  }
  return {
    ca,
    certificate,
    key: printEcKeyPem(key),
    notBefore: info.notBefore,
    notAfter: info.notAfter,
  };
}

/**
 * Checks a certificate that was signed a moment ago. By a clock a little behind the cloud's it is not valid yet, which is
 * no reason to throw it away.
 */
async function verifyFresh(ca: Der, certificate: Der, now: number): Promise<CertificateInfo> {
  const { notBefore } = parseCertificate(certificate);
  return await verifyClientCertificate(ca, certificate, Math.max(now, notBefore));
}

function refusal(status: number, text: string, difference: string | undefined): StatusError {
  if (status !== 401 && status !== 403) {
    return new StatusError(
      "ServiceUnavailable",
      `The cloud did not sign the certificate: HTTP ${status} ${text}`,
    );
  }
  const fix = /not match/.test(text)
    ? "set edged.hostnameOverride to the name the certificate was made for"
    : "get a new join token on the cloud with: keadm gettoken";
  return new StatusError(
    "Unauthorized",
    `The cloud refused to sign the certificate: ${text}: ${fix}${aside(difference)}`,
  );
}

/** A certificate that was signed a moment ago is out of date by one of the clocks. */
function setTheClock(now: number, serverTime: number | undefined): string {
  const difference = clockDifference(now, serverTime);
  return difference === undefined ? "" : `; ${difference}: set the clock that is wrong`;
}

const aside = (difference: string | undefined) => difference === undefined ? "" : ` (${difference})`;

const iso = (ms: number) => new Date(ms).toISOString();
