import type { CheckedPod } from "./parse_pod.ts";

/** Whether a pod shows a ConfigMap or Secret, in a volume or a variable. */
export function usesObject(pod: CheckedPod, kind: "configmap" | "secret", name: string): boolean {
  const { volumes = [], containers, initContainers = [], imagePullSecrets = [] } = pod.spec;
  const map = kind === "configmap";
  return volumes.some((volume) =>
    (map ? volume.configMap?.name : volume.secret?.secretName) === name ||
    (volume.projected?.sources ?? []).some((source) =>
      (map ? source.configMap : source.secret)?.name === name
    )
  ) ||
    [...initContainers, ...containers].some(({ env = [], envFrom = [] }) =>
      env.some(({ valueFrom }) =>
        (map ? valueFrom?.configMapKeyRef : valueFrom?.secretKeyRef)?.name === name
      ) ||
      envFrom.some((source) => (map ? source.configMapRef : source.secretRef)?.name === name)
    ) || (!map && imagePullSecrets.some((secret) => secret.name === name));
}

/** Whether a pod has volumes whose content can change while it runs. */
export function watchesSources(pod: CheckedPod): boolean {
  return (pod.spec.volumes ?? []).some((volume) =>
    volume.configMap !== undefined || volume.secret !== undefined || volume.projected !== undefined ||
    volume.downwardAPI !== undefined
  );
}
