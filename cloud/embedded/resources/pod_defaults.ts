import { isObject, type JsonObject, objectAt, objectsAt, setField, textAt, valueAt } from "../object.ts";

function fill(object: JsonObject, defaults: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(defaults)) {
    if (object[key] === undefined || object[key] === "") object[key] = value;
  }
}

/**
 * Fills the defaults of a pod spec, in a pod or in a template.
 * Upstream: k8s.io/kubernetes pkg/apis/core/v1/defaults.go @ v1.32
 */
export function defaultPodSpec(spec: JsonObject): void {
  if (spec.serviceAccountName === undefined && spec.serviceAccount !== undefined) {
    spec.serviceAccountName = spec.serviceAccount;
  }
  if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName;
  fill(spec, {
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
  });
  if (!isObject(spec.securityContext)) spec.securityContext = {};
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const container of objectsAt(spec, list)) defaultContainer(container);
  }
  for (const volume of objectsAt(spec, "volumes")) defaultVolume(volume);
}

/**
 * Fills what a pod's spec has besides the defaults of a template's.
 * Upstream: k8s.io/kubernetes pkg/apis/core/v1/defaults.go (SetDefaults_Pod) @ v1.33
 */
export function defaultPod(spec: JsonObject): void {
  defaultPodSpec(spec);
  for (const list of ["initContainers", "containers"]) {
    for (const container of objectsAt(spec, list)) {
      defaultLimits(container.resources as JsonObject);
      if (spec.hostNetwork !== true) continue;
      for (const port of objectsAt(container, "ports")) port.hostPort ??= port.containerPort;
    }
  }
}

function defaultContainer(container: JsonObject): void {
  fill(container, {
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
    imagePullPolicy: pullPolicyOf(textAt(container, "image")),
  });
  if (!isObject(container.resources)) container.resources = {};
  for (const port of objectsAt(container, "ports")) fill(port, { protocol: "TCP" });
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = container[name];
    if (!isObject(probe)) continue;
    fill(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
    if (isObject(probe.httpGet)) fill(probe.httpGet, { path: "/", scheme: "HTTP" });
    if (isObject(probe.grpc) && probe.grpc.service === undefined) probe.grpc.service = "";
  }
  for (const name of ["postStart", "preStop"]) {
    const get = valueAt(container, "lifecycle", name, "httpGet");
    if (isObject(get)) fill(get, { path: "/", scheme: "HTTP" });
  }
  for (const env of objectsAt(container, "env")) {
    const ref = valueAt(env, "valueFrom", "fieldRef");
    if (isObject(ref)) fill(ref, { apiVersion: "v1" });
  }
}

/** A limit without a request is a request too. */
function defaultLimits(resources: JsonObject): void {
  const limits = Object.entries(objectAt(resources, "limits"));
  if (limits.length === 0) return;
  const requests = { ...objectAt(resources, "requests") };
  for (const [name, value] of limits) if (!Object.hasOwn(requests, name)) setField(requests, name, value);
  resources.requests = requests;
}

/** `Always` for `:latest` and for no tag at all. */
export function pullPolicyOf(image: string): "Always" | "IfNotPresent" {
  const [name = "", digest] = image.split("@", 2);
  const tag = /:([^/:]+)$/.exec(name)?.[1];
  if (digest !== undefined && tag === undefined) return "IfNotPresent";
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

const SOURCES_WITH_MODE = ["secret", "configMap", "downwardAPI", "projected"];

function defaultVolume(volume: JsonObject): void {
  if (Object.keys(volume).every((key) => key === "name")) volume.emptyDir = {};
  for (const source of SOURCES_WITH_MODE) {
    const value = volume[source];
    if (isObject(value)) fill(value, { defaultMode: 420 });
  }
  if (isObject(volume.hostPath) && volume.hostPath.type === undefined) volume.hostPath.type = "";
  if (isObject(volume.iscsi)) fill(volume.iscsi, { iscsiInterface: "default" });
  const items = [
    ...objectsAt(volume, "downwardAPI", "items"),
    ...objectsAt(volume, "projected", "sources").flatMap((source) =>
      objectsAt(source, "downwardAPI", "items")
    ),
  ];
  for (const item of items) if (isObject(item.fieldRef)) fill(item.fieldRef, { apiVersion: "v1" });
  for (const source of objectsAt(volume, "projected", "sources")) {
    if (isObject(source.serviceAccountToken)) fill(source.serviceAccountToken, { expirationSeconds: 3600 });
  }
}
