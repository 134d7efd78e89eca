import type { Pod } from "../../../../common/api/core_v1.ts";
import { isNotFound } from "../../../../common/errors/mod.ts";
import { type KubeWriter, PODS } from "../../../../common/kubeclient/mod.ts";
import { TRACKING_FINALIZER } from "./view.ts";

/** Takes the finalizer off pods that are counted, and remembers which until the copy shows it. */
export class Releases {
  readonly #kube: Pick<KubeWriter, "patch">;
  readonly #uids = new Set<string>();

  constructor(kube: Pick<KubeWriter, "patch">) {
    this.#kube = kube;
  }

  /** Uids of the pods that are released though the copy does not show it yet. */
  get uids(): ReadonlySet<string> {
    return this.#uids;
  }

  /** The copy has a pod in this state. */
  seen({ metadata }: Pod, gone: boolean): void {
    if (gone || !(metadata?.finalizers ?? []).includes(TRACKING_FINALIZER)) {
      this.#uids.delete(metadata?.uid ?? "");
    }
  }

  /** Takes the finalizer off; pods that are gone are fine. @throws what kept the first that failed */
  async release(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const results = await Promise.allSettled(pods.map((pod) => this.#release(pod, signal)));
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #release({ metadata = {} }: Pod, signal: AbortSignal): Promise<void> {
    const { name = "", namespace = "", uid = "", resourceVersion } = metadata;
    const left = (metadata.finalizers ?? []).filter((one) => one !== TRACKING_FINALIZER);
    if (left.length === metadata.finalizers?.length || this.#uids.has(uid)) return;
    this.#uids.add(uid);
    const body = { metadata: { uid, resourceVersion, finalizers: left.length > 0 ? left : null } };
    try {
      await this.#kube.patch(PODS, { name, namespace }, { type: "merge", body }, { signal });
    } catch (error) {
      this.#uids.delete(uid);
      if (!isNotFound(error)) throw error;
    }
  }
}
