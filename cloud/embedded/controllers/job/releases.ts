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
    const { name = "", namespace = "", uid = "", finalizers = [] } = metadata;
    const at = finalizers.indexOf(TRACKING_FINALIZER);
    if (at < 0 || this.#uids.has(uid)) return;
    this.#uids.add(uid);
    const [path, value] = finalizers.length === 1
      ? ["/metadata/finalizers", finalizers]
      : [`/metadata/finalizers/${at}`, TRACKING_FINALIZER];
    // No resourceVersion: a pod that was just deleted has changed, and must go uncounted all the same.
    const body = [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "test", path, value },
      { op: "remove", path },
    ];
    try {
      await this.#kube.patch(PODS, { name, namespace }, { type: "json", body }, { signal });
    } catch (error) {
      this.#uids.delete(uid);
      if (!isNotFound(error)) throw error;
    }
  }
}
