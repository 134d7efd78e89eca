import type { ObjectResource } from "../../common/model/mod.ts";
import { isJsonObject, type JsonObject } from "./object_meta.ts";

/** Whether a token can be handed out: "aging" ones should be replaced where that is possible. */
export type TokenState = "fresh" | "aging" | "expired";

/** Share of its life after which a token is replaced. Upstream: kubeedge edge/pkg/metamanager/client/serviceaccount.go */
const REFRESH_AT = 0.8;
const MAX_AGE_MS = 24 * 3600 * 1000;

/** How far a stored token's life has gone. */
export function tokenState(tokenRequest: JsonObject, now: number): TokenState {
  const status = isJsonObject(tokenRequest.status) ? tokenRequest.status : {};
  const spec = isJsonObject(tokenRequest.spec) ? tokenRequest.spec : {};
  const expires = typeof status.expirationTimestamp === "string"
    ? Date.parse(status.expirationTimestamp)
    : NaN;
  if (!(now < expires)) return "expired";
  if (typeof spec.expirationSeconds !== "number") return "aging";
  const lifeMs = spec.expirationSeconds * 1000;
  const issued = expires - lifeMs;
  return now > issued + lifeMs * REFRESH_AT || now > issued + MAX_AGE_MS ? "aging" : "fresh";
}

/** Clocks that differ by less are taken for equal. */
const TOLERANCE_MS = 60_000;
const MAX_JWT_CHARS = 64 * 1024;

/**
 * A TokenRequest that was answered just now, with its end by this edge's clock. By a clock that is an hour behind the API
 * server's a pod would keep a token that ended long ago, by one that is ahead every token would be asked for again at once.
 * @param now Unix milliseconds
 */
export function inOwnTime(tokenRequest: JsonObject, now: number): JsonObject {
  const { status } = tokenRequest;
  if (!isJsonObject(status) || typeof status.token !== "string") return tokenRequest;
  const ends = Date.parse(String(status.expirationTimestamp ?? ""));
  const issuedAt = issuedAtOf(status.token);
  if (issuedAt === undefined || Number.isNaN(ends) || Math.abs(now - issuedAt) < TOLERANCE_MS) {
    return tokenRequest;
  }
  const own = new Date(ends + now - issuedAt);
  if (Number.isNaN(own.getTime())) return tokenRequest;
  const expirationTimestamp = own.toISOString().replace(/\.\d+Z$/, "Z");
  return { ...tokenRequest, status: { ...status, expirationTimestamp } };
}

/** When a JWT was issued by the clock of its issuer, Unix milliseconds. */
function issuedAtOf(token: string): number | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined || token.length > MAX_JWT_CHARS) return undefined;
  try {
    const claims: unknown = JSON.parse(
      new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" })),
    );
    return isJsonObject(claims) && typeof claims.iat === "number" ? claims.iat * 1000 : undefined;
  } catch (error) {
    // A token that tells nothing is used as it is.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Whether a reply is a TokenRequest with a token in it. */
export function hasToken(value: unknown): value is JsonObject {
  return isJsonObject(value) && isJsonObject(value.status) && typeof value.status.token === "string" &&
    value.status.token !== "";
}

/**
 * The key a token is stored under: what was asked for, as Go prints it, so that upstream finds it too.
 *
 *   "<account>"/"<namespace>"/[]string{"<audience>", …}/<seconds>/v1.BoundObjectReference{Kind:"Pod", …}
 *
 * Upstream: kubeedge edge/pkg/metamanager/client/serviceaccount.go (KeyFunc) @ 16cd854
 */
export function tokenKey({ namespace, name }: ObjectResource, request: unknown): string {
  const spec = isJsonObject(request) && isJsonObject(request.spec) ? request.spec : {};
  const audiences = Array.isArray(spec.audiences)
    ? `[]string{${spec.audiences.map((audience) => JSON.stringify(String(audience))).join(", ")}}`
    : "[]string(nil)";
  const seconds = typeof spec.expirationSeconds === "number" ? spec.expirationSeconds : 0;
  const ref = isJsonObject(spec.boundObjectRef) ? spec.boundObjectRef : {};
  const text = (key: string) => JSON.stringify(typeof ref[key] === "string" ? ref[key] : "");
  return `${JSON.stringify(name)}/${JSON.stringify(namespace)}/${audiences}/${seconds}/` +
    `v1.BoundObjectReference{Kind:${text("kind")}, APIVersion:${text("apiVersion")}, ` +
    `Name:${text("name")}, UID:${text("uid")}}`;
}
