import { StatusError } from "../../common/errors/mod.ts";

/** Settings of edgehub. Upstream: `modules.edgeHub` of edgecore's configuration */
export interface EdgeHubOptions {
  /** This node. */
  nodeName: string;
  /** Address of `/ca.crt` and `/edge.crt`: `https://<host>:10002`. */
  httpServer: string;
  /** Address of the hub: `<host>:10000`. */
  websocketServer: string;
  /** Part of the hub's path. @default "e632aba927ea4ac2b575ec1603d56f10" */
  projectId?: string;
  /** Join token from the configuration. */
  token?: string;
  /** The file that `token` comes from, out of which it is taken once it has served. @default none */
  configFile?: string;
  /** File with the join token; it goes before `token`. @default "/etc/kubeedge/bootstrap-edgecore.conf" */
  tokenFile?: string;
  /** @default "/etc/kubeedge/ca/rootCA.crt" */
  tlsCaFile?: string;
  /** @default "/etc/kubeedge/certs/server.crt" */
  tlsCertFile?: string;
  /** @default "/etc/kubeedge/certs/server.key" */
  tlsPrivateKeyFile?: string;
  /** Between keepalives, milliseconds; the cloud ends a session after 30 s without one. @default 15000 */
  heartbeatMs?: number;
  /** How long dialling may take, milliseconds. @default 30000 */
  handshakeTimeoutMs?: number;
  /** How long sending may make no progress, milliseconds. @default 15000 */
  writeDeadlineMs?: number;
  /** How long the cloud may be silent although a reply is due, milliseconds. @default 60000 */
  silenceLimitMs?: number;
  /** Messages per second in the long run; heartbeats do not count. @default 30 */
  messageQps?: number;
  /** Messages at once. @default 60 */
  messageBurst?: number;
  /** Whether the certificate is replaced before it expires. @default true */
  rotateCertificates?: boolean;
  /** Longest message taken from the cloud, characters. @default 33554432 */
  maxMessageChars?: number;
}

/** Options with every default filled in. */
export type ResolvedOptions =
  & Required<Omit<EdgeHubOptions, "token" | "configFile">>
  & Pick<EdgeHubOptions, "token" | "configFile">;

/** Fills in upstream's defaults. @throws {StatusError} Invalid, naming the option */
export function resolveOptions(options: EdgeHubOptions): ResolvedOptions {
  const resolved: ResolvedOptions = {
    projectId: "e632aba927ea4ac2b575ec1603d56f10",
    tokenFile: "/etc/kubeedge/bootstrap-edgecore.conf",
    tlsCaFile: "/etc/kubeedge/ca/rootCA.crt",
    tlsCertFile: "/etc/kubeedge/certs/server.crt",
    tlsPrivateKeyFile: "/etc/kubeedge/certs/server.key",
    heartbeatMs: 15_000,
    handshakeTimeoutMs: 30_000,
    writeDeadlineMs: 15_000,
    silenceLimitMs: 60_000,
    messageQps: 30,
    messageBurst: 60,
    rotateCertificates: true,
    maxMessageChars: 32 * 1024 * 1024,
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
    nodeName: options.nodeName,
    httpServer: options.httpServer,
    websocketServer: options.websocketServer,
  };
  const invalid = (what: string) => new StatusError("Invalid", `Cannot make edgehub: ${what}`);
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(resolved.nodeName)) {
    throw invalid(`nodeName ${JSON.stringify(resolved.nodeName)} is not a node's name`);
  }
  if (URL.parse(resolved.httpServer)?.protocol !== "https:") {
    throw invalid(
      `httpServer ${JSON.stringify(resolved.httpServer)} is not an address like https://host:10002`,
    );
  }
  if (!URL.canParse(hubUrl(resolved)) || /^$|[/?#@\s]/.test(resolved.websocketServer)) {
    throw invalid(
      `websocketServer ${JSON.stringify(resolved.websocketServer)} is not an address like host:10000`,
    );
  }
  for (const key of ["heartbeatMs", "handshakeTimeoutMs", "writeDeadlineMs", "silenceLimitMs"] as const) {
    if (!(resolved[key] > 0)) throw invalid(`${key} ${resolved[key]} is not above 0`);
  }
  if (!(resolved.messageQps > 0) || !(resolved.messageBurst >= 1)) {
    throw invalid(
      `messageQps ${resolved.messageQps} and messageBurst ${resolved.messageBurst} must be above 0`,
    );
  }
  return resolved;
}

/** Where the hub is dialled: `wss://<server>/<project>/<node>/events`. */
export function hubUrl(
  { websocketServer, projectId, nodeName }: Pick<
    ResolvedOptions,
    "websocketServer" | "projectId" | "nodeName"
  >,
): string {
  return `wss://${websocketServer}/${encodeURIComponent(projectId)}/${encodeURIComponent(nodeName)}/events`;
}
