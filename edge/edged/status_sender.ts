import type { PodStatus } from "../../common/api/core_v1.ts";
import { findStatusError } from "../../common/errors/mod.ts";
import { backoffMs, type Logger } from "../../common/module/mod.ts";
import type { KubeApi } from "./kube_api.ts";
import type { PodIdentity } from "./parse_pod.ts";
import { POD_MERGE_KEYS } from "./pod_status.ts";
import { sameJson, strategicDiff } from "./strategic_patch.ts";
import type { Timers } from "./timers.ts";

/** What the sender is made of. */
export interface StatusSenderComponents {
  api: Pick<KubeApi, "patchPodStatus">;
  timers: Timers;
  log: Logger;
  /** Told when a pod's newest status has arrived or was given up. */
  onSettled: (uid: string) => void;
  random?: () => number;
}

interface Entry {
  pod: PodIdentity;
  /** What the API has, as far as edged knows. */
  known: PodStatus;
  wanted: PodStatus;
  sending: boolean;
  /** The API refused this very status for good. */
  refused: PodStatus | undefined;
  failures: number;
  cancel: (() => void) | undefined;
}

type Json = Record<string, unknown>;

/** Refusals that the same status would meet again. */
const FINAL: ReadonlySet<string> = new Set(["NotFound", "Conflict", "Invalid", "BadRequest", "Forbidden"]);

/**
 * The patch that makes one pod status into another; undefined when there is nothing to change.
 * Upstream: kubelet pkg/util/pod/pod.go (PatchPodStatus) @ v1.32
 */
export function podStatusPatch(uid: string, before: PodStatus, after: PodStatus): Json | undefined {
  const status = strategicDiff(before as Json, after as Json, POD_MERGE_KEYS);
  if (Object.keys(status).length === 0) return undefined;
  if (Array.isArray(status.conditions)) {
    const old = new Set(before.conditions?.map(({ type }) => type));
    status.conditions = status.conditions.map((condition: Json) =>
      old.has(String(condition.type)) || condition.$patch !== undefined
        ? condition
        : { lastProbeTime: null, ...condition }
    );
  }
  return { metadata: { uid }, status };
}

/**
 * Brings pod statuses to the API: only what changed, the newest only, one request per pod at a time, again after a failure
 * and when the link comes back.
 * Upstream: kubelet pkg/kubelet/status/status_manager.go @ v1.32
 */
export class StatusSender {
  readonly #components: StatusSenderComponents;
  readonly #entries = new Map<string, Entry>();
  #underWay = new Set<Promise<void>>();

  constructor(components: StatusSenderComponents) {
    this.#components = components;
  }

  /** The status of a pod as it should be known; `known` is what the API is thought to have, used the first time. */
  set(pod: PodIdentity, status: PodStatus, known: PodStatus): void {
    let entry = this.#entries.get(pod.uid);
    if (entry === undefined) {
      entry = {
        pod,
        known,
        wanted: status,
        sending: false,
        refused: undefined,
        failures: 0,
        cancel: undefined,
      };
      this.#entries.set(pod.uid, entry);
    }
    if (!sameJson(entry.wanted, status)) entry.refused = undefined;
    entry.wanted = status;
    if (entry.cancel === undefined) this.#send(entry);
  }

  /** Whether the API has the newest status of a pod, or refused it for good. */
  isSettled(uid: string): boolean {
    const entry = this.#entries.get(uid);
    return entry === undefined || this.#isSettled(entry);
  }

  /** How many pods have a status the API does not have yet. */
  get waiting(): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (!this.#isSettled(entry)) count++;
    return count;
  }

  forget(uid: string): void {
    this.#entries.get(uid)?.cancel?.();
    this.#entries.delete(uid);
  }

  /** Tries everything that waits at once: the link came up. */
  retryNow(): void {
    for (const entry of this.#entries.values()) {
      entry.cancel?.();
      entry.cancel = undefined;
      entry.failures = 0;
      this.#send(entry);
    }
  }

  /** Waits for the requests under way. */
  async drain(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #isSettled(entry: Entry): boolean {
    return !entry.sending && (entry.refused === entry.wanted || sameJson(entry.known, entry.wanted));
  }

  #send(entry: Entry): void {
    if (entry.sending || this.#entries.get(entry.pod.uid) !== entry) return;
    const { wanted, pod } = entry;
    const patch = entry.refused === wanted ? undefined : podStatusPatch(pod.uid, entry.known, wanted);
    if (patch === undefined) return;
    entry.sending = true;
    const sent: Promise<void> = this.#patch(entry, wanted, patch).finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }

  async #patch(entry: Entry, wanted: PodStatus, patch: Json): Promise<void> {
    const { api, timers, log, random = Math.random } = this.#components;
    const { namespace, name } = entry.pod;
    try {
      await api.patchPodStatus(namespace, name, patch);
      entry.known = wanted;
      entry.failures = 0;
    } catch (error) {
      const reason = findStatusError(error)?.reason ?? "Unknown";
      if (FINAL.has(reason)) {
        log.warning("Pod status refused", { namespace, pod: name, reason, error });
        entry.refused = wanted;
      } else {
        const ms = backoffMs(entry.failures++, { baseMs: 500, maxMs: 30_000 }, random());
        log.debug("Pod status not sent", { namespace, pod: name, reason, retryMs: Math.round(ms) });
        entry.cancel = timers.after(ms, () => {
          entry.cancel = undefined;
          this.#send(entry);
        });
      }
    }
    entry.sending = false;
    if (this.#isSettled(entry)) this.#components.onSettled(entry.pod.uid);
    else if (entry.cancel === undefined) this.#send(entry);
  }
}
