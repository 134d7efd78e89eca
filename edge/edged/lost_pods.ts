import { errorText, findStatusError } from "../../common/errors/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import type { KubeApi, PodEvent } from "./kube_api.ts";
import type { PodIdentity } from "./parse_pod.ts";

/** What {@linkcode LostPods} needs. */
export interface LostPodsComponents {
  api: Pick<KubeApi, "lookUpPod">;
  clock: Pick<Clock, "elapsed">;
  log: Logger;
  /** The API has the pod: it goes on. */
  found: (pod: PodEvent) => void;
  /** The API does not have it, or does not say: its containers go. `confirmed`: the API said so. */
  gone: (identity: PodIdentity, graceSeconds: number, confirmed: boolean) => void;
}

/** How long an API that is there may leave the question open. */
export const UNDECIDED_LIMIT_MS = 300_000;

/** Pods that are asked about at a time; more wait for the next list of the engine. */
const MAX_ASKED = 1000;

interface Entry {
  identity: PodIdentity;
  graceSeconds: number;
  asking: boolean;
  /** When the API first answered without deciding. */
  undecidedSince: number | undefined;
}

/** Answers that say the pod is not there any more; a conflict, that another one has its name. */
const GONE: ReadonlySet<string> = new Set(["NotFound", "Conflict", "Gone"]);

/**
 * Pods that run here, that the store does not know and was never told to forget: it was wiped, or damaged. The API is asked
 * before anything of them is removed, and as long as it is away they go on, as a kubelet removes nothing before its
 * sources have spoken.
 * Upstream: kubelet pkg/kubelet/kubelet.go (HandlePodCleanups waits for sourcesReady) @ v1.32
 */
export class LostPods {
  readonly #c: LostPodsComponents;
  readonly #entries = new Map<string, Entry>();

  constructor(components: LostPodsComponents) {
    this.#c = components;
  }

  has(uid: string): boolean {
    return this.#entries.has(uid);
  }

  /** Asks about a pod, unless that is under way; `graceSeconds` is what its containers were made with. */
  ask(identity: PodIdentity, graceSeconds: number): void {
    let entry = this.#entries.get(identity.uid);
    if (entry === undefined) {
      if (this.#entries.size >= MAX_ASKED) return;
      this.#c.log.info("The store does not know a pod that runs here; asking the cloud", { ...identity });
      entry = { identity, graceSeconds, asking: false, undecidedSince: undefined };
      this.#entries.set(identity.uid, entry);
    }
    if (entry.asking) return;
    entry.asking = true;
    // It handles its own errors.
    void this.#ask(entry);
  }

  /** The link came up: asks about all of them. */
  connected(): void {
    for (const { identity, graceSeconds } of this.#entries.values()) this.ask(identity, graceSeconds);
  }

  /** The pod has become known by other ways. */
  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  /** Those of a name, and of a UID when it is given. */
  named(
    namespace: string,
    name: string,
    uid?: string,
  ): Array<{ identity: PodIdentity; graceSeconds: number }> {
    return [...this.#entries.values()].filter(({ identity }) =>
      identity.namespace === namespace && identity.name === name && (uid ?? identity.uid) === identity.uid
    );
  }

  async #ask(entry: Entry): Promise<void> {
    const { api, clock, log, found, gone } = this.#c;
    const { namespace, name, uid } = entry.identity;
    let pod: PodEvent | undefined;
    let failure: unknown;
    try {
      pod = await api.lookUpPod(namespace, name, uid);
    } catch (error) {
      failure = error;
    }
    entry.asking = false;
    if (this.#entries.get(uid) !== entry) return;
    if (pod !== undefined) {
      this.#entries.delete(uid);
      log.info("The cloud has the pod: it goes on", { ...entry.identity });
      return found(pod);
    }
    const reason = findStatusError(failure)?.reason;
    if (reason === "ServiceUnavailable") {
      log.debug("The cloud is away; a pod that the store does not know goes on", { ...entry.identity });
      return;
    }
    const confirmed = GONE.has(reason ?? "");
    entry.undecidedSince ??= clock.elapsed();
    if (!confirmed && clock.elapsed() - entry.undecidedSince < UNDECIDED_LIMIT_MS) {
      log.warning("The cloud did not say whether it has a pod that the store does not know; asking again", {
        ...entry.identity,
        error: errorText(failure),
      });
      return;
    }
    this.#entries.delete(uid);
    gone(entry.identity, entry.graceSeconds, confirmed);
  }
}
