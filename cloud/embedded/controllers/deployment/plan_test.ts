import assert from "node:assert/strict";
import fc from "fast-check";
import type { Deployment, ReplicaSet } from "../../../../common/api/apps_v1.ts";
import { findCondition } from "../conditions.ts";
import { HASH_LABEL, sameTemplate, templateHash } from "./hash.ts";
import { DESIRED_REPLICAS, MAX_REPLICAS, maxReplicas, REVISION, rollingLimits } from "./numbers.ts";
import {
  isScaling,
  nextSize,
  planCleanup,
  planRecreate,
  planRollingUpdate,
  planScale,
  type Rollout,
  type ScaleStep,
} from "./plan.ts";
import { newReplicaSet, nextRevision, replicaSetAnnotations, sortReplicaSets } from "./replica_sets.ts";
import { deadlineInMs, deploymentStatus, pausedConditions, rolloutStatus } from "./status.ts";

const NOW = Date.UTC(2026, 0, 1);

function deployment(
  replicas: number,
  maxSurge: number | string = "25%",
  maxUnavailable: number | string = "25%",
  more: Partial<NonNullable<Deployment["spec"]>> = {},
): Deployment {
  return {
    metadata: { name: "web", namespace: "default", uid: "d", generation: 1 },
    spec: {
      replicas,
      selector: { matchLabels: { app: "web" } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge, maxUnavailable } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "new" }] } },
      ...more,
    },
  };
}

let serial = 0;
function replicaSet(
  replicas: number,
  available = replicas,
  annotations: Record<string, string> = {},
): ReplicaSet {
  const created = new Date(NOW + 1000 * serial++).toISOString();
  return {
    metadata: { name: `rs${serial}`, generation: 1, creationTimestamp: created, annotations },
    spec: { replicas, selector: {} },
    status: { replicas, availableReplicas: available, readyReplicas: available, observedGeneration: 1 },
  };
}

const rollout = (given: Deployment, current: ReplicaSet | undefined, ...old: ReplicaSet[]): Rollout => ({
  deployment: given,
  current,
  old,
});
const sizes = (steps: ScaleStep[] | "wait") =>
  steps === "wait" ? steps : steps.map(({ replicas }) => replicas);

Deno.test("rollingLimits() rounds surge up, unavailable down, and never allows neither", async (t) => {
  const rows: Array<[number, number | string, number | string, [number, number]]> = [
    [10, "25%", "25%", [3, 2]],
    [1, "25%", "25%", [1, 0]],
    [3, 0, 0, [0, 1]],
    [3, "0%", "10%", [0, 1]],
    [2, 5, 5, [5, 2]],
    [0, "25%", "25%", [0, 0]],
    [3, "nonsense", "nonsense", [0, 1]],
  ];
  for (const [replicas, surge, unavailable, [maxSurge, maxUnavailable]] of rows) {
    await t.step(`${replicas} ${surge} ${unavailable}`, () => {
      assert.deepEqual(rollingLimits(deployment(replicas, surge, unavailable)), { maxSurge, maxUnavailable });
    });
  }
});

Deno.test("planRollingUpdate() surges first, then takes away what availability allows", async (t) => {
  const given = deployment(4, 1, 1);
  const rows: Array<[string, Rollout, number[]]> = [
    ["first step up", rollout(given, replicaSet(0), replicaSet(4)), [1]],
    ["down while the new does not serve", rollout(given, replicaSet(1, 0), replicaSet(4)), [3]],
    ["room made below", rollout(given, replicaSet(1, 0), replicaSet(3)), [2]],
    ["nothing while too few serve", rollout(given, replicaSet(2, 0), replicaSet(3)), []],
    ["down as the new serve", rollout(given, replicaSet(2, 2), replicaSet(3)), [1]],
    ["those that do not serve first", rollout(given, replicaSet(1, 0), replicaSet(1, 1), replicaSet(3, 2)), [
      2,
    ]],
    ["finished", rollout(given, replicaSet(4), replicaSet(0)), []],
    ["too many of the new", rollout(given, replicaSet(6)), [4]],
    ["a status from before the last scaling", rollout(given, replicaSet(2, 2), replicaSet(3, 4)), [1]],
  ];
  for (const [name, given, expected] of rows) {
    await t.step(name, () => assert.deepEqual(sizes(planRollingUpdate(given)), expected));
  }
});

Deno.test("planRollingUpdate() reaches the new template within its limits from any start", () => {
  const limit = fc.nat(4);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      limit,
      limit,
      fc.nat(12),
      fc.nat(12),
      (n, surge, missing, a, b) => {
        const given = deployment(n, surge, missing);
        const { maxUnavailable } = rollingLimits(given);
        let state = rollout(given, replicaSet(0), replicaSet(a), replicaSet(b));
        const settle = (set: ReplicaSet, replicas: number): ReplicaSet => ({
          ...set,
          spec: { ...set.spec!, replicas },
          status: { ...set.status!, replicas, availableReplicas: replicas },
        });
        const total = ({ current, old }: Rollout) =>
          [current!, ...old].reduce((sum, set) => sum + set.spec!.replicas!, 0);
        let most = Math.max(total(state), maxReplicas(given));
        let least = Math.min(total(state), n - maxUnavailable);
        for (let i = 0; i < 100; i++) {
          const steps = planRollingUpdate(state);
          if (steps.length === 0) break;
          const after = (set: ReplicaSet) => {
            const step = steps.find((s) => s.replicaSet === set);
            return step === undefined ? set : settle(set, step.replicas);
          };
          state = { ...state, current: after(state.current!), old: state.old.map(after) };
          assert.ok(total(state) <= most && total(state) >= least, `${total(state)} of ${least}..${most}`);
          most = Math.max(Math.min(most, total(state)), maxReplicas(given));
          least = Math.min(Math.max(least, total(state)), n - maxUnavailable);
        }
        assert.equal(state.current!.spec!.replicas, n);
        assert.equal(total(state), n);
      },
    ),
  );
});

Deno.test("planRecreate() waits for the old pods before the new ones come", () => {
  const given = deployment(2, 0, 0, { strategy: { type: "Recreate" } });
  assert.deepEqual(sizes(planRecreate(rollout(given, undefined, replicaSet(2)), true)), [0]);
  assert.equal(planRecreate(rollout(given, undefined, replicaSet(0)), true), "wait");
  assert.deepEqual(planRecreate(rollout(given, undefined, replicaSet(0)), false), []);
  assert.deepEqual(sizes(planRecreate(rollout(given, replicaSet(0), replicaSet(0)), false)), [2]);
  assert.equal(nextSize(rollout(given, undefined, replicaSet(0))), 2);
});

Deno.test("planScale() spreads a change in proportion and leaves a finished rollout alone", () => {
  const annotated = (replicas: number, desired: number, available = replicas) =>
    replicaSet(replicas, available, {
      [DESIRED_REPLICAS]: String(desired),
      [MAX_REPLICAS]: String(desired + 3),
    });
  const halfway = rollout(deployment(20, 3, 2), annotated(5, 10), annotated(8, 10));
  assert.ok(isScaling(halfway));
  const steps = planScale(halfway);
  assert.equal(steps.reduce((sum, { replicas }) => sum + replicas, 0), 23);
  assert.deepEqual(sizes(steps), [14, 9]);
  assert.deepEqual(sizes(planScale(rollout(deployment(5), annotated(3, 3)))), [5]);
  assert.deepEqual(sizes(planScale(rollout(deployment(0), annotated(3, 3), annotated(1, 3)))), [0, 0]);
  assert.ok(!isScaling(rollout(deployment(3), annotated(3, 3))));
  const saturated = rollout(deployment(3), annotated(3, 3), annotated(1, 3));
  assert.deepEqual(
    planScale(saturated).map(({ replicaSet, replicas }) => [replicaSet === saturated.old[0], replicas]),
    [[true, 0]],
  );
});

Deno.test("planCleanup() removes the oldest revisions that are empty and settled", () => {
  const revision = (n: number, replicas = 0) => replicaSet(replicas, 0, { [REVISION]: String(n) });
  const given = deployment(1, 1, 1, { revisionHistoryLimit: 1 });
  const old = [revision(3), revision(1), revision(2, 1), revision(4)];
  assert.deepEqual(planCleanup(given, old).map((r) => r.metadata?.annotations?.[REVISION]), ["1", "3"]);
  assert.deepEqual(planCleanup(deployment(1), old), []);
});

Deno.test("sameTemplate() does not look at the hash, at nulls or at the order of fields", () => {
  const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
  const other = {
    spec: { containers: [{ image: "i", name: "c" }] },
    metadata: { creationTimestamp: null, labels: { [HASH_LABEL]: "x", a: "b" } },
  };
  assert.ok(sameTemplate(template, JSON.parse(JSON.stringify(other))));
  assert.equal(templateHash(template), templateHash(JSON.parse(JSON.stringify(other))));
  assert.ok(!sameTemplate(template, { ...template, metadata: { labels: { a: "c" } } }));
  assert.notEqual(templateHash(template), templateHash(template, 1));
  assert.match(templateHash(template), /^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
});

Deno.test("newReplicaSet() carries owner, hash, revision and sizes", () => {
  const given = {
    ...deployment(3, 1, 0),
    metadata: {
      name: "web",
      namespace: "default",
      uid: "d",
      annotations: { note: "x", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    },
  };
  const made = newReplicaSet(rollout(given, undefined, replicaSet(3, 3, { [REVISION]: "7" })));
  const hash = templateHash(given.spec!.template!);
  assert.equal(made.metadata?.name, `web-${hash}`);
  assert.equal(made.spec?.replicas, 1);
  assert.deepEqual(made.metadata?.annotations, {
    note: "x",
    [REVISION]: "8",
    [DESIRED_REPLICAS]: "3",
    [MAX_REPLICAS]: "4",
  });
  assert.deepEqual(made.spec?.selector.matchLabels, { app: "web", [HASH_LABEL]: hash });
  assert.equal(made.spec?.template?.metadata?.labels?.[HASH_LABEL], hash);
  assert.deepEqual(made.metadata?.ownerReferences, [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      name: "web",
      uid: "d",
      controller: true,
      blockOwnerDeletion: true,
    },
  ]);
  assert.equal(sortReplicaSets(given, [made]).current, made);
});

Deno.test("replicaSetAnnotations() keeps the history of a template that comes back", () => {
  const old = replicaSet(0, 0, { [REVISION]: "2" });
  const state = rollout(deployment(1), replicaSet(1, 1, { [REVISION]: "1" }), old);
  const annotations = replicaSetAnnotations(state.deployment, state.current, nextRevision(state));
  assert.equal(annotations[REVISION], "3");
  assert.equal(annotations["deployment.kubernetes.io/revision-history"], "1");
});

Deno.test("rolloutStatus() tells progress, success and the missed deadline as kubectl expects", async (t) => {
  const progressing = (state: Rollout, now = NOW) =>
    findCondition(rolloutStatus(state, now).conditions, "Progressing");
  const withStatus = (given: Deployment, status: Deployment["status"]): Deployment => ({
    ...given,
    status: status!,
  });
  await t.step("moving", () => {
    const condition = progressing(rollout(deployment(2), replicaSet(2, 1)));
    assert.deepEqual([condition?.status, condition?.reason], ["True", "ReplicaSetUpdated"]);
  });
  await t.step("complete", () => {
    const condition = progressing(rollout(deployment(2), replicaSet(2)));
    assert.deepEqual([condition?.status, condition?.reason], ["True", "NewReplicaSetAvailable"]);
    assert.match(condition?.message ?? "", /^ReplicaSet "rs\d+" has successfully progressed\.$/);
  });
  await t.step("deadline", () => {
    const state = rollout(deployment(2, 1, 1, { progressDeadlineSeconds: 10 }), replicaSet(2, 1));
    const status = rolloutStatus(state, NOW);
    const later = rollout(withStatus(state.deployment, status), state.current);
    assert.equal(deadlineInMs(later.deployment, status, NOW), 10_000);
    assert.equal(progressing(later, NOW + 9_000)?.reason, "ReplicaSetUpdated");
    const condition = progressing(later, NOW + 10_000);
    assert.deepEqual([condition?.status, condition?.reason], ["False", "ProgressDeadlineExceeded"]);
  });
  await t.step("no deadline", () => {
    const state = rollout(deployment(2, 1, 1, { progressDeadlineSeconds: 2147483647 }), replicaSet(2, 1));
    assert.equal(progressing(state), undefined);
  });
  await t.step("a replica set that cannot make pods", () => {
    const current = replicaSet(2, 0);
    current.status!.conditions = [{
      type: "ReplicaFailure",
      status: "True",
      reason: "FailedCreate",
      message: "quota",
    }];
    const state = rollout(deployment(2), current);
    const failure = findCondition(rolloutStatus(state, NOW).conditions, "ReplicaFailure");
    assert.equal(failure?.message, "quota");
  });
});

Deno.test("deploymentStatus() counts, and leaves zeros out as the real API does", () => {
  const status = deploymentStatus(rollout(deployment(4, 1, 1), replicaSet(2, 0), replicaSet(3)), NOW);
  const { conditions, ...counts } = status;
  assert.deepEqual(counts, {
    replicas: 5,
    updatedReplicas: 2,
    readyReplicas: 3,
    availableReplicas: 3,
    unavailableReplicas: 2,
    observedGeneration: 1,
  });
  assert.equal(findCondition(conditions, "Available")?.status, "True");
  const none = deploymentStatus(rollout(deployment(4, 1, 1), replicaSet(4, 0)), NOW);
  assert.equal(findCondition(none.conditions, "Available")?.reason, "MinimumReplicasUnavailable");
  assert.equal("availableReplicas" in none, false);
});

Deno.test("pausedConditions() tells a pause once and its end once", () => {
  const paused = deployment(1, 1, 1, { paused: true });
  const during = pausedConditions(paused, NOW);
  assert.deepEqual(during.map(({ status, reason }) => [status, reason]), [["Unknown", "DeploymentPaused"]]);
  assert.deepEqual(pausedConditions({ ...paused, status: { conditions: during } }, NOW + 5000), during);
  const after = pausedConditions({ ...deployment(1), status: { conditions: during } }, NOW + 5000);
  assert.deepEqual(after.map(({ reason }) => reason), ["DeploymentResumed"]);
});
