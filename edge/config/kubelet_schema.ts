import {
  ABSOLUTE_PATH,
  bool,
  choice,
  DNS_SUBDOMAIN,
  duration,
  float,
  int,
  interval,
  IP_ADDRESS,
  list,
  map,
  QUANTITY,
  QUANTITY_OR_PERCENT,
  section,
  text,
  urlOf,
  whole,
} from "../../common/config/mod.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const INT64 = { maximum: Number.MAX_SAFE_INTEGER };

/** What the kubelet measures before it evicts. Upstream: k8s.io/kubernetes pkg/kubelet/eviction/api/types.go @ v1.32 */
const SIGNALS = [
  "memory.available",
  "nodefs.available",
  "nodefs.inodesFree",
  "imagefs.available",
  "imagefs.inodesFree",
  "containerfs.available",
  "containerfs.inodesFree",
  "allocatableMemory.available",
  "pid.available",
];

const TAINT = section("", {
  key: text("", "name of the taint"),
  value: text(undefined, "value of the taint"),
  effect: choice(["NoSchedule", "PreferNoSchedule", "NoExecute"], "NoSchedule", "what it does to pods"),
  timeAdded: text(undefined, "when it was added"),
});

const LOG_BUFFER = {
  splitStream: bool(undefined, "errors to standard error, the rest to standard output"),
  infoBufferSize: text("0", "bytes held back before they are written", { format: QUANTITY }),
};

/** Numbers and names of the kubelet part, from its paths to its networking. */
const NODE_ROWS = {
  staticPodPath: text("/etc/kubeedge/manifests", "folder of pods that run without any API", {
    format: ABSOLUTE_PATH,
  }),
  podLogsDir: text("/var/log/pods", "folder of the containers' logs", { format: ABSOLUTE_PATH }),
  syncFrequency: interval(MINUTE, "longest time between two looks at a pod"),
  fileCheckFrequency: interval(20 * SECOND, "time between two looks at staticPodPath"),
  address: text("127.0.0.1", "address of the edge's own HTTP server", { format: IP_ADDRESS }),
  readOnlyPort: int(10350, "port of the edge's own HTTP server; logs and exec come in here", {
    maximum: 65535,
  }),
  registryPullQPS: int(5, "image pulls per second; 0 has no limit"),
  registryBurst: int(10, "image pulls at once, while registryPullQPS holds"),
  eventRecordQPS: int(50, "events per second; 0 has no limit"),
  eventBurst: int(100, "events at once, while eventRecordQPS holds"),
  enableDebuggingHandlers: bool(true, "serve logs, exec and the like"),
  enableContentionProfiling: bool(undefined, "profile lock contention"),
  oomScoreAdj: int(-999, "oom_score_adj of edgecore", { minimum: -1000, maximum: 1000 }),
  clusterDomain: text("cluster.local", "DNS domain of the cluster", { format: DNS_SUBDOMAIN }),
  clusterDNS: list(
    text("", "", { format: IP_ADDRESS }),
    undefined,
    "DNS servers of pods with dnsPolicy ClusterFirst",
  ),
  streamingConnectionIdleTimeout: interval(4 * 60 * MINUTE, "exec and the like end when idle for this long"),
  nodeStatusUpdateFrequency: interval(10 * SECOND, "time between two looks at the node's own state"),
  nodeStatusReportFrequency: interval(5 * MINUTE, "longest time between two reports of an unchanged node"),
  nodeLeaseDurationSeconds: int(40, "seconds without renewal after which the node counts as gone", {
    minimum: 1,
  }),
  imageMinimumGCAge: duration(2 * MINUTE, "an unused image is kept at least this long"),
  imageMaximumGCAge: duration(0, "an unused image is removed after this long; 0s is never"),
  imageGCHighThresholdPercent: int(85, "disk usage in percent that starts the removal of images", {
    maximum: 100,
  }),
  imageGCLowThresholdPercent: int(80, "disk usage in percent that ends the removal of images", {
    maximum: 100,
  }),
  volumeStatsAggPeriod: interval(MINUTE, "time between two measurements of volumes"),
};

const CGROUP_ROWS = {
  kubeletCgroups: text(undefined, "cgroup of edgecore"),
  systemCgroups: text(undefined, "cgroup of everything that is not a pod"),
  cgroupRoot: text(undefined, "cgroup above those of the pods"),
  cgroupsPerQOS: bool(true, "a cgroup for each quality of service"),
  cgroupDriver: choice(["cgroupfs", "systemd"], "cgroupfs", "who manages cgroups: cgroupfs or systemd"),
  singleProcessOOMKill: bool(undefined, "out of memory kills one process, not the container"),
  cpuManagerPolicy: choice(["none", "static"], "none", "none, or static for whole CPUs"),
  cpuManagerPolicyOptions: map(text("", ""), undefined, "options of cpuManagerPolicy"),
  cpuManagerReconcilePeriod: interval(10 * SECOND, "time between two looks at the CPU assignment"),
  memoryManagerPolicy: choice(["None", "Static"], "None", "None, or Static for NUMA memory"),
  topologyManagerPolicy: choice(
    ["none", "best-effort", "restricted", "single-numa-node"],
    "none",
    "how devices and CPUs are kept together",
  ),
  topologyManagerScope: choice(["container", "pod"], "container", "container or pod"),
  topologyManagerPolicyOptions: map(text("", ""), undefined, "options of topologyManagerPolicy"),
  qosReserved: map(text("", ""), undefined, "share of a resource kept for guaranteed pods"),
  runtimeRequestTimeout: interval(2 * MINUTE, "longest a request to the container runtime may take"),
  hairpinMode: choice(
    ["promiscuous-bridge", "hairpin-veth", "none"],
    "promiscuous-bridge",
    "how a pod reaches itself through a service",
  ),
  maxPods: int(110, "pods this node may hold"),
  podCIDR: text(undefined, "address range of pods on a node without cloud"),
  podPidsLimit: int(-1, "processes per pod; -1 has no limit", { minimum: -1, ...INT64 }),
  resolvConf: text("/etc/resolv.conf", "resolver file that pods inherit"),
  cpuCFSQuota: bool(true, "enforce CPU limits"),
  cpuCFSQuotaPeriod: duration(100, "period of CPU limits"),
  nodeStatusMaxImages: int(0, "images in the node's status; -1 is all", { minimum: -1 }),
  maxOpenFiles: int(1_000_000, "files edgecore may have open", INT64),
  contentType: text("application/json", "encoding towards the API"),
  serializeImagePulls: bool(true, "pull one image at a time"),
  maxParallelImagePulls: int(undefined, "images pulled at a time", { minimum: 1 }),
};

const EVICTION_ROWS = {
  evictionHard: map(
    text("", "", { format: QUANTITY_OR_PERCENT }),
    {
      "memory.available": "100Mi",
      "nodefs.available": "10%",
      "nodefs.inodesFree": "5%",
      "imagefs.available": "15%",
      "imagefs.inodesFree": "5%",
    },
    "below any of these, pods are evicted at once",
    { names: SIGNALS },
  ),
  evictionSoft: map(
    text("", "", { format: QUANTITY_OR_PERCENT }),
    undefined,
    "below any of these for its grace period, pods are evicted",
    { names: SIGNALS },
  ),
  evictionSoftGracePeriod: map(
    duration(0, ""),
    undefined,
    "how long evictionSoft may last, for each signal",
    { names: SIGNALS },
  ),
  evictionPressureTransitionPeriod: interval(
    5 * MINUTE,
    "how long a pressure condition stays after the cause",
  ),
  evictionMaxPodGracePeriod: int(undefined, "longest grace period in seconds of a soft eviction"),
  evictionMinimumReclaim: map(
    text("", "", { format: QUANTITY_OR_PERCENT }),
    undefined,
    "how much an eviction frees at least",
    { names: SIGNALS },
  ),
  podsPerCore: int(undefined, "pods per CPU; 0 has no limit"),
  enableControllerAttachDetach: bool(true, "volumes are attached by the cloud's controller"),
  protectKernelDefaults: bool(undefined, "refuse to start when kernel settings differ"),
  makeIPTablesUtilChains: bool(true, "keep the kubelet's iptables chains"),
  iptablesMasqueradeBit: int(14, "packet mark bit for masquerading", { maximum: 31 }),
  iptablesDropBit: int(15, "packet mark bit for dropping", { maximum: 31 }),
  featureGates: map(bool(false, ""), undefined, "feature gates of the kubelet part"),
  failSwapOn: bool(false, "refuse to start with swap on"),
  memorySwap: section("", { swapBehavior: text(undefined, "NoSwap or LimitedSwap") }),
  containerLogMaxSize: text("10Mi", "size at which a container's log is rotated", { format: QUANTITY }),
  containerLogMaxFiles: int(5, "log files kept per container", { minimum: 2 }),
  containerLogMaxWorkers: int(1, "logs rotated at a time", { minimum: 1 }),
  containerLogMonitorInterval: interval(10 * SECOND, "time between two looks at log sizes"),
  configMapAndSecretChangeDetectionStrategy: choice(
    ["Get", "Cache", "Watch"],
    "Get",
    "how changes of ConfigMaps and Secrets are seen",
  ),
};

const SYSTEM_ROWS = {
  systemReserved: map(text("", "", { format: QUANTITY }), undefined, "resources kept for the system"),
  kubeReserved: map(
    text("", "", { format: QUANTITY }),
    undefined,
    "resources kept for edgecore and the runtime",
  ),
  reservedSystemCPUs: text(undefined, "CPUs kept for the system, such as 0-1"),
  showHiddenMetricsForVersion: text(undefined, "release whose hidden metrics are shown"),
  systemReservedCgroup: text(undefined, "cgroup that systemReserved is enforced on"),
  kubeReservedCgroup: text(undefined, "cgroup that kubeReserved is enforced on"),
  enforceNodeAllocatable: list(
    choice(["pods", "system-reserved", "kube-reserved", "none"], "pods", ""),
    ["pods"],
    "what the allocatable resources are enforced on",
  ),
  allowedUnsafeSysctls: list(text("", ""), undefined, "sysctls pods may set beyond the safe ones"),
  volumePluginDir: text(
    "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/",
    "folder of FlexVolume plugins",
    { format: ABSOLUTE_PATH },
  ),
  kernelMemcgNotification: bool(undefined, "be told by the kernel when memory is short"),
  logging: section("Upstream's log options; this program's are under logging at the top level.", {
    format: choice(["text", "json"], "text", "text or json"),
    flushFrequency: duration(5 * SECOND, "longest a line is held back"),
    verbosity: int(0, "klog verbosity"),
    options: section("", {
      json: section("", LOG_BUFFER),
      text: section("", LOG_BUFFER),
    }),
  }),
  enableSystemLogHandler: bool(true, "serve /logs"),
  enableSystemLogQuery: bool(undefined, "serve queries of the system's log"),
  shutdownGracePeriod: duration(0, "time pods get when the machine shuts down"),
  shutdownGracePeriodCriticalPods: duration(0, "the part of shutdownGracePeriod kept for critical pods"),
  shutdownGracePeriodByPodPriority: list(
    section("", {
      priority: int(0, "pod priority from which on this holds", { minimum: -2_147_483_648 }),
      shutdownGracePeriodSeconds: int(0, "seconds", INT64),
    }),
    undefined,
    "grace periods by pod priority",
  ),
  crashLoopBackOff: section("", {
    maxContainerRestartPeriod: duration(undefined, "longest wait before a container is started again"),
  }),
  reservedMemory: list(
    section("", {
      numaNode: int(0, "NUMA node"),
      limits: map(text("", "", { format: QUANTITY }), undefined, "memory kept"),
    }),
    undefined,
    "memory kept per NUMA node",
  ),
  enableProfilingHandler: bool(true, "serve /debug/pprof"),
  enableDebugFlagsHandler: bool(true, "serve /debug/flags/v"),
  seccompDefault: bool(false, "RuntimeDefault seccomp profile for all containers"),
  memoryThrottlingFactor: float(0.9, "share of a memory limit at which throttling begins", { maximum: 1 }),
  registerWithTaints: list(TAINT, undefined, "taints of the node when it registers"),
  registerNode: bool(true, "make the Node object"),
  localStorageCapacityIsolation: bool(true, "count ephemeral storage"),
  containerRuntimeEndpoint: text(
    "unix:///run/containerd/containerd.sock",
    "socket of the container runtime (CRI)",
    { format: urlOf("unix", "npipe", "tcp") },
  ),
  imageServiceEndpoint: text("unix:///run/containerd/containerd.sock", "socket of the image service (CRI)", {
    format: urlOf("unix", "npipe", "tcp"),
  }),
  failCgroupV1: bool(false, "refuse to start on cgroup v1"),
};

/**
 * `modules.edged.tailoredKubeletConfig`.
 * Upstream: kubeedge staging/src/github.com/kubeedge/api/apis/componentconfig/edgecore/v1alpha2/default_kubelet_configuration.go @ 16cd854
 */
export const TAILORED_KUBELET_CONFIG = whole(
  section("The kubelet's own settings.", { ...NODE_ROWS, ...CGROUP_ROWS, ...EVICTION_ROWS, ...SYSTEM_ROWS }),
);
