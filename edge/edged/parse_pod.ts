import type { Pod, PodSpec } from "../../common/api/core_v1.ts";
import type { ObjectMeta } from "../../common/api/meta_v1.ts";
import { errorText, StatusError } from "../../common/errors/mod.ts";
import {
  bool,
  type Check,
  either,
  integer,
  listOf,
  mapOf,
  object,
  oneOf,
  pattern,
  required,
  text,
} from "./shape.ts";

/** A pod whose every field that edged uses has the type and the form it should have. */
export type CheckedPod = Pod & {
  metadata: ObjectMeta & { name: string; namespace: string; uid: string };
  spec: PodSpec;
};

/** Who a pod is. */
export interface PodIdentity {
  namespace: string;
  name: string;
  uid: string;
}

/** A pod from outside after the look at it: fit to be run, not fit but known by name, or not even that. */
export type PodReading =
  | { type: "pod"; pod: CheckedPod }
  | { type: "pod-invalid"; identity: PodIdentity; message: string; deleting: boolean }
  | { type: "refused"; message: string };

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

const dnsLabel = pattern(DNS_LABEL, "a DNS label (a-z, 0-9, -; at most 63)", 63);
const dnsSubdomain = pattern(DNS_SUBDOMAIN, "a DNS subdomain (a-z, 0-9, -, .; at most 253)");
const port = integer(1, 65535);
const portRef = either(port, pattern(/^[a-z0-9-]{1,15}$/, "a port number or port name", 15));
const seconds = integer(0, 2 ** 31 - 1);
const unixId = integer(0, 2 ** 31 - 1);
const quantity = either(text(64), integer(0, Number.MAX_SAFE_INTEGER));

const httpGet = object({
  path: text(8192),
  port: required(portRef),
  host: text(253),
  scheme: oneOf("HTTP", "HTTPS"),
  httpHeaders: listOf(object({ name: required(text(256)), value: text(8192) }), { max: 256 }),
});
const exec = object({ command: listOf(text(), { max: 1024 }) });
const tcpSocket = object({ port: required(portRef), host: text(253) });
const handler = object({ exec, httpGet, tcpSocket, sleep: object({ seconds: required(seconds) }) });
const probe = object({
  exec,
  httpGet,
  tcpSocket,
  grpc: object({ port: required(port), service: text(253) }),
  initialDelaySeconds: seconds,
  timeoutSeconds: seconds,
  periodSeconds: seconds,
  successThreshold: seconds,
  failureThreshold: seconds,
  terminationGracePeriodSeconds: seconds,
});
const keyRef = object({ name: text(253), key: required(text(253)), optional: bool });
const objectRef = object({ name: text(253), optional: bool });
const env = object({
  name: required(pattern(/^[^=\0]+$/, "a variable name", 1024)),
  value: text(),
  valueFrom: object({
    configMapKeyRef: keyRef,
    secretKeyRef: keyRef,
    fieldRef: object({ fieldPath: required(text(512)) }),
    resourceFieldRef: object({ resource: required(text(253)), containerName: text(63) }),
  }),
});
const securityContext = object({
  privileged: bool,
  readOnlyRootFilesystem: bool,
  allowPrivilegeEscalation: bool,
  runAsNonRoot: bool,
  runAsUser: unixId,
  runAsGroup: unixId,
  capabilities: object({
    add: listOf(pattern(/^[A-Za-z0-9_]+$/, "a capability", 64), { max: 64 }),
    drop: listOf(pattern(/^[A-Za-z0-9_]+$/, "a capability", 64), { max: 64 }),
  }),
});
const resources = object({ limits: mapOf(quantity, 64), requests: mapOf(quantity, 64) });
const container = object({
  name: required(dnsLabel),
  image: text(4096),
  imagePullPolicy: oneOf("Always", "IfNotPresent", "Never", ""),
  command: listOf(text()),
  args: listOf(text()),
  workingDir: text(4096),
  env: listOf(env),
  envFrom: listOf(object({ prefix: text(253), configMapRef: objectRef, secretRef: objectRef })),
  ports: listOf(
    object({
      name: text(63),
      containerPort: required(port),
      hostPort: integer(0, 65535),
      hostIP: text(64),
      protocol: oneOf("TCP", "UDP", "SCTP", ""),
    }),
    { max: 1024 },
  ),
  volumeMounts: listOf(
    object({
      name: required(dnsLabel),
      mountPath: required(text(4096)),
      subPath: text(4096),
      subPathExpr: text(4096),
      readOnly: bool,
      mountPropagation: oneOf("None", "HostToContainer", "Bidirectional"),
    }),
    { max: 1024 },
  ),
  resources,
  lifecycle: object({ postStart: handler, preStop: handler }),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  restartPolicy: oneOf("Always"),
  securityContext,
  stdin: bool,
  stdinOnce: bool,
  tty: bool,
  terminationMessagePath: text(4096),
  terminationMessagePolicy: oneOf("File", "FallbackToLogsOnError", ""),
});

const identity: Check = object({
  name: required(dnsSubdomain),
  namespace: required(dnsLabel),
  // Directories are named after it.
  uid: required(pattern(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/, "a uid (letters, digits, -; at most 64)", 64)),
});

const podShape = object({
  metadata: object({
    labels: mapOf(text(4096)),
    annotations: mapOf(text()),
    deletionTimestamp: text(64),
    deletionGracePeriodSeconds: integer(-1, 2 ** 31 - 1),
    creationTimestamp: text(64),
    resourceVersion: text(128),
  }),
  spec: required(object({
    nodeName: text(253),
    containers: listOf(container, { min: 1, max: 256, key: "name" }),
    initContainers: listOf(container, { max: 256, key: "name" }),
    volumes: listOf(
      object({
        name: required(dnsLabel),
        configMap: object({ name: text(253) }),
        secret: object({ secretName: text(253) }),
        projected: object({
          sources: listOf(object({ configMap: objectRef, secret: objectRef }), { max: 1024 }),
        }),
      }),
      { max: 1024, key: "name" },
    ),
    readinessGates: listOf(object({ conditionType: required(text(316)) }), { max: 256 }),
    restartPolicy: oneOf("Always", "OnFailure", "Never", ""),
    terminationGracePeriodSeconds: integer(-1, 2 ** 31 - 1),
    activeDeadlineSeconds: integer(1, 2 ** 31 - 1),
    hostname: pattern(DNS_LABEL, "a DNS label", 63),
    subdomain: pattern(DNS_LABEL, "a DNS label", 63),
    setHostnameAsFQDN: bool,
    hostNetwork: bool,
    hostPID: bool,
    hostIPC: bool,
    dnsPolicy: oneOf("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None", ""),
    dnsConfig: object({
      nameservers: listOf(pattern(/^[0-9A-Fa-f.:]+$/, "an IP address", 64), { max: 3 }),
      searches: listOf(pattern(/^[A-Za-z0-9._-]+$/, "a DNS name"), { max: 32 }),
      options: listOf(
        object({
          name: required(pattern(/^[A-Za-z0-9_-]+$/, "a resolver option", 64)),
          value: pattern(/^[A-Za-z0-9._-]*$/, "a resolver option's value", 64),
        }),
        { max: 32 },
      ),
    }),
    hostAliases: listOf(
      object({
        ip: required(pattern(/^[0-9A-Fa-f.:]+$/, "an IP address", 64)),
        hostnames: listOf(pattern(/^[A-Za-z0-9._-]+$/, "a DNS name"), { max: 64 }),
      }),
      { max: 256 },
    ),
    imagePullSecrets: listOf(object({ name: text(253) }), { max: 64 }),
    serviceAccountName: text(253),
    securityContext: object({
      runAsNonRoot: bool,
      runAsUser: unixId,
      runAsGroup: unixId,
      fsGroup: unixId,
      supplementalGroups: listOf(unixId, { max: 256 }),
      sysctls: listOf(
        object({
          name: required(pattern(/^[a-zA-Z0-9][a-zA-Z0-9._/-]*$/, "a sysctl name")),
          value: required(text(4096)),
        }),
        { max: 64 },
      ),
    }),
  })),
  status: object({
    phase: text(32),
    startTime: text(64),
    conditions: listOf(object({ type: required(text(316)), status: required(text(16)) }), { max: 256 }),
    containerStatuses: listOf(object({ name: required(text(253)) }), { max: 256 }),
    initContainerStatuses: listOf(object({ name: required(text(253)) }), { max: 256 }),
  }),
});

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A copy without nulls, which Go writes for what is absent, and without what only the API server reads. */
function tidy(value: unknown, depth = 0): unknown {
  if (depth > 64) throw new StatusError("Invalid", "The object is nested more than 64 deep");
  if (Array.isArray(value)) return value.map((item) => tidy(item, depth + 1));
  if (!isObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== null && key !== "managedFields" && key !== "__proto__") copy[key] = tidy(item, depth + 1);
  }
  return copy;
}

/** Looks at a pod that came from outside. */
export function parsePod(value: unknown): PodReading {
  let clean: unknown;
  try {
    clean = tidy(value);
    if (!isObject(clean)) throw new StatusError("Invalid", "The pod is not an object");
    required(identity)(clean.metadata, "metadata");
  } catch (error) {
    return { type: "refused", message: `Cannot accept a pod: ${errorText(error)}` };
  }
  const pod = clean as unknown as CheckedPod;
  try {
    podShape(pod, "");
    const names = new Set(pod.spec.containers.map((c) => c.name));
    const twice = pod.spec.initContainers?.find((c) => names.has(c.name));
    if (twice !== undefined) {
      throw new StatusError("Invalid", `spec.initContainers: ${twice.name} is there twice`);
    }
  } catch (error) {
    const { namespace, name, uid, deletionTimestamp } = pod.metadata;
    return {
      type: "pod-invalid",
      identity: { namespace, name, uid },
      message: errorText(error),
      deleting: deletionTimestamp !== undefined,
    };
  }
  return { type: "pod", pod };
}

/** Identity of a pod that is gone, of which only the name is certain to be there. Undefined when it is not fit to be one. */
export function parseRemovedPod(
  value: unknown,
  path: { namespace: string; name: string },
): { namespace: string; name: string; uid?: string; graceSeconds?: number } | undefined {
  if (!DNS_LABEL.test(path.namespace) || path.name.length > 253 || !DNS_SUBDOMAIN.test(path.name)) {
    return undefined;
  }
  const metadata = isObject(value) && isObject(value.metadata) ? value.metadata : {};
  const removed: { namespace: string; name: string; uid?: string; graceSeconds?: number } = { ...path };
  if (typeof metadata.uid === "string" && metadata.uid !== "") removed.uid = metadata.uid;
  const grace = metadata.deletionGracePeriodSeconds;
  if (typeof grace === "number" && Number.isInteger(grace) && grace >= 0) removed.graceSeconds = grace;
  return removed;
}

/** Whether a text can be the name of a Kubernetes object, and so be part of a path or resource. */
export function isObjectName(name: string): boolean {
  return name.length <= 253 && DNS_SUBDOMAIN.test(name);
}
