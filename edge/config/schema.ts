import {
  ABSOLUTE_PATH,
  bool,
  choice,
  DNS_LABEL_NAME,
  DNS_SUBDOMAIN,
  duration,
  type Format,
  HOST_PORT,
  type Infer,
  int,
  IP_ADDRESS,
  IP_PORT,
  list,
  map,
  section,
  text,
  TIMER_MAX_SECONDS,
  urlOf,
} from "../../common/config/mod.ts";
import { TAILORED_KUBELET_CONFIG } from "./kubelet_schema.ts";

/** The `apiVersion` this program writes. */
export const API_VERSION = "edgecore.config.kubeedge.io/v1alpha2";

/** The `apiVersion` of files for KubeEdge up to v1.11, which are converted. */
export const OLD_API_VERSION = "edgecore.config.kubeedge.io/v1alpha1";

const MIN = { min: true };
const CA_FILE = "/etc/kubeedge/ca/rootCA.crt";
const CERT_FILE = "/etc/kubeedge/certs/server.crt";
const KEY_FILE = "/etc/kubeedge/certs/server.key";

const PROGRAM: Format = {
  expected: "the name of a program or its absolute path",
  test: (v) => /^[\w.+-]+$/.test(v) || ABSOLUTE_PATH.test(v),
};

function path<D extends string | undefined>(initial: D, comment: string, options: { min?: boolean } = {}) {
  return text(initial, comment, { ...options, format: ABSOLUTE_PATH });
}

function seconds(initial: number, comment: string, options: { min?: boolean } = {}) {
  return int(initial, `${comment}, in seconds`, { minimum: 1, maximum: TIMER_MAX_SECONDS, ...options });
}

function deadlines(options: { min?: boolean } = {}) {
  return {
    handshakeTimeout: seconds(30, "longest a handshake may take", options),
    readDeadline: seconds(15, "longest without anything read", options),
    writeDeadline: seconds(15, "longest a write may take", options),
  };
}

const EDGED = section("Runs the pods.", {
  enable: bool(true, "run pods on this node", MIN),
  containerRuntime: choice(
    ["", "docker", "ctr", "cri"],
    "",
    'docker, ctr, cri, or "" for what answers (this program only; upstream ignores the key)',
    MIN,
  ),
  dockerBinary: text("docker", "the docker command line (this program only; upstream ignores the key)", {
    format: PROGRAM,
  }),
  reportEvent: bool(false, "send events about pods to the cloud", MIN),
  hostnameOverride: text("", "name of the node; by default the host's", { ...MIN, format: DNS_SUBDOMAIN }),
  nodeIP: text(undefined, "address of the node; by default that of customInterfaceName, or the first", {
    format: IP_ADDRESS,
  }),
  customInterfaceName: text(undefined, "network interface whose address is the node's"),
  registerNodeNamespace: text("default", "namespace the node's messages name", {
    ...MIN,
    format: DNS_LABEL_NAME,
  }),
  podSandboxImage: text("kubeedge/pause:3.6", "image of the container that holds a pod together", MIN),
  runtimeCgroups: text(undefined, "cgroup of the container runtime"),
  rootDirectory: path("/var/lib/kubelet", "folder of the pods' volumes", MIN),
  nodeLabels: map(text("", ""), undefined, "labels of the node when it registers"),
  minimumGCAge: duration(0, "an ended container is kept at least this long", MIN),
  maxPerPodContainerCount: int(1, "ended containers kept per container", { ...MIN, minimum: -1 }),
  maxContainerCount: int(-1, "ended containers kept in all; -1 has no limit", { ...MIN, minimum: -1 }),
  registerSchedulable: bool(true, "the scheduler may use this node", MIN),
  seccompDefault: bool(undefined, "RuntimeDefault seccomp profile for all containers"),
  windowsService: bool(false, "run as a Windows service"),
  windowsPriorityClass: text(undefined, "priority on Windows"),
  experimentalMounterPath: text(undefined, "mount program"),
  experimentalNodeAllocatableIgnoreEvictionThreshold: bool(
    undefined,
    "do not subtract evictionHard from what pods may use",
  ),
  tailoredKubeletConfig: TAILORED_KUBELET_CONFIG,
});

const EDGE_HUB = section("The link to the cloud.", {
  enable: bool(true, "connect to the cloud", MIN),
  heartbeat: seconds(15, "time between two keepalives", MIN),
  messageQPS: int(30, "messages per second to the cloud; 0 has no limit"),
  messageBurst: int(60, "messages at once, while messageQPS holds"),
  projectID: text("e632aba927ea4ac2b575ec1603d56f10", "project in the path of the connection"),
  tlsCaFile: path(CA_FILE, "certificate of the cloud's CA; fetched when missing", MIN),
  tlsCertFile: path(CERT_FILE, "certificate of this node; fetched when missing", MIN),
  tlsPrivateKeyFile: path(KEY_FILE, "private key of this node; made when missing", MIN),
  quic: section("", {
    enable: bool(false, "connect over QUIC"),
    ...deadlines(),
    server: text("", "address of the cloud, UDP", { format: HOST_PORT }),
  }),
  websocket: section("", {
    enable: bool(true, "connect over WebSocket", MIN),
    ...deadlines(MIN),
    server: text("", "address of the cloud", { ...MIN, format: HOST_PORT }),
  }),
  token: text("", 'what "keadm gettoken" prints; needed until the node has its certificate', {
    ...MIN,
    secret: true,
  }),
  httpServer: text("", "address of the cloud's certificate service", {
    ...MIN,
    format: urlOf("https", "http"),
  }),
  rotateCertificates: bool(true, "renew the certificate before it expires"),
});

const EVENT_BUS = section("MQTT between devices, applications and the cloud.", {
  enable: bool(true, "speak MQTT", MIN),
  mqttQOS: int(0, "quality of service: 0 at most once, 1 at least once, 2 exactly once", {
    ...MIN,
    maximum: 2,
  }),
  mqttRetain: bool(false, "the broker keeps the last message of a topic", MIN),
  mqttSessionQueueSize: int(100, "messages the internal broker holds per client", { minimum: 1 }),
  mqttServerInternal: text("tcp://127.0.0.1:1884", "where the internal broker listens", {
    ...MIN,
    format: urlOf("tcp", "ssl", "tls", "mqtt", "mqtts", "ws", "wss"),
  }),
  mqttServerExternal: text("tcp://127.0.0.1:1883", "an external broker, such as mosquitto", {
    ...MIN,
    format: urlOf("tcp", "ssl", "tls", "mqtt", "mqtts", "ws", "wss"),
  }),
  mqttSubClientID: text("", "client id of the subscriber; by default made up", MIN),
  mqttPubClientID: text("", "client id of the publisher; by default made up", MIN),
  mqttUsername: text("", "user at the external broker", MIN),
  mqttPassword: text("", "password at the external broker", { ...MIN, secret: true }),
  mqttMode: int(2, "0: internal broker only, 1: both, 2: external broker only", { ...MIN, maximum: 2 }),
  eventBusTLS: section("", {
    enable: bool(false, "TLS to the external broker"),
    tlsMqttCAFile: path(CA_FILE, "CA of the broker"),
    tlsMqttCertFile: path(CERT_FILE, "certificate shown to the broker"),
    tlsMqttPrivateKeyFile: path(KEY_FILE, "its private key"),
  }),
});

const META_MANAGER = section("Keeps what the edge needs in its database.", {
  enable: bool(true, "keep objects at the edge", MIN),
  contextSendGroup: text("hub", "group that messages to the cloud go to"),
  contextSendModule: text("websocket", "module that messages to the cloud go to"),
  remoteQueryTimeout: seconds(60, "longest a query to the cloud may take"),
  metaServer: section("A Kubernetes API on the edge.", {
    enable: bool(false, "serve it"),
    server: text("127.0.0.1:10550", "where it listens", { format: IP_PORT }),
    tlsCaFile: path(CA_FILE, "CA of clients"),
    tlsCertFile: path(CERT_FILE, "its certificate"),
    tlsPrivateKeyFile: path(KEY_FILE, "its private key"),
    serviceAccountIssuers: list(
      text("", ""),
      ["https://kubernetes.default.svc.cluster.local"],
      "issuers of tokens it takes",
    ),
    apiAudiences: list(text("", ""), undefined, "audiences of tokens it takes"),
    serviceAccountKeyFiles: list(path("", ""), undefined, "keys that check tokens"),
    dummyServer: text("169.254.30.10:10550", "address that pods reach it at", { format: IP_PORT }),
  }),
});

/**
 * The table of `edgecore.yaml`, v1alpha2.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/edgecore/v1alpha2/{types,default}.go @ 16cd854
 */
export const EDGE_CORE_SCHEMA = section("", {
  apiVersion: choice([API_VERSION, OLD_API_VERSION], API_VERSION, "", MIN),
  kind: choice(["EdgeCore"], "EdgeCore", "", MIN),
  database: section("", {
    driverName: choice(["sqlite3"], "sqlite3", "kind of database"),
    aliasName: text("default", "name of the database"),
    dataSource: path("/var/lib/kubeedge/edgecore.db", "the database file", MIN),
  }),
  edgecoreVersion: text("", "written by keadm", MIN),
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
    edged: EDGED,
    edgeHub: EDGE_HUB,
    eventBus: EVENT_BUS,
    metaManager: META_MANAGER,
    serviceBus: section("HTTP between applications on this node and the cloud.", {
      enable: bool(false, "serve it"),
      server: text("127.0.0.1", "address it listens on", { format: IP_ADDRESS }),
      port: int(9060, "port it listens on", { minimum: 1, maximum: 65535 }),
      timeout: seconds(60, "longest a call may take"),
      tlsCertFile: path(undefined, "certificate shown to applications"),
      tlsPrivateKeyFile: path(undefined, "its private key"),
    }),
    deviceTwin: section("Keeps the wanted and the reported state of devices.", {
      enable: bool(true, "keep device twins", MIN),
      dmiSockPath: path("/etc/kubeedge/", "folder of the socket that mappers use", MIN),
    }),
    dbTest: section("", { enable: bool(false, "test module of upstream") }),
    edgeStream: section("logs, exec and metrics from the cloud through a tunnel.", {
      enable: bool(false, "open the tunnel"),
      tlsTunnelCAFile: path(CA_FILE, "CA of the tunnel"),
      tlsTunnelCertFile: path(CERT_FILE, "certificate of this node"),
      tlsTunnelPrivateKeyFile: path(KEY_FILE, "its private key"),
      ...deadlines(),
      server: text("127.0.0.1:10004", "address of the cloud's tunnel", { format: HOST_PORT }),
    }),
    taskManager: section("Upgrades and image pre-pulls ordered by the cloud.", {
      enable: bool(false, "take them"),
    }),
  }),
});

/** A complete edgecore configuration; durations are in milliseconds, the integers upstream has in seconds stay so. */
export type EdgeCoreConfig = Infer<typeof EDGE_CORE_SCHEMA>;
