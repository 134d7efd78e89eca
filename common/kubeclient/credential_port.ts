import { errorText, findStatusError, StatusError, type StatusReason } from "../errors/mod.ts";
import { type Clock, defineModule, type Inbox, itemsUntil, type Module, type Send } from "../module/mod.ts";
import type { Credential, CredentialSource } from "./credentials.ts";

/** Asks for the credential; `refused` is the version of one that was answered with 401. */
export interface CredentialQuestion {
  id: number;
  refused?: number;
}

export type CredentialAnswer =
  | { id: number; version: number; credential: Credential }
  | { id: number; reason: StatusReason; message: string };

/** So long a credential is used before it is asked for again. */
const KEEP_MS = 1_000;
const TIMEOUT_MS = 90_000;

/** Answers those who ask for a credential, each over its own pair. */
export function credentialServer(
  source: CredentialSource,
  peers: ReadonlyArray<{ inbox: Inbox<CredentialQuestion>; send: Send<CredentialAnswer> }>,
): Module {
  let current: Credential | undefined;
  let version = 0;
  const answer = async (
    { id, refused }: CredentialQuestion,
    signal: AbortSignal,
  ): Promise<CredentialAnswer> => {
    try {
      const credential = await source.current(signal, refused === version ? current : undefined);
      if (credential !== current) {
        current = credential;
        version++;
      }
      return { id, version, credential };
    } catch (error) {
      return { id, reason: findStatusError(error)?.reason ?? "Unauthorized", message: errorText(error) };
    }
  };
  return defineModule("credentials", async ({ signal, ready }) => {
    ready();
    await Promise.all(peers.map(async ({ inbox, send }) => {
      for await (const question of itemsUntil(inbox, signal)) await send(await answer(question, signal));
    }));
  });
}

/** The credential as another compartment gives it. */
export function remoteCredentials(
  ask: Send<CredentialQuestion>,
  answers: Inbox<CredentialAnswer>,
  clock: Clock,
): CredentialSource {
  let kept: { credential: Credential; version: number; at: number } | undefined;
  let nextId = 0;
  const waiting = new Map<number, (answer: CredentialAnswer) => void>();
  (async () => {
    for await (const answer of answers) {
      waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id);
    }
  })();
  return {
    async current(signal, refused) {
      const isRefused = kept !== undefined && refused === kept.credential;
      if (kept !== undefined && !isRefused && clock.now() - kept.at < KEEP_MS) return kept.credential;
      signal.throwIfAborted();
      const id = nextId++;
      const { promise, resolve } = Promise.withResolvers<CredentialAnswer>();
      waiting.set(id, resolve);
      await ask({ id, ...(isRefused && { refused: kept!.version }) }, { signal });
      const over = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const ended = Promise.withResolvers<never>();
      const onAbort = () => ended.reject(over.reason);
      over.addEventListener("abort", onAbort, { once: true });
      try {
        const answer = await Promise.race([promise, ended.promise]);
        if ("reason" in answer) throw new StatusError(answer.reason, answer.message);
        const { credential, version } = answer;
        // The same object as long as it is the same credential: that is how a refused one is told from a new one.
        kept = {
          credential: kept?.version === version ? kept.credential : credential,
          version,
          at: clock.now(),
        };
        return kept.credential;
      } finally {
        over.removeEventListener("abort", onAbort);
        waiting.delete(id);
      }
    },
  };
}
