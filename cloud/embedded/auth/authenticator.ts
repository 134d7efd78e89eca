import type { Registry } from "../registry.ts";
import { ADMIN, ANONYMOUS, type User } from "./user.ts";
import {
  type ServiceAccountTokens,
  serviceAccountUser,
  TOKEN_ISSUER,
  type VerifiedToken,
} from "./service_account_tokens.ts";

/** What authentication works with. */
export interface AuthenticatorComponents {
  registry: Registry;
  tokens: ServiceAccountTokens;
  /** The administrator's bearer token. */
  adminToken: string;
  now: () => number;
}

/** Resources a token can be bound to. */
const BOUND_RESOURCES: Readonly<Record<string, string>> = { pod: "pods", secret: "secrets", node: "nodes" };

/** Finds out who sends a request. */
export class Authenticator {
  readonly #components: AuthenticatorComponents;
  readonly #adminDigest: Promise<Uint8Array>;

  constructor(components: AuthenticatorComponents) {
    this.#components = components;
    this.#adminDigest = digest(components.adminToken);
  }

  /** The user behind a request's `Authorization`; undefined when it carries credentials that are not valid. */
  async authenticate(headers: Headers): Promise<User | undefined> {
    const header = headers.get("authorization");
    if (header === null) return ANONYMOUS;
    const token = /^Bearer +([\w.~+/=-]{1,8192}) *$/i.exec(header)?.[1];
    if (token === undefined) return undefined;
    if (equalBytes(await digest(token), await this.#adminDigest)) return ADMIN;
    const verified = await this.verifyServiceAccount(token, [TOKEN_ISSUER]);
    return verified === undefined ? undefined : serviceAccountUser(verified);
  }

  /** A service account's token if it is valid now for one of the audiences and all it speaks for still exists. */
  async verifyServiceAccount(
    token: string,
    audiences: readonly string[],
  ): Promise<VerifiedToken | undefined> {
    const { tokens, now } = this.#components;
    const verified = await tokens.verify(token, now());
    if (verified === undefined || !audiences.some((audience) => verified.audiences.includes(audience))) {
      return undefined;
    }
    const { namespace, name, uid, bound } = verified;
    if (!this.#exists("serviceaccounts", namespace, name, uid)) return undefined;
    if (bound === undefined) return verified;
    const resource = BOUND_RESOURCES[bound.kind] ?? "";
    return this.#exists(resource, resource === "nodes" ? "" : namespace, bound.name, bound.uid)
      ? verified
      : undefined;
  }

  #exists(resource: string, namespace: string, name: string, uid: string): boolean {
    const definition = this.#components.registry.table.find("", "v1", resource);
    if (definition === undefined) return false;
    return this.#components.registry.cache(definition).get(namespace, name)?.uid === uid;
  }
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}

/** Compares digests; taking as long whatever differs. */
function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
