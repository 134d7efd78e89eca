/** A good object of every kind and version, which uses every field; for tests. */

/** An object as it is sent. */
export interface Sample {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
  [field: string]: unknown;
}

const namespaced = (name: string) => ({ name, namespace: "default" });
const value = (text: string) => ({ value: text, metadata: { timestamp: "1767225600000", type: "int" } });
const labelSelector = {
  matchLabels: { site: "north" },
  matchExpressions: [{ key: "kubernetes.io/arch", operator: "In", values: ["arm64", "amd64"] }],
};

const DEVICE: Sample = {
  apiVersion: "devices.kubeedge.io/v1beta1",
  kind: "Device",
  metadata: namespaced("thermometer"),
  spec: {
    deviceModelRef: { name: "thermometer" },
    nodeName: "edge-1",
    protocol: {
      protocolName: "modbus",
      configData: { serialPort: "/dev/ttyS0", slave: 3, nested: { a: [1] } },
    },
    stateReport: { reportToCloud: true, reportCycle: 10_000 },
    methods: [{ name: "calibrate", description: "Sets the zero", propertyNames: ["offset"] }],
    properties: [
      {
        name: "temperature",
        desired: value("21"),
        collectCycle: 1_000,
        reportCycle: 5_000,
        reportToCloud: true,
        visitors: { protocolName: "modbus", configData: { register: "InputRegister", offset: 2 } },
        pushMethod: {
          http: { hostName: "collector", port: 8080, requestPath: "/values", timeout: 3_000 },
          mqtt: { address: "tcp://127.0.0.1:1883", topic: "values", qos: 1, retained: true },
          otel: { endpointURL: "http://collector:4318" },
          anomalyDetection: { threshold: 3 },
          dbMethod: {
            influxdb2: {
              influxdb2ClientConfig: { url: "http://influx:8086", org: "plant", bucket: "values" },
              influxdb2DataConfig: { measurement: "air", tag: { room: "1" }, fieldKey: "temperature" },
            },
            redis: { redisClientConfig: { addr: "redis:6379", db: 0, poolsize: 30, minIdleConns: 30 } },
            TDEngine: { TDEngineClientConfig: { addr: "taos:6041", dbName: "values" } },
            mysql: { mysqlClientConfig: { addr: "mysql:3306", database: "values", userName: "writer" } },
          },
        },
      },
    ],
  },
  status: { reportToCloud: true, reportCycle: 10_000, twins: [{ propertyName: "temperature" }] },
};

const DEVICE_V1ALPHA2: Sample = {
  apiVersion: "devices.kubeedge.io/v1alpha2",
  kind: "Device",
  metadata: namespaced("thermometer-1.14"),
  spec: {
    deviceModelRef: { name: "thermometer-1.14" },
    nodeSelector: {
      nodeSelectorTerms: [{
        matchExpressions: [{ key: "", operator: "In", values: ["edge-1"] }],
        matchFields: [{ key: "metadata.name", operator: "In", values: ["edge-1"] }],
      }],
    },
    data: { dataTopic: "raw", dataProperties: [{ propertyName: "noise", metadata: { type: "int" } }] },
    protocol: {
      modbus: { slaveID: 3 },
      bluetooth: { macAddress: "BC:6A:29:AE:CC:96" },
      opcua: {
        url: "opc.tcp://plc:4840",
        userName: "reader",
        password: "secret",
        securityPolicy: "Basic256Sha256",
        securityMode: "Sign",
        certificate: "/certs/client.crt",
        privateKey: "/certs/client.key",
        timeout: 10,
      },
      customizedProtocol: { protocolName: "lamp", configData: { address: 7 } },
      common: {
        commType: "tcp",
        com: { serialPort: "/dev/ttyS0", baudRate: 9600, dataBits: 8, parity: "even", stopBits: 1 },
        tcp: { ip: "192.0.2.7", port: 502 },
        collectType: "sync",
        collectTimeout: 10,
        collectRetryTimes: 3,
        reconnTimeout: 10,
        reconnRetryTimes: 3,
        customizedValues: { delay: 5 },
      },
    },
    propertyVisitors: [{
      propertyName: "temperature",
      collectCycle: 1_000_000_000,
      reportCycle: 5_000_000_000,
      customizedValues: { unit: "K" },
      modbus: {
        register: "HoldingRegister",
        offset: 2,
        limit: 1,
        scale: 0.1,
        isSwap: true,
        isRegisterSwap: false,
      },
      opcua: { nodeID: "ns=2;i=7", browseName: "temperature" },
      bluetooth: {
        characteristicUUID: "f000aa0104514000b000000000000000",
        dataWrite: { ON: "AQ==" },
        dataConverter: {
          startIndex: 1,
          endIndex: 2,
          shiftLeft: 1,
          shiftRight: 2,
          orderOfOperations: [{ operationType: "Multiply", operationValue: 0.03125 }],
        },
      },
      customizedProtocol: { protocolName: "lamp", configData: { channel: 1 } },
    }],
  },
  status: { twins: [{ propertyName: "temperature", desired: value("21"), reported: value("20") }] },
};

const DEVICE_MODELS: Sample[] = [
  {
    apiVersion: "devices.kubeedge.io/v1beta1",
    kind: "DeviceModel",
    metadata: namespaced("thermometer"),
    spec: {
      protocol: "modbus",
      protocolConfigData: { baudRate: 9600 },
      properties: [{
        name: "temperature",
        description: "Of the air",
        type: "INT",
        accessMode: "ReadWrite",
        minimum: "-40",
        maximum: "120",
        unit: "°C",
        visitors: { protocolName: "modbus", configData: { register: "InputRegister" } },
      }],
    },
  },
  {
    apiVersion: "devices.kubeedge.io/v1alpha2",
    kind: "DeviceModel",
    metadata: namespaced("thermometer-1.14"),
    spec: {
      protocol: "modbus",
      properties: [{
        name: "temperature",
        description: "Of the air",
        type: {
          int: { accessMode: "ReadWrite", defaultValue: 20, minimum: -40, maximum: 120, unit: "°C" },
          string: { accessMode: "ReadOnly", defaultValue: "warm" },
          double: { accessMode: "ReadOnly", defaultValue: 0.5, minimum: 0, maximum: 1, unit: "m" },
          float: { accessMode: "ReadOnly", defaultValue: 0.5, minimum: 0, maximum: 1, unit: "m" },
          boolean: { accessMode: "ReadWrite", defaultValue: true },
          bytes: { accessMode: "ReadOnly" },
        },
      }],
    },
  },
];

const DEVICE_STATUSES: Sample[] = [
  {
    apiVersion: "devices.kubeedge.io/v1beta1",
    kind: "DeviceStatus",
    metadata: namespaced("thermometer"),
    spec: {},
    status: {
      state: "online",
      lastOnlineTime: "2026-01-01T00:00:00Z",
      extensions: { battery: { percent: 80 } },
      twins: [{ propertyName: "temperature", reported: value("20"), observedDesired: value("21") }],
    },
  },
  {
    apiVersion: "devices.kubeedge.io/v1alpha2",
    kind: "DeviceStatus",
    metadata: namespaced("thermometer-1.14"),
    twins: [{ propertyName: "temperature", desired: value("21"), reported: value("20") }],
  },
];

const OBJECT_SYNCS: Sample[] = ["ObjectSync", "ClusterObjectSync"].map((kind) => {
  const name = "edge-1.0b2bb9a4-5c5c-4b61-9c8e-6f9a3a1c0d1e";
  return {
    apiVersion: "reliablesyncs.kubeedge.io/v1alpha1",
    kind,
    metadata: kind === "ObjectSync" ? namespaced(name) : { name },
    spec: { objectAPIVersion: "v1", objectKind: "Pod", objectName: "web" },
    status: { objectResourceVersion: "4711" },
  };
});

const RULES: Sample[] = [
  {
    apiVersion: "rules.kubeedge.io/v1",
    kind: "RuleEndpoint",
    metadata: namespaced("orders"),
    spec: { ruleEndpointType: "servicebus", properties: { service_port: "6666" } },
  },
  {
    apiVersion: "rules.kubeedge.io/v1",
    kind: "Rule",
    metadata: namespaced("orders"),
    spec: {
      source: "cloud",
      sourceResource: { path: "/orders" },
      target: "orders",
      targetResource: { path: "/new" },
    },
    status: { successMessages: 12, failMessages: 1, errors: ["connection refused"] },
  },
];

const actionFlow = (action: string) => [
  { action, status: "True", reason: "none", time: "2026-01-01T00:00:00Z" },
];
const legacy = { state: "Upgrading", event: "Upgrade", action: "Success", time: "2026-01-01T00:00:00Z" };
const versions = { historicVersion: "v1.22.0", currentVersion: "v1.23.0" };
const node = { nodeName: "edge-1", phase: "Successful", reason: "none" };
const legacyNode = { nodeName: "edge-1", reason: "none", ...legacy };
const legacyImages = [{
  nodeStatus: legacyNode,
  imageStatus: [{ image: "nginx:1.27", state: "Successful", reason: "none" }],
}];
const registryAPI = { host: "registry.example", token: "secret" };
const which = { nodeNames: ["edge-1", "edge-2"], labelSelector };
const how = {
  checkItems: ["cpu", "mem", "disk"],
  failureTolerate: "0.3",
  concurrency: 2,
  timeoutSeconds: 600,
};
const upgrade = { version: "v1.23.0", image: "kubeedge/installation-package", requireConfirmation: true };
const imagePrePullTemplate = {
  images: ["nginx:1.27"],
  imageSecrets: "default/registry",
  retryTimes: 2,
  ...which,
  ...how,
};

const OPERATIONS: Sample[] = [
  {
    apiVersion: "operations.kubeedge.io/v1alpha2",
    kind: "NodeUpgradeJob",
    metadata: { name: "to-1.23" },
    spec: {
      ...upgrade,
      ...which,
      ...how,
      imageDigestGatter: { amd64: "sha256:00", arm64: "sha256:01", registryAPI },
    },
    status: {
      phase: "Completed",
      reason: "none",
      ...legacy,
      ...versions,
      nodeStatus: [{
        ...node,
        ...versions,
        state: legacy.state,
        event: legacy.event,
        actionFlow: actionFlow("Upgrade"),
      }],
    },
  },
  {
    apiVersion: "operations.kubeedge.io/v1alpha1",
    kind: "NodeUpgradeJob",
    metadata: { name: "to-1.23-v1alpha1" },
    spec: { ...upgrade, ...which, ...how, imageDigestGatter: { value: "sha256:00", registryAPI } },
    status: { reason: "none", ...legacy, ...versions, nodeStatus: [legacyNode] },
  },
  {
    apiVersion: "operations.kubeedge.io/v1alpha2",
    kind: "ImagePrePullJob",
    metadata: { name: "images" },
    spec: { imagePrePullTemplate },
    status: {
      phase: "Completed",
      reason: "none",
      ...legacy,
      status: legacyImages,
      nodeStatus: [{
        ...node,
        imageStatus: [{ image: "nginx:1.27", status: "True", reason: "none" }],
        actionFlow: actionFlow("Pull"),
      }],
    },
  },
  {
    apiVersion: "operations.kubeedge.io/v1alpha1",
    kind: "ImagePrePullJob",
    metadata: { name: "images-v1alpha1" },
    spec: { imagePrePullTemplate },
    status: { reason: "none", ...legacy, status: legacyImages },
  },
  {
    apiVersion: "operations.kubeedge.io/v1alpha2",
    kind: "ConfigUpdateJob",
    metadata: { name: "slower-heartbeat" },
    spec: {
      ...which,
      concurrency: 2,
      failureTolerate: "0.3",
      timeoutSeconds: 600,
      updateFields: { "modules.edgeHub.heartbeat": "30" },
    },
    status: {
      phase: "InProgress",
      reason: "none",
      nodeStatus: [{ ...node, actionFlow: actionFlow("Update") }],
    },
  },
];

const keyRef = { name: "settings", key: "greeting", optional: true };
const overriders = {
  replicas: 2,
  imageOverriders: [{
    component: "Registry",
    operator: "replace",
    value: "registry.example",
    predicate: { path: "/spec/template/spec/containers/0/image" },
  }],
  commandOverriders: [{ containerName: "web", operator: "add", value: ["--verbose"] }],
  argsOverriders: [{ containerName: "web", operator: "remove", value: ["--debug"] }],
  envOverriders: [{
    containerName: "web",
    operator: "replace",
    value: [
      { name: "SITE", value: "north" },
      { name: "GREETING", valueFrom: { configMapKeyRef: keyRef } },
      { name: "PASSWORD", valueFrom: { secretKeyRef: keyRef } },
      { name: "NODE", valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: "spec.nodeName" } } },
      {
        name: "CPU",
        valueFrom: { resourceFieldRef: { containerName: "web", resource: "limits.cpu", divisor: "1m" } },
      },
    ],
  }],
  resourcesOverriders: [{
    containerName: "web",
    value: {
      limits: { cpu: 1, memory: "64Mi" },
      requests: { cpu: "250m", memory: "1.5e7" },
      claims: [{ name: "gpu", request: "one" }],
    },
  }],
};

const APPS: Sample[] = [
  {
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "NodeGroup",
    metadata: { name: "north" },
    spec: { nodes: ["edge-1"], matchLabels: { site: "north" }, topologyEnabled: true },
    status: {
      nodeStatuses: [{
        nodeName: "edge-1",
        readyStatus: "Ready",
        selectionStatus: "Failed",
        selectionStatusReason: "the node is in group south",
      }],
    },
  },
  {
    apiVersion: "apps.kubeedge.io/v1alpha1",
    kind: "EdgeApplication",
    metadata: namespaced("shop"),
    spec: {
      workloadTemplate: {
        manifests: [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "shop" }, data: { a: "b" } }],
      },
      workloadScope: {
        targetNodeGroups: [{ name: "north", overriders }],
        targetNodeLabels: [{ labelSelector, overriders }],
      },
    },
    status: {
      workloadStatus: [{
        identifier: {
          ordinal: 0,
          group: "",
          version: "v1",
          kind: "ConfigMap",
          resource: "configmaps",
          namespace: "default",
          name: "shop",
        },
        conditions: "Available",
      }],
    },
  },
];

const metadata = {
  name: "web",
  namespace: "default",
  labels: { app: "web" },
  annotations: { note: "kept" },
  finalizers: ["example.com/hold"],
};
const rules = [
  { verbs: ["get", "list"], apiGroups: [""], resources: ["pods"], resourceNames: ["web"] },
  { verbs: ["get"], nonResourceURLs: ["/healthz"] },
];
const binding = (kind: string) => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind,
  metadata,
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
  subjects: [
    { kind: "ServiceAccount", name: "web", namespace: "default" },
    { kind: "Group", name: "system:serviceaccounts", apiGroup: "rbac.authorization.k8s.io" },
  ],
});

const POLICY: Sample = {
  apiVersion: "policy.kubeedge.io/v1alpha1",
  kind: "ServiceAccountAccess",
  metadata: namespaced("web"),
  spec: {
    serviceAccount: {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata,
      automountServiceAccountToken: true,
      imagePullSecrets: [{ name: "registry" }],
      secrets: [{
        apiVersion: "v1",
        kind: "Secret",
        name: "web-token",
        namespace: "default",
        uid: "1c7a4e0e-0000-4000-8000-000000000000",
        resourceVersion: "12",
        fieldPath: "data",
      }],
    },
    serviceAccountUid: "0b2bb9a4-5c5c-4b61-9c8e-6f9a3a1c0d1e",
    accessRoleBinding: [{ roleBinding: binding("RoleBinding"), rules }],
    accessClusterRoleBinding: [{ clusterRoleBinding: binding("ClusterRoleBinding"), rules }],
  },
  status: { nodeList: ["edge-1"] },
};

export const SAMPLES: readonly Sample[] = [
  DEVICE,
  DEVICE_V1ALPHA2,
  ...DEVICE_MODELS,
  ...DEVICE_STATUSES,
  ...OBJECT_SYNCS,
  ...RULES,
  ...OPERATIONS,
  ...APPS,
  POLICY,
];

/** Kind and apiVersion, which no two samples share. */
export function titleOf({ kind, apiVersion }: Sample): string {
  return `${kind} ${apiVersion}`;
}
