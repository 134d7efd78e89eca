/**
 * The variables of containers: `env` and `envFrom` out of ConfigMaps, Secrets, fields of the pod and resources.
 *
 * Takes: a pod, a container, the pod's place; ConfigMaps and Secrets from the API.
 * Gives: names and values, for the container's configuration.
 * Upstream: k8s.io/kubernetes pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables) @ v1.32
 * @module
 */
import type { Logger } from "../../../common/module/mod.ts";
import type { ResolveEnv } from "../pod_environment.ts";
import { untilAborted } from "../until_aborted.ts";
import type { Allocatable } from "./fields.ts";
import { resolveVariables } from "./resolve.ts";
import { type EnvReader, readEnvSources } from "./sources.ts";

export { fieldValue, resourceValue } from "./fields.ts";
export type { Allocatable, ResourceSelector } from "./fields.ts";
export { resolveVariables } from "./resolve.ts";
export type { EnvFacts, ResolvedEnv, SkippedKeys } from "./resolve.ts";
export { planEnvReads, readEnvSources } from "./sources.ts";
export type { EnvReader, EnvSources } from "./sources.ts";

/** What {@linkcode envResolver} uses. */
export interface EnvComponents {
  api: EnvReader;
  /** Resources the node has for pods: what a limit is that a container does not set. */
  allocatable: () => Allocatable;
  /** Variables every container gets unless it sets them itself. @default none */
  service?: () => Readonly<Record<string, string>>;
  log: Logger;
}

/** Resolves the variables of containers with what the API holds now. */
export function envResolver({ api, allocatable, service = () => ({}), log }: EnvComponents): ResolveEnv {
  return async (pod, container, place, { signal } = {}) => {
    const { namespace = "", name } = pod.metadata ?? {};
    const sources = await untilAborted(readEnvSources(api, namespace, container), signal);
    const facts = { place, sources, allocatable: allocatable(), service: service() };
    const { env, skipped } = resolveVariables(pod, container, facts);
    for (const { kind, object, keys } of skipped) {
      log.warning("Keys that cannot name an environment variable were skipped", {
        pod: `${namespace}/${name}`,
        container: container.name,
        from: `${kind} ${object}`,
        keys: keys.join(", "),
      });
    }
    return env;
  };
}
