/** Every message that a cloud sends, in the form of content it has on the wire. For tests only. */
import {
  APPLICATION,
  type ContentForm,
  LEASE,
  type MessageRow,
  NODE,
  TOKEN_REQUEST,
  UID,
} from "./cloud_messages.ts";

/** A message to an edge. */
export interface DownRow extends MessageRow {
  /** A: until it is acknowledged; N: once; end: it ends the session. */
  ack: "A" | "N" | "end";
  version?: string;
}

const OBJECT = (apiVersion: string, kind: string, name: string, more: Record<string, unknown> = {}) => ({
  kind,
  apiVersion,
  metadata: { name, namespace: "default", uid: UID, resourceVersion: "7" },
  ...more,
});

const push = (source: string, operation: string, resource: string, content: unknown): DownRow => ({
  name: `${source}: ${operation} ${resource.split("/")[1]}`,
  source,
  group: "resource",
  operation,
  resource,
  form: "object",
  content,
  ack: "A",
  version: "7",
});
const once = (
  name: string,
  source: string,
  group: string,
  operation: string,
  resource: string,
  form: ContentForm,
  content: unknown,
  parent?: string,
): DownRow => ({
  name,
  source,
  group,
  operation,
  resource,
  form,
  content,
  ack: "N",
  ...(parent === undefined ? {} : { parent }),
});
const ERROR = {
  ErrStatus: {
    metadata: {},
    status: "Failure",
    message: 'pods "web" not found',
    reason: "NotFound",
    details: { name: "web", kind: "pods" },
    code: 404,
  },
};
const reply = (resource: string, form: ContentForm, content: unknown): DownRow =>
  once(
    `reply: ${resource.split("/")[1]}, ${form}`,
    "edgecontroller",
    "resource",
    "response",
    resource,
    form,
    content,
    "request",
  );
const GONE = { metadata: { namespace: "default", name: "web", uid: UID } };

/** What clouds send: cloud-edge-protocol §4.4 and the replies of §4.5. */
export const DOWN: readonly DownRow[] = [
  ...["insert", "update", "delete"].flatMap((operation) => [
    push(
      "edgecontroller",
      operation,
      "default/pod/web",
      OBJECT("v1", "Pod", "web", { spec: {}, status: {} }),
    ),
    push("edgecontroller", operation, "default/configmap/settings", OBJECT("v1", "ConfigMap", "settings")),
    push("edgecontroller", operation, "default/secret/password", OBJECT("v1", "Secret", "password")),
    push(
      "devicecontroller",
      operation,
      "default/device/t",
      OBJECT("devices.kubeedge.io/v1beta1", "Device", "t"),
    ),
    push(
      "devicecontroller",
      operation,
      "default/devicemodel/m",
      OBJECT("devices.kubeedge.io/v1beta1", "DeviceModel", "m"),
    ),
    push("dynamiccontroller", operation, "default/service/s", OBJECT("v1", "Service", "s")),
    push(
      "policycontroller",
      operation,
      "default/serviceaccountaccess/a",
      OBJECT("policy.kubeedge.io/v1alpha1", "ServiceAccountAccess", "a"),
    ),
  ]),
  push("edgecontroller", "update", `null/node/${NODE}`, OBJECT("v1", "Node", NODE)),
  {
    ...push("edgecontroller", "delete", "default/pod/gone", GONE),
    name: "a pod of which only the metadata is known",
  },
  {
    ...push("edgecontroller", "delete", "default/pod/unknown", {
      metadata: { namespace: "default", name: "unknown", uid: "" },
    }),
    name: "a pod of which only the name is known",
  },
  reply(`null/node/${NODE}`, "object", { Object: OBJECT("v1", "Node", NODE), Err: null }),
  {
    ...reply(`null/nodepatch/${NODE}`, "object", { Object: OBJECT("v1", "Node", NODE), Err: null }),
    version: "7",
  },
  {
    ...reply("default/podpatch/web", "object", { Object: OBJECT("v1", "Pod", "web"), Err: null }),
    version: "7",
  },
  {
    ...reply("default/podpatch/web", "object", { Object: null, Err: ERROR }),
    name: "reply: podpatch, an error",
  },
  reply("default/pod/web", "text", "OK"),
  { ...reply("default/pod/web", "object", ERROR), name: "reply: pod, an error" },
  reply(`kube-node-lease/lease/${NODE}`, "object", { Object: LEASE, Err: null }),
  {
    ...reply("default/configmap/settings", "object", OBJECT("v1", "ConfigMap", "settings")),
    ack: "A",
    version: "7",
  },
  {
    ...reply("default/secret/password", "object", OBJECT("v1", "Secret", "password")),
    ack: "A",
    version: "7",
  },
  { ...reply("default/secret/password", "object", ERROR), name: "reply: secret, an error" },
  {
    ...reply("default/persistentvolumeclaim/data", "object", OBJECT("v1", "PersistentVolumeClaim", "data")),
    ack: "A",
    version: "7",
  },
  {
    ...reply(
      "default/volumeattachment/csi-1",
      "object",
      OBJECT("storage.k8s.io/v1", "VolumeAttachment", "csi-1"),
    ),
    ack: "A",
    version: "7",
  },
  reply("default/serviceaccounttoken/default", "object", TOKEN_REQUEST),
  reply("default/certificatesigningrequest/csr-1", "object", {
    Object: OBJECT("certificates.k8s.io/v1", "CertificateSigningRequest", "csr-1"),
    Err: null,
  }),
  {
    ...reply("default/configmap/settings", "text", 'configmaps "settings" not found'),
    operation: "error",
    name: "reply: an error as text",
  },
  once("a change of membership", "devicecontroller", "twin", "update", "membership", "object", {
    event_id: "e",
    timestamp: 1,
    added_devices: [{ id: "default/t", name: "t", description: "" }],
    removed_devices: null,
  }),
  once("a confirmation of a twin", "devicecontroller", "twin", "response", "twin", "text", "OK", "request"),
  once(
    "an answer to the metaserver",
    "dynamiccontroller",
    "resource",
    "applicationResponse",
    "ignore/Application/ignore",
    "object",
    APPLICATION,
    "request",
  ),
  once(
    "an answer about watches",
    "dynamiccontroller",
    "resource",
    "applicationResponse",
    "watchapp/sync",
    "object",
    {},
    "request",
  ),
  once(
    "the cluster's CA",
    "cloudhub",
    "resource",
    "response",
    "k8s/ca.crt",
    "text",
    "-----BEGIN CERTIFICATE-----\n",
    "request",
  ),
  once("subscribe", "router_eventbus", "user", "subscribe", "default/topic", "null", null),
  once("unsubscribe", "router_eventbus", "user", "unsubscribe", "default/topic", "null", null),
  once("publish", "router_eventbus", "user", "publish", "default/topic", "text", "<payload> & more"),
  once("start", "router_servicebus", "user", "start", "http://example/path", "null", null),
  once("a call of a service", "router_servicebus", "user", "POST", "8080:/path", "object", {
    header: { A: ["b"] },
    body: btoa("body"),
    method: "POST",
    url: "",
  }),
  once(
    "an answer to the service bus",
    "servicebus",
    "user",
    "response",
    "http://example/path",
    "text",
    "body",
    "request",
  ),
  once("a task", "taskmanager", "taskmanager", "upgrade", `upgrade/t/node/${NODE}`, "object", {
    TaskID: "t",
    Type: "upgrade",
    State: "Checking",
    Item: { CheckItem: ["cpu"] },
  }),
  once(
    "an old upgrade",
    "nodeupgradejobcontroller",
    "nodeupgradejobcontroller",
    "upgrade",
    `upgrade/t/node/${NODE}`,
    "object",
    { UpgradeID: "t" },
  ),
  once(
    "a CSI call",
    "cloudhub",
    "resource",
    "createvolume",
    "default/volume/v-1",
    "json text",
    '{"name":"v-1"}',
  ),
  {
    name: "the end of the Node",
    source: "edgecontroller",
    group: "resource",
    operation: "delete",
    resource: `null/node/${NODE}`,
    form: "null",
    content: null,
    ack: "end",
  },
];

/** A job of a node, which is neither given nor stripped of its node. */
export const JOB: DownRow = once(
  "a node job",
  "taskmanager",
  "taskmanager",
  "Check",
  `operations.kubeedge.io/v1alpha2/nodeupgradejob/j/node/${NODE}`,
  "object",
  { version: "v1.23.1" },
);
