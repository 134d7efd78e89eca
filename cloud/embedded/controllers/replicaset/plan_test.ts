import assert from "node:assert/strict";
import type { ReplicaSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { compareForDeletion } from "../pod_state.ts";
import { adoptPatch, planClaims, releasePatch } from "../owners.ts";
import { Expectations } from "./expectations.ts";
import { BURST_REPLICAS, planReplicas, podOf, replicaSetStatus } from "./plan.ts";

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

interface Traits {
  node?: string;
  phase?: string;
  readySince?: number;
  restarts?: number;
  created?: number;
  cost?: string;
  deleting?: true;
}

function pod(name: string, traits: Traits = {}): Pod {
  const { node = "n", phase = "Running", readySince, restarts = 0, created = 0, cost, deleting } = traits;
  return {
    metadata: {
      name,
      namespace: "default",
      uid: name,
      labels: { app: "web" },
      creationTimestamp: at(created),
      ...(deleting && { deletionTimestamp: at(0) }),
      ...(cost && { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } }),
    },
    spec: { containers: [], ...(node !== "" && { nodeName: node }) },
    status: {
      phase,
      conditions: readySince === undefined
        ? []
        : [{ type: "Ready", status: "True", lastTransitionTime: at(readySince) }],
      containerStatuses: [{ name: "c", image: "i", imageID: "", ready: true, restartCount: restarts }],
    },
  };
}

function replicaSet(replicas: number, more: Partial<NonNullable<ReplicaSet["spec"]>> = {}): ReplicaSet {
  return {
    metadata: { name: "web", namespace: "default", uid: "rs", generation: 4 },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" }, annotations: { a: "b" } }, spec: { containers: [] } },
      ...more,
    },
  };
}

Deno.test("compareForDeletion() puts the pod that is missed least first", async (t) => {
  const ready = pod("b", { readySince: 0 });
  const rows: Array<[string, Pod, Pod]> = [
    ["without a node", pod("z", { node: "" }), ready],
    ["pending", pod("z", { phase: "Pending" }), pod("a")],
    ["unknown", pod("z", { phase: "Unknown" }), pod("a")],
    ["not ready", pod("z"), ready],
    ["cheaper to delete", pod("z", { readySince: 0, cost: "-5" }), ready],
    ["ready for a shorter time", pod("z", { readySince: 9 }), ready],
    ["restarted more often", pod("z", { readySince: 0, restarts: 3 }), ready],
    ["younger", pod("z", { readySince: 0, created: 9 }), ready],
  ];
  for (const [name, first, second] of rows) {
    await t.step(name, () => {
      assert.ok(compareForDeletion(first, second, () => 1) < 0);
      assert.ok(compareForDeletion(second, first, () => 1) > 0);
    });
  }
  await t.step("on a node with more of its kind", () => {
    const crowded = pod("z", { node: "full", readySince: 0 });
    assert.ok(compareForDeletion(crowded, ready, (node) => node === "full" ? 3 : 1) < 0);
  });
});

Deno.test("planReplicas() counts active pods only", () => {
  const pods = [pod("a"), pod("gone", { deleting: true }), pod("done", { phase: "Failed" })];
  assert.deepEqual(planReplicas(replicaSet(3), pods), { create: 2, delete: [] });
  assert.deepEqual(planReplicas(replicaSet(1), pods), { create: 0, delete: [] });
  const [a, b] = [pod("a", { readySince: 0 }), pod("b")];
  assert.deepEqual(planReplicas(replicaSet(1), [a, b]).delete, [b]);
  assert.equal(planReplicas(replicaSet(100_000), []).create, BURST_REPLICAS);
  const deleting = { ...replicaSet(3), metadata: { name: "web", deletionTimestamp: at(0) } };
  assert.deepEqual(planReplicas(deleting, []), { create: 0, delete: [] });
});

Deno.test("podOf() makes a pod of the template that belongs to its replica set", () => {
  const made = podOf(replicaSet(1));
  assert.equal(made.metadata?.generateName, "web-");
  assert.deepEqual(made.metadata?.labels, { app: "web" });
  assert.deepEqual(made.metadata?.annotations, { a: "b" });
  assert.deepEqual(made.metadata?.ownerReferences, [
    {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      name: "web",
      uid: "rs",
      controller: true,
      blockOwnerDeletion: true,
    },
  ]);
});

Deno.test("replicaSetStatus() counts, and says when the next pod has been ready long enough", () => {
  const pods = [
    pod("a", { readySince: -20 }),
    pod("b", { readySince: -4 }),
    pod("c"),
    pod("d", { deleting: true, readySince: -20 }),
  ];
  pods[2]!.metadata!.labels = {};
  const { status, againInMs } = replicaSetStatus(
    replicaSet(3, { minReadySeconds: 10 }),
    pods,
    undefined,
    NOW,
  );
  assert.deepEqual(status, {
    replicas: 3,
    fullyLabeledReplicas: 2,
    readyReplicas: 2,
    availableReplicas: 1,
    observedGeneration: 4,
  });
  assert.equal(againInMs, 6000);
});

Deno.test("replicaSetStatus() tells a failure and forgets it", () => {
  const failed =
    replicaSetStatus(replicaSet(1), [], { reason: "FailedCreate", message: "quota" }, NOW).status;
  assert.deepEqual(failed.conditions?.map(({ type, reason, message }) => [type, reason, message]), [
    ["ReplicaFailure", "FailedCreate", "quota"],
  ]);
  const healed = replicaSetStatus({ ...replicaSet(1), status: failed }, [], undefined, NOW).status;
  assert.equal(healed.conditions, undefined);
});

Deno.test("planClaims() takes orphans, keeps its own, lets go of what no longer matches, leaves others' alone", () => {
  const owner = replicaSet(1);
  const selector = [{ operator: "In" as const, key: "app", values: ["web"] }];
  const owned = (name: string, uid: string, labels: Record<string, string>): Pod => ({
    metadata: {
      name,
      labels,
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "x", uid, controller: true }],
    },
  });
  const mine = owned("mine", "rs", { app: "web" });
  const strayed = owned("strayed", "rs", { app: "api" });
  const theirs = owned("theirs", "other", { app: "web" });
  const orphan = pod("orphan");
  const claims = planClaims(owner, selector, [
    mine,
    strayed,
    theirs,
    orphan,
    pod("dying", { deleting: true }),
  ]);
  assert.deepEqual(claims, { owned: [mine], adopt: [orphan], release: [strayed] });
  const dying = { ...owner, metadata: { ...owner.metadata, deletionTimestamp: at(0) } };
  assert.deepEqual(planClaims(dying, selector, [orphan, strayed]), { owned: [], adopt: [], release: [] });
});

Deno.test("adoptPatch() and releasePatch() hold for one version of the object only", () => {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "rs", controller: true };
  const given = {
    metadata: { name: "p", uid: "p", resourceVersion: "5", ownerReferences: [{ ...owner, uid: "other" }] },
  };
  assert.deepEqual(adoptPatch(given, owner).metadata, {
    uid: "p",
    resourceVersion: "5",
    ownerReferences: [{ ...owner, uid: "other" }, owner],
  });
  assert.deepEqual(releasePatch(given, new Set(["other"])).metadata, {
    uid: "p",
    resourceVersion: "5",
    ownerReferences: null,
  });
});

Deno.test("Expectations hold until seen, or for half a minute", () => {
  const expectations = new Expectations();
  expectations.expect("k", "a", 0);
  expectations.expect("k", "b", 1000);
  assert.equal(expectations.pendingMs("k", 2000), 29_000);
  expectations.observed("k", "b");
  assert.equal(expectations.pendingMs("k", 2000), 28_000);
  expectations.observed("k", "a");
  assert.equal(expectations.pendingMs("k", 2000), 0);
  expectations.expect("k", "c", 0);
  assert.equal(expectations.pendingMs("k", 30_000), 0);
});
