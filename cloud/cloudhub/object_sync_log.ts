import type { KubeObject } from "../../common/api/meta_v1.ts";
import {
  errorText,
  findStatusError,
  isAlreadyExists,
  isForbidden,
  isNamespaceTerminating,
  isNotFound,
} from "../../common/errors/mod.ts";
import type { KubeClient, ResourceType } from "../../common/kubeclient/mod.ts";
import { backoffMs, type Clock, defineModule, type Logger } from "../../common/module/mod.ts";
import { compareResourceVersion, type DeliveredObject } from "./delivery_class.ts";
import type { RunningDeliveryLog } from "./delivery_log.ts";

/** The version of one object that one node confirmed. Upstream: kubeedge api apis/reliablesyncs/v1alpha1/type.go @ 16cd854 */
export interface ObjectSync extends KubeObject {
  spec?: { objectAPIVersion?: string; objectKind?: string; objectName?: string };
  status?: { objectResourceVersion?: string };
}

const API = { group: "reliablesyncs.kubeedge.io", version: "v1alpha1" } as const;

/** For namespaced objects, in their namespace. */
export const OBJECT_SYNCS: ResourceType<ObjectSync> = {
  ...API,
  resource: "objectsyncs",
  kind: "ObjectSync",
  namespaced: true,
};

/** For cluster-scoped objects. */
export const CLUSTER_OBJECT_SYNCS: ResourceType<ObjectSync> = {
  ...API,
  resource: "clusterobjectsyncs",
  kind: "ClusterObjectSync",
  namespaced: false,
};

/** What the log uses. */
export interface ObjectSyncLogComponents {
  kube: Pick<KubeClient, "list" | "create" | "patch" | "delete">;
  clock: Clock;
  log: Logger;
}

interface Entry {
  /** Empty for cluster-scoped objects. */
  namespace: string;
  /** What the API has, or is brought to. */
  version: string;
  /** What the node confirmed on its present connection. */
  confirmed?: string;
}

/** What the API has to be brought to. */
type Write =
  & { node: string; object: DeliveredObject }
  & ({ version: string; isNew: boolean } | { gone: true });

const RETRY = { baseMs: 1_000, maxMs: 60_000 };
/** Requests at a time, but what was confirmed is told only where there is nothing else to tell: there is as much of it, and nothing waits for it. */
const PARALLEL = 16;
/** What was confirmed is told once nothing new was sent for so long, milliseconds: a burst of deliveries has the API for itself … */
const CALM_MS = 500;
/** … or once it has waited for so long. */
const CONFIRMATION_PATIENCE_MS = 10_000;
/**
 * Removals that wait while the API cannot be used, the oldest given up first. A record that stays is removed when its node next
 * reports the object, or by the edgecontroller at its next start.
 */
const MAX_WAITING_REMOVALS = 10_000;
/** How long what is left is written after the stop, milliseconds; the compartment ends soon after. */
const LAST_WRITES_MS = 2_000;
/** The status of an object that was sent and never confirmed. */
const NOTHING_CONFIRMED = "0";

/** Told from a kind that is not served, which comes back. */
const isNamespaceGone = (error: unknown) =>
  isNotFound(error) && findStatusError(error)?.details?.kind === "namespaces";

const isConfirmation = (change: Write) => !("gone" in change) && !change.isNew;

const isCreation = (change: Write) => !("gone" in change) && change.isNew;

/** What is read of a record: others may have written anything of any size into it. */
function essence({ metadata: { name, namespace } = {}, status }: ObjectSync): ObjectSync {
  const version: unknown = status?.objectResourceVersion;
  return {
    metadata: { ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) },
    status: { objectResourceVersion: typeof version === "string" && version.length <= 40 ? version : "" },
  };
}

const nameOf = (node: string, uid: string) => `${node}.${uid}`;

/**
 * A delivery log in ObjectSync and ClusterObjectSync objects, read once at the start and written behind: of several changes of
 * one object only the last is written, and objects that are new come first, since their deliveries wait for it. While the API is not served, or not to this user, it says so once, is a log in memory,
 * and tries again: what came about meanwhile is written then.
 *
 * The objects stay over connections and restarts, so that what was deleted meanwhile is deleted at the edge too. What counts as
 * confirmed does not: an edge that lost its database is offered everything again, and one that did not compares versions.
 * Upstream: kubeedge cloud/pkg/cloudhub/session/node_session.go, cloud/pkg/cloudhub/dispatcher @ 16cd854
 */
export function objectSyncLog({ kube, clock, log }: ObjectSyncLogComponents): RunningDeliveryLog {
  const nodes = new Map<string, Map<string, Entry>>();
  const writes = new Map<string, Write>();
  /** Writes of objects that the API does not have: deliveries wait for them, so they come first. */
  const creations = new Map<string, Write>();
  /** Tell those who wait for a creation that it was done or failed. */
  const begun = new Map<string, PromiseWithResolvers<void>>();
  /** Whether the API can be used; until that is known it is taken for usable. */
  let usable = true;
  /** Whether what earlier runs recorded is known. */
  let loaded = false;
  /** Removals that were asked for since the API became unusable. */
  let removals = 0;
  let wake: () => void = () => {};
  /** When an object was sent that the API does not have, and since when something waits to be told. */
  let lastNewAt = -Infinity;
  let waitingSince = -Infinity;

  const entry = (node: string, uid: string) => nodes.get(node)?.get(uid);

  function keep(node: string, uid: string, kept: Entry): Entry {
    let entries = nodes.get(node);
    if (entries === undefined) nodes.set(node, entries = new Map());
    entries.set(uid, kept);
    return kept;
  }

  function write(change: Write): void {
    const key = nameOf(change.node, change.object.uid);
    const isNew = !("gone" in change) && (change.isNew || creations.has(key));
    creations.delete(key);
    if (isNew) lastNewAt = clock.now();
    if (writes.size === 0) waitingSince = clock.now();
    // Moves to the end, so that the first ones are the oldest.
    if ("gone" in change) writes.delete(key);
    if (isNew) creations.set(key, { ...change, isNew });
    else writes.set(key, change);
    if (!usable && "gone" in change) forgetOldestRemoval();
    wake();
  }

  function forgetOldestRemoval(): void {
    if (++removals <= MAX_WAITING_REMOVALS) return;
    for (const [key, change] of writes) {
      if (!("gone" in change)) continue;
      writes.delete(key);
      removals--;
      return;
    }
  }

  async function load(signal: AbortSignal): Promise<void> {
    let told = "";
    for (let attempt = 0;; attempt++) {
      try {
        for (const type of [OBJECT_SYNCS, CLUSTER_OBJECT_SYNCS]) {
          for (const sync of (await kube.list(type, {}, { signal, map: essence })).items) {
            const name = sync.metadata?.name ?? "";
            const dot = name.lastIndexOf(".");
            const version = sync.status?.objectResourceVersion ?? "";
            const [node, uid] = [name.slice(0, dot), name.slice(dot + 1)];
            if (dot < 1 || uid === "") continue;
            // What was confirmed since the start is newer than the list.
            if (entry(node, uid) === undefined) {
              keep(node, uid, { namespace: sync.metadata?.namespace ?? "", version });
            }
          }
        }
        if (!usable) {
          log.info("What nodes confirmed is recorded now", { waiting: writes.size + creations.size });
        }
        usable = true;
        loaded = true;
        removals = 0;
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        if (isNotFound(error) || isForbidden(error)) {
          if (usable) {
            log.warning(
              "What nodes confirmed is kept in memory only until the CRDs and RBAC rules of KubeEdge are there",
              {
                reason: isNotFound(error) ? "reliablesyncs.kubeedge.io is not served" : errorText(error),
              },
            );
          }
          usable = false;
          for (const key of [...begun.keys()]) tried(key);
          await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
          continue;
        }
        const text = errorText(error);
        if (text !== told) log.error("Cannot list ObjectSyncs, trying again", error);
        told = text;
        await clock.sleep(backoffMs(attempt, RETRY, Math.random()), { signal });
      }
    }
  }

  async function perform(change: Write, signal: AbortSignal): Promise<void> {
    const { node, object } = change;
    const [type, scope] = object.namespace === ""
      ? [CLUSTER_OBJECT_SYNCS, {}] as const
      : [OBJECT_SYNCS, { namespace: object.namespace }] as const;
    const ref = { ...scope, name: nameOf(node, object.uid) };
    if ("gone" in change) {
      try {
        await kube.delete(type, ref, undefined, { signal });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
      return;
    }
    const body = { status: { objectResourceVersion: change.version } };
    const patch = () => kube.patch(type, ref, { type: "merge", body }, { subresource: "status", signal });
    const create = async () => {
      const { apiVersion: objectAPIVersion, kind: objectKind, name: objectName } = object;
      const spec = { objectAPIVersion, objectKind, objectName };
      const made: ObjectSync = {
        apiVersion: `${API.group}/${API.version}`,
        kind: type.kind,
        metadata: ref,
        spec,
      };
      try {
        await kube.create(type, made, { signal });
      } catch (error) {
        // The object goes with its namespace, and so would the record.
        if (isNamespaceTerminating(error) || isNamespaceGone(error)) return false;
        if (!isAlreadyExists(error)) throw error;
      }
      return true;
    };
    if (change.isNew) {
      // A status would be dropped from what is created; without one nothing is confirmed.
      if (await create() && change.version !== NOTHING_CONFIRMED) await patch();
      return;
    }
    try {
      await patch();
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (await create()) await patch();
    }
  }

  /** How long confirmations wait from now on, milliseconds. */
  function confirmationsWaitMs(): number {
    const now = clock.now();
    return Math.max(0, Math.min(lastNewAt + CALM_MS, waitingSince + CONFIRMATION_PATIENCE_MS) - now);
  }

  /** Takes the next write of an object that is not being written. */
  function takeNext(running: ReadonlySet<string>, isLast: boolean): [string, Write] | undefined {
    const isBusy = running.size > 0 || (!isLast && confirmationsWaitMs() > 0);
    for (const waiting of [creations, writes]) {
      for (const next of waiting) {
        const [key, change] = next;
        if (running.has(key) || (isBusy && isConfirmation(change))) continue;
        waiting.delete(key);
        return next;
      }
    }
    return undefined;
  }

  /** A write that failed waits again, unless a newer one for the object does; that the object is new still holds. */
  function putBack(key: string, change: Write): void {
    const newer = creations.get(key) ?? writes.get(key);
    if (newer === undefined) (isCreation(change) ? creations : writes).set(key, change);
    else if (isCreation(change) && !("gone" in newer)) {
      writes.delete(key);
      creations.set(key, { ...newer, isNew: true });
    }
  }

  /** Nobody waits any longer for what was tried. */
  function tried(key: string): void {
    begun.get(key)?.resolve();
    begun.delete(key);
  }

  /** Writes until the signal aborts, and then what is left, as far as that succeeds at once. */
  async function writeAll(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let told = "";
    const patience = new AbortController();
    const written = new AbortController();
    let late: Promise<void> | undefined;
    const onAbort = () => {
      late = clock.sleep(LAST_WRITES_MS, { signal: written.signal }).then(() => patience.abort(), () => {});
      wake();
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    try {
      const running = new Set<string>();
      const idle = async () => {
        const woken = new AbortController();
        const waiting = new Promise<void>((resolve) => wake = resolve);
        // What is left although nothing runs are confirmations that wait.
        if (writes.size === 0 || running.size > 0) return await waiting;
        const calm = clock.sleep(confirmationsWaitMs(), { signal: woken.signal }).catch((error) => {
          if (!woken.signal.aborted) throw error;
        });
        await Promise.race([waiting, calm]);
        woken.abort();
        await calm;
      };
      let failure: unknown;
      while (!signal.aborted || writes.size + creations.size + running.size > 0) {
        for (let next; running.size < PARALLEL && (next = takeNext(running, signal.aborted)) !== undefined;) {
          const [key, change] = next;
          running.add(key);
          perform(change, patience.signal).then(() => {
            failures = 0;
            told = "";
          }, (error) => {
            putBack(key, change);
            failure = error;
          }).finally(() => {
            running.delete(key);
            tried(key);
            wake();
          });
        }
        await idle();
        if (failure === undefined) continue;
        while (running.size > 0) await idle();
        // Names of objects differ from one try to the next, the reason does not.
        const reason = findStatusError(failure)?.reason ?? errorText(failure);
        if (reason !== told) {
          log.error("Cannot record what a node confirmed, trying again", failure, {
            waiting: writes.size + creations.size,
          });
        }
        told = reason;
        failure = undefined;
        if (signal.aborted) return;
        await clock.sleep(backoffMs(failures++, RETRY, Math.random()), { signal });
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      written.abort();
      await late;
    }
  }

  const module = defineModule("objectsynclog", async ({ signal, ready }) => {
    // Nothing needs the list before a node is deleted, so nobody waits for it.
    ready();
    await load(signal);
    await writeAll(signal);
  });

  return {
    ...module,
    recorded: (node, uid) => entry(node, uid)?.confirmed,
    begin(node, object) {
      if (object.uid === "" || object.kind === "") return;
      if (entry(node, object.uid) !== undefined) return;
      // Written before anything is confirmed: the node may have taken the object although its confirmation never came.
      keep(node, object.uid, { namespace: object.namespace, version: NOTHING_CONFIRMED });
      write({ node, object, version: NOTHING_CONFIRMED, isNew: true });
      if (!usable) return;
      const waiting = Promise.withResolvers<void>();
      begun.set(nameOf(node, object.uid), waiting);
      return waiting.promise;
    },
    confirm(node, object, version) {
      if (object.uid === "" || object.kind === "") return;
      const known = entry(node, object.uid) ??
        keep(node, object.uid, { namespace: object.namespace, version: "" });
      if (known.confirmed === undefined || compareResourceVersion(version, known.confirmed) > 0) {
        known.confirmed = version;
      }
      if (compareResourceVersion(version, known.version) <= 0) return;
      known.version = version;
      write({ node, object, version, isNew: false });
    },
    forget(node, object) {
      if (object.uid === "") return;
      const known = nodes.get(node)?.delete(object.uid) ?? false;
      // Deletes are sent again on a new connection: confirmed a second time, there is no record any more.
      if (loaded && !known) return;
      write({ node, object, gone: true });
    },
    forgetNode(node) {
      for (const [uid, { namespace }] of nodes.get(node) ?? []) {
        const object = { uid, namespace, name: "", apiVersion: "", kind: "", deleting: true };
        write({ node, object, gone: true });
      }
      nodes.delete(node);
    },
    connected(node) {
      for (const known of nodes.get(node)?.values() ?? []) delete known.confirmed;
    },
  };
}
