import type { ContainerStatus, Pod, PodStatus } from "../../common/api/core_v1.ts";
import { isConflict, isNotFound, StatusError } from "../../common/errors/mod.ts";
import { PODS } from "../../common/kubeclient/mod.ts";
import { asOptionalObject, asText, type JsonObject } from "./content.ts";
import { forEdge, type Handlers } from "./handler.ts";

type PodKinds = "pod-insert" | "pod-patch" | "pod-delete" | "podstatus-update";

const podObject = (pod: Pod) => forEdge(pod, "v1", "Pod");

/**
 * What a node may do to the pods bound to it.
 * Upstream: kubeedge cloud/pkg/edgecontroller/controller/upstream.go @ 16cd854
 */
export const POD_HANDLERS: Handlers<PodKinds> = {
  "pod-insert": async ({ namespace, name, pod }, { kube, signal }) => {
    const { labels, annotations, ownerReferences } = pod.metadata ?? {};
    const metadata = {
      namespace,
      name,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(ownerReferences ? { ownerReferences } : {}),
    };
    const mirror: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      ...(pod.spec === undefined ? {} : { spec: pod.spec }),
    };
    return podObject(await kube.create(PODS, mirror, { signal }));
  },

  // The UID always goes with the patch, so that it cannot hit a successor of the same name.
  "pod-patch": async ({ nodeName, namespace, name, patch }, { kube, edge, held, pod, signal }) => {
    const stored = pod?.metadata?.uid;
    const uid = asText(asOptionalObject(patch.metadata, "metadata").uid, "metadata.uid");
    // An edge that still runs a pod which is gone missed its end.
    if (uid !== "" && uid !== stored) await edge.podGone(nodeName, { namespace, name, uid });
    if (stored === undefined) throw podNotFound(name);
    if (uid !== "" && uid !== stored) {
      throw new StatusError(
        "Conflict",
        `Cannot patch pod "${namespace}/${name}": UID ${uid} is meant, ${stored} is there`,
        { details: { name, kind: "pods" } },
      );
    }
    const id = { type: "pod", namespace, name } as const;
    held.use(edge.writing(nodeName, id));
    const body = {
      metadata: { uid: stored },
      ...(patch.status === undefined ? {} : { status: patch.status }),
    };
    const patched = await kube.patch(PODS, { namespace, name }, { type: "strategic", body }, {
      subresource: "status",
      signal,
    });
    edge.answered(nodeName, id, patched);
    return podObject(patched);
  },

  // A pod that is gone, or that was made anew meanwhile, is what the edge wants.
  "pod-delete": async ({ namespace, name, deletion }, { kube, pod, signal }) => {
    const uid = pod?.metadata?.uid;
    if (pod === undefined || uid === undefined) return "OK";
    if (deletion.uid !== undefined && deletion.uid !== uid) return "OK";
    try {
      await kube.delete(PODS, { namespace, name }, {
        gracePeriodSeconds: deletion.gracePeriodSeconds,
        preconditions: { uid },
      }, { signal });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    return "OK";
  },

  "podstatus-update": async ({ nodeName, namespace, name, entry }, context) => {
    const { kube, edge, held, pod, now, signal } = context;
    const uid = pod?.metadata?.uid;
    if (pod === undefined || (entry.uid !== "" && entry.uid !== uid)) {
      await edge.podGone(nodeName, { namespace, name, uid: entry.uid });
      return "OK";
    }
    held.use(edge.writing(nodeName, { type: "pod", namespace, name }));
    const stored = await kube.get(PODS, { namespace, name }, { signal });
    if (stored.metadata?.uid !== uid) return "OK";
    const status = reportedPodStatus(stored, entry.status, now);
    const updated = await kube.update(PODS, { ...stored, status }, { subresource: "status", signal });
    if (updated.metadata?.deletionTimestamp !== undefined && isFinished(status)) {
      await kube.delete(PODS, { namespace, name }, {
        gracePeriodSeconds: 0,
        ...(uid === undefined ? {} : { preconditions: { uid } }),
      }, { signal });
    }
    return "OK";
  },
};

/** That there is no such pod, as the API server says it. */
export function podNotFound(name: string): StatusError {
  return new StatusError("NotFound", `pods "${name}" not found`, { details: { name, kind: "pods" } });
}

const toSeconds = (time: string | undefined): string | undefined => time?.replace(/\.\d+Z$/, "Z");

/**
 * The status of a pod as an edge before v1.12 reports it, made fit to be stored: transitions keep their time unless the
 * status flipped, the start time stays, containers are in a fixed order.
 * Upstream: upstream.go (updatePodStatus) @ 16cd854
 */
export function reportedPodStatus(pod: Pod, reported: JsonObject, now: number): PodStatus {
  const status = { ...reported } as PodStatus;
  const conditions = pod.status?.conditions ?? [];
  status.conditions = (status.conditions ?? []).map((condition) => {
    const before = conditions.find(({ type }) => type === condition.type);
    const kept = before !== undefined && before.status === condition.status &&
        (condition.type === "Ready" || condition.type === "Initialized")
      ? before.lastTransitionTime
      : toSeconds(condition.lastTransitionTime);
    const { lastTransitionTime: _time, ...rest } = condition;
    return kept === undefined ? rest : { ...rest, lastTransitionTime: kept };
  });
  status.startTime = pod.status?.startTime ?? toSeconds(status.startTime) ??
    toSeconds(new Date(now).toISOString())!;
  if (status.containerStatuses) {
    status.containerStatuses = [...status.containerStatuses].sort((a, b) => a.name < b.name ? -1 : 1);
  }
  if (status.initContainerStatuses) {
    const order = new Map((pod.spec?.initContainers ?? []).map(({ name }, at) => [name, at]));
    const place = ({ name }: ContainerStatus) => order.get(name) ?? order.size;
    status.initContainerStatuses = [...status.initContainerStatuses].sort((a, b) => place(a) - place(b));
  }
  return status;
}

/** Whether a pod has ended: its phase says so and no container runs. */
function isFinished({ phase, containerStatuses = [] }: PodStatus): boolean {
  if (phase !== "Succeeded" && phase !== "Failed") return false;
  return containerStatuses.every(({ state }) => state?.running === undefined || state.running === null);
}
