/**
 * Every message that passes through a cloud, in the form of content it has on the wire: an object, JSON inside a string, base64, a
 * text, or null. Sent by edgecore unless a cloud module is the source. For tests only.
 */
import { nodeOf, podOf } from "./cloud_objects.ts";

/** In what form a content is on the wire. */
export type ContentForm = "object" | "json text" | "base64" | "text" | "null";

/** Who takes a message of an edge: a module, the hub itself, or nobody. */
export type Taker =
  | "edgeController"
  | "deviceController"
  | "dynamicController"
  | "router"
  | "taskManager"
  | "csi"
  | "keepalive"
  | "acknowledgement"
  | "clusterCa"
  | "drop";

/** One type of message. */
export interface MessageRow {
  name: string;
  source: string;
  group: string;
  operation: string;
  /** Without the node. */
  resource: string;
  form: ContentForm;
  content: unknown;
  parent?: string;
}

/** A message of an edge. */
export interface UpRow extends MessageRow {
  to: Taker;
  /** What edgecontroller reads in it. */
  reads?: Record<string, unknown>;
}

export const NODE = "edge-1";
export const UID = "0a1b2c3d-0000-4000-8000-000000000001";
const base64 = (value: unknown) => btoa(JSON.stringify(value));

const NODE_PATCH = { status: { conditions: [{ type: "Ready", status: "True" }] } };
const POD_PATCH = { metadata: { uid: UID }, status: { phase: "Running" } };
export const LEASE = {
  metadata: { name: NODE, namespace: "kube-node-lease", creationTimestamp: null },
  spec: { holderIdentity: NODE, leaseDurationSeconds: 40, renewTime: "2026-01-01T00:00:00.000000Z" },
};
const DELETE_OPTIONS = { gracePeriodSeconds: 0, preconditions: { uid: UID } };
export const TOKEN_REQUEST = {
  metadata: { creationTimestamp: null },
  spec: {
    audiences: null,
    expirationSeconds: 3607,
    boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "web", uid: UID },
  },
  status: { token: "", expirationTimestamp: null },
};
const EVENT = {
  metadata: { name: "web.1", namespace: "default" },
  involvedObject: { kind: "Pod", namespace: "default", name: "web", uid: UID },
  reason: "Started",
  message: "Started <main> & more",
  source: { component: "kubelet", host: NODE },
  type: "Normal",
};
const MIRROR = {
  ...podOf("static-edge-1", NODE),
  metadata: {
    name: "static-edge-1",
    namespace: "default",
    annotations: { "kubernetes.io/config.mirror": "abc" },
  },
};
const STATUS_REPORT = { UID, Name: "web", Status: { phase: "Running" } };
export const APPLICATION = {
  ID: "aa",
  Key: "/core/v1/services/default/null",
  Verb: "list",
  Nodename: NODE,
  Option: base64({ kind: "ListOptions", apiVersion: "v1" }),
  ReqBody: null,
  Subresource: "",
  RespBody: null,
  Status: "InApplying",
  Reason: "",
  Error: null,
  Timestamp: "2026-01-01T00:00:00Z",
};
const MEMBERSHIP =
  `{"event_type":"group_membership_event","event_id":"e","group_id":"${NODE}","operation":"detail","timestamp":1}`;
const TWIN = {
  event_id: "e",
  timestamp: 1,
  twin: { t: { actual: { value: "23", metadata: { timestamp: 1 } } } },
};
const STATE = '{"event_id":"e","timestamp":1,"device":{"name":"t","state":"online","lastOnlineTime":""}}';
const HTTP_RESPONSE = { header: { "Content-Type": ["text/plain"] }, status_code: 200, body: btoa("<ok>") };
const JOB_STATUS = {
  action: "Check",
  succ: true,
  finishTime: "2026-01-01T00:00:00Z",
  reason: "",
  extend: "",
};
const TASK_STATUS = {
  NodeName: NODE,
  State: "Checking",
  Event: "Check",
  Action: "Success",
  Reason: "",
  Time: "",
  ExternalMessage: "",
};

const edged = (
  operation: string,
  resource: string,
  form: ContentForm,
  content: unknown,
  reads: Record<string, unknown> = {},
): UpRow => ({
  name: `${operation} ${resource.split("/")[1]}${form === "object" || form === "null" ? "" : `, ${form}`}`,
  source: "edged",
  group: "meta",
  operation,
  resource,
  form,
  content,
  to: "edgeController",
  reads,
});
const nullsOut = ({ metadata, spec }: typeof LEASE) => ({ lease: { metadata, spec } });

/** What edges send: cloud-edge-protocol §4.5, with the forms of older edges (§8). */
export const UP: readonly UpRow[] = [
  {
    name: "keepalive",
    source: "websocket",
    group: "resource",
    operation: "keepalive",
    resource: "node",
    form: "text",
    content: "ping",
    to: "keepalive",
  },
  edged("insert", `null/node/${NODE}`, "object", nodeOf(NODE), { node: nodeOf(NODE) }),
  edged("patch", `null/nodepatch/${NODE}`, "json text", JSON.stringify(NODE_PATCH), { patch: NODE_PATCH }),
  edged("update", `null/node/${NODE}`, "object", nodeOf(NODE), { node: nodeOf(NODE) }),
  edged("query", `null/node/${NODE}`, "null", null),
  edged("insert", `default/nodestatus/${NODE}`, "object", nodeOf(NODE), { node: nodeOf(NODE) }),
  edged("update", `default/nodestatus/${NODE}`, "object", {
    UID,
    Status: { phase: "" },
    ExtendResources: null,
  }, {
    status: { phase: "" },
    extendResources: {},
  }),
  edged("patch", "default/podpatch/web", "json text", JSON.stringify(POD_PATCH), { patch: POD_PATCH }),
  edged("update", "default/podstatus/web", "object", STATUS_REPORT, {
    entry: { uid: UID, name: "web", status: { phase: "Running" } },
  }),
  {
    ...edged("update", "default/podstatus", "object", [STATUS_REPORT], {
      entry: { uid: UID, name: "web", status: { phase: "Running" } },
    }),
    name: "update podstatus, a list",
  },
  edged("insert", "default/pod/static-edge-1", "object", MIRROR, { pod: MIRROR }),
  edged("delete", "default/pod/web", "object", DELETE_OPTIONS, {
    deletion: { uid: UID, gracePeriodSeconds: 0 },
  }),
  edged("delete", "default/pod/web", "base64", base64(DELETE_OPTIONS), {
    deletion: { uid: UID, gracePeriodSeconds: 0 },
  }),
  edged("delete", "default/pod/web", "text", UID, { deletion: { uid: UID, gracePeriodSeconds: 0 } }),
  edged("query", `kube-node-lease/lease/${NODE}`, "null", null),
  edged("insert", `kube-node-lease/lease/${NODE}`, "object", LEASE, nullsOut(LEASE)),
  edged("update", `kube-node-lease/lease/${NODE}`, "object", LEASE, nullsOut(LEASE)),
  edged("query", "default/configmap/settings", "null", null),
  edged("query", "default/secret/password", "null", null),
  edged("query", "default/persistentvolumeclaim/data", "null", null),
  edged("query", "null/persistentvolume/pv-1", "null", null),
  edged("query", "default/volumeattachment/csi-1", "null", null),
  edged("query", "default/serviceaccounttoken/default", "object", TOKEN_REQUEST, {
    tokenRequest: {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { audiences: [], expirationSeconds: 3607, boundObjectRef: TOKEN_REQUEST.spec.boundObjectRef },
    },
  }),
  edged("insert", "default/event/web.1", "object", EVENT, { event: EVENT }),
  edged("update", "default/event/web.1", "object", EVENT, { event: EVENT }),
  edged("patch", "default/event/web.1", "object", { event: EVENT, patchData: '{"count":2}' }, {
    event: EVENT,
    patch: { count: 2 },
  }),
  edged("insert", "default/certificatesigningrequest/csr-1", "object", {
    metadata: { name: "csr-1" },
    spec: { request: btoa("CSR"), signerName: "kubernetes.io/kubelet-serving", usages: ["server auth"] },
  }),
  edged("query", "default/certificatesigningrequest/csr-1", "null", null),
  {
    name: "query of the cluster's CA",
    source: "metamanager",
    group: "meta",
    operation: "query",
    resource: "k8s/ca.crt",
    form: "null",
    content: null,
    to: "clusterCa",
  },
  {
    name: "a call of the metaserver",
    source: "metaserver",
    group: "dynamiccontroller",
    operation: "null",
    resource: "null",
    form: "object",
    content: APPLICATION,
    to: "dynamicController",
  },
  {
    name: "the metaserver's watches",
    source: "metaserver",
    group: "dynamiccontroller",
    operation: "null",
    resource: "watchapp/sync",
    form: "object",
    content: { aa: APPLICATION },
    to: "dynamicController",
  },
  {
    name: "get membership/detail",
    source: "twin",
    group: "resource",
    operation: "get",
    resource: "membership/detail",
    form: "json text",
    content: MEMBERSHIP,
    to: "deviceController",
  },
  {
    name: "a twin report",
    source: "twin",
    group: "resource",
    operation: "update",
    resource: "device/default/t/twin/edge_updated",
    form: "object",
    content: TWIN,
    to: "deviceController",
  },
  {
    name: "a state report",
    source: "twin",
    group: "resource",
    operation: "update",
    resource: "device/default/t/state/update",
    form: "json text",
    content: STATE,
    to: "deviceController",
  },
  {
    name: "an upload of the event bus",
    source: "bus",
    group: "user",
    operation: "upload",
    resource: "default/topic",
    form: "text",
    content: "<payload> & more",
    to: "router",
  },
  {
    name: "a call of the service bus",
    source: "servicebus",
    group: "user",
    operation: "upload",
    resource: "http://example/path",
    form: "base64",
    content: btoa("body"),
    to: "router",
  },
  {
    name: "an answer of the service bus",
    source: "servicebus",
    group: "user",
    operation: "upload",
    resource: "",
    form: "object",
    content: HTTP_RESPONSE,
    parent: "request",
    to: "router",
  },
  {
    name: "the state of a node job",
    source: "websocket",
    group: "hub",
    operation: "UpdateNodeActionStatus",
    resource: `operations.kubeedge.io/v1alpha2/nodeupgradejob/j/node/${NODE}`,
    form: "object",
    content: JOB_STATUS,
    to: "taskManager",
  },
  ...["upgrade", "prepull"].map((operation): UpRow => ({
    name: `the state of a task, ${operation}`,
    source: "websocket",
    group: "hub",
    operation,
    resource: `task/t/node/${NODE}`,
    form: "object",
    content: TASK_STATUS,
    to: "taskManager",
  })),
  {
    name: "an acknowledgement",
    source: "edgecontroller",
    group: "resource",
    operation: "response",
    resource: "default/pod/web",
    form: "text",
    content: "OK",
    parent: "push",
    to: "acknowledgement",
  },
  {
    name: "a refusal",
    source: "metamanager",
    group: "resource",
    operation: "error",
    resource: "default/pod/web",
    form: "text",
    content: "Cannot store it",
    parent: "push",
    to: "drop",
  },
  {
    name: "the result of a CSI call",
    source: "edged",
    group: "meta",
    operation: "response",
    resource: "default/volume/v-1",
    form: "object",
    content: { volume: { volume_id: "v-1" } },
    parent: "csi",
    to: "csi",
  },
];

/** A message as Go prints it. */
export function goText(
  { source, group, operation, resource, content, parent }: MessageRow,
  version?: string,
): string {
  const json = {
    header: {
      msg_id: "0a1b2c3d-0000-4000-8000-00000000000a",
      ...(parent === undefined ? {} : { parent_msg_id: parent }),
      timestamp: 1_700_000_000_000,
      ...(version === undefined ? {} : { resourceversion: version }),
    },
    route: {
      ...(source === "" ? {} : { source }),
      ...(group === "" ? {} : { group }),
      ...(operation === "" ? {} : { operation }),
      ...(resource === "" ? {} : { resource }),
    },
    content,
  };
  const escaped = JSON.stringify(json).replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
  return `${escaped}\n`;
}
