import assert from "node:assert/strict";
import type { Pod } from "../../../../common/api/core_v1.ts";
import type { PodDisruptionBudget } from "../../../../common/api/policy_v1.ts";
import { timestamp } from "../conditions.ts";
import { budgetStatus, expectedOf } from "./plan.ts";

const NOW = Date.UTC(2026, 0, 1);
const pod = (name: string, ready = true, owner = "rs"): Pod => ({
  metadata: {
    name,
    ...(owner !== "" && {
      ownerReferences: [{
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: owner,
        uid: owner,
        controller: true,
      }],
    }),
  },
  status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});
const budget = (spec: NonNullable<PodDisruptionBudget["spec"]>, status?: object): PodDisruptionBudget => ({
  metadata: { name: "b", generation: 3 },
  spec,
  ...(status &&
    { status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0, ...status } }),
});
const scaleOf = () => ({ uid: "rs", replicas: 10 });

Deno.test("expectedOf() goes by the pods, or by what those who make them want", async (t) => {
  const pods = [pod("a"), pod("b"), pod("naked", true, "")];
  const rows: Array<[string, NonNullable<PodDisruptionBudget["spec"]>, number, number, string[]]> = [
    ["a number that stays", { minAvailable: 2 }, 3, 2, []],
    ["a share that stays", { minAvailable: "25%" }, 10, 3, ["naked"]],
    ["a number that goes", { maxUnavailable: 1 }, 10, 9, ["naked"]],
    ["a share that goes", { maxUnavailable: "25%" }, 10, 7, ["naked"]],
    ["more than there are", { maxUnavailable: 20 }, 10, 0, ["naked"]],
    ["nothing said", {}, 3, 0, []],
  ];
  for (const [name, spec, expected, desired, unmanaged] of rows) {
    await t.step(
      name,
      () => assert.deepEqual(expectedOf(budget(spec), pods, scaleOf), { expected, desired, unmanaged }),
    );
  }
  assert.throws(() => expectedOf(budget({ maxUnavailable: 1 }), [pod("a")], () => undefined), TypeError);
});

Deno.test("budgetStatus() allows what is healthy beyond what must stay", () => {
  const pods = [pod("a"), pod("b"), pod("c", false)];
  const { status } = budgetStatus(budget({ minAvailable: 1 }), pods, {
    expected: 3,
    desired: 1,
    unmanaged: [],
  }, NOW);
  const { conditions, ...counts } = status;
  assert.deepEqual(counts, {
    currentHealthy: 2,
    desiredHealthy: 1,
    disruptionsAllowed: 1,
    expectedPods: 3,
    observedGeneration: 3,
  });
  assert.deepEqual(conditions?.map(({ type, status, reason }) => [type, status, reason]), [
    ["DisruptionAllowed", "True", "SufficientPods"],
  ]);
});

Deno.test("budgetStatus() holds an evicted pod against the budget until it goes, or two minutes", () => {
  const given = (ms: number) =>
    budgetStatus(
      budget({ minAvailable: 1 }, { disruptedPods: { a: timestamp(NOW - ms), gone: timestamp(NOW) } }),
      [pod("a"), pod("b")],
      { expected: 2, desired: 1, unmanaged: [] },
      NOW,
    );
  assert.deepEqual(given(20_000).status.disruptedPods, { a: timestamp(NOW - 20_000) });
  assert.deepEqual([given(20_000).status.disruptionsAllowed, given(20_000).againInMs], [0, 100_000]);
  assert.deepEqual([given(120_000).status.disruptionsAllowed, given(120_000).againInMs], [1, undefined]);
});
