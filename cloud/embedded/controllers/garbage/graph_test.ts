import assert from "node:assert/strict";
import type { KubeObject, OwnerReference } from "../../../../common/api/meta_v1.ts";
import { PODS, REPLICA_SETS } from "../../../../common/kubeclient/mod.ts";
import { type GraphNode, OwnerGraph, type OwnerState, planDeleting, planOwned } from "./graph.ts";

const owner = (uid: string, blockOwnerDeletion = true): OwnerReference => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  name: uid,
  uid,
  blockOwnerDeletion,
});
const object = (uid: string, more: KubeObject["metadata"] = {}): KubeObject => ({
  metadata: { name: uid, namespace: "default", uid, ...more },
});
const node = (given: KubeObject): GraphNode => ({
  key: given.metadata?.name ?? "",
  type: PODS,
  object: given,
});
const deleting = (...finalizers: string[]) =>
  object("o", { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers });

Deno.test("OwnerGraph knows who owns what, through changes of owners and of uids", () => {
  const graph = new OwnerGraph();
  graph.put(REPLICA_SETS, object("a"));
  graph.put(PODS, object("p", { ownerReferences: [owner("a")] }));
  assert.deepEqual(graph.dependents("a").map((n) => n.object.metadata?.name), ["p"]);
  graph.put(PODS, object("p", { ownerReferences: [owner("b")] }));
  assert.deepEqual(graph.dependents("a"), []);
  assert.equal(graph.dependents("b").length, 1);
  graph.put(REPLICA_SETS, { metadata: { name: "a", namespace: "default", uid: "a2" } });
  assert.equal(graph.owner("a"), undefined);
  assert.equal(graph.owner("a2")?.object.metadata?.name, "a");
  graph.remove(PODS, object("p"));
  assert.deepEqual(graph.dependents("b"), []);
});

Deno.test("planOwned() lets an object go with its last owner", async (t) => {
  const rows: Array<[string, OwnerState[], boolean, unknown]> = [
    ["owner there", ["present"], false, []],
    ["owner gone", ["absent"], false, [{ kind: "delete", policy: "Background" }]],
    ["owner of unknown kind", ["unknownKind"], false, []],
    ["one of two gone", ["present", "absent"], false, [{ kind: "removeOwners", uids: new Set(["o1"]) }]],
    ["owner waits", ["waitingForDependents"], false, [{ kind: "delete", policy: "Background" }]],
    ["owner waits for a whole tree", ["waitingForDependents"], true, [{
      kind: "delete",
      policy: "Foreground",
    }]],
    ["an owner waits, another is there", ["waitingForDependents", "present"], true, [{
      kind: "removeOwners",
      uids: new Set(["o0"]),
    }]],
    ["no owners", [], false, []],
  ];
  for (const [name, states, hasDependents, expected] of rows) {
    await t.step(name, () => {
      const owners = states.map((state, i) => [owner(`o${i}`), state] as const);
      assert.deepEqual(planOwned(object("p"), owners, hasDependents), expected);
    });
  }
  await t.step("already going", () => {
    assert.deepEqual(planOwned(deleting(), [[owner("o"), "absent"]], false), []);
  });
});

Deno.test("planDeleting() holds an object until what blocks it is gone", () => {
  const blocking = node(object("p", { ownerReferences: [owner("o")] }));
  const free = node(object("q", { ownerReferences: [owner("o", false)] }));
  const going = node(
    object("r", { ownerReferences: [owner("o")], deletionTimestamp: "2026-01-01T00:00:00Z" }),
  );
  const foreground = deleting("foregroundDeletion");
  assert.deepEqual(planDeleting(foreground, [blocking, free]), [{
    kind: "deleteDependents",
    dependents: [blocking],
  }]);
  assert.deepEqual(planDeleting(foreground, [going]), []);
  assert.deepEqual(planDeleting(foreground, [free]), [{
    kind: "removeFinalizer",
    finalizer: "foregroundDeletion",
  }]);
  assert.deepEqual(planDeleting(deleting("orphan"), [blocking]), [{ kind: "orphanDependents" }]);
  assert.deepEqual(planDeleting(deleting("orphan"), []), [{ kind: "removeFinalizer", finalizer: "orphan" }]);
  assert.deepEqual(planDeleting(object("o", { finalizers: ["orphan"] }), []), []);
  assert.deepEqual(planDeleting(deleting("other/finalizer"), []), []);
});
