import type { ConfigMap, Node, Pod, Secret } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { CLUSTER_SCOPE } from "../../common/model/mod.ts";
import { decideForwarding, type Delivered, objectKey, type ObjectName } from "./forward.ts";
import { podReferences } from "./pod_references.ts";

/** What is known of a ConfigMap or Secret: itself, that there is none, or nothing yet. */
export type Lookup<T> = { state: "present"; object: T } | { state: "absent" } | { state: "unknown" };

/** What a node should have. */
export interface NodeWorld {
  node: Node | undefined;
  pods: readonly Pod[];
  configMap(namespace: string, name: string): Lookup<ConfigMap>;
  secret(namespace: string, name: string): Lookup<Secret>;
}

/** What a node has, as far as is known here. */
export interface NodeState {
  /** By {@linkcode objectKey}. */
  delivered: ReadonlyMap<string, Delivered>;
  /** Keys of objects whose status the edge is writing now. */
  writing: ReadonlySet<string>;
  /** Unix milliseconds at which pods began to wait for what they refer to, by key. */
  waiting: ReadonlyMap<string, number>;
}

/** One message to send. */
export interface Step extends ObjectName {
  operation: "insert" | "update" | "delete";
  /** For a delete only what is certain: namespace, name, UID. */
  object: KubeObject;
}

/** What to send to a node, in order, and what waits. */
export interface NodePlan {
  steps: Step[];
  /** Keys of pods that wait for what they refer to. */
  waiting: string[];
}

/**
 * What to send to a node so that it has what it should have.
 *
 * First what is gone, then the Node, then ConfigMaps and Secrets, then the pods that refer to them: so that a pod never
 * starts with an old copy from an earlier time, and starts without asking. A pod waits at most `maxWaitMs` for that.
 * ConfigMaps and Secrets that no pod refers to any more stay where they are, since others on the edge may read them, and go
 * when it is known that they are gone.
 */
export function planNode(
  name: string,
  world: NodeWorld,
  state: NodeState,
  { now, maxWaitMs }: { now: number; maxWaitMs: number },
): NodePlan {
  const deletes: Step[] = [];
  const steps: Step[] = [];
  const waiting: string[] = [];
  const wanted = new Set<string>();

  const want = (id: ObjectName, object: KubeObject): void => {
    const key = objectKey(id);
    wanted.add(key);
    let before = state.delivered.get(key);
    if (before !== undefined && before.uid !== object.metadata?.uid) {
      deletes.push(deletion(before));
      before = undefined;
    }
    const operation = decideForwarding(id, object, before, state.writing.has(key));
    if (operation !== "none") steps.push({ ...id, operation, object });
  };

  // Without its Node it is not an edge node (any more): it gets nothing, and keeps the pods that the API still has.
  if (world.node === undefined) {
    const uids = new Set(world.pods.map(({ metadata }) => metadata?.uid));
    for (const before of state.delivered.values()) {
      const isGone = before.type === "pod" && !uids.has(before.uid);
      if (isGone || before.type === "node") deletes.push(deletion(before));
    }
    return { steps: deletes, waiting };
  }
  want({ type: "node", namespace: CLUSTER_SCOPE, name }, world.node);

  const looked = new Map<string, Lookup<KubeObject>>();
  const lookUp = (id: ObjectName): Lookup<KubeObject> => {
    const key = objectKey(id);
    let found = looked.get(key);
    if (found !== undefined) return found;
    found = id.type === "secret"
      ? world.secret(id.namespace, id.name)
      : world.configMap(id.namespace, id.name);
    looked.set(key, found);
    if (found.state === "present") want(id, found.object);
    else if (found.state === "absent") {
      const before = state.delivered.get(key);
      if (before !== undefined) deletes.push(deletion(before));
    }
    return found;
  };

  const ready: Array<{ id: ObjectName; pod: Pod }> = [];
  for (const pod of world.pods) {
    const { namespace = "", name = "" } = pod.metadata ?? {};
    const id: ObjectName = { type: "pod", namespace, name };
    let complete = true;
    for (const reference of podReferences(pod)) {
      if (reference.type === "persistentvolumeclaim") continue;
      const found = lookUp({ type: reference.type, namespace: reference.namespace, name: reference.name });
      if (found.state === "unknown") complete = false;
    }
    const key = objectKey(id);
    const before = state.delivered.get(key);
    const isNew = before?.uid !== pod.metadata?.uid;
    if (!complete && isNew && now - (state.waiting.get(key) ?? now) < maxWaitMs) {
      wanted.add(key);
      waiting.push(key);
      if (before !== undefined) deletes.push(deletion(before));
    } else ready.push({ id, pod });
  }
  for (const { id, pod } of ready) want(id, pod);

  for (const [key, before] of state.delivered) {
    if (before.type === "pod" || before.type === "node") {
      if (!wanted.has(key)) deletes.push(deletion(before));
    } else if (!looked.has(key)) {
      const found = before.type === "secret"
        ? world.secret(before.namespace, before.name)
        : world.configMap(before.namespace, before.name);
      const isGone = found.state === "absent" ||
        (found.state === "present" && found.object.metadata?.uid !== before.uid);
      if (isGone) deletes.push(deletion(before));
    }
  }
  return { steps: [...deletes, ...steps], waiting };
}

function deletion({ type, namespace, name, uid, resourceVersion }: Delivered): Step {
  const metadata = {
    name,
    ...(namespace === CLUSTER_SCOPE ? {} : { namespace }),
    uid,
    ...(resourceVersion === "" ? {} : { resourceVersion }),
  };
  return { operation: "delete", type, namespace, name, object: { metadata } };
}
