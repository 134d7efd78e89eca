import { type CloudHubOptions, resolveOptions } from "./options.ts";

/** What cloudhub must be allowed besides reaching the Kubernetes API. */
export function cloudHubPermissions(options: CloudHubOptions): Deno.PermissionOptionsObject {
  const { https, websocket, files } = resolveOptions(options);
  const read = [files.tlsCAFile, files.tlsCAKeyFile, files.tlsCertFile, files.tlsPrivateKeyFile]
    .filter((path): path is string => path !== undefined && path !== "");
  return {
    net: [https, websocket].map(({ address, port }) => {
      const host = address.includes(":") ? `[${address}]` : address;
      return port === 0 ? host : `${host}:${port}`;
    }),
    read,
    // Asked for by the WebSocket library when it is loaded.
    env: ["WS_NO_BUFFER_UTIL", "WS_NO_UTF_8_VALIDATE"],
  };
}
