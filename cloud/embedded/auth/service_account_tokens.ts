import type { User } from "./user.ts";
import { isObject, type JsonObject, objectAt, textAt } from "../object.ts";

/** What a token speaks for. */
export interface TokenSubject {
  namespace: string;
  name: string;
  uid: string;
  audiences: readonly string[];
  /** Pod, Secret or Node that the token ends with. */
  bound?: { kind: string; name: string; uid: string };
}

/** A token that was found genuine and not expired; whether its subject still exists is for others to see. */
export interface VerifiedToken extends TokenSubject {
  /** Unix milliseconds. */
  expiresAt: number;
  id: string;
}

/** Issuer of the tokens. Upstream: the value kubeadm gives the real server */
export const TOKEN_ISSUER = "https://kubernetes.default.svc.cluster.local";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const MAX_TOKEN_CHARS = 8192;

const encoder = new TextEncoder();
const encode = (value: unknown) => base64Url(encoder.encode(JSON.stringify(value)));

function base64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/** The key that tokens of service accounts are signed with, as JWK text fit to be stored. */
export async function generateTokenKey(): Promise<string> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return JSON.stringify(await crypto.subtle.exportKey("jwk", pair.privateKey));
}

/** Signs and verifies the tokens of service accounts: JWTs with ES256. */
export class ServiceAccountTokens {
  readonly #privateKey: CryptoKey;
  readonly #publicKey: CryptoKey;
  readonly #keyId: string;

  private constructor(privateKey: CryptoKey, publicKey: CryptoKey, keyId: string) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#keyId = keyId;
  }

  /** @param jwk what {@linkcode generateTokenKey} made @throws {TypeError} when it is not such a key */
  static async load(jwk: string): Promise<ServiceAccountTokens> {
    const key: JsonWebKey = JSON.parse(jwk);
    const { d: _d, key_ops: _ops, ...open } = key;
    const digest = await crypto.subtle.digest("SHA-256", encoder.encode(`${key.x}.${key.y}`));
    return new ServiceAccountTokens(
      await crypto.subtle.importKey("jwk", { ...key, key_ops: ["sign"] }, ALGORITHM, false, ["sign"]),
      await crypto.subtle.importKey("jwk", { ...open, key_ops: ["verify"] }, ALGORITHM, false, ["verify"]),
      base64Url(new Uint8Array(digest)),
    );
  }

  /** A token for a subject. Times are Unix milliseconds. */
  async sign(subject: TokenSubject, now: number, expiresAt: number): Promise<string> {
    const seconds = Math.floor(now / 1000);
    const { namespace, name, uid, bound } = subject;
    const private_: JsonObject = { namespace, serviceaccount: { name, uid } };
    if (bound !== undefined) private_[bound.kind.toLowerCase()] = { name: bound.name, uid: bound.uid };
    const claims = {
      aud: subject.audiences,
      exp: Math.floor(expiresAt / 1000),
      iat: seconds,
      iss: TOKEN_ISSUER,
      jti: crypto.randomUUID(),
      "kubernetes.io": private_,
      nbf: seconds,
      sub: `system:serviceaccount:${namespace}:${name}`,
    };
    const signed = `${encode({ alg: "ES256", kid: this.#keyId })}.${encode(claims)}`;
    const signature = await crypto.subtle.sign(SIGNATURE, this.#privateKey, encoder.encode(signed));
    return `${signed}.${base64Url(new Uint8Array(signature))}`;
  }

  /** What a token says; undefined when it is not one of ours, was changed, or is not valid at this time. */
  async verify(token: string, now: number): Promise<VerifiedToken | undefined> {
    if (token.length > MAX_TOKEN_CHARS) return undefined;
    const [head, body, signature, more] = token.split(".");
    if (head === undefined || body === undefined || signature === undefined || more !== undefined) {
      return undefined;
    }
    const header = decode(head);
    const bytes = bytesOf(signature);
    if (header?.alg !== "ES256" || header.kid !== this.#keyId || bytes === undefined) return undefined;
    const genuine = await crypto.subtle.verify(
      SIGNATURE,
      this.#publicKey,
      bytes,
      encoder.encode(`${head}.${body}`),
    );
    const claims = genuine ? decode(body) : undefined;
    if (claims === undefined) return undefined;
    const { exp, nbf } = claims;
    if (typeof exp !== "number" || exp * 1000 <= now) return undefined;
    if (typeof nbf === "number" && nbf * 1000 > now + 60_000) return undefined;
    return tokenOf(claims, exp * 1000);
  }
}

function tokenOf(claims: JsonObject, expiresAt: number): VerifiedToken {
  const own = objectAt(claims, "kubernetes.io");
  const boundKind = ["pod", "secret", "node"].find((kind) => isObject(own[kind]));
  return {
    namespace: textAt(own, "namespace"),
    name: textAt(own, "serviceaccount", "name"),
    uid: textAt(own, "serviceaccount", "uid"),
    audiences: Array.isArray(claims.aud) ? claims.aud.map(String) : [],
    ...(boundKind === undefined ? {} : {
      bound: { kind: boundKind, name: textAt(own, boundKind, "name"), uid: textAt(own, boundKind, "uid") },
    }),
    expiresAt,
    id: textAt(claims, "jti"),
  };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url" });
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function decode(text: string): JsonObject | undefined {
  const bytes = bytesOf(text);
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The user that a service account is. */
export function serviceAccountUser({ namespace, name, uid, bound, id }: VerifiedToken): User {
  return {
    username: `system:serviceaccount:${namespace}:${name}`,
    uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    extra: {
      "authentication.kubernetes.io/credential-id": [`JTI=${id}`],
      ...(bound?.kind === "pod"
        ? {
          "authentication.kubernetes.io/pod-name": [bound.name],
          "authentication.kubernetes.io/pod-uid": [bound.uid],
        }
        : {}),
    },
  };
}
