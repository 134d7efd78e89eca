import assert from "node:assert/strict";
import type { StatefulSet } from "../../../../common/api/apps_v1.ts";
import type { Pod } from "../../../../common/api/core_v1.ts";
import { REVISION_LABEL } from "../revisions.ts";
import { identityLabels, ordinalOf, planStateful, statefulPod, statefulSetStatus } from "./plan.ts";

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const SAME = { current: "r1", update: "r1" };
const ROLLING = { current: "r1", update: "r2" };
type Spec = NonNullable<StatefulSet["spec"]>;

function set(spec: Partial<Spec> = {}): StatefulSet {
  return {
    metadata: { name: "db", namespace: "default", uid: "set", generation: 2 },
    spec: {
      serviceName: "svc",
      replicas: 3,
      selector: { matchLabels: { app: "db" } },
      template: { metadata: { labels: { app: "db" } }, spec: { containers: [] } },
      ...spec,
    },
  };
}

interface Traits {
  phase?: string;
  ready?: number;
  deleting?: true;
  revision?: string;
}

const UNREADY: Traits = { ready: NaN };

function pod(ordinal: number, { phase = "Running", ready = 0, deleting, revision = "r1" }: Traits = {}): Pod {
  return {
    metadata: {
      name: `db-${ordinal}`,
      labels: { app: "db", ...identityLabels(set(), ordinal), [REVISION_LABEL]: revision },
      ...(deleting && { deletionTimestamp: at(0) }),
    },
    status: {
      phase,
      conditions: Number.isNaN(ready)
        ? []
        : [{ type: "Ready", status: "True", lastTransitionTime: at(ready) }],
    },
  };
}

Deno.test("planStateful() goes one pod at a time in order, or all at once", async (t) => {
  const parallel = (more: Partial<Spec> = {}) => set({ podManagementPolicy: "Parallel", ...more });
  const partition = (partition: number) =>
    set({ updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } } });
  const all = (traits: Traits = {}) => [0, 1, 2].map((ordinal) => pod(ordinal, traits));
  const rows: Array<[string, StatefulSet, Pod[], typeof SAME, string[], string[]]> = [
    ["the first", set(), [], SAME, ["0 r1"], []],
    ["waits for the first", set(), [pod(0, UNREADY)], SAME, [], []],
    ["waits until ready long enough", set({ minReadySeconds: 5 }), [pod(0)], SAME, [], []],
    ["the second", set(), [pod(0)], SAME, ["1 r1"], []],
    ["a gap, lowest first", set(), [pod(2)], SAME, ["0 r1"], []],
    ["one that is going is waited for", set(), [pod(0, { deleting: true })], SAME, [], []],
    ["one that failed", set(), [pod(0, { phase: "Failed" }), pod(1)], SAME, [], ["db-0 ended"]],
    ["one that failed and is going", set(), [pod(0, { phase: "Failed", deleting: true })], SAME, [], []],
    ["other first ordinal", set({ ordinals: { start: 5 }, replicas: 1 }), [], SAME, ["5 r1"], []],
    ["complete", set(), all(), SAME, [], []],
    ["scale down from the highest", set({ replicas: 1 }), all(), SAME, [], ["db-2 scale"]],
    [
      "scale down one by one",
      set({ replicas: 1 }),
      [pod(0), pod(1), pod(2, { deleting: true })],
      SAME,
      [],
      [],
    ],
    ["scale down waits for a lower one", set({ replicas: 1 }), [pod(0, UNREADY), pod(1)], SAME, [], []],
    [
      "scale down of one that cannot serve",
      set({ replicas: 2 }),
      [pod(0), pod(1), pod(2, UNREADY)],
      SAME,
      [],
      ["db-2 scale"],
    ],
    ["parallel: all missing", parallel(), [pod(1, UNREADY)], SAME, ["0 r1", "2 r1"], []],
    ["parallel: all too many", parallel({ replicas: 1 }), [pod(0, UNREADY), pod(1), pod(2)], SAME, [], [
      "db-2 scale",
      "db-1 scale",
    ]],
    ["update from the highest", set(), all(), ROLLING, [], ["db-2 update"]],
    ["update goes on", set(), [pod(0), pod(1), pod(2, { revision: "r2" })], ROLLING, [], ["db-1 update"]],
    [
      "update waits for the last",
      set(),
      [pod(0), pod(1), pod(2, { revision: "r2", ready: NaN })],
      ROLLING,
      [],
      [],
    ],
    [
      "update waits, in parallel too",
      parallel(),
      [pod(0), pod(1), pod(2, { revision: "r2", ready: NaN })],
      ROLLING,
      [],
      [],
    ],
    ["update makes new pods new", set(), [pod(0), pod(1)], ROLLING, ["2 r2"], []],
    [
      "partition keeps the lower",
      partition(2),
      [pod(0), pod(1), pod(2, { revision: "r2" })],
      ROLLING,
      [],
      [],
    ],
    ["partition makes the lower old", partition(2), [pod(1), pod(2)], ROLLING, ["0 r1"], []],
    ["partition beyond all", partition(9), all(), ROLLING, [], []],
    ["OnDelete", set({ updateStrategy: { type: "OnDelete" } }), all(), ROLLING, [], []],
    [
      "OnDelete makes new pods new",
      set({ updateStrategy: { type: "OnDelete" } }),
      [pod(0), pod(1)],
      ROLLING,
      ["2 r2"],
      [],
    ],
  ];
  for (const [name, given, pods, revisions, create, remove] of rows) {
    await t.step(name, () => {
      const plan = planStateful(given, pods, revisions, NOW);
      assert.deepEqual(plan.create.map(({ ordinal, revision }) => `${ordinal} ${revision}`), create);
      assert.deepEqual(plan.delete.map(({ pod, why }) => `${pod.metadata?.name} ${why}`), remove);
      assert.deepEqual(plan.relabel, []);
    });
  }
  await t.step("a set that is going does nothing", () => {
    const going = { ...set(), metadata: { ...set().metadata, deletionTimestamp: at(0) } };
    assert.deepEqual(planStateful(going, [], SAME, NOW), { create: [], delete: [], relabel: [] });
  });
  await t.step("a pod without its identity gets it", () => {
    const bare = pod(0);
    bare.metadata!.labels = { app: "db" };
    assert.deepEqual(planStateful(set({ replicas: 1 }), [bare], SAME, NOW).relabel, [bare]);
  });
});

Deno.test("ordinalOf() reads the set's own names only", () => {
  const rows: Array<[string, number | undefined]> = [
    ["db-0", 0],
    ["db-12", 12],
    ["db-01", undefined],
    ["db-", undefined],
    ["db--1", undefined],
    ["db-1x", undefined],
    ["other-1", undefined],
    ["db-9999999999", undefined],
  ];
  for (const [name, expected] of rows) assert.equal(ordinalOf(set(), { metadata: { name } }), expected, name);
});

Deno.test("statefulPod() gives a pod its name for good", () => {
  const template = { metadata: { labels: { app: "old" } }, spec: { containers: [] } };
  const made = statefulPod(set(), 4, template, "db-abc");
  assert.equal(made.metadata?.name, "db-4");
  assert.deepEqual(made.metadata?.labels, {
    app: "old",
    "statefulset.kubernetes.io/pod-name": "db-4",
    "apps.kubernetes.io/pod-index": "4",
    "controller-revision-hash": "db-abc",
  });
  assert.deepEqual(made.spec, { containers: [], hostname: "db-4", subdomain: "svc" });
  assert.deepEqual(made.metadata?.ownerReferences?.map(({ kind, controller }) => [kind, controller]), [
    ["StatefulSet", true],
  ]);
});

Deno.test("statefulSetStatus() counts, and says when an update has arrived", () => {
  const pods = [pod(0, { ready: -20 }), pod(1, { ready: -4 }), pod(2, { revision: "r2", ready: NaN })];
  assert.deepEqual(statefulSetStatus(set({ minReadySeconds: 10 }), pods, ROLLING, NOW), {
    status: {
      observedGeneration: 2,
      replicas: 3,
      readyReplicas: 2,
      availableReplicas: 1,
      currentReplicas: 2,
      updatedReplicas: 1,
      currentRevision: "r1",
      updateRevision: "r2",
      collisionCount: 0,
    },
    againInMs: 6000,
  });
  const { status } = statefulSetStatus(set(), [0, 1, 2].map((n) => pod(n, { revision: "r2" })), ROLLING, NOW);
  assert.deepEqual([status.currentRevision, status.currentReplicas], ["r2", 3]);
});
