import { errorText, StatusError } from "../errors/mod.ts";
import type { Clock, Logger } from "../module/mod.ts";
import type { KubeCredentials } from "./kubeconfig.ts";

/** Who a request is made as. */
export interface Credential {
  token?: string;
  username?: string;
  password?: string;
  /** Client certificate chain, PEM; goes with `key`. */
  cert?: string;
  key?: string;
  /** Certificates that may sign the server's, PEM, where the source knows them. */
  ca?: string;
}

/** Where a client gets its credential. */
export interface CredentialSource {
  /**
   * The credential to use now; cheap when nothing changed.
   * @param refused one that was answered with 401, or whose CA does not fit the server: another is looked for, and the same returned when there is none
   */
  current(signal: AbortSignal, refused?: Credential): Promise<Credential>;
}

/** What the credentials in files use. */
export interface FileCredentialComponents {
  clock: Clock;
  log: Logger;
  /** Reads the kubeconfig, and the files it names, again. @default they are not looked at again */
  reload?: () => Promise<KubeCredentials>;
  /** Changes when one of the files does; undefined when that cannot be told. */
  stamp?: () => Promise<string>;
  readTextFile: (path: string) => Promise<string>;
}

/** A file that was replaced is noticed within this time; one whose credential is refused at once. */
const LOOK_MS = 60_000;

/** The credential a kubeconfig or a pod's service account names, read again when its files change. */
export function fileCredentials(
  config: KubeCredentials,
  { clock, log, reload, stamp, readTextFile }: FileCredentialComponents,
): CredentialSource {
  let known = config;
  let seen: string | undefined;
  let lookedAt: number | undefined;
  let current: Credential | undefined;
  let complaint = "";
  let told = config.server;
  let looking: Promise<void> | undefined;

  /** Another server is not followed: what may be reached, and by whom, was decided at the start. */
  function tellServer({ server, origin }: KubeCredentials): void {
    if (origin === undefined || origin.server !== config.origin?.server || server === told) return;
    told = server;
    if (server === config.server) return;
    log.warning("The kubeconfig names another server now, which is used after a restart", {
      field: `${origin.server} of ${origin.file}`,
      before: config.server,
      now: server,
    });
  }

  async function look(refused: boolean): Promise<void> {
    const before = seen;
    seen = await stamp?.().catch(() => undefined);
    const isFirst = lookedAt === undefined;
    lookedAt = clock.now();
    if (reload !== undefined && !(isFirst && !refused) && (refused || seen !== before)) {
      try {
        known = await reload();
        complaint = "";
        tellServer(known);
      } catch (error) {
        // It may be just being written: what was read before is used on.
        const text = errorText(error);
        if (text !== complaint) {
          log.warning("Cannot read the kubeconfig again, going on with what it said", { err: text });
        }
        complaint = text;
      }
    }
    const { token, tokenFile, username, password, cert, key, ca } = known;
    let bearer = token;
    if (tokenFile !== undefined) {
      try {
        bearer = (await readTextFile(tokenFile)).trim();
      } catch (cause) {
        const { origin } = known;
        const where = origin === undefined ? "" : ` (${origin.user} of ${origin.file})`;
        const why = cause instanceof Deno.errors.NotFound ? "it does not exist" : "it cannot be read";
        throw new StatusError(
          "Unauthorized",
          `Cannot get a token from ${tokenFile}${where}: ${why}; write it there, it is looked for again`,
          { cause },
        );
      }
    }
    const next: Credential = {
      ...(bearer !== undefined && { token: bearer }),
      ...(username !== undefined && { username, password: password ?? "" }),
      ...(cert !== undefined && key !== undefined && { cert, key }),
      ...(ca !== undefined && { ca }),
    };
    if (current !== undefined && sameCredential(current, next)) return;
    if (current !== undefined) log.info("Read new credentials for the Kubernetes API server");
    current = next;
  }

  return {
    async current(_signal, refused) {
      const due = lookedAt === undefined || clock.now() - lookedAt > LOOK_MS;
      const isRefused = refused !== undefined && refused === current;
      if (due || current === undefined || isRefused) {
        await (looking ??= look(isRefused).finally(() => looking = undefined));
      }
      return current!;
    },
  };
}

/** Whether two credentials say the same. */
export function sameCredential(a: Credential, b: Credential): boolean {
  return a.token === b.token && a.username === b.username && a.password === b.password && a.cert === b.cert &&
    a.key === b.key && a.ca === b.ca;
}

/** Headers of a credential and of whom it acts for. */
export function authorizationHeaders(
  credential: Credential,
  impersonate: KubeCredentials["impersonate"],
): Array<[string, string]> {
  const headers: Array<[string, string]> = [];
  const { token, username, password = "" } = credential;
  if (token !== undefined) headers.push(["Authorization", `Bearer ${token}`]);
  else if (username !== undefined) {
    const pair = new TextEncoder().encode(`${username}:${password}`);
    headers.push(["Authorization", `Basic ${pair.toBase64()}`]);
  }
  if (impersonate === undefined) return headers;
  const { user, uid, groups = [], extra = {} } = impersonate;
  headers.push(["Impersonate-User", user]);
  if (uid !== undefined) headers.push(["Impersonate-Uid", uid]);
  for (const group of groups) headers.push(["Impersonate-Group", group]);
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) headers.push([`Impersonate-Extra-${encodeURIComponent(key)}`, value]);
  }
  return headers;
}
