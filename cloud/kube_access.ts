/** How cloudcore reaches the Kubernetes API, and what it must be allowed for that. */
import { errorText, findStatusError, StatusError } from "../common/errors/mod.ts";
import {
  createKubeClient,
  type CredentialSource,
  findTokenEndpoint,
  keptPartial,
  type KubeClientConfig,
  loadKubeConfig,
  type OidcConfig,
} from "../common/kubeclient/mod.ts";
import { backoffMs, type Clock, type Logger } from "../common/module/mod.ts";
import type { CloudCoreConfig, ControlPlane } from "./config/mod.ts";

/** Asked for by the YAML library when it is loaded: where a kubeconfig is read again, or written. */
const YAML_ENV = ["LOG_TOKENS", "LOG_STREAM"];
const RETRY = { baseMs: 500, maxMs: 10_000 };

/**
 * What the configuration says; the file of the embedded control plane exists once that is ready.
 * @throws {KubeConfigError}
 */
export async function readKubeAccess(
  controlPlane: ControlPlane,
  { kubeAPIConfig: { qps, burst } }: CloudCoreConfig,
): Promise<KubeClientConfig> {
  const path = controlPlane.kind === "embedded"
    ? controlPlane.embedded.kubeConfig
    : controlPlane.kind === "kubeconfig"
    ? controlPlane.path
    : undefined;
  const { source: _source, namespace: _namespace, ...access } = await loadKubeConfig(
    path === undefined ? {} : { path },
  );
  const server = controlPlane.kind !== "embedded" && controlPlane.server !== ""
    ? controlPlane.server
    : access.server;
  const { origin, exec, ...rest } = access;
  return {
    ...rest,
    server,
    rateLimit: { qps, burst },
    ...(exec !== undefined && { exec: { ...exec, command: await findCommand(exec.command) } }),
    // The embedded one writes its own kubeconfig, in which nothing changes while it runs.
    ...(origin !== undefined && controlPlane.kind !== "embedded" && {
      origin: server === access.server
        ? origin
        : { ...origin, server: `kubeAPIConfig.master, in place of ${origin.server}` },
    }),
  };
}

/** The file a command is in; the name itself where there is none, for the message about that. */
async function findCommand(command: string): Promise<string> {
  if (command.includes("/")) return command;
  for (const directory of (Deno.env.get("PATH") ?? "").split(":")) {
    if (!directory.startsWith("/")) continue;
    const path = `${directory.replace(/\/$/, "")}/${command}`;
    try {
      const { isFile, mode } = await Deno.stat(path);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return path;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
    }
  }
  return command;
}

/** Whether something has to be asked for the credential. */
export function asksForCredentials({ exec, oidc }: KubeClientConfig): boolean {
  return exec !== undefined || oidc !== undefined;
}

/**
 * Waits until a Kubernetes API server answers and takes the credential, however long; why it waits is told once. What this user may
 * do there is not looked at.
 */
export async function waitForApi(
  config: KubeClientConfig,
  { clock, log, signal, credentials }: {
    clock: Clock;
    log: Logger;
    signal: AbortSignal;
    credentials?: CredentialSource;
  },
): Promise<void> {
  await using kube = createKubeClient(config, {
    clock,
    log,
    ...(credentials !== undefined && { credentials }),
  });
  let told = "";
  for (let attempt = 0;; attempt++) {
    try {
      const served = await kube.servedResources("", "v1", { signal });
      if (served.size > 0) return;
      throw new StatusError("NotFound", "it serves nothing at /api/v1");
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const status = findStatusError(error);
      if (status === undefined) throw error;
      if (status.code === 403) return;
      // That nothing is there and that a credential is refused is told by the client.
      const isCredential = status.message.startsWith("Cannot get ");
      const isTold = status.message.startsWith("Cannot reach ") || (status.code === 401 && !isCredential);
      if (!isTold && status.message !== told) {
        if (isCredential) log.warning("Waiting for credentials", { err: status.message });
        else {
          const { origin, server } = config;
          log.warning("Waiting for the Kubernetes API server", {
            server,
            where: origin === undefined ? undefined : `${origin.server} of ${origin.file}`,
            err: firstLine(status.message),
            fix: "see that this is the address of a Kubernetes API server, and that it is well",
          });
        }
      }
      told = status.message;
      await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
    }
  }
}

/** Of an answer that may be a page. */
function firstLine(text: string): string {
  return text.trim().split("\n")[0]!.slice(0, 200);
}

/** Where the issuer of a user exchanges tokens, waiting for the issuer, however long; why it waits is told once. */
export async function waitForIssuer(
  oidc: OidcConfig,
  { clock, log, signal }: { clock: Clock; log: Logger; signal: AbortSignal },
): Promise<string> {
  let told = "";
  for (let attempt = 0;; attempt++) {
    try {
      return await findTokenEndpoint(oidc);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (findStatusError(error) === undefined) throw error;
      const text = errorText(error);
      if (text !== told) log.warning("Waiting for credentials", { err: text });
      told = text;
      await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
    }
  }
}

/** What a user of the Kubernetes API may do: reach its address, through its proxy where there is one, and read files whose content is replaced. */
export function kubePermissions(config: KubeClientConfig): Deno.PermissionOptionsObject {
  const { server, proxyUrl, tokenFile, origin } = config;
  const read = asksForCredentials(config)
    ? []
    : [...origin?.files ?? [], ...(tokenFile === undefined ? [] : [tokenFile])];
  return {
    net: [hostOf(server), ...(proxyUrl === undefined ? [] : [hostOf(proxyUrl)])],
    ...(read.length === 0 ? {} : { read: [...new Set(read)] }),
    ...(read.length === 0 || origin?.context === undefined ? {} : { env: YAML_ENV }),
  };
}

/** What getting the credential takes: to run the one command, or to reach the issuer and to keep what it gives. */
export function credentialPermissions(
  { exec, oidc, origin }: KubeClientConfig,
): Deno.PermissionOptionsObject {
  if (exec !== undefined) return { run: [exec.command] };
  if (oidc === undefined) return {};
  const files = origin === undefined ? [] : [origin.file, keptPartial(origin.file)];
  return { net: [hostOf(oidc.tokenEndpoint ?? oidc.issuer)], read: files, write: files, env: YAML_ENV };
}

function hostOf(address: string): string {
  const url = new URL(address);
  const known: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };
  return `${url.hostname}:${url.port || (known[url.protocol] ?? "1080")}`;
}
