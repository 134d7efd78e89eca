import assert from "node:assert/strict";
import type { DaemonSet } from "../../../../common/api/apps_v1.ts";
import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { placePod } from "../scheduler/plan.ts";
import { REVISION_LABEL } from "../revisions.ts";
import { FailureBackoff } from "./backoff.ts";
import { daemonTolerations, eligibility, pinToNode, targetNode } from "./nodes.ts";
import { daemonPod, daemonSetStatus, planDaemons, updateLimits } from "./plan.ts";

const NOW = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();
const HASH = "new";
type PodSpec = NonNullable<Pod["spec"]>;
type Strategy = NonNullable<DaemonSet["spec"]>["updateStrategy"];

function node(
  name: string,
  change: (node: Node & { spec: NonNullable<Node["spec"]> }) => void = () => {},
): Node {
  const made = {
    metadata: { name, labels: { zone: name } },
    spec: {},
    status: { allocatable: { pods: "9" }, conditions: [{ type: "Ready", status: "True" }] },
  };
  change(made);
  return made;
}

function daemonSet(spec: Partial<PodSpec> = {}, updateStrategy?: Strategy): DaemonSet {
  return {
    metadata: { name: "agent", namespace: "default", uid: "ds", generation: 3 },
    spec: {
      selector: { matchLabels: { app: "agent" } },
      template: { metadata: { labels: { app: "agent" } }, spec: { containers: [], ...spec } },
      ...(updateStrategy && { updateStrategy }),
    },
  };
}

interface Traits {
  phase?: string;
  readySince?: number;
  created?: number;
  deleting?: true;
  hash?: string;
  bound?: false;
}

function pod(name: string, on: string, traits: Traits = {}): Pod {
  const { phase = "Running", readySince = 0, created = 0, deleting, hash = HASH, bound } = traits;
  return {
    metadata: {
      name,
      uid: name,
      namespace: "default",
      labels: { app: "agent", [REVISION_LABEL]: hash },
      creationTimestamp: at(created),
      ...(deleting && { deletionTimestamp: at(0) }),
    },
    spec: {
      containers: [],
      ...(bound === false ? { affinity: pinToNode(undefined, on) } : { nodeName: on }),
    },
    status: {
      phase,
      conditions: Number.isNaN(readySince)
        ? []
        : [{ type: "Ready", status: "True", lastTransitionTime: at(readySince) }],
    },
  };
}

const OLD = { hash: "old" };
const UNREADY = { readySince: NaN };

Deno.test("eligibility() tells where a daemon pod runs and where one may stay", async (t) => {
  const taint = (key: string, effect: string) => node("a", (n) => n.spec.taints = [{ key, effect }]);
  const affinity = (values: string[]): Partial<PodSpec> => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In", values }] }],
        },
      },
    },
  });
  const [both, stay, none] = [{ run: true, keep: true }, { run: false, keep: true }, {
    run: false,
    keep: false,
  }];
  const rows: Array<[string, Partial<PodSpec>, Node, { run: boolean; keep: boolean }]> = [
    ["plain", {}, node("a"), both],
    ["selector met", { nodeSelector: { zone: "a" } }, node("a"), both],
    ["selector not met", { nodeSelector: { zone: "b" } }, node("a"), none],
    ["affinity met", affinity(["a"]), node("a"), both],
    ["affinity not met", affinity(["b"]), node("a"), none],
    ["named node", { nodeName: "a" }, node("a"), both],
    ["other named node", { nodeName: "b" }, node("a"), none],
    ["cordoned", {}, node("a", (n) => n.spec.unschedulable = true), both],
    ["disk pressure", {}, taint("node.kubernetes.io/disk-pressure", "NoSchedule"), both],
    ["unreachable", {}, taint("node.kubernetes.io/unreachable", "NoExecute"), both],
    ["foreign NoSchedule", {}, taint("gpu", "NoSchedule"), stay],
    ["foreign NoExecute", {}, taint("gpu", "NoExecute"), none],
    ["tolerated NoExecute", { tolerations: [{ operator: "Exists" }] }, taint("gpu", "NoExecute"), both],
    ["no network", {}, taint("node.kubernetes.io/network-unavailable", "NoSchedule"), stay],
    [
      "no network, host network",
      { hostNetwork: true },
      taint("node.kubernetes.io/network-unavailable", "NoSchedule"),
      both,
    ],
    ["being deleted", {}, node("a", (n) => n.metadata = { ...n.metadata, deletionTimestamp: at(0) }), none],
  ];
  for (const [name, spec, given, expected] of rows) {
    await t.step(name, () => assert.deepEqual(eligibility(daemonSet(spec), given), expected));
  }
});

Deno.test("daemonTolerations() puts no time limit on what daemon pods outlive, and keeps the rest", () => {
  const own = { key: "gpu", operator: "Exists", effect: "NoSchedule" };
  const limited = {
    key: "node.kubernetes.io/not-ready",
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: 5,
  };
  const made = daemonTolerations({ containers: [], tolerations: [own, limited] });
  assert.deepEqual(made[0], own);
  assert.equal(made.length, 7);
  assert.ok(made.every(({ tolerationSeconds }) => tolerationSeconds === undefined));
});

Deno.test("daemonPod() makes a pod that the scheduler binds to its node and to no other", () => {
  const [a, b, c] = [node("a"), node("b"), node("c")];
  const made = daemonPod(daemonSet(), "b", "h");
  const loads = [a, b, c].map((node) => ({ node, pods: [] }));
  assert.deepEqual(placePod(made, loads), { kind: "bind", nodeName: "b" });
  assert.equal(placePod(made, [{ node: a, pods: [] }]).kind, "unschedulable");
  assert.equal(targetNode(made), "b");
  assert.equal(made.metadata?.generateName, "agent-");
  assert.deepEqual(made.metadata?.labels, { app: "agent", "controller-revision-hash": "h" });
  assert.deepEqual(
    made.metadata?.ownerReferences?.map(({ kind, uid, controller }) => [kind, uid, controller]),
    [
      ["DaemonSet", "ds", true],
    ],
  );
});

Deno.test("pinToNode() narrows the terms there are", () => {
  const zone = { key: "zone", operator: "In", values: ["b"] };
  const preferred = [{ weight: 1, preference: { matchExpressions: [zone] } }];
  const made = pinToNode({
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [zone] }, {}],
      },
      preferredDuringSchedulingIgnoredDuringExecution: preferred,
    },
  }, "a").nodeAffinity;
  const matchFields = [{ key: "metadata.name", operator: "In", values: ["a"] }];
  assert.deepEqual(made, {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [zone], matchFields }],
    },
    preferredDuringSchedulingIgnoredDuringExecution: preferred,
  });
});

Deno.test("planDaemons() brings one pod to each node", async (t) => {
  const [a, b] = [node("a"), node("b")];
  const tainted = node("a", (n) => n.spec.taints = [{ key: "gpu", effect: "NoExecute" }]);
  const rolling = (maxUnavailable: number | string, maxSurge: number | string = 0) =>
    daemonSet({}, { type: "RollingUpdate", rollingUpdate: { maxUnavailable, maxSurge } });
  const rows: Array<[string, DaemonSet, Pod[], Node[], string[], string[], string[]]> = [
    ["missing everywhere", daemonSet(), [], [a, b], ["a", "b"], [], []],
    ["there", daemonSet(), [pod("1", "a"), pod("2", "b", { bound: false })], [a, b], [], [], []],
    ["going, so none beside it", daemonSet(), [pod("1", "a", { deleting: true })], [a], [], [], []],
    ["failed", daemonSet(), [pod("1", "a", { phase: "Failed" })], [a], [], [], ["1"]],
    ["succeeded", daemonSet(), [pod("1", "a", { phase: "Succeeded" })], [a], [], [], ["1"]],
    ["two: the older stays", daemonSet(), [pod("1", "a", { created: 5 }), pod("2", "a")], [a], [], ["1"], []],
    ["ineligible node", daemonSet(), [pod("1", "a")], [tainted], [], ["1"], []],
    ["node gone before binding", daemonSet(), [pod("1", "x", { bound: false })], [], [], ["1"], []],
    ["node gone after binding: the pod collector's", daemonSet(), [pod("1", "x")], [], [], [], []],
    ["update, one at a time", rolling(1), [pod("1", "a", OLD), pod("2", "b", OLD)], [a, b], [], ["1"], []],
    ["update, two at a time", rolling("100%"), [pod("1", "a", OLD), pod("2", "b", OLD)], [a, b], [], [
      "1",
      "2",
    ], []],
    [
      "update waits for the new one",
      rolling(1),
      [pod("1", "a", UNREADY), pod("2", "b", OLD)],
      [a, b],
      [],
      [],
      [],
    ],
    ["update waits for the missing one", rolling(1), [pod("2", "b", OLD)], [a, b], ["a"], [], []],
    [
      "update begins with what does not serve",
      rolling(1),
      [pod("1", "a", OLD), pod("2", "b", { ...OLD, ...UNREADY })],
      [a, b],
      [],
      ["2"],
      [],
    ],
    ["OnDelete", daemonSet({}, { type: "OnDelete" }), [pod("1", "a", OLD)], [a], [], [], []],
    ["surge: new beside old", rolling(0, 1), [pod("1", "a", OLD), pod("2", "b", OLD)], [a, b], ["a"], [], []],
    [
      "surge: old stays until new serves",
      rolling(0, 1),
      [pod("1", "a", OLD), pod("3", "a", UNREADY), pod("2", "b", OLD)],
      [a, b],
      [],
      [],
      [],
    ],
    ["surge: old goes", rolling(0, 1), [pod("1", "a", OLD), pod("3", "a")], [a], [], ["1"], []],
  ];
  for (const [name, set, pods, nodes, create, remove, finished] of rows) {
    await t.step(name, () => {
      const plan = planDaemons(set, pods, nodes, HASH, NOW);
      assert.deepEqual(plan.create, create);
      assert.deepEqual(plan.delete.map((pod) => pod.metadata?.name), remove);
      assert.deepEqual(plan.finished.map(({ pod }) => pod.metadata?.name), finished);
    });
  }
  await t.step("a daemon set that is going makes none", () => {
    const going = daemonSet();
    going.metadata = { ...going.metadata, deletionTimestamp: at(0) };
    assert.deepEqual(planDaemons(going, [], [a], HASH, NOW), { create: [], delete: [], finished: [] });
  });
});

Deno.test("updateLimits() rounds up and never gives none of both", () => {
  const limits = (maxUnavailable: number | string, maxSurge: number | string) =>
    updateLimits(daemonSet({}, { rollingUpdate: { maxUnavailable, maxSurge } }), 5);
  assert.deepEqual(limits("25%", 0), { maxUnavailable: 2, maxSurge: 0 });
  assert.deepEqual(limits(0, "1%"), { maxUnavailable: 0, maxSurge: 1 });
  assert.deepEqual(limits(0, 0), { maxUnavailable: 1, maxSurge: 0 });
  assert.deepEqual(updateLimits(daemonSet(), 5), { maxUnavailable: 1, maxSurge: 0 });
});

Deno.test("daemonSetStatus() counts nodes, and says when the next pod has been ready long enough", () => {
  const set = daemonSet({ nodeSelector: { kind: "edge" } });
  set.spec!.minReadySeconds = 10;
  const nodes = ["a", "b", "c", "d"].map((name) => node(name, (n) => n.metadata!.labels!.kind = "edge"));
  const pods = [
    pod("1", "a", { readySince: -20 }),
    pod("2", "b", { readySince: -4, hash: "old" }),
    pod("3", "c", UNREADY),
    pod("4", "other"),
  ];
  assert.deepEqual(daemonSetStatus(set, pods, [...nodes, node("other")], HASH, NOW), {
    status: {
      observedGeneration: 3,
      desiredNumberScheduled: 4,
      currentNumberScheduled: 3,
      numberMisscheduled: 1,
      numberReady: 2,
      updatedNumberScheduled: 2,
      numberAvailable: 1,
      numberUnavailable: 3,
    },
    againInMs: 6000,
  });
});

Deno.test("FailureBackoff doubles the pause between replacements, up to a quarter of an hour", () => {
  const backoff = new FailureBackoff();
  assert.equal(backoff.pauseMs("k", 0), 0);
  assert.equal(backoff.pauseMs("k", 400), 600);
  assert.equal(backoff.pauseMs("other", 400), 0);
  assert.equal(backoff.pauseMs("k", 1000), 0);
  assert.equal(backoff.pauseMs("k", 1000), 2000);
  let now = 1000, pause = 0;
  for (let i = 0; i < 20; i++) {
    now += pause = backoff.pauseMs("k", now);
    backoff.pauseMs("k", now);
  }
  assert.equal(pause, 15 * 60_000);
  assert.equal(backoff.pauseMs("k", now + 31 * 60_000), 0);
  assert.equal(backoff.pauseMs("k", now + 31 * 60_000), 1000);
});
