import type { Pod } from "../../common/api/core_v1.ts";
import { keyOf } from "../../common/api/meta_v1.ts";
import { errorText, hasReason, isConflict, isForbidden, isNotFound } from "../../common/errors/mod.ts";
import {
  type KubeWriter,
  PODS,
  type ReconcileResult,
  runWorkers,
  workQueue,
} from "../../common/kubeclient/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { EdgeIndex } from "./edge_index.ts";
import { missingTolerations } from "./edge_pods.ts";

/** What keeping pods on lost nodes is made of. */
export interface OutageToleranceComponents {
  kube: Pick<KubeWriter, "patch">;
  index: Pick<EdgeIndex, "pod" | "isEdge">;
  clock: Clock;
  log: Logger;
}

/** Few at a time: nothing waits for it, and a start with many pods must not crowd out what edges ask for. */
const WORKERS = 4;

/**
 * How long a pod is left to start first, milliseconds: meanwhile its status changes, with which a patch would conflict, and a pod of a
 * Job may be over. Much shorter than any time for which pods tolerate that their node is lost.
 */
const CALM_MS = 10_000;

/** How long a pod is left alone when cloudcore may not change it, milliseconds. */
const FORBIDDEN_MS = 600_000;

/**
 * Sees to it that pods of edge nodes stay while their node is lost. Done when a pod is bound and not when its node is lost: then
 * cloudcore may be lost too. A mutating webhook, as upstream's, knows no node yet, since a pod is scheduled after its admission, and
 * does nothing while it is away; taking the taint from the node would fight the one who sets it and make the node look well.
 */
export class OutageTolerance {
  readonly #components: OutageToleranceComponents;
  readonly #queue;
  #refused = false;

  constructor(components: OutageToleranceComponents) {
    this.#components = components;
    this.#queue = workQueue({
      name: "outagetolerance",
      clock: components.clock,
      baseMs: 1_000,
      maxMs: 60_000,
    });
  }

  /** Has a pod looked at. */
  look(pod: Pod): void {
    if (missingTolerations(pod) !== undefined) this.#queue.addAfter(keyOf(pod), CALM_MS);
  }

  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    const reconcile = (key: string) => this.#reconcile(key, signal);
    return runWorkers(this.#queue, reconcile, signal, { log: this.#components.log, workers: WORKERS });
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult> {
    const { kube, index, log } = this.#components;
    const slash = key.indexOf("/");
    const ref = { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
    const pod = index.pod(ref.namespace, ref.name);
    const tolerations = pod && missingTolerations(pod);
    if (pod === undefined || tolerations === undefined || !index.isEdge(pod.spec?.nodeName ?? "")) return;
    const { uid, resourceVersion } = pod.metadata ?? {};
    try {
      const body = { metadata: { uid, resourceVersion }, spec: { tolerations } };
      await kube.patch(PODS, ref, { type: "merge", body }, { signal });
      this.#refused = false;
    } catch (error) {
      // What the list was made from is not the newest: that comes by, and with it this pod again.
      if (isConflict(error) || isNotFound(error)) return;
      if (hasReason(error, "Invalid")) {
        return log.warning("Cannot keep a pod from being evicted while its node is lost", {
          pod: key,
          err: errorText(error),
        });
      }
      if (!isForbidden(error)) throw error;
      if (!this.#refused) {
        log.warning("Pods of lost nodes will be evicted: give cloudcore the verb patch on pods", {
          err: errorText(error),
        });
      }
      this.#refused = true;
      return { afterMs: FORBIDDEN_MS };
    }
  }
}
