import type { KubeObject } from "../../common/api/meta_v1.ts";
import { errorText, isNotFound } from "../../common/errors/mod.ts";
import { type KubeReader, type KubeWriter, NODES, type ResourceType } from "../../common/kubeclient/mod.ts";
import type { Logger } from "../../common/module/mod.ts";
import type { ObjectName, PushedType } from "./forward.ts";

/** What a node confirmed of one object. Upstream: kubeedge api apis/reliablesyncs/v1alpha1/type.go @ 16cd854 */
export interface ObjectSync extends KubeObject {
  spec?: { objectKind?: string; objectName?: string };
  status?: { objectResourceVersion?: string };
}

/** Records of what nodes confirmed. */
export const OBJECT_SYNCS: ResourceType<ObjectSync> = {
  group: "reliablesyncs.kubeedge.io",
  version: "v1alpha1",
  resource: "objectsyncs",
  kind: "ObjectSync",
  namespaced: true,
};

/** An object that a node was sent by an earlier run of cloudcore. */
export interface RecordedDelivery extends ObjectName {
  node: string;
  uid: string;
  resourceVersion: string;
}

/** Names that are told of many. */
const TOLD_NODES = 5;

const TYPES: ReadonlyMap<string, PushedType> = new Map([
  ["Pod", "pod"],
  ["ConfigMap", "configmap"],
  ["Secret", "secret"],
]);

/** The delivery that an ObjectSync named `<node>.<uid>` stands for; undefined for objects of other controllers. */
export function parseObjectSync(
  { metadata = {}, spec, status }: ObjectSync,
): RecordedDelivery | undefined {
  const { namespace = "", name = "" } = metadata;
  const objectName = shortText(spec?.objectName);
  const dot = name.lastIndexOf(".");
  const type = TYPES.get(shortText(spec?.objectKind));
  if (type === undefined || dot < 1 || dot === name.length - 1 || !namespace || !objectName) {
    return undefined;
  }
  return {
    node: name.slice(0, dot),
    uid: name.slice(dot + 1),
    type,
    namespace,
    name: objectName,
    resourceVersion: shortText(status?.objectResourceVersion),
  };
}

/** A field of a record that holds what it should: others may have written anything of any size into it. */
function shortText(value: unknown): string {
  return typeof value === "string" && value.length <= 253 ? value : "";
}

/** What is read of a record. */
function essence({ metadata: { name, namespace, uid } = {}, spec, status }: ObjectSync): ObjectSync {
  return {
    metadata: {
      ...(name !== undefined && { name }),
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
    },
    spec: { objectKind: shortText(spec?.objectKind), objectName: shortText(spec?.objectName) },
    status: { objectResourceVersion: shortText(status?.objectResourceVersion) },
  };
}

/** What recorded deliveries are read with. */
export interface RecordedDeliveriesComponents {
  kube: Pick<KubeReader, "get" | "list"> & Pick<KubeWriter, "delete">;
  log: Logger;
}

/** What earlier runs left behind. */
export interface RecordedDeliveries {
  deliveries: RecordedDelivery[];
  /** Removes the records of nodes that exist no longer. */
  removeOrphans(signal: AbortSignal): Promise<void>;
}

/**
 * What nodes were sent by earlier runs, so that what was deleted while cloudcore was down is deleted at the edge too.
 * Without the API, or the permission, nothing is known.
 * Upstream: kubeedge cloud/pkg/synccontroller @ 16cd854, which compares every 5 s
 */
export async function readRecordedDeliveries(
  { kube, log }: RecordedDeliveriesComponents,
  { isNode, signal }: { isNode: (name: string) => boolean; signal: AbortSignal },
): Promise<RecordedDeliveries> {
  const deliveries: RecordedDelivery[] = [];
  const orphans = new Map<string, ObjectSync[]>();
  const misnamed: string[] = [];
  for (const sync of await listObjectSyncs({ kube, log }, signal)) {
    const { name = "" } = sync.metadata ?? {};
    if (!/^.+\.[^.]+$/.test(name)) misnamed.push(name);
    const delivery = parseObjectSync(sync);
    if (delivery === undefined) continue;
    const { node } = delivery;
    const others = orphans.get(node);
    if (isNode(node)) deliveries.push(delivery);
    else if (others === undefined) orphans.set(node, [sync]);
    else others.push(sync);
  }
  if (misnamed.length > 0) {
    const some = misnamed.slice(0, TOLD_NODES).join(",");
    log.warning("Ignored ObjectSyncs that are not named NODE.UID", { count: misnamed.length, some });
  }
  return {
    deliveries,
    removeOrphans: async (signal) => {
      const gone: string[] = [];
      let count = 0;
      let failures = 0;
      let failure: unknown;
      for (const [node, syncs] of orphans) {
        try {
          if (await isStored(kube, node, signal)) continue;
          for (const sync of syncs) await remove(kube, sync, signal);
          gone.push(node);
          count += syncs.length;
        } catch (error) {
          if (signal.aborted) throw error;
          failures++;
          failure = error;
        }
      }
      if (failures > 0) {
        log.warning("Cannot remove the ObjectSyncs of nodes that are gone", {
          nodes: failures,
          err: errorText(failure),
        });
      }
      if (gone.length > 0) {
        const some = gone.slice(0, TOLD_NODES).join(",");
        log.info("Removed the ObjectSyncs of nodes that are gone", { nodes: gone.length, count, some });
      }
    },
  };
}

async function listObjectSyncs(
  { kube, log }: RecordedDeliveriesComponents,
  signal: AbortSignal,
): Promise<ObjectSync[]> {
  try {
    return (await kube.list(OBJECT_SYNCS, {}, { signal, map: essence })).items;
  } catch (error) {
    if (signal.aborted) throw error;
    // The API is an addition: without it cloudcore keeps what nodes confirmed in memory.
    if (!isNotFound(error)) {
      log.warning("Cannot list ObjectSyncs: edges may keep pods that were deleted while cloudcore was down", {
        err: errorText(error),
      });
    }
    return [];
  }
}

/** A Node without the label of an edge node is a node all the same. */
async function isStored(
  kube: RecordedDeliveriesComponents["kube"],
  name: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await kube.get(NODES, { name }, { signal });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function remove(
  kube: RecordedDeliveriesComponents["kube"],
  { metadata = {} }: ObjectSync,
  signal: AbortSignal,
): Promise<void> {
  const { namespace = "", name = "", uid } = metadata;
  const preconditions = uid === undefined ? {} : { preconditions: { uid } };
  try {
    await kube.delete(OBJECT_SYNCS, { namespace, name }, preconditions, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
