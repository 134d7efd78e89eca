import type { PodStatus } from "../../common/api/core_v1.ts";
import { findStatusError } from "../../common/errors/mod.ts";
import { backoffMs, type Logger } from "../../common/module/mod.ts";
import type { KubeApi } from "./kube_api.ts";
import type { PodIdentity } from "./parse_pod.ts";
import { OWN_CONDITIONS } from "./pod_conditions.ts";
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
  /** resourceVersion that came with `known`; 0 when none did. */
  version: number;
  wanted: PodStatus;
  sending: boolean;
  /** What the API showed while a request was under way: only its answer tells whether that came before or after. */
  seen: { status: PodStatus; version: number } | undefined;
  /** A change by others was answered just now. */
  resting: boolean;
  /** The API refused this very status for good. */
  refused: PodStatus | undefined;
  failures: number;
  cancel: (() => void) | undefined;
}

type Json = Record<string, unknown>;

/** Pause between two answers to changes that others make. Upstream: status_manager.go (syncPeriod) @ v1.32 */
const RECONCILE_PAUSE_MS = 10_000;

/** What counts when an API's status is held against edged's: not every API keeps or prints all of the rest. */
function essence({ phase, podIP, conditions = [], containerStatuses = [] }: PodStatus): Json {
  return {
    phase,
    podIP,
    conditions: Object.fromEntries(
      conditions.filter(({ type }) => OWN_CONDITIONS.has(type)).map(({ type, status }) => [type, status]),
    ),
    containers: containerStatuses.map(({ name, ready, restartCount, containerID, state }) => ({
      name,
      ready,
      restartCount,
      containerID,
      state: Object.keys(state ?? {}),
    })),
  };
}

/** Refusals that the same status would meet again. */
const FINAL: ReadonlySet<string> = new Set([
  "NotFound",
  "Conflict",
  "Invalid",
  "BadRequest",
  "Forbidden",
  "RequestEntityTooLarge",
]);

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
        version: 0,
        wanted: status,
        sending: false,
        seen: undefined,
        resting: false,
        refused: undefined,
        failures: 0,
        cancel: undefined,
      };
      this.#entries.set(pod.uid, entry);
    }
    if (!sameJson(entry.wanted, status)) {
      entry.refused = undefined;
      entry.wanted = status;
    }
    if (entry.cancel === undefined) this.#send(entry);
  }

  /**
   * The API showed a pod with this status. Where others have changed what edged answers for, as the cloud does with the
   * pods of a node it has lost, it is put right.
   */
  observe(uid: string, status: PodStatus, version: number): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    if (entry.sending) {
      if (version > (entry.seen?.version ?? 0)) entry.seen = { status, version };
      return;
    }
    this.#compare(entry, status, version);
  }

  #compare(entry: Entry, status: PodStatus, version: number): void {
    // What is older than the last answer shows a change of edged's own on its way.
    if (!(version > entry.version) || entry.version === 0) return;
    const { wanted } = entry;
    entry.version = version;
    if (sameJson(essence(status), essence(wanted))) return;
    entry.known = {
      ...Object.fromEntries(Object.entries(status).filter(([name]) => name in wanted)),
      conditions: (status.conditions ?? []).filter(({ type }) =>
        wanted.conditions?.some((c) => c.type === type)
      ),
    };
    // Whoever keeps changing it back is not answered without pause.
    const { timers } = this.#components;
    if (entry.resting) {
      entry.cancel ??= timers.after(RECONCILE_PAUSE_MS, () => {
        entry.cancel = undefined;
        this.#send(entry);
      });
    } else {
      entry.resting = true;
      timers.after(RECONCILE_PAUSE_MS, () => {
        entry.resting = false;
      });
      if (entry.cancel === undefined) this.#send(entry);
    }
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
      const { metadata } = await api.patchPodStatus(namespace, name, patch);
      entry.version = Number(metadata?.resourceVersion) || entry.version;
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
    const { seen } = entry;
    entry.seen = undefined;
    if (seen !== undefined) this.#compare(entry, seen.status, seen.version);
    if (this.#isSettled(entry)) this.#components.onSettled(entry.pod.uid);
    else if (entry.cancel === undefined) this.#send(entry);
  }
}
