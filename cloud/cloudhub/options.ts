/** Where one of the listeners binds. */
export interface ListenOptions {
  /** An IP address of this machine. @default "0.0.0.0" */
  address?: string;
  /** 0 takes any free port. */
  port?: number;
}

/** PEM files that come before the secrets; a pair is used when both files exist. */
export interface CredentialFiles {
  tlsCAFile?: string;
  tlsCAKeyFile?: string;
  tlsCertFile?: string;
  tlsPrivateKeyFile?: string;
}

/** What can be set; the names of the configuration are those of upstream's `modules.cloudHub`. */
export interface CloudHubOptions {
  /** IP addresses edges use to reach this cloudcore; the serving certificate covers them all. At least one. */
  advertiseAddress: readonly string[];
  /** DNS names edges use. @default none */
  dnsNames?: readonly string[];
  /** Join and certificate endpoint. @default 0.0.0.0:10002 */
  https?: ListenOptions;
  /** Hub endpoint. @default 0.0.0.0:10000 */
  websocket?: ListenOptions;
  /** @default none: the secrets alone count */
  files?: CredentialFiles;
  /** Nodes that may be connected at a time. @default 500 */
  nodeLimit?: number;
  /** A session without a keepalive for this long ends, milliseconds. @default 30000 */
  keepaliveIntervalMs?: number;
  /** Validity of node certificates, days. @default 365 */
  edgeCertSigningDays?: number;
  /** A new join token is written this often, hours; one is valid twice as long. @default 12 */
  tokenRefreshHours?: number;
  /** Namespace of the secrets. @default "kubeedge" */
  namespace?: string;
  /** Accept certificates with O `KubeEdge` and CN `kubeedge.io`, which speak for any node. @default false */
  legacyCertificates?: boolean;
  /** Messages to one node that may wait for an acknowledgement at a time. Upstream's edgecore has always seen 1. @default 1 */
  inflightWindow?: number;
  /** Most messages kept for one node. @default 10000 */
  queueLimitCount?: number;
  /** Most characters of messages kept for one node. @default 33554432 */
  queueLimitChars?: number;
  /** Largest message from an edge, bytes. @default 16777216 */
  maxFrameBytes?: number;
  /** A client that has not finished TLS and the request's head by then is dropped, milliseconds. @default 10000 */
  handshakeTimeoutMs?: number;
  /** PEM of the cluster's CA, the answer to `k8s/ca.crt`. @default read from ConfigMap kube-root-ca.crt */
  clusterCa?: string;
  /** What the node annotation `cloudcore` says. @default the first of advertiseAddress */
  localIp?: string;
  /** Told the bound ports once both listeners stand. */
  onListening?: (ports: { https: number; websocket: number }) => void;
}

/** All options with their defaults filled in. */
export interface ResolvedOptions {
  advertiseAddress: readonly string[];
  dnsNames: readonly string[];
  https: Required<ListenOptions>;
  websocket: Required<ListenOptions>;
  files: CredentialFiles;
  nodeLimit: number;
  keepaliveIntervalMs: number;
  edgeCertSigningDays: number;
  tokenRefreshHours: number;
  namespace: string;
  legacyCertificates: boolean;
  inflightWindow: number;
  queueLimitCount: number;
  queueLimitChars: number;
  maxFrameBytes: number;
  handshakeTimeoutMs: number;
  clusterCa: string | undefined;
  localIp: string;
  onListening: (ports: { https: number; websocket: number }) => void;
}

/**
 * Fills in the defaults and checks the numbers.
 * @throws {RangeError} naming the configuration key
 */
export function resolveOptions(options: CloudHubOptions): ResolvedOptions {
  const advertiseAddress = options.advertiseAddress.filter((address) => address !== "");
  const [first] = advertiseAddress;
  if (first === undefined) {
    throw new RangeError(
      "Cannot start cloudhub: modules.cloudHub.advertiseAddress is empty; " +
        "set it to the addresses at which edges reach this cloudcore",
    );
  }
  const resolved: ResolvedOptions = {
    advertiseAddress,
    dnsNames: (options.dnsNames ?? []).filter((name) => name !== ""),
    https: { address: "0.0.0.0", port: 10002, ...options.https },
    websocket: { address: "0.0.0.0", port: 10000, ...options.websocket },
    files: options.files ?? {},
    nodeLimit: positive("nodeLimit", options.nodeLimit ?? 500),
    keepaliveIntervalMs: positive("keepaliveInterval", options.keepaliveIntervalMs ?? 30_000),
    edgeCertSigningDays: positive("edgeCertSigningDuration", options.edgeCertSigningDays ?? 365),
    tokenRefreshHours: positive("tokenRefreshDuration", options.tokenRefreshHours ?? 12),
    namespace: options.namespace ?? "kubeedge",
    legacyCertificates: options.legacyCertificates ?? false,
    inflightWindow: positive("inflightWindow", options.inflightWindow ?? 1),
    queueLimitCount: positive("queueLimitCount", options.queueLimitCount ?? 10_000),
    queueLimitChars: positive("queueLimitChars", options.queueLimitChars ?? 32 * 1024 * 1024),
    maxFrameBytes: positive("maxFrameBytes", options.maxFrameBytes ?? 16 * 1024 * 1024),
    handshakeTimeoutMs: positive("handshakeTimeout", options.handshakeTimeoutMs ?? 10_000),
    clusterCa: options.clusterCa,
    localIp: options.localIp ?? first,
    onListening: options.onListening ?? (() => {}),
  };
  return resolved;
}

function positive(key: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`Cannot start cloudhub: modules.cloudHub.${key} is ${value}, it must be above 0`);
}
