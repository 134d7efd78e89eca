import { directoryOf } from "../../common/paths/mod.ts";
import { tokenFiles } from "./blank_token.ts";
import { type EdgeHubOptions, resolveOptions } from "./options.ts";

/**
 * What edgehub may do: reach its two cloud addresses, read the token, read and write the directories of its certificates, and
 * take the token out of the configuration file.
 */
export function edgeHubPermissions(options: EdgeHubOptions): Deno.PermissionOptionsObject {
  const { configFile, httpServer, websocketServer, tokenFile, tlsCaFile, tlsCertFile, tlsPrivateKeyFile } =
    resolveOptions(options);
  const directories = [
    ...new Set([tlsCaFile, tlsCertFile, tlsPrivateKeyFile].map((file) => directoryOf(file))),
  ];
  const config = configFile === undefined || options.token === undefined ? [] : tokenFiles(configFile);
  const withPort = (url: URL) => `${url.hostname}:${url.port || "443"}`;
  return {
    net: [...new Set([withPort(new URL(httpServer)), withPort(new URL(`https://${websocketServer}`))])],
    read: [...directories, tokenFile, ...config],
    write: [...directories, ...config],
  };
}
