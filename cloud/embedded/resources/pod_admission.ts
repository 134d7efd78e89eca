import {
  type ApiObject,
  type JsonObject,
  numberAt,
  objectAt,
  objectsAt,
  textAt,
  valueAt,
} from "../object.ts";
import type { Surroundings } from "./definition.ts";
import { forbiddenWrite } from "./errors.ts";
import { PRIORITY_CLASSES, SYSTEM_PRIORITIES } from "./policy.ts";

const TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
/** Upstream: k8s.io/kubernetes plugin/pkg/admission/serviceaccount (WarnOnlyBoundTokenExpirationPeriod) @ v1.32 */
const TOKEN_SECONDS = 3607;
const TOLERATION_SECONDS = 300;

/**
 * What admission adds to a new pod: its service account with the volume of its token, and tolerations of short outages of the node.
 * Upstream: k8s.io/kubernetes plugin/pkg/admission/{serviceaccount,defaulttolerationseconds,priority} @ v1.32
 * @throws {StatusError} Forbidden when the service account does not exist
 */
export function admitPod(pod: ApiObject, around: Surroundings): void {
  const spec = objectAt(pod, "spec");
  addTolerations(spec);
  setPriority(pod, spec, around);
  // A mirror of a static pod speaks for a node and gets no account.
  if (pod.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) return;
  if (textAt(spec, "serviceAccountName") === "") spec.serviceAccountName = "default";
  spec.serviceAccount = spec.serviceAccountName;
  const accountName = textAt(spec, "serviceAccountName");
  const namespace = pod.metadata.namespace ?? "";
  const account = around.read("serviceaccounts", namespace, accountName);
  if (account === undefined) {
    throw forbiddenWrite(
      { group: "", resource: "pods" },
      pod.metadata.name ?? "",
      `error looking up service account ${namespace}/${accountName}: serviceaccount ${
        JSON.stringify(accountName)
      } not found`,
    );
  }
  if (valueAt(spec, "automountServiceAccountToken") ?? account.automountServiceAccountToken ?? true) {
    mountToken(spec);
  }
  const pullSecrets = objectsAt(account, "imagePullSecrets");
  if (objectsAt(spec, "imagePullSecrets").length === 0 && pullSecrets.length > 0) {
    spec.imagePullSecrets = pullSecrets;
  }
}

/**
 * Sets the priority that the pod's class, or the default one, gives it.
 * Upstream: k8s.io/kubernetes plugin/pkg/admission/priority/admission.go @ v1.33
 * @throws {StatusError} Forbidden when there is no such class, or the pod says otherwise than it
 */
function setPriority(pod: ApiObject, spec: JsonObject, around: Surroundings): void {
  const refuse = (why: string) =>
    forbiddenWrite({ group: "", resource: "pods" }, pod.metadata.name ?? "", why);
  const found = priorityClassOf(textAt(spec, "priorityClassName"), around);
  if (found === undefined) {
    throw refuse(`no PriorityClass with name ${textAt(spec, "priorityClassName").slice(0, 300)} was found`);
  }
  const { name, value, policy } = found;
  if (name !== "") spec.priorityClassName = name;
  const differs = (kind: string, field: string, given: unknown, computed: unknown) =>
    refuse(
      `the ${kind} value of ${field} (${given}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`,
    );
  if (spec.priority !== undefined && spec.priority !== value) {
    throw differs("integer", "priority", spec.priority, value);
  }
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
    throw differs("string", "PreemptionPolicy", spec.preemptionPolicy, policy);
  }
  spec.priority = value;
  spec.preemptionPolicy = policy;
}

function priorityClassOf(
  name: string,
  around: Surroundings,
): { name: string; value: number; policy: string } | undefined {
  const policy = "PreemptLowerPriority";
  const read = (wanted: string) => {
    const found = around.read(PRIORITY_CLASSES, "", wanted);
    if (found === undefined) {
      const value = SYSTEM_PRIORITIES[wanted];
      return value === undefined ? undefined : { name: wanted, value, policy };
    }
    return {
      name: wanted,
      value: numberAt(found, "value"),
      policy: textAt(found, "preemptionPolicy") || policy,
    };
  };
  if (name !== "") return read(name);
  // Of several defaults the lowest counts.
  let fallback: { name: string; value: number } | undefined;
  for (const { name, fields } of around.entries(PRIORITY_CLASSES)) {
    const value = Number(fields?.value ?? 0);
    if (fields?.globalDefault === "true" && (fallback === undefined || value < fallback.value)) {
      fallback = { name, value };
    }
  }
  return fallback === undefined ? { name: "", value: 0, policy } : read(fallback.name);
}

function addTolerations(spec: JsonObject): void {
  const tolerations = objectsAt(spec, "tolerations");
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const tolerated = tolerations.some((t) =>
      (textAt(t, "key") === key || textAt(t, "key") === "") && ["NoExecute", ""].includes(textAt(t, "effect"))
    );
    if (!tolerated) {
      tolerations.push({
        key,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: TOLERATION_SECONDS,
      });
    }
  }
  spec.tolerations = tolerations;
}

function mountToken(spec: JsonObject): void {
  const containers = [...objectsAt(spec, "initContainers"), ...objectsAt(spec, "containers")];
  const missing = containers.filter((container) =>
    !objectsAt(container, "volumeMounts").some((mount) => mount.mountPath === TOKEN_DIRECTORY)
  );
  if (missing.length === 0) return;
  const volumes = objectsAt(spec, "volumes");
  const present = volumes.find((volume) => textAt(volume, "name").startsWith("kube-api-access-"));
  const name = present === undefined ? `kube-api-access-${randomSuffix()}` : textAt(present, "name");
  if (present === undefined) volumes.push(tokenVolume(name));
  spec.volumes = volumes;
  for (const container of missing) {
    container.volumeMounts = [
      ...objectsAt(container, "volumeMounts"),
      { name, readOnly: true, mountPath: TOKEN_DIRECTORY },
    ];
  }
}

function tokenVolume(name: string): JsonObject {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
      defaultMode: 420,
    },
  };
}

function randomSuffix(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(5));
  return Array.from(bytes, (b) => NAME_ALPHABET[b % NAME_ALPHABET.length]).join("");
}

/**
 * Quality of service of a pod.
 * Upstream: k8s.io/kubernetes pkg/apis/core/helper/qos/qos.go @ v1.32
 */
export function qosClassOf(spec: JsonObject): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = [...objectsAt(spec, "containers"), ...objectsAt(spec, "initContainers")];
  let any = false, guaranteed = true;
  for (const container of containers) {
    const limits = objectAt(container, "resources", "limits");
    const requests = objectAt(container, "resources", "requests");
    for (const name of ["cpu", "memory"]) {
      const [limit, request] = [limits[name], requests[name]].map((q) => isZero(q) ? undefined : q);
      if (limit !== undefined || request !== undefined) any = true;
      if (limit === undefined || (request !== undefined && request !== limit)) guaranteed = false;
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

function isZero(quantity: unknown): boolean {
  return typeof quantity !== "string" || /^[+-]?0*(?:\.0*)?[A-Za-z]*$/.test(quantity);
}
