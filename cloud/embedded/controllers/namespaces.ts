import type { Namespace } from "../../../common/api/core_v1.ts";
import type { KubeObject } from "../../../common/api/meta_v1.ts";
import { isConflict, isNotFound } from "../../../common/errors/mod.ts";
import {
  type Informer,
  type KubeReader,
  type KubeWriter,
  NAMESPACES,
  type ReconcileResult,
  type ResourceType,
} from "../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "./controller.ts";

/** What the namespace controller works with. */
export interface NamespacesComponents extends LoopComponents {
  kube: Pick<KubeReader, "get" | "list"> & Pick<KubeWriter, "update" | "delete">;
  namespaces: Informer<Namespace>;
  /** Everything that can be in a namespace. */
  resources: readonly ResourceType[];
}

const FINALIZER = "kubernetes";
/** How soon to look again while something in the namespace takes its time to go, milliseconds. */
const WAIT_MS = 1000;
/** Deletions under way at a time. */
const PARALLEL = 8;

/** Whether a namespace waits for its contents to be deleted. */
export function isTerminating({ metadata, spec }: Namespace): boolean {
  return metadata?.deletionTimestamp !== undefined && (spec?.finalizers ?? []).includes(FINALIZER);
}

/**
 * Deletes what is in a namespace that is to go, then lets it go.
 * Upstream: k8s.io/kubernetes pkg/controller/namespace/deletion/namespaced_resources_deleter.go @ v1.32
 */
export function namespaceController(components: NamespacesComponents): Controller {
  const { namespaces } = components;
  return controller(components, {
    name: "namespace",
    workers: 2,
    watch: (queue) => [
      namespaces.subscribe(({ type, object }) => {
        if (type !== "deleted" && isTerminating(object)) queue.add(object.metadata?.name ?? "");
      }),
    ],
    reconcile: (name, { signal }) => reconcile(components, name, signal),
  });
}

async function reconcile(
  { kube, namespaces, resources }: NamespacesComponents,
  name: string,
  signal: AbortSignal,
): Promise<ReconcileResult> {
  const known = namespaces.get(name);
  if (known === undefined || !isTerminating(known)) return;
  let left = 0;
  for (const type of resources) {
    if (type.namespaced) left += await empty(kube, type, name, signal);
  }
  if (left > 0) return { afterMs: WAIT_MS };
  try {
    const namespace = await kube.get(NAMESPACES, { name }, { signal });
    if (namespace.metadata?.uid !== known.metadata?.uid || !isTerminating(namespace)) return;
    const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
    await kube.update(NAMESPACES, { ...namespace, spec: { ...namespace.spec, finalizers } }, {
      subresource: "finalize",
      signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Deletes all objects of a resource; gives how many there were. */
async function empty(
  kube: NamespacesComponents["kube"],
  type: ResourceType,
  namespace: string,
  signal: AbortSignal,
): Promise<number> {
  const { items } = await kube.list(type, { namespace }, { signal });
  const going = items.filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
  for (let i = 0; i < going.length; i += PARALLEL) {
    await Promise.all(going.slice(i, i + PARALLEL).map((object) => deleteOne(kube, type, object, signal)));
  }
  return items.length;
}

async function deleteOne(
  kube: NamespacesComponents["kube"],
  type: ResourceType,
  { metadata = {} }: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const { name = "", namespace = "", uid } = metadata;
  const options = { propagationPolicy: "Background", ...(uid && { preconditions: { uid } }) };
  try {
    await kube.delete(type, { name, namespace }, options, { signal });
  } catch (error) {
    // Gone, or made anew: the next look tells.
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
