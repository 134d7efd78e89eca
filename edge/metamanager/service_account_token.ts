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
