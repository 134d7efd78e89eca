import type { Secret } from "../../common/api/core_v1.ts";
import { isAlreadyExists, isConflict, isNotFound } from "../../common/errors/mod.ts";
import { type KubeClient, SECRETS } from "../../common/kubeclient/mod.ts";
import { backoffMs, type Clock, type Logger } from "../../common/module/mod.ts";
import {
  type Authority,
  caHash,
  createJoinToken,
  parseJoinToken,
  verifyTokenJwt,
} from "../../common/pki/mod.ts";
import { opaqueSecret } from "./credentials.ts";

const TOKEN_SECRET = "tokensecret";
const TOKEN_KEY = "tokendata";
const HOUR_MS = 3_600_000;
const RETRY = { baseMs: 5_000, maxMs: 300_000 };

/** What keeping the token uses. */
export interface TokenKeeperComponents {
  kube: KubeClient;
  authority: Authority;
  clock: Clock;
  log: Logger;
}

/** Keeps a join token that is good for at least `refreshHours` in its secret. */
export interface TokenKeeper {
  /** Writes a token unless a good one is there. Resolves with the time of the next refresh, Unix milliseconds. */
  refresh(): Promise<number>;
  /** Refreshes on time until the signal aborts; a failure is retried, never the end. */
  run(nextAt: number, signal: AbortSignal): Promise<void>;
}

/**
 * The keeper of the join token. A token is valid for twice `refreshHours`, so the previous one still works after a refresh.
 * Upstream: kubeedge cloud/pkg/cloudhub/servers/httpserver/pre_server.go (GenerateAndRefreshToken) @ 16cd854
 */
export function tokenKeeper(
  components: TokenKeeperComponents,
  options: { namespace: string; refreshHours: number },
): TokenKeeper {
  const { kube, authority, clock, log } = components;
  const { namespace } = options;
  const refreshMs = options.refreshHours * HOUR_MS;

  async function expiryOf(secret: Secret): Promise<number> {
    const text = secret.data?.[TOKEN_KEY];
    if (!text) return 0;
    try {
      const token = parseJoinToken(new TextDecoder().decode(Uint8Array.fromBase64(text)));
      if (token.caHash !== await caHash(authority.certificate)) return 0;
      await verifyTokenJwt(token.jwt, authority.key, clock.now());
      return token.expiresAt ?? 0;
    } catch (error) {
      log.info("Replacing the stored join token", { reason: error });
      return 0;
    }
  }

  async function refresh(): Promise<number> {
    let secret: Secret | undefined;
    try {
      secret = await kube.get(SECRETS, { namespace, name: TOKEN_SECRET });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (secret !== undefined) {
      const next = await expiryOf(secret) - refreshMs;
      if (next > clock.now()) return next;
    }
    const expiresAt = clock.now() + 2 * refreshMs;
    const token = await createJoinToken(authority.certificate, authority.key, expiresAt);
    const data = { [TOKEN_KEY]: new TextEncoder().encode(token).toBase64() };
    try {
      if (secret === undefined) await kube.create(SECRETS, opaqueSecret(namespace, TOKEN_SECRET, data));
      else await kube.update(SECRETS, { ...secret, data: { ...secret.data, ...data } });
    } catch (error) {
      // Another replica wrote its token first: as good as this one.
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
      return clock.now() + refreshMs;
    }
    log.info("Wrote a new join token", { storedAs: `${namespace}/${TOKEN_SECRET}` });
    return expiresAt - refreshMs;
  }

  async function run(nextAt: number, signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      await clock.sleep(Math.min(Math.max(0, nextAt - clock.now()), MAX_SLEEP_MS), { signal });
      if (clock.now() < nextAt) continue;
      try {
        nextAt = await refresh();
        failures = 0;
      } catch (error) {
        const waitMs = backoffMs(failures++, RETRY, Math.random());
        log.error("Cannot refresh the join token, trying again", error, { waitMs: Math.round(waitMs) });
        nextAt = clock.now() + waitMs;
      }
    }
  }

  return { refresh, run };
}

/** Timers hold 31 bits. */
const MAX_SLEEP_MS = 2 ** 31 - 1;
