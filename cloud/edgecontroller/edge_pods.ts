import type { Pod, Toleration } from "../../common/api/core_v1.ts";
import { planTolerations } from "./outage_tolerations.ts";

/** What was found in pods with their managedFields, which are not kept. Pods of informers are never changed. */
const planned = new WeakMap<Pod, Toleration[]>();

/** What is kept of a pod of an edge: everything but who manages its fields. */
export function edgePod(pod: Pod): Pod {
  const tolerations = planTolerations(pod);
  const { managedFields: _, ...metadata } = pod.metadata ?? {};
  const kept = { ...pod, metadata };
  if (tolerations !== undefined) planned.set(kept, tolerations);
  return kept;
}

/** The tolerations that a pod of an edge is to be given; undefined when it is as it should be. */
export function missingTolerations(pod: Pod): Toleration[] | undefined {
  return planned.get(pod);
}

/** What is kept of a pod of another node: where it is, so that it can be looked up if that node becomes an edge. */
export function foreignPod({ metadata = {}, spec }: Pod): Pod {
  const { namespace, name, uid, resourceVersion } = metadata;
  const kept = { namespace, name, uid, resourceVersion };
  return {
    metadata: kept as Pod["metadata"] & object,
    spec: { nodeName: spec?.nodeName ?? "" } as Pod["spec"] & object,
  };
}

/** Whether no more than its place is known of a pod. */
export function isForeign(pod: Pod): boolean {
  return pod.spec?.containers === undefined;
}
