import type { Job } from "../../../../common/api/batch_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { keyOf } from "../../../../common/api/meta_v1.ts";
import { isNotFound } from "../../../../common/errors/mod.ts";
import { type Informer, JOBS, type KubeReader, type KubeWriter } from "../../../../common/kubeclient/mod.ts";
import { type Controller, controller, type LoopComponents } from "../controller.ts";
import { controllerOf } from "../owners.ts";
import { Releases } from "./releases.ts";
import { TRACKING_FINALIZER } from "./view.ts";

/** What letting go of orphans works with. */
export interface JobOrphansComponents extends LoopComponents {
  kube: Pick<KubeReader, "get"> & Pick<KubeWriter, "patch">;
  jobs: Informer<Job>;
  pods: Informer<Pod>;
}

/**
 * Takes the tracking finalizer off pods that no Job counts any longer, so that they can be deleted.
 * Upstream: k8s.io/kubernetes pkg/controller/job/job_controller.go (syncOrphanPod) @ v1.33
 */
export function jobOrphansController(components: JobOrphansComponents): Controller {
  const { kube, jobs, pods } = components;
  const releases = new Releases(kube);
  const jobOf = (pod: Pod) => {
    const owner = controllerOf(pod);
    if (owner?.kind !== "Job") return undefined;
    const job = jobs.get(`${pod.metadata?.namespace}/${owner.name}`);
    return job?.metadata?.uid === owner.uid ? job : undefined;
  };
  const isOrphan = (pod: Pod) =>
    (pod.metadata?.finalizers ?? []).includes(TRACKING_FINALIZER) && jobOf(pod) === undefined;
  return controller(components, {
    name: "job-orphans",
    watch: (queue) => [
      pods.subscribe(({ type, object }) => {
        releases.seen(object, type === "deleted");
        if (type !== "deleted" && isOrphan(object)) queue.add(keyOf(object));
      }),
      jobs.subscribe(({ type, object }) => {
        if (type !== "deleted") return;
        for (const pod of pods.list(object.metadata?.namespace)) if (isOrphan(pod)) queue.add(keyOf(pod));
      }),
    ],
    reconcile: async (key, { signal }) => {
      const pod = pods.get(key);
      if (pod === undefined || !isOrphan(pod)) return undefined;
      if (await hasJob(kube, pod, signal)) return { afterMs: 1000 };
      await releases.release([pod], signal);
      return undefined;
    },
  });
}

/** Asks the server, since the copy of Jobs may be behind that of pods. */
async function hasJob(kube: JobOrphansComponents["kube"], pod: Pod, signal: AbortSignal): Promise<boolean> {
  const owner = controllerOf(pod);
  if (owner?.kind !== "Job") return false;
  try {
    const job = await kube.get(JOBS, { name: owner.name, namespace: pod.metadata?.namespace ?? "" }, {
      signal,
    });
    return job.metadata?.uid === owner.uid;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
