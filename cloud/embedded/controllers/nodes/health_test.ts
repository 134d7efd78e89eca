import assert from "node:assert/strict";
import type { Node, Pod, Taint, Toleration } from "../../../../common/api/core_v1.ts";
import { hearNode, planTaints, silentConditions } from "./health.ts";
import { excessFinished, lostReason } from "./pod_gc.ts";
import { evictionTime } from "./taint_eviction.ts";

const NOW = Date.UTC(2026, 0, 1);
const text = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
const OPTIONS = { gracePeriodMs: 40_000, startupGracePeriodMs: 60_000 };

function node(conditions: Record<string, string>, taints: Taint[] = [], unschedulable = false): Node {
  return {
    metadata: { name: "n", creationTimestamp: text(NOW) },
    spec: { ...(taints.length > 0 && { taints }), ...(unschedulable && { unschedulable }) },
    status: {
      conditions: Object.entries(conditions).map(([type, status]) => ({
        type,
        status,
        lastHeartbeatTime: text(NOW),
      })),
    },
  };
}
const lease = (renewTime: string) => ({ metadata: { name: "n" }, spec: { renewTime } });

Deno.test("hearNode() moves on only when lease or heartbeat change, by this side's clock", () => {
  const ready = node({ Ready: "True" });
  const first = hearNode(ready, lease("a"), undefined, NOW);
  assert.equal(first.heardAt, NOW);
  assert.equal(hearNode(ready, lease("a"), first, NOW + 5000), first);
  assert.equal(hearNode(ready, lease("b"), first, NOW + 5000).heardAt, NOW + 5000);
  const beat = node({ Ready: "True" });
  beat.status!.conditions![0]!.lastHeartbeatTime = text(NOW + 10_000);
  assert.equal(hearNode(beat, lease("a"), first, NOW + 6000).heardAt, NOW + 6000);
});

Deno.test("hearNode() does not take its own verdict for a sign of life", () => {
  const first = hearNode(node({ Ready: "True" }), lease("a"), undefined, NOW);
  assert.equal(hearNode(node({ Ready: "Unknown" }), lease("a"), first, NOW + 50_000), first);
});

Deno.test("silentConditions() speaks after the grace period, for each condition once", () => {
  const given = node({ Ready: "True", MemoryPressure: "False", DiskPressure: "Unknown" });
  const sign = { renewTime: "a", heartbeat: "b", heardAt: NOW };
  assert.equal(silentConditions(given, sign, NOW + 40_000, OPTIONS), undefined);
  const changed = silentConditions(given, sign, NOW + 40_001, OPTIONS)!;
  assert.deepEqual(changed.map(({ type, status, reason }) => [type, status, reason]), [
    ["Ready", "Unknown", "NodeStatusUnknown"],
    ["MemoryPressure", "Unknown", "NodeStatusUnknown"],
    ["PIDPressure", "Unknown", "NodeStatusNeverUpdated"],
  ]);
  assert.equal(changed[0]?.message, "Kubelet stopped posting node status.");
  assert.equal(changed[0]?.lastHeartbeatTime, text(NOW));
});

Deno.test("silentConditions() gives a node that never spoke the longer grace period", () => {
  const sign = hearNode(node({}), undefined, undefined, NOW + 20_000);
  assert.equal(sign.heardAt, NOW);
  assert.equal(silentConditions(node({}), sign, NOW + 59_000, OPTIONS), undefined);
  assert.equal(
    silentConditions(node({}), sign, NOW + 61_000, OPTIONS)?.[0]?.message,
    "Kubelet never posted node status.",
  );
});

Deno.test("planTaints() follows the conditions and leaves other taints alone", async (t) => {
  const key = (name: string) => `node.kubernetes.io/${name}`;
  const own: Taint = { key: "gpu", effect: "NoSchedule" };
  const list = (given: Node) => planTaints(given, NOW)?.map((taint) => `${taint.key}:${taint.effect}`);
  const unreachable: Taint[] = ["NoSchedule", "NoExecute"].map((effect) => ({
    key: key("unreachable"),
    effect,
    timeAdded: text(NOW - 9000),
  }));
  const rows: Array<[string, Node, string[] | undefined]> = [
    ["healthy", node({ Ready: "True" }), undefined],
    ["healthy with its own", node({ Ready: "True" }, [own]), undefined],
    ["not ready", node({ Ready: "False" }, [own]), [
      "gpu:NoSchedule",
      `${key("not-ready")}:NoSchedule`,
      `${key("not-ready")}:NoExecute`,
    ]],
    ["silent", node({ Ready: "Unknown" }), [
      `${key("unreachable")}:NoSchedule`,
      `${key("unreachable")}:NoExecute`,
    ]],
    ["silent and tainted", node({ Ready: "Unknown" }, unreachable), undefined],
    ["back", node({ Ready: "True" }, [...unreachable, own]), ["gpu:NoSchedule"]],
    ["new", node({}), [`${key("not-ready")}:NoSchedule`]],
    ["full disk", node({ Ready: "True", DiskPressure: "True" }), [`${key("disk-pressure")}:NoSchedule`]],
    ["cordoned", node({ Ready: "True" }, [], true), [`${key("unschedulable")}:NoSchedule`]],
  ];
  for (const [name, given, expected] of rows) {
    await t.step(name, () => assert.deepEqual(list(given), expected));
  }
  await t.step("keeps the time of a taint that stays", () => {
    const kept = planTaints(node({ Ready: "Unknown", DiskPressure: "True" }, unreachable), NOW);
    assert.equal(kept?.find((taint) => taint.effect === "NoExecute")?.timeAdded, text(NOW - 9000));
  });
});

Deno.test("evictionTime() gives a pod the time it tolerates, counted from the taint", async (t) => {
  const taint = (key: string, addedAgo = 10_000): Taint => ({
    key,
    effect: "NoExecute",
    timeAdded: text(NOW - addedAgo),
  });
  const toleration = (key: string, tolerationSeconds?: number): Toleration => ({
    key,
    operator: "Exists",
    ...(tolerationSeconds !== undefined && { tolerationSeconds }),
  });
  const rows: Array<[string, Taint[], Toleration[], number | undefined]> = [
    ["no taint", [], [], undefined],
    ["NoSchedule only", [{ key: "a", effect: "NoSchedule" }], [], undefined],
    ["not tolerated", [taint("a")], [], NOW],
    ["tolerated for ever", [taint("a")], [toleration("a")], undefined],
    ["tolerated for a time", [taint("a")], [toleration("a", 300)], NOW + 290_000],
    ["tolerated not at all", [taint("a")], [toleration("a", -5)], NOW - 10_000],
    ["one of two not tolerated", [taint("a"), taint("b")], [toleration("a", 300)], NOW],
    [
      "the shortest of two",
      [taint("a"), taint("b")],
      [toleration("a", 300), toleration("b", 60)],
      NOW + 50_000,
    ],
  ];
  for (const [name, taints, tolerations, expected] of rows) {
    await t.step(name, () => {
      const pod: Pod = { spec: { containers: [], tolerations } };
      assert.equal(evictionTime(pod, node({}, taints), NOW), expected);
    });
  }
});

Deno.test("lostReason() finds pods that nobody will end", () => {
  const has = (name: string) => name === "n";
  const pod = (nodeName: string, deleting = false): Pod => ({
    metadata: { ...(deleting && { deletionTimestamp: text(NOW) }) },
    spec: { containers: [], ...(nodeName && { nodeName }) },
  });
  assert.equal(lostReason(pod("n", true), has), undefined);
  assert.equal(lostReason(pod("gone"), has), "orphaned");
  assert.equal(lostReason(pod("", true), has), "unscheduledTerminating");
  assert.equal(lostReason(pod(""), has), undefined);
});

Deno.test("excessFinished() gives the oldest ended pods", () => {
  const pod = (name: string, phase: string, age: number): Pod => ({
    metadata: { name, creationTimestamp: text(NOW - age) },
    status: { phase },
  });
  const pods = [pod("new", "Failed", 1000), pod("old", "Succeeded", 9000), pod("running", "Running", 99_000)];
  assert.deepEqual(excessFinished(pods, 1).map((p) => p.metadata?.name), ["old"]);
  assert.deepEqual(excessFinished(pods, 2), []);
});
