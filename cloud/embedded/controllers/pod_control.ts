import type { Pod } from "../../../common/api/core_v1.ts";
import { keyOf, type KubeObject } from "../../../common/api/meta_v1.ts";
import { errorText, isNotFound } from "../../../common/errors/mod.ts";
import {
  type Informer,
  type KubeWriter,
  matchesLabels,
  PODS,
  requirementsOf,
  type ResourceType,
} from "../../../common/kubeclient/mod.ts";
import type { Clock } from "../../../common/module/mod.ts";
import type { EventRecorder } from "./events.ts";
import { adoptPatch, controllerOf, controllerReference, planClaims, releasePatch } from "./owners.ts";
import { isPodActive } from "./pod_state.ts";
import type { Expectations } from "./replicaset/expectations.ts";

/** What owns pods by a selector. */
export interface PodOwner extends KubeObject {
  spec?: { selector?: Parameters<typeof requirementsOf>[0] };
}

/** What a controller's pods are made and deleted with. */
export interface PodControlComponents {
  kube: Pick<KubeWriter, "create" | "patch" | "delete">;
  pods: Informer<Pod>;
  clock: Clock;
  events: EventRecorder;
  expectations: Expectations;
}

/** Makes, takes, lets go of and deletes the pods of one kind of owner. */
export interface PodControl<T extends PodOwner> {
  /** Adopts and releases; gives the pods that are owned afterwards. */
  claim(owner: T, may: (pod: Pod) => boolean, signal: AbortSignal): Promise<Pod[]>;
  create(owner: T, pod: Pod, signal: AbortSignal): Promise<void>;
  delete(owner: T, pod: Pod, signal: AbortSignal): Promise<void>;
  /** Calls back with the key of every owner whose pods changed. */
  watch(owners: Informer<T>, changed: (key: string) => void): () => void;
}

/**
 * Pods of the owners of one resource.
 * Upstream: k8s.io/kubernetes pkg/controller/controller_utils.go (RealPodControl) @ v1.32
 * @param component the name under which events are told
 * @param finalizer what adopted pods get and released ones lose, if anything
 */
export function podControl<T extends PodOwner>(
  { kube, pods, clock, events, expectations }: PodControlComponents,
  type: ResourceType<T>,
  component: string,
  finalizer?: string,
): PodControl<T> {
  const others = ({ metadata }: Pod) => (metadata?.finalizers ?? []).filter((one) => one !== finalizer);
  const withFinalizer = (body: { metadata: object }, pod: Pod) =>
    finalizer === undefined
      ? body
      : { metadata: { ...body.metadata, finalizers: [...others(pod), finalizer] } };
  const withoutFinalizer = (body: { metadata: object }, pod: Pod) =>
    finalizer === undefined ? body : { metadata: { ...body.metadata, finalizers: others(pod) } };
  const tell = (owner: T, reason: string, message: string) =>
    events.record(type, owner, {
      component,
      type: reason.startsWith("Failed") ? "Warning" : "Normal",
      reason,
      message,
    });
  return {
    async claim(owner, may, signal) {
      const around = pods.list(owner.metadata?.namespace).filter(may);
      const { owned, adopt, release } = planClaims(owner, requirementsOf(owner.spec?.selector) ?? [], around);
      const all = [...owned];
      for (const pod of adopt.filter(isPodActive)) {
        const body = adoptPatch(pod, controllerReference(owner, `${type.group}/${type.version}`, type.kind));
        all.push(
          await kube.patch(PODS, refOf(pod), { type: "merge", body: withFinalizer(body, pod) }, { signal }),
        );
      }
      for (const pod of release) {
        const body = releasePatch(pod, new Set([owner.metadata?.uid ?? ""]));
        try {
          await kube.patch(PODS, refOf(pod), { type: "merge", body: withoutFinalizer(body, pod) }, {
            signal,
          });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      }
      return all;
    },
    async create(owner, pod, signal) {
      try {
        const made = await kube.create(PODS, pod, { signal });
        const uid = made.metadata?.uid ?? "";
        if (pods.get(keyOf(made))?.metadata?.uid !== uid) {
          expectations.expect(keyOf(owner), uid, clock.now());
        }
        tell(owner, "SuccessfulCreate", `Created pod: ${made.metadata?.name}`);
      } catch (error) {
        tell(owner, "FailedCreate", `Error creating: ${errorText(error)}`);
        throw error;
      }
    },
    async delete(owner, pod, signal) {
      const { uid = "", name } = pod.metadata ?? {};
      const expected = `-${uid}`;
      expectations.expect(keyOf(owner), expected, clock.now());
      try {
        await kube.delete(PODS, refOf(pod), { preconditions: { uid } }, { signal });
      } catch (error) {
        expectations.observed(keyOf(owner), expected);
        if (isNotFound(error)) return;
        tell(owner, "FailedDelete", `Error deleting: ${errorText(error)}`);
        throw error;
      }
      if (pods.get(keyOf(pod))?.metadata?.uid !== uid) expectations.observed(keyOf(owner), expected);
      tell(owner, "SuccessfulDelete", `Deleted pod: ${name}`);
    },
    watch: (owners, changed) =>
      pods.subscribe((event) => {
        const keys = ownersOf(event.object, owners, type.kind);
        if (event.type === "updated") keys.push(...ownersOf(event.old, owners, type.kind));
        const { uid = "", deletionTimestamp } = event.object.metadata ?? {};
        for (const key of new Set(keys)) {
          expectations.observed(key, uid);
          if (event.type === "deleted" || deletionTimestamp !== undefined) {
            expectations.observed(key, `-${uid}`);
          }
          changed(key);
        }
      }),
  };
}

/** Keys of the owners a pod belongs to or might be adopted by. */
function ownersOf<T extends PodOwner>(pod: Pod, owners: Informer<T>, kind: string): string[] {
  const namespace = pod.metadata?.namespace;
  const owner = controllerOf(pod);
  if (owner !== undefined) return owner.kind === kind ? [`${namespace}/${owner.name}`] : [];
  return owners.list(namespace).filter(({ spec }) => {
    const selector = requirementsOf(spec?.selector);
    return selector !== undefined && selector.length > 0 && matchesLabels(selector, pod.metadata?.labels);
  }).map(keyOf);
}

function refOf({ metadata }: Pod): { name: string; namespace: string } {
  return { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
}
