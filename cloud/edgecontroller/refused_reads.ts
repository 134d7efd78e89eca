import type { Event, Pod } from "../../common/api/core_v1.ts";
import { errorText, isAlreadyExists, isNotFound } from "../../common/errors/mod.ts";
import { EVENTS, type KubeWriter } from "../../common/kubeclient/mod.ts";
import type { Clock, Logger } from "../../common/module/mod.ts";
import { type Reference, referenceKey } from "./pod_references.ts";

/** What telling of refused reads uses. */
export interface RefusedReadsComponents {
  kube: Pick<KubeWriter, "create">;
  clock: Clock;
  log: Logger;
}

/** Pods of which is remembered that they were told; beyond that they are told again. */
const MAX_TOLD = 10_000;

/**
 * Tells pods, by an Event, that cloudcore may not read a ConfigMap or Secret they refer to, and what permits it: once for each pod
 * and object.
 */
export function refusedReads(
  { kube, clock, log }: RefusedReadsComponents,
): (reference: Reference, pods: readonly Pod[], signal: AbortSignal) => Promise<void> {
  const told = new Set<string>();
  return async (reference, pods, signal) => {
    const { type, namespace, name: object } = reference;
    const what = type === "secret" ? "Secret" : "ConfigMap";
    const fix =
      `kubectl -n ${namespace} create rolebinding cloudcore --clusterrole cloudcore-namespace --serviceaccount kubeedge:cloudcore`;
    for (const { metadata = {}, spec } of pods) {
      const { uid = "", name = "" } = metadata;
      const key = `${uid} ${referenceKey(reference)}`;
      if (told.has(key)) continue;
      if (told.size >= MAX_TOLD) told.clear();
      told.add(key);
      log.warning("May not read what a pod refers to; the pod waits for it, others go on", {
        pod: `${namespace}/${name}`,
        object: `${what} ${object}`,
        fix,
      });
      const now = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
      const event: Event = {
        apiVersion: "v1",
        kind: "Event",
        metadata: {
          namespace,
          name: `${name.slice(0, 200)}.${clock.now().toString(16)}${told.size.toString(16)}`,
        },
        involvedObject: { apiVersion: "v1", kind: "Pod", namespace, name, uid },
        reason: "ReferenceForbidden",
        message: `cloudcore may not read ${what} ${object} for this pod: ${fix}`.slice(0, 1024),
        type: "Warning",
        source: { component: "cloudcore", ...(spec?.nodeName && { host: spec.nodeName }) },
        count: 1,
        firstTimestamp: now,
        lastTimestamp: now,
      };
      try {
        await kube.create(EVENTS, event, { signal });
      } catch (error) {
        if (signal.aborted) throw error;
        if (!isAlreadyExists(error) && !isNotFound(error)) {
          log.debug("Cannot record an event", { pod: `${namespace}/${name}`, err: errorText(error) });
        }
      }
    }
  };
}
