import { StatusError } from "../errors/mod.ts";
import { caHash } from "./authority.ts";
import type { Der } from "./der.ts";

/*
 * Join token:  <caHash> "." <jwtHeader> "." <jwtPayload> "." <jwtSignature>
 *   caHash     lower-case hex SHA-256 of the CA certificate's DER
 *   jwt        HS256, claims {"exp": <Unix seconds>}, key = the bytes of the CA's private key as stored in its secret
 *
 * Upstream: kubeedge pkg/security/token/token.go @ 16cd854
 */

/** A join token taken apart; its signature is not checked, only cloudcore can do that. */
export interface JoinToken {
  /** 64 lower-case hexadecimal digits. */
  caHash: string;
  /** What goes into `Authorization: Bearer`. */
  jwt: string;
  /** Unix milliseconds; undefined when the token does not expire. */
  expiresAt: number | undefined;
}

const GET_TOKEN = "get a new one with: keadm gettoken";
const MAX_TOKEN_CHARS = 8192;
const HASHES: Readonly<Record<string, string>> = { HS256: "SHA-256", HS384: "SHA-384", HS512: "SHA-512" };

const utf8 = new TextEncoder();

/** What is wrong with a token, for those who tell it in other words: the reason of the error's first cause. */
export type TokenFault = "Malformed" | "Segments" | "Method" | "Signature" | "Expired" | "NotYetValid";

function refuse(detail: string, cause?: unknown, fault: TokenFault = "Malformed"): StatusError {
  return new StatusError("Unauthorized", `Cannot use the join token: ${detail}`, {
    cause,
    details: { causes: [{ reason: fault }] },
  });
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

async function hmacKey(key: Der, hash: string, use: "sign" | "verify"): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", key, { name: "HMAC", hash }, false, [use]);
}

/**
 * A join token for this CA.
 * @param caKey the CA's private key, the very bytes that are stored
 * @param expiresAt Unix milliseconds, cut to seconds
 */
export async function createJoinToken(caCertificate: Der, caKey: Der, expiresAt: number): Promise<string> {
  const header = base64url(utf8.encode('{"alg":"HS256","typ":"JWT"}'));
  const payload = base64url(utf8.encode(JSON.stringify({ exp: Math.floor(expiresAt / 1000) })));
  const signed = `${header}.${payload}`;
  const signature = await crypto.subtle.sign(
    "HMAC",
    await hmacKey(caKey, "SHA-256", "sign"),
    utf8.encode(signed),
  );
  return `${await caHash(caCertificate)}.${signed}.${base64url(new Uint8Array(signature))}`;
}

/**
 * Takes a join token apart; white space around it is ignored.
 * @throws {StatusError} Unauthorized, saying what is wrong with it and what to do
 */
export function parseJoinToken(text: string): JoinToken {
  const token = text.trim();
  if (token === "") throw refuse(`it is empty: ${GET_TOKEN}`);
  if (token.length > MAX_TOKEN_CHARS) {
    throw refuse(`it is longer than ${MAX_TOKEN_CHARS} characters: ${GET_TOKEN}`);
  }
  const parts = token.split(".");
  const [hash = "", header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 4 || signature === "") {
    if (looksBase64Encoded(token)) {
      throw refuse(
        "it looks base64-encoded, as kubectl -o jsonpath prints it: decode it with base64 -d first",
      );
    }
    if (parts.length === 3) throw refuse(`the CA hash in front is missing: ${GET_TOKEN}`);
    throw refuse(
      `it has ${parts.length} parts instead of <caHash>.<header>.<payload>.<signature>: ${GET_TOKEN}`,
    );
  }
  if (!/^[0-9a-f]{64}$/.test(hash)) {
    throw refuse(`its first part is not a CA hash of 64 hexadecimal digits: ${GET_TOKEN}`);
  }
  const { expiresAt } = parseClaims(payload);
  return { caHash: hash, jwt: `${header}.${payload}.${signature}`, expiresAt };
}

function looksBase64Encoded(token: string): boolean {
  try {
    const bytes = Uint8Array.fromBase64(token);
    return new TextDecoder().decode(bytes).trim().split(".").length === 4;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function decodeJson(part: string, what: string): Record<string, unknown> {
  try {
    const bytes = Uint8Array.fromBase64(part, { alphabet: "base64url" });
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (cause) {
    throw refuse(`its ${what} is malformed: ${GET_TOKEN}`, cause);
  }
  throw refuse(`its ${what} is not an object: ${GET_TOKEN}`);
}

function parseClaims(payload: string): { expiresAt: number | undefined; notBefore: number | undefined } {
  const claims = decodeJson(payload, "payload");
  const time = (name: string) => {
    const value = claims[name];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value)) return value * 1000;
    throw refuse(`its claim ${name} is not a number: ${GET_TOKEN}`);
  };
  return { expiresAt: time("exp"), notBefore: time("nbf") };
}

/**
 * Checks signature and time of the JWT part of a join token.
 * @param caKey the CA's private key, the very bytes that are stored
 * @param now Unix milliseconds
 * @throws {StatusError} Unauthorized, saying what is wrong and what to do
 */
export async function verifyTokenJwt(jwt: string, caKey: Der, now: number): Promise<void> {
  if (jwt.length > MAX_TOKEN_CHARS) {
    throw refuse(`it is longer than ${MAX_TOKEN_CHARS} characters: ${GET_TOKEN}`);
  }
  const parts = jwt.split(".");
  const [header = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3) {
    if (looksBase64Encoded(jwt)) {
      throw refuse("it looks base64-encoded: decode it with base64 -d first", undefined, "Segments");
    }
    throw refuse(
      parts.length === 4
        ? "the CA hash in front must not be sent: send what follows the first dot"
        : `it does not have three parts: ${GET_TOKEN}`,
      undefined,
      "Segments",
    );
  }
  const { alg } = decodeJson(header, "header");
  const hash = typeof alg === "string" && Object.hasOwn(HASHES, alg) ? HASHES[alg] : undefined;
  if (hash === undefined) {
    throw refuse(`its signing method is not HS256, HS384 or HS512: ${GET_TOKEN}`, undefined, "Method");
  }
  let bytes: Der;
  try {
    bytes = Uint8Array.fromBase64(signature, { alphabet: "base64url" });
  } catch (cause) {
    throw refuse(`its signature is malformed: ${GET_TOKEN}`, cause);
  }
  const key = await hmacKey(caKey, hash, "verify");
  if (!await crypto.subtle.verify("HMAC", key, bytes, utf8.encode(`${header}.${payload}`))) {
    throw refuse(
      `its signature is invalid, it was not made by this cloudcore: ${GET_TOKEN}`,
      undefined,
      "Signature",
    );
  }
  const { expiresAt, notBefore } = parseClaims(payload);
  if (expiresAt !== undefined && now > expiresAt) {
    throw refuse(`it is expired since ${isoTime(expiresAt)}: ${GET_TOKEN}`, undefined, "Expired");
  }
  if (notBefore !== undefined && now < notBefore) {
    throw refuse("it is not valid yet: check the clocks", undefined, "NotYetValid");
  }
}

/**
 * Checks, before a token is sent anywhere, that the CA is the one it names. Whether it is expired is for the cloud's clock to
 * say: this machine's may be wrong.
 * @throws {StatusError} Unauthorized, saying what is wrong and what to do
 */
export async function checkTokenForCa(token: JoinToken, caCertificate: Der): Promise<void> {
  const actual = await caHash(caCertificate);
  if (actual !== token.caHash) {
    throw refuse(
      `its CA hash ${
        token.caHash.slice(0, 12)
      }… does not match the CA certificate of the cloudcore that answered ` +
        `(${
          actual.slice(0, 12)
        }…): check the address, or get a token from that cloudcore with: keadm gettoken`,
    );
  }
}

/** Numbers far outside the calendar are printed as they are. */
function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
