import { directoryOf } from "../../common/paths/mod.ts";
import { type EdgeHubOptions, resolveOptions } from "./options.ts";

/** What edgehub may do: reach its two cloud addresses, read the token, read and write the directories of its certificates. */
export function edgeHubPermissions(options: EdgeHubOptions): Deno.PermissionOptionsObject {
  const { httpServer, websocketServer, tokenFile, tlsCaFile, tlsCertFile, tlsPrivateKeyFile } =
    resolveOptions(options);
  const directories = [
    ...new Set([tlsCaFile, tlsCertFile, tlsPrivateKeyFile].map((file) => directoryOf(file))),
  ];
  const withPort = (url: URL) => `${url.hostname}:${url.port || "443"}`;
  return {
    net: [...new Set([withPort(new URL(httpServer)), withPort(new URL(`https://${websocketServer}`))])],
    read: [...directories, tokenFile],
    write: directories,
  };
}
