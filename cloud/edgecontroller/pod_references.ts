import type { Container, Pod } from "../../common/api/core_v1.ts";

/** Types of objects that a pod names and its node may therefore read. */
export type ReferenceType = "configmap" | "secret" | "persistentvolumeclaim";

/** An object that a pod of a node refers to. */
export interface Reference {
  type: ReferenceType;
  namespace: string;
  name: string;
}

/** `<type>/<namespace>/<name>`. */
export function referenceKey({ type, namespace, name }: Reference): string {
  return `${type}/${namespace}/${name}`;
}

/** Pods of informers are never changed, so what was found in one stays true. */
const known = new WeakMap<Pod, Reference[]>();

/**
 * Every ConfigMap, Secret and PersistentVolumeClaim that a pod refers to, each once: volumes of every kind, projected
 * volumes, `env` and `envFrom` of containers, init and ephemeral containers, image pull secrets.
 * More than upstream looks at, since what is missed here an edge could neither read nor keep for offline.
 * Upstream: kubeedge cloud/pkg/edgecontroller/manager/location.go @ 16cd854; the full set is
 * k8s.io/kubernetes pkg/api/v1/pod/util.go (VisitPodSecretNames, VisitPodConfigmapNames)
 */
export function podReferences(pod: Pod): readonly Reference[] {
  let references = known.get(pod);
  if (references === undefined) known.set(pod, references = findReferences(pod));
  return references;
}

function findReferences(pod: Pod): Reference[] {
  const namespace = pod.metadata?.namespace ?? "";
  const found = new Map<string, Reference>();
  const add = (type: ReferenceType, name: string | undefined) => {
    if (!name) return;
    const reference = { type, namespace, name };
    found.set(referenceKey(reference), reference);
  };
  for (const { name } of pod.spec?.imagePullSecrets ?? []) add("secret", name);
  for (const volume of pod.spec?.volumes ?? []) {
    add("configmap", volume.configMap?.name);
    add("secret", volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add("configmap", source.configMap?.name);
      add("secret", source.secret?.name);
    }
    add("secret", volume.azureFile?.secretName);
    add("secret", volume.cephfs?.secretRef?.name);
    add("secret", volume.cinder?.secretRef?.name);
    add("secret", volume.csi?.nodePublishSecretRef?.name);
    add("secret", volume.flexVolume?.secretRef?.name);
    add("secret", volume.iscsi?.secretRef?.name);
    add("secret", volume.rbd?.secretRef?.name);
    add("secret", volume.scaleIO?.secretRef?.name);
    add("secret", volume.storageos?.secretRef?.name);
    add("persistentvolumeclaim", volume.persistentVolumeClaim?.claimName);
    // The controller names the claim of a generic ephemeral volume after pod and volume.
    if (volume.ephemeral) add("persistentvolumeclaim", `${pod.metadata?.name ?? ""}-${volume.name}`);
  }
  for (const container of podContainers(pod)) {
    for (const { configMapRef, secretRef } of container.envFrom ?? []) {
      add("configmap", configMapRef?.name);
      add("secret", secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add("configmap", valueFrom?.configMapKeyRef?.name);
      add("secret", valueFrom?.secretKeyRef?.name);
    }
  }
  return [...found.values()];
}

/**
 * Whether a pod goes on when a ConfigMap or Secret it refers to is not there: where it says so, and for image pull secrets.
 */
export function isDispensable(pod: Pod, { type, namespace, name }: Reference): boolean {
  if (namespace !== pod.metadata?.namespace) return false;
  const isMeant = (of: ReferenceType, source?: { name?: string; optional?: boolean }) =>
    of === type && source?.name === name && source.optional === true;
  const { imagePullSecrets = [], volumes = [] } = pod.spec ?? {};
  if (type === "secret" && imagePullSecrets.some((secret) => secret.name === name)) return true;
  for (const { configMap, secret, projected } of volumes) {
    const { secretName, optional } = secret ?? {};
    if (isMeant("configmap", configMap)) return true;
    if (type === "secret" && secretName === name && optional === true) return true;
    for (const source of projected?.sources ?? []) {
      if (isMeant("configmap", source.configMap) || isMeant("secret", source.secret)) return true;
    }
  }
  return podContainers(pod).some(({ env = [], envFrom = [] }) =>
    envFrom.some(({ configMapRef, secretRef }) =>
      isMeant("configmap", configMapRef) || isMeant("secret", secretRef)
    ) ||
    env.some(({ valueFrom }) =>
      isMeant("configmap", valueFrom?.configMapKeyRef) || isMeant("secret", valueFrom?.secretKeyRef)
    )
  );
}

function podContainers(pod: Pod): Array<Pick<Container, "env" | "envFrom">> {
  const { initContainers = [], containers = [], ephemeralContainers = [] } = pod.spec ?? {};
  return [...initContainers, ...containers, ...ephemeralContainers];
}

/** Audiences of the service account tokens that a pod has projected into its volumes; "" is the API server's own. */
export function podTokenAudiences(pod: Pod): Set<string> {
  const audiences = new Set<string>([""]);
  for (const { projected } of pod.spec?.volumes ?? []) {
    for (const { serviceAccountToken } of projected?.sources ?? []) {
      if (serviceAccountToken) audiences.add(serviceAccountToken.audience ?? "");
    }
  }
  return audiences;
}
