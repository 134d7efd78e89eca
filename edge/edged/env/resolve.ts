import type { ConfigMap, Container, EnvVar, Pod, Secret } from "../../../common/api/core_v1.ts";
import { expandVariables } from "../expand.ts";
import { PodEnvironmentError, type PodPlace } from "../pod_environment.ts";
import { type Allocatable, fieldValue, resourceValue } from "./fields.ts";
import type { EnvSources } from "./sources.ts";

/** What the variables of a container depend on besides its spec. */
export interface EnvFacts {
  place: PodPlace;
  sources: EnvSources;
  allocatable: Allocatable;
  /** Variables that every container gets unless it sets them itself: the address of the Kubernetes API. */
  service: Readonly<Record<string, string>>;
}

/** Keys of a ConfigMap or Secret that cannot be names of variables. */
export interface SkippedKeys {
  kind: "configMap" | "secret";
  /** `<namespace>/<name>` */
  object: string;
  keys: string[];
}

/** The variables of a container. */
export interface ResolvedEnv {
  env: Array<{ name: string; value: string }>;
  skipped: SkippedKeys[];
}

/**
 * What may name a variable: printable ASCII without "=".
 * Upstream: k8s.io/apimachinery pkg/util/validation/validation.go (IsRelaxedEnvVarName) @ v1.32
 */
const VARIABLE_NAME = /^[\x20-\x3c\x3e-\x7e]+$/;

/**
 * The variables of a container, in the order they are declared: those of `envFrom`, then `env`, which may refer to all
 * before by `$(NAME)`, then the service variables that are not set.
 * Upstream: k8s.io/kubernetes pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables) @ v1.32
 * @throws {PodEnvironmentError}
 */
export function resolveVariables(pod: Pod, container: Container, facts: EnvFacts): ResolvedEnv {
  const namespace = pod.metadata?.namespace ?? "";
  const values = new Map<string, string>();
  const skipped: SkippedKeys[] = [];
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const kind = configMapRef !== undefined ? "configMap" : "secret";
    const ref = configMapRef ?? secretRef;
    if (ref === undefined) continue;
    const name = ref.name ?? "";
    const found = kind === "configMap"
      ? objectOf("configmap", facts.sources.configMaps, name, ref.optional)?.data
      : textData(objectOf("secret", facts.sources.secrets, name, ref.optional));
    const bad: string[] = [];
    // The order of a map is nobody's promise: sorted, so that the same input gives the same environment.
    for (const key of Object.keys(found ?? {}).sort()) {
      const variable = prefix + key;
      if (VARIABLE_NAME.test(variable)) values.set(variable, found?.[key] ?? "");
      else bad.push(variable);
    }
    if (bad.length > 0) skipped.push({ kind, object: `${namespace}/${name}`, keys: bad });
  }
  const lookup = (name: string) =>
    values.get(name) ?? (Object.hasOwn(facts.service, name) ? facts.service[name] : undefined);
  for (const variable of container.env ?? []) {
    if (!VARIABLE_NAME.test(variable.name)) {
      throw new PodEnvironmentError(
        "invalid",
        `Invalid name of an environment variable: ${JSON.stringify(variable.name)}`,
      );
    }
    const value = variable.value
      ? expand(variable.name, variable.value, lookup)
      : valueFrom(pod, container, variable, facts);
    if (value !== undefined) values.set(variable.name, value);
  }
  for (const [name, value] of Object.entries(facts.service)) if (!values.has(name)) values.set(name, value);
  return { env: [...values].map(([name, value]) => ({ name, value })), skipped };
}

function expand(name: string, text: string, lookup: (name: string) => string | undefined): string {
  try {
    return expandVariables(text, lookup);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new PodEnvironmentError("invalid", `environment variable ${name}: ${cause.message}`, { cause });
  }
}

/** Undefined for what is optional and not there. */
function valueFrom(
  pod: Pod,
  container: Container,
  { valueFrom: from }: EnvVar,
  facts: EnvFacts,
): string | undefined {
  const namespace = pod.metadata?.namespace ?? "";
  if (from?.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, facts.place);
  if (from?.resourceFieldRef !== undefined) {
    return resourceValue(pod, container, from.resourceFieldRef, facts.allocatable);
  }
  if (from?.configMapKeyRef !== undefined) {
    const { name = "", key, optional } = from.configMapKeyRef;
    const found = objectOf("configmap", facts.sources.configMaps, name, optional);
    return keyOf(found?.data, key, optional, `ConfigMap ${namespace}/${name}`);
  }
  if (from?.secretKeyRef !== undefined) {
    const { name = "", key, optional } = from.secretKeyRef;
    const found = textData(objectOf("secret", facts.sources.secrets, name, optional));
    return keyOf(found, key, optional, `Secret ${namespace}/${name}`);
  }
  return "";
}

function keyOf(
  data: Readonly<Record<string, string>> | undefined,
  key: string,
  optional: boolean | undefined,
  where: string,
): string | undefined {
  if (data !== undefined && Object.hasOwn(data, key)) return data[key];
  if (optional) return undefined;
  throw new PodEnvironmentError("missing", `couldn't find key ${key} in ${where}`);
}

function objectOf<T extends ConfigMap | Secret>(
  kind: "configmap" | "secret",
  objects: ReadonlyMap<string, T>,
  name: string,
  optional: boolean | undefined,
): T | undefined {
  const found = objects.get(name);
  if (found !== undefined || optional) return found;
  throw new PodEnvironmentError("missing", `${kind} ${JSON.stringify(name)} not found`);
}

/** The values of a Secret as text. */
function textData(secret: Secret | undefined): Record<string, string> | undefined {
  if (secret === undefined) return undefined;
  const decoder = new TextDecoder();
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, value]) => {
      try {
        return [key, decoder.decode(Uint8Array.fromBase64(value))];
      } catch (cause) {
        throw new PodEnvironmentError(
          "invalid",
          `secret ${JSON.stringify(secret.metadata?.name ?? "")}: key ${key} is not base64`,
          { cause },
        );
      }
    }),
  );
}
