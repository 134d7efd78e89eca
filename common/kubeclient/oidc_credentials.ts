import { StatusError } from "../errors/mod.ts";
import type { Clock, Logger } from "../module/mod.ts";
import { type Fetch, readText } from "./connection.ts";
import type { CredentialSource } from "./credentials.ts";

/** A user of an OpenID Connect issuer, as a kubeconfig names it. */
export interface OidcConfig {
  /** Where it is named: `users[0].user.auth-provider.config of /path`. */
  field: string;
  issuer: string;
  clientId: string;
  clientSecret?: string;
  idToken?: string;
  refreshToken?: string;
  /** Certificates that may sign the issuer's, PEM. */
  ca?: string;
  /** Where the issuer exchanges tokens; looked up at the issuer when it is not known. */
  tokenEndpoint?: string;
}

/** What refreshing uses. */
export interface OidcComponents {
  clock: Clock;
  log: Logger;
  /** @default the global fetch */
  fetch?: Fetch;
  /** Keeps what the issuer gave in place of the tokens before. @default nowhere */
  keep?: (tokens: { idToken: string; refreshToken: string }) => Promise<void>;
}

/** Upstream: k8s.io/client-go plugin/pkg/client/auth/oidc/oidc.go (expiryDelta) @ v0.32 */
const EARLY_MS = 10_000;
const TIMEOUT_MS = 30_000;
const LIMIT_BYTES = 1 << 20;
/** A token that is refused although it is new is not refreshed again for so long. */
const MIN_PAUSE_MS = 30_000;

/** Where the issuer exchanges tokens. @throws {StatusError} */
export async function findTokenEndpoint(
  config: OidcConfig,
  fetch: Fetch = globalThis.fetch,
): Promise<string> {
  if (config.tokenEndpoint !== undefined) return config.tokenEndpoint;
  const url = `${config.issuer.replace(/\/+$/, "")}/.well-known/openid-configuration`;
  const { token_endpoint: endpoint } = await ask(config, url, {}, fetch);
  if (typeof endpoint !== "string" || !/^https:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    throw refusal(config, `${url} names no token_endpoint with https`);
  }
  return endpoint;
}

/**
 * ID tokens, refreshed at their issuer shortly before they end and when they are refused.
 * Upstream: k8s.io/client-go plugin/pkg/client/auth/oidc/oidc.go @ v0.32
 */
export function oidcCredentials(
  config: OidcConfig,
  { clock, log, fetch = globalThis.fetch, keep }: OidcComponents,
): CredentialSource {
  let idToken = config.idToken;
  let refreshToken = config.refreshToken;
  let credential = { token: idToken ?? "" };
  let refreshedAt = -Infinity;
  let running: Promise<void> | undefined;

  async function refresh(): Promise<void> {
    if (refreshToken === undefined) {
      throw refusal(config, "id-token has ended and there is no refresh-token; log in again");
    }
    const endpoint = await findTokenEndpoint(config, fetch);
    const form: Record<string, string> = {
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: config.clientId,
    };
    if (config.clientSecret !== undefined) form.client_secret = config.clientSecret;
    const answer = await ask(config, endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
      body: new URLSearchParams(form).toString(),
    }, fetch);
    if (typeof answer.id_token !== "string") throw refusal(config, `${endpoint} gave no id_token`);
    idToken = answer.id_token;
    const isReplaced = typeof answer.refresh_token === "string" && answer.refresh_token !== refreshToken;
    if (isReplaced) refreshToken = answer.refresh_token as string;
    credential = { token: idToken };
    refreshedAt = clock.now();
    try {
      await keep?.({ idToken, refreshToken });
    } catch (error) {
      log.error(
        isReplaced
          ? "Cannot keep the refresh token that the issuer gave in place of the one before; after a restart a new login is needed"
          : "Cannot keep the new ID token",
        error,
        { field: config.field },
      );
    }
  }

  return {
    async current(_signal, refused) {
      const now = clock.now();
      const ended = idToken === undefined || now >= expiryOf(idToken) - EARLY_MS;
      const isRefused = refused === credential && now - refreshedAt >= MIN_PAUSE_MS;
      if (ended || isRefused) await (running ??= refresh().finally(() => running = undefined));
      return credential;
    },
  };
}

/** When a JWT ends, unix milliseconds; a token that does not say has ended. */
export function expiryOf(jwt: string): number {
  const payload = jwt.split(".")[1];
  if (payload === undefined) return 0;
  try {
    const text = new TextDecoder().decode(Uint8Array.fromBase64(payload, { alphabet: "base64url" }));
    const { exp } = JSON.parse(text) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1000 : 0;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return 0;
    throw error;
  }
}

async function ask(
  config: OidcConfig,
  url: string,
  init: RequestInit,
  fetch: Fetch,
): Promise<Record<string, unknown>> {
  if (!url.startsWith("https://")) throw refusal(config, `${url} is not https`);
  using client = Deno.createHttpClient({ ...(config.ca !== undefined && { caCerts: [config.ca] }) });
  let text: string;
  let status: number;
  try {
    const response = await fetch(url, {
      ...init,
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      client,
    });
    status = response.status;
    text = await readText(response, LIMIT_BYTES, url);
  } catch (cause) {
    throw refusal(config, `cannot reach ${url}`, cause);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const answer = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  if (status !== 200) {
    const why = [answer.error, answer.error_description].filter((part) => typeof part === "string").join(
      ": ",
    );
    const next = answer.error === "invalid_grant" ? "; log in again to get a new refresh-token" : "";
    throw refusal(config, `${url} answered ${status}${why === "" ? "" : ` (${why.slice(0, 300)})`}${next}`);
  }
  return answer;
}

function refusal({ field }: OidcConfig, why: string, cause?: unknown): StatusError {
  return new StatusError("Unauthorized", `Cannot get an ID token for ${field}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
  });
}
