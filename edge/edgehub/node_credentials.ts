import { errorText } from "../../common/errors/mod.ts";
import { backoffMs, type Clock, type Logger, News } from "../../common/module/mod.ts";
import { type Credentials, CredentialsError, loadCredentials, saveCredentials } from "./credentials.ts";
import type { ResolvedOptions } from "./options.ts";

const JOIN_RETRY = { baseMs: 1000, maxMs: 30_000 };
const MAX_TOKEN_FILE_BYTES = 16 * 1024;

/** What getting credentials needs. */
export interface CredentialComponents {
  clock: Clock;
  log: Logger;
}

/**
 * The node's credentials: those on disk, or new ones by token. It does not give up: a cloud that is away comes back, a token
 * file can be replaced, and the pods of the node must go on meanwhile. Every failure is logged with its fix.
 * @throws the signal's reason
 */
export async function obtainCredentials(
  { clock, log }: CredentialComponents,
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<Credentials> {
  const news = new News(clock);
  for (let attempt = 0;; attempt++) {
    signal.throwIfAborted();
    try {
      return await loadOrJoin({ clock, log: onceEach(log, news) }, options, signal);
    } catch (error) {
      signal.throwIfAborted();
      const about = { node: options.nodeName };
      if (news.isNew("certificate", errorText(error))) {
        log.error("Cannot get this node's certificate; trying again", error, about);
      } else log.debug("Still no certificate", { ...about, attempt: attempt + 1 });
    }
    await clock.sleep(backoffMs(attempt, JOIN_RETRY, Math.random()), { signal });
  }
}

/** What each try would say again is said once. */
function onceEach(log: Logger, news: News): Pick<Logger, "info" | "warning"> {
  return {
    info: log.info,
    warning: (message, fields) => {
      if (news.isNew(message, String(fields?.difference ?? fields?.why))) log.warning(message, fields);
    },
  };
}

async function loadOrJoin(
  { clock, log }: { clock: Clock; log: Pick<Logger, "info" | "warning"> },
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<Credentials> {
  let unusable: CredentialsError | undefined;
  try {
    const stored = await loadCredentials(options, options.nodeName, clock.now());
    if (stored !== undefined) return stored;
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    unusable = error;
  }
  const token = await readToken(options);
  if (token === undefined) {
    throw unusable ?? new CredentialsError(
      `This node has no certificate and no join token: write a token (on the cloud: keadm gettoken) to ` +
        `${options.tokenFile}, or set modules.edgeHub.token`,
    );
  }
  if (unusable !== undefined) {
    log.warning("The stored certificate cannot be used; joining anew", { why: errorText(unusable) });
  }
  // Loaded only when needed: the certificate library costs memory that a node which has joined need not pay.
  const { joinByToken } = await import("./join.ts");
  const { nodeName, httpServer } = options;
  const credentials = await joinByToken(token, { nodeName, httpServer, now: clock.now(), log, signal });
  await saveCredentials(options, credentials);
  log.info("Joined the cluster", {
    node: nodeName,
    validUntil: new Date(credentials.notAfter).toISOString(),
  });
  return credentials;
}

/** The join token: from the file, else from the configuration. */
async function readToken({ tokenFile, token }: ResolvedOptions): Promise<string | undefined> {
  try {
    const { size } = await Deno.stat(tokenFile);
    if (size > MAX_TOKEN_FILE_BYTES) {
      throw new CredentialsError(
        `${tokenFile} is ${size} bytes long: it must hold a join token and nothing else`,
      );
    }
    const text = (await Deno.readTextFile(tokenFile)).trim();
    if (text !== "") return text;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return token?.trim() || undefined;
}
