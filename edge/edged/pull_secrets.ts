import type { Secret } from "../../common/api/core_v1.ts";
import type { ImageReference } from "./image_reference.ts";
import type { ImageAuth } from "./runtime/types.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The credentials that a pull secret holds for an image's registry; undefined when it has none.
 * Upstream: kubelet pkg/credentialprovider/keyring.go @ v1.32
 * @throws {SyntaxError} when the secret does not hold what its type says
 */
export function authFor(secret: Secret, reference: ImageReference): ImageAuth | undefined {
  const modern = secret.data?.[".dockerconfigjson"];
  const legacy = secret.data?.[".dockercfg"];
  const encoded = modern ?? legacy;
  if (encoded === undefined) return undefined;
  const config: unknown = JSON.parse(decodeBase64(encoded));
  const auths = modern !== undefined && isObject(config) ? config.auths : config;
  if (!isObject(auths)) throw new SyntaxError("Cannot read the pull secret: auths is not an object");
  let best: { length: number; auth: ImageAuth } | undefined;
  for (const [key, entry] of Object.entries(auths)) {
    const [host = "", ...rest] = key.replace(/^https?:\/\//, "").replace(/\/v[12]\/?$/, "").split("/");
    const path = rest.join("/");
    if (!isObject(entry) || !sameRegistry(host, reference.domain)) continue;
    if (path !== "" && reference.path !== path && !reference.path.startsWith(`${path}/`)) continue;
    const auth = credentials(entry, key);
    if (auth !== undefined && (best === undefined || path.length > best.length)) {
      best = { length: path.length, auth };
    }
  }
  return best?.auth;
}

function sameRegistry(host: string, domain: string): boolean {
  const hub = (name: string) =>
    name === "index.docker.io" || name === "registry-1.docker.io" ? "docker.io" : name;
  if (host.startsWith("*.")) {
    return domain.endsWith(host.slice(1)) && !domain.slice(0, 1 - host.length).includes(".");
  }
  return hub(host) === hub(domain);
}

function credentials(entry: Record<string, unknown>, serverAddress: string): ImageAuth | undefined {
  if (typeof entry.username === "string" && typeof entry.password === "string") {
    return { username: entry.username, password: entry.password, serverAddress };
  }
  if (typeof entry.auth !== "string") return undefined;
  const pair = decodeBase64(entry.auth);
  const colon = pair.indexOf(":");
  if (colon < 0) throw new SyntaxError("Cannot read the pull secret: auth holds no user and password");
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1), serverAddress };
}

function decodeBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(text));
  } catch (cause) {
    throw new SyntaxError("Cannot read the pull secret: it is not base64", { cause });
  }
}
