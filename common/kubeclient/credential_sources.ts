import type { Clock, Logger } from "../module/mod.ts";
import type { Fetch, KubeClientConfig } from "./connection.ts";
import { type CredentialSource, fileCredentials } from "./credentials.ts";
import { loadKubeConfig } from "./load_kubeconfig.ts";

/**
 * What gives the credential that a configuration names. The code for commands and issuers is loaded only where one is named.
 * @param log tells of credentials that were replaced
 */
export function credentialsOf(
  config: KubeClientConfig,
  { clock, log, fetch }: { clock: Clock; log: Logger; fetch?: Fetch },
): CredentialSource {
  const { exec, oidc } = config;
  if (exec !== undefined) {
    return later(async () => (await import("./exec_credentials.ts")).execCredentials(exec, { clock }));
  }
  if (oidc !== undefined) {
    return later(async () => {
      const { oidcCredentials } = await import("./oidc_credentials.ts");
      const { keepOidcTokens } = await import("./keep_oidc_tokens.ts");
      const { origin } = config;
      return oidcCredentials(oidc, {
        clock,
        log,
        ...(fetch !== undefined && { fetch }),
        ...(origin?.context !== undefined && {
          keep: (tokens) => keepOidcTokens(origin.file, origin.user, tokens),
        }),
      });
    });
  }
  const { origin } = config;
  const isStatic = origin === undefined && config.tokenFile === undefined;
  return fileCredentials(config, {
    clock,
    log,
    readTextFile: (path) => Deno.readTextFile(path),
    ...(isStatic || origin === undefined ? {} : { stamp: () => stampOf(origin.files) }),
    ...(origin?.context !== undefined && {
      reload: () => loadKubeConfig({ path: origin.file, context: origin.context! }),
    }),
  });
}

/** When the files were changed last, as one text. */
async function stampOf(files: readonly string[]): Promise<string> {
  const stats = await Promise.all(files.map((file) => Deno.stat(file)));
  return stats.map(({ mtime, size, ino }) => `${mtime?.getTime()} ${size} ${ino}`).join();
}

function later(make: () => Promise<CredentialSource>): CredentialSource {
  let made: Promise<CredentialSource> | undefined;
  return { current: async (signal, refused) => await (await (made ??= make())).current(signal, refused) };
}
