/** Applying manifests: with kubectl where it is installed, else with a small client of our own. */
import { parseAllDocuments } from "yaml";
import { isNotFound } from "../../common/errors/mod.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  type KubeClient,
  NAMESPACES,
  PODS,
  type ResourceType,
  SECRETS,
  SERVICES,
} from "../../common/kubeclient/mod.ts";
import type { Pod } from "../../common/api/core_v1.ts";
import { runToEnd } from "./program.ts";

/** Whether kubectl can be run here. */
export async function hasKubectl(): Promise<boolean> {
  try {
    return (await runToEnd("kubectl", ["version", "--client"])).code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs kubectl against a control plane. @throws when it fails, with what it said */
export async function kubectl(kubeConfig: string, args: string[], stdin?: string): Promise<string> {
  const { code, stdout, stderr } = await runToEnd("kubectl", ["--kubeconfig", kubeConfig, ...args], {
    ...(stdin === undefined ? {} : { stdin }),
  });
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}

const TYPES: readonly ResourceType[] = [
  NAMESPACES,
  CONFIG_MAPS,
  SECRETS,
  DEPLOYMENTS,
  PODS,
  SERVICES,
] as readonly ResourceType[];

/** Creates each object of a manifest, or merges it into the one that is there, in namespace default unless it names one. */
export async function applyManifest(kube: KubeClient, yaml: string): Promise<string[]> {
  const applied: string[] = [];
  for (const document of parseAllDocuments(yaml)) {
    const object = document.toJS() as KubeObject;
    const type = TYPES.find(({ kind }) => kind === object.kind);
    const name = object.metadata?.name;
    if (type === undefined || name === undefined) {
      throw new TypeError(`Cannot apply a ${object.kind} named ${name}`);
    }
    const ref = type.namespaced ? { name, namespace: object.metadata?.namespace ?? "default" } : { name };
    const whole = { ...object, metadata: { ...object.metadata, ...ref } };
    try {
      await kube.get(type, ref);
      await kube.patch(type, ref, { type: "merge", body: whole });
      applied.push(`${object.kind}/${name} configured`);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await kube.create(type, whole);
      applied.push(`${object.kind}/${name} created`);
    }
  }
  return applied;
}

/** Whether a pod says it is ready. */
export function isReady(pod: Pod): boolean {
  return pod.status?.phase === "Running" &&
    (pod.status.conditions?.some((c) => c.type === "Ready" && c.status === "True") ?? false);
}
