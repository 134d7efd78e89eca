import { isNotFound } from "../../common/errors/mod.ts";
import type { KubeApi } from "./kube_api.ts";
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

/**
 * Asks for every ConfigMap and Secret that a pod shows, so that the store has them again for when the cloud is away.
 * @returns how many could not be had; those that do not exist are not among them
 */
export async function askForSources(
  api: Pick<KubeApi, "getConfigMap" | "getSecret">,
  { metadata: { namespace }, spec }: CheckedPod,
): Promise<number> {
  const { volumes = [], containers, initContainers = [], imagePullSecrets = [] } = spec;
  const projected = volumes.flatMap((volume) => volume.projected?.sources ?? []);
  const all = [...initContainers, ...containers];
  const froms = all.flatMap(({ envFrom = [] }) => envFrom);
  const values = all.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom));
  const configMaps = [
    ...volumes.map((volume) => volume.configMap?.name),
    ...projected.map((source) => source.configMap?.name),
    ...froms.map((source) => source.configMapRef?.name),
    ...values.map((value) => value?.configMapKeyRef?.name),
  ];
  const secrets = [
    ...volumes.map((volume) => volume.secret?.secretName),
    ...projected.map((source) => source.secret?.name),
    ...froms.map((source) => source.secretRef?.name),
    ...values.map((value) => value?.secretKeyRef?.name),
    ...imagePullSecrets.map((secret) => secret.name),
  ];
  const named = (names: Array<string | undefined>) =>
    [...new Set(names)].filter((name) => name !== undefined);
  const results = await Promise.allSettled([
    ...named(configMaps).map((name) => api.getConfigMap(namespace, name)),
    ...named(secrets).map((name) => api.getSecret(namespace, name)),
  ]);
  return results.filter((result) => result.status === "rejected" && !isNotFound(result.reason)).length;
}

/** Whether a pod has volumes whose content can change while it runs. */
export function watchesSources(pod: CheckedPod): boolean {
  return (pod.spec.volumes ?? []).some((volume) =>
    volume.configMap !== undefined || volume.secret !== undefined || volume.projected !== undefined ||
    volume.downwardAPI !== undefined
  );
}
