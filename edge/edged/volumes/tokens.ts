import type { TokenRequest } from "../../../common/api/authentication_v1.ts";
import { errorText } from "../../../common/errors/mod.ts";
import type { Clock, Logger } from "../../../common/module/mod.ts";
import type { KubeApi } from "../kube_api.ts";
import { PodEnvironmentError } from "../pod_environment.ts";

/** For whom a token is and what it is good for. */
export interface TokenWish {
  namespace: string;
  serviceAccount: string;
  pod: { name: string; uid: string };
  /** Empty for the API's own. */
  audience: string;
  expirationSeconds: number;
}

/** A token and when it wants to be replaced. */
export interface HeldToken {
  token: string;
  /** Unix milliseconds. */
  renewAt: number;
  expiresAt: number;
}

const DAY_MS = 24 * 3_600_000;
/** A service account token volume without `expirationSeconds`. */
export const DEFAULT_EXPIRATION_SECONDS = 3600;
/** Least lifetime the API gives. */
const MIN_EXPIRATION_SECONDS = 600;

/**
 * When a token wants to be replaced: after four fifths of its life, or a day. Unix milliseconds. One out of the store may be
 * past that, which is tried again in a minute.
 * @param lifeMs how long it was to live in all @default what it lives from now on
 * Upstream: k8s.io/kubernetes pkg/kubelet/token/token_manager.go (requiresRefresh) @ v1.32
 */
export function renewalOf(now: number, expiresAt: number, lifeMs = expiresAt - now): number {
  const at = Math.min(expiresAt - lifeMs * 0.2, now + DAY_MS);
  return at > now ? at : Math.min(expiresAt, now + 60_000);
}

/** Service account tokens of pods, asked for once and kept in memory until they want to be replaced. */
export class TokenCache {
  readonly #api: Pick<KubeApi, "createToken">;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #held = new Map<string, HeldToken>();

  constructor(api: Pick<KubeApi, "createToken">, clock: Clock, log: Logger) {
    this.#api = api;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * The token of a wish. One that wants renewal and cannot be renewed now is given as long as it is valid.
   * @throws {PodEnvironmentError}
   */
  async get(wish: TokenWish): Promise<HeldToken> {
    const key = JSON.stringify(wish);
    const held = this.#held.get(key);
    const now = this.#clock.now();
    if (held !== undefined && now < held.renewAt) return held;
    try {
      const made = await this.#request(wish, now);
      this.#held.set(key, made);
      return made;
    } catch (error) {
      if (held === undefined || now >= held.expiresAt) throw error;
      this.#log.warning("A service account token could not be renewed and is used until it expires", {
        pod: `${wish.namespace}/${wish.pod.name}`,
        err: errorText(error),
      });
      return { ...held, renewAt: Math.min(held.expiresAt, now + 60_000) };
    }
  }

  /** Lets the tokens of a pod go. */
  forget(podUid: string): void {
    for (const key of this.#held.keys()) {
      if ((JSON.parse(key) as TokenWish).pod.uid === podUid) this.#held.delete(key);
    }
  }

  async #request(wish: TokenWish, now: number): Promise<HeldToken> {
    const { namespace, serviceAccount, pod, audience } = wish;
    const expirationSeconds = Math.max(MIN_EXPIRATION_SECONDS, wish.expirationSeconds);
    const request: TokenRequest = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        audiences: audience === "" ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod.name, uid: pod.uid },
      },
    };
    let answer: TokenRequest;
    try {
      answer = await this.#api.createToken(namespace, serviceAccount, request);
    } catch (error) {
      throw new PodEnvironmentError("failed", `failed to fetch token: ${errorText(error)}`, { cause: error });
    }
    const token = answer.status?.token;
    if (typeof token !== "string" || token === "") {
      throw new PodEnvironmentError("failed", "failed to fetch token: the answer holds none");
    }
    const told = Date.parse(String(answer.status?.expirationTimestamp ?? ""));
    const expiresAt = Number.isNaN(told) ? now + expirationSeconds * 1000 : told;
    const lifeMs = Math.max(expiresAt - now, expirationSeconds * 1000);
    return { token, renewAt: renewalOf(now, expiresAt, lifeMs), expiresAt };
  }
}
