import {
  ABSOLUTE_PATH,
  bool,
  choice,
  DNS_SUBDOMAIN,
  type Format,
  type Infer,
  int,
  IP_ADDRESS,
  IP_PORT,
  list,
  map,
  section,
  text,
  TIMER_MAX_SECONDS,
  UNIX_SOCKET,
  urlOf,
} from "../../common/config/mod.ts";
import { EDGE_CONTROLLER_BUFFER, EDGE_CONTROLLER_LOAD } from "./edgecontroller_schema.ts";

/** The `apiVersion` this program writes. */
export const API_VERSION = "cloudcore.config.kubeedge.io/v1alpha1";

/** The chart and the samples write this one; the keys are the same. */
export const CHART_API_VERSION = "cloudcore.config.kubeedge.io/v1alpha2";

const MIN = { min: true };

/** What stands in a certificate as a name or an address of this machine. */
const HOST: Format = {
  expected: "an IP address or a DNS name",
  test: (v) => IP_ADDRESS.test(v) || DNS_SUBDOMAIN.test(v.replace(/^\*\./, "")),
};

function path(initial: string, comment: string, options: { min?: boolean } = {}) {
  return text(initial, comment, { ...options, format: ABSOLUTE_PATH });
}

function port(initial: number, comment: string, options: { min?: boolean } = {}) {
  return int(initial, comment, { ...options, minimum: 1, maximum: 65535 });
}

function address(initial: string, comment: string, options: { min?: boolean } = {}) {
  return text(initial, comment, { ...options, format: IP_ADDRESS });
}

function seconds(initial: number, comment: string) {
  return int(initial, `${comment}, in seconds`, { minimum: 1, maximum: TIMER_MAX_SECONDS });
}

const KUBE_API = section("The Kubernetes API.", {
  master: text("", "address of the API; by default that of kubeConfig, or of the cluster this runs in", {
    format: urlOf("https", "http"),
  }),
  kubeConfig: path("", "kubeconfig file; by default the service account of the pod this runs in", MIN),
  contentType: choice(
    ["application/vnd.kubernetes.protobuf", "application/json"],
    "application/vnd.kubernetes.protobuf",
    "taken for compatibility; this program always uses JSON",
  ),
  qps: int(2500, "requests per second"),
  burst: int(5000, "requests at once, while qps holds"),
  embedded: section(
    "A small API for one machine, in place of a cluster (this program only; upstream ignores it).",
    {
      enable: bool(false, "serve it", MIN),
      dataDir: path("/var/lib/kubeedge/embedded", "folder of its database and keys"),
      address: address("127.0.0.1", "address it listens on", MIN),
      port: port(6443, "port it listens on", MIN),
      kubeConfig: path("/etc/kubeedge/admin.kubeconfig", "admin kubeconfig that it writes", MIN),
      advertiseAddress: list(
        text("", "", { format: HOST }),
        [],
        "more addresses and names in its certificate",
      ),
      nodeMonitorGracePeriod: seconds(40, "silence after which a node's state is unknown"),
    },
  ),
});

const CLOUD_HUB = section("Where edge nodes connect.", {
  enable: bool(true, "serve edge nodes", MIN),
  keepaliveInterval: seconds(30, "longest silence of a node that counts as connected"),
  nodeLimit: int(500, "nodes that may be connected", { ...MIN, minimum: 1, minInitial: 1000 }),
  tlsCAFile: path("/etc/kubeedge/ca/rootCA.crt", "certificate of the CA; made when missing", MIN),
  tlsCAKeyFile: path("/etc/kubeedge/ca/rootCA.key", "private key of the CA; made when missing", MIN),
  tlsCertFile: path("/etc/kubeedge/certs/server.crt", "certificate of this server; made when missing", MIN),
  tlsPrivateKeyFile: path("/etc/kubeedge/certs/server.key", "its private key; made when missing", MIN),
  writeTimeout: seconds(30, "longest a write to a node may take"),
  advertiseAddress: list(
    text("", "", { format: HOST }),
    [],
    "addresses edge nodes reach this machine at",
    MIN,
  ),
  dnsNames: list(text("", ""), [""], "DNS names edge nodes reach this machine at"),
  edgeCertSigningDuration: int(365, "days that a node's certificate is valid", {
    minimum: 1,
    maximum: 36_500,
  }),
  tokenRefreshDuration: int(12, "hours after which the token is made anew", { minimum: 1, maximum: 100_000 }),
  quic: section("", {
    enable: bool(false, "serve QUIC"),
    address: address("0.0.0.0", "address it listens on"),
    port: port(10001, "UDP port it listens on"),
    maxIncomingStreams: int(10_000, "streams per connection", { minimum: 1 }),
  }),
  unixsocket: section("", {
    enable: bool(true, "serve the CSI driver on this machine", MIN),
    address: text("unix:///var/lib/kubeedge/kubeedge.sock", "its socket", { ...MIN, format: UNIX_SOCKET }),
  }),
  websocket: section("", {
    enable: bool(true, "serve WebSocket", MIN),
    address: address("0.0.0.0", "address it listens on", MIN),
    port: port(10000, "port it listens on", MIN),
  }),
  https: section("", {
    enable: bool(true, "serve certificates to nodes that join", MIN),
    address: address("0.0.0.0", "address it listens on", MIN),
    port: port(10002, "port it listens on", MIN),
  }),
  authorization: section("Upstream's switch; here a node always reaches its own objects only.", {
    enable: bool(false, "authorize requests of nodes"),
    debug: bool(true, "only log what would be denied"),
    modes: list(
      section("", { node: section("", { enable: bool(undefined, "the node authorizer") }) }),
      [{ node: { enable: true } }],
      "authorizers, in order",
    ),
  }),
});

const CLOUD_STREAM = section("logs, exec and metrics through a tunnel.", {
  enable: bool(false, "serve the tunnel"),
  tlsTunnelCAFile: path("/etc/kubeedge/ca/rootCA.crt", "CA of edge nodes"),
  tlsTunnelCertFile: path("/etc/kubeedge/certs/server.crt", "certificate of the tunnel"),
  tlsTunnelPrivateKeyFile: path("/etc/kubeedge/certs/server.key", "its private key"),
  tunnelPort: port(10004, "port edge nodes come to"),
  tlsStreamCAFile: path("/etc/kubeedge/ca/streamCA.crt", "CA of the Kubernetes API server"),
  tlsStreamCertFile: path("/etc/kubeedge/certs/stream.crt", "certificate shown to it"),
  tlsStreamPrivateKeyFile: path("/etc/kubeedge/certs/stream.key", "its private key"),
  streamPort: port(10003, "port the Kubernetes API server comes to"),
});

/**
 * The table of `cloudcore.yaml`, v1alpha1.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/cloudcore/v1alpha1/{types,default}.go @ 16cd854
 */
export const CLOUD_CORE_SCHEMA = section("", {
  apiVersion: choice([API_VERSION, CHART_API_VERSION], API_VERSION, "", MIN),
  kind: choice(["CloudCore"], "CloudCore", "", MIN),
  commonConfig: section("", {
    tunnelPort: port(10350, "first port of those that stand for nodes' kubelets"),
    monitorServer: section("", {
      bindAddress: text("127.0.0.1:9091", "address of /metrics and /healthz", { format: IP_PORT }),
      enableProfiling: bool(false, "serve /debug/pprof"),
    }),
  }),
  kubeAPIConfig: KUBE_API,
  featureGates: map(bool(false, ""), undefined, "feature gates", {
    names: ["requireAuthorization", "moduleRestart", "disableNodeTaskV1alpha2", "AllAlpha", "AllBeta"],
  }),
  logging: section("This program's log (upstream ignores the section).", {
    level: choice(
      ["debug", "info", "warning", "error"],
      "info",
      "debug, info, warning or error; -v 4 is debug",
    ),
    format: choice(["text", "json"], "text", "text or json"),
  }),
  modules: section("", {
    cloudHub: CLOUD_HUB,
    edgeController: section("Pods, nodes, ConfigMaps and Secrets between the API and the nodes.", {
      enable: bool(true, "carry them", MIN),
      nodeUpdateFrequency: seconds(10, "time between two updates of nodes"),
      buffer: EDGE_CONTROLLER_BUFFER,
      load: EDGE_CONTROLLER_LOAD,
    }),
    deviceController: section("Devices between the API and the nodes.", {
      enable: bool(true, "carry them", MIN),
      buffer: section("How much may wait, by kind.", {
        updateDeviceTwins: int(1024, "twin updates that may wait", { minimum: 1 }),
        updateDeviceStatus: int(1024, "status updates that may wait", { minimum: 1 }),
        deviceEvent: int(1, "device events that may wait", { minimum: 1 }),
        deviceModelEvent: int(1, "device model events that may wait", { minimum: 1 }),
        deviceStatusEvent: int(undefined, "device status events that may wait"),
      }),
      load: section("", {
        updateDeviceStatusWorkers: int(1, "status updates worked on at a time", {
          minimum: 1,
          maximum: 100_000,
        }),
      }),
    }),
    taskManager: section("Upgrades and image pre-pulls on nodes.", {
      enable: bool(false, "order them"),
      buffer: section("", {
        taskStatus: int(1024, "status reports that may wait", { minimum: 1 }),
        taskEvent: int(1, "task events that may wait", { minimum: 1 }),
      }),
      load: section("", {
        taskWorkers: int(1, "tasks worked on at a time", { minimum: 1, maximum: 100_000 }),
      }),
    }),
    syncController: section("Compares what nodes have with the API, and repairs.", {
      enable: bool(true, "compare and repair", MIN),
    }),
    dynamicController: section("Any resource, for applications on nodes.", {
      enable: bool(false, "serve it"),
    }),
    cloudStream: CLOUD_STREAM,
    router: section("Messages between the cloud, the edge and other systems.", {
      enable: bool(false, "route them", MIN),
      address: address("0.0.0.0", "address it listens on", MIN),
      port: port(9443, "port it listens on", MIN),
      restTimeout: int(60, "longest a call may take, in seconds", {
        ...MIN,
        minimum: 1,
        maximum: TIMER_MAX_SECONDS,
      }),
    }),
    iptablesManager: section("Rules that lead the API server to the tunnel; not needed by this program.", {
      enable: bool(true, "taken for compatibility", MIN),
      mode: choice(["internal", "external"], "internal", "internal or external", MIN),
    }),
  }),
});

/** A complete cloudcore configuration; times are in the units upstream has. */
export type CloudCoreConfig = Infer<typeof CLOUD_CORE_SCHEMA>;
