import type { ConfigMap, Container, Secret } from "../../../common/api/core_v1.ts";
import { errorText, isNotFound } from "../../../common/errors/mod.ts";
import type { KubeApi } from "../kube_api.ts";
import { PodEnvironmentError } from "../pod_environment.ts";

/** The ConfigMaps and Secrets that a container's variables come from, by name; one that is not there is not in the map. */
export interface EnvSources {
  configMaps: ReadonlyMap<string, ConfigMap>;
  secrets: ReadonlyMap<string, Secret>;
}

/** What is read to resolve variables. */
export type EnvReader = Pick<KubeApi, "getConfigMap" | "getSecret">;

/** Names of the ConfigMaps and Secrets that a container's variables refer to. */
export function planEnvReads(container: Container): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef?.name) configMaps.add(configMapRef.name);
    else if (secretRef?.name) secrets.add(secretRef.name);
  }
  for (const { value, valueFrom } of container.env ?? []) {
    if (value) continue;
    if (valueFrom?.configMapKeyRef?.name) configMaps.add(valueFrom.configMapKeyRef.name);
    if (valueFrom?.secretKeyRef?.name) secrets.add(valueFrom.secretKeyRef.name);
  }
  return { configMaps, secrets };
}

/**
 * Reads what a container's variables refer to. What is not there is left out: whether that matters is decided where it is used.
 * @throws {PodEnvironmentError} failed, when it cannot be known
 */
export async function readEnvSources(
  reader: EnvReader,
  namespace: string,
  container: Container,
): Promise<EnvSources> {
  const plan = planEnvReads(container);
  const read = async <T>(
    kind: string,
    names: Iterable<string>,
    get: (name: string) => Promise<T>,
  ): Promise<Map<string, T>> => {
    const found = await Promise.all([...names].map(async (name): Promise<Array<[string, T]>> => {
      try {
        return [[name, await get(name)]];
      } catch (error) {
        if (isNotFound(error)) return [];
        throw new PodEnvironmentError(
          "failed",
          `couldn't get ${kind} ${namespace}/${name}: ${errorText(error)}`,
          {
            cause: error,
          },
        );
      }
    }));
    return new Map(found.flat());
  };
  const [configMaps, secrets] = await Promise.all([
    read("configMap", plan.configMaps, (name) => reader.getConfigMap(namespace, name)),
    read("secret", plan.secrets, (name) => reader.getSecret(namespace, name)),
  ]);
  return { configMaps, secrets };
}
