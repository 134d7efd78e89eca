import assert from "node:assert/strict";
import type { Node, Pod } from "../../../../common/api/core_v1.ts";
import { type NodeLoad, placePod } from "./plan.ts";
import { Waiting } from "./waiting.ts";

type Spec = NonNullable<Pod["spec"]>;

const node = (name: string, labels: Record<string, string>, spec: Node["spec"] = {}): Node => ({
  metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
  spec,
  status: { allocatable: { pods: "10" }, conditions: [{ type: "Ready", status: "True" }] },
});
const pod = (app: string, spec: Partial<Spec> = {}, namespace = "ns"): Pod => ({
  metadata: { name: app, namespace, labels: { app } },
  spec: { containers: [{ name: "c" }], ...spec },
});
const term = (app: string, topologyKey = "zone", more: object = {}) => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
  ...more,
});
const near = (...terms: object[]) =>
  ({ affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } }) as Partial<Spec>;
const apart = (...terms: object[]) =>
  ({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } }) as Partial<
    Spec
  >;
const spread = (more: object = {}) =>
  ({
    topologySpreadConstraints: [{
      maxSkew: 1,
      topologyKey: "zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "web" } },
      ...more,
    }],
  }) as Partial<Spec>;

/** Three nodes in two zones and one without, with these pods on them. */
function loads(a1: Pod[] = [], a2: Pod[] = [], b1: Pod[] = [], bare: Pod[] = []): NodeLoad[] {
  return [
    { node: node("a1", { zone: "a" }), pods: a1 },
    { node: node("a2", { zone: "a" }), pods: a2 },
    { node: node("b1", { zone: "b" }), pods: b1 },
    { node: node("bare", {}), pods: bare },
  ];
}
const place = (given: Pod, around: NodeLoad[]) => {
  const placement = placePod(given, around, (name) => ({ name }));
  return placement.kind === "bind" ? placement.nodeName : placement.message;
};
const web = pod("web");
const db = pod("db");

Deno.test("placePod() keeps pods together and apart as they ask", async (t) => {
  const rows: Array<[name: string, pod: Pod, loads: NodeLoad[], expected: string]> = [
    ["near another", pod("web", near(term("db"))), loads([], [], [db, db, db]), "b1"],
    ["on its node", pod("web", near(term("db", "kubernetes.io/hostname"))), loads([], [db]), "a2"],
    [
      "nobody there",
      pod("web", near(term("db"))),
      loads(),
      "0/4 nodes are available: 4 node(s) didn't match pod affinity rules.",
    ],
    ["first of its own group", pod("web", near(term("web"))), loads([db], [db], [], [db]), "b1"],
    [
      "in another namespace",
      pod("web", near(term("db"))),
      loads([pod("db", {}, "other")]),
      "0/4 nodes are available: 4 node(s) didn't match pod affinity rules.",
    ],
    [
      "in a named namespace",
      pod("web", near(term("db", "zone", { namespaces: ["other"] }))),
      loads([], [], [pod("db", {}, "other")]),
      "b1",
    ],
    [
      "in a selected namespace",
      pod("web", near(term("db", "zone", { namespaceSelector: { matchLabels: { name: "other" } } }))),
      loads([], [], [pod("db", {}, "other")]),
      "b1",
    ],
    [
      "all terms by one pod",
      pod("web", near(term("db"), term("web"))),
      loads([db], [web]),
      "0/4 nodes are available: 4 node(s) didn't match pod affinity rules.",
    ],
    ["apart from another", pod("web", apart(term("db"))), loads([db], [], [], [web, web]), "b1"],
    [
      "apart where the topology is not known",
      pod("web", apart(term("db"))),
      loads([db], [], [db], []),
      "bare",
    ],
    [
      "apart from everyone",
      pod("web", apart(term("db", "kubernetes.io/hostname"))),
      loads([db], [db], [db], [db]),
      "0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules.",
    ],
    ["kept off by another", db, loads([pod("web", apart(term("db")))], [], [], [web]), "b1"],
    [
      "kept off everywhere",
      db,
      ["a", "b"].map((zone) => ({ node: node(zone, { zone }), pods: [pod("web", apart(term("db")))] })),
      "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.",
    ],
    [
      "with an operator that there is not",
      pod(
        "web",
        near({ topologyKey: "zone", labelSelector: { matchExpressions: [{ key: "a", operator: "Near" }] } }),
      ),
      loads([db]),
      "0/4 nodes are available: 4 node(s) didn't match pod affinity rules.",
    ],
  ];
  for (const [name, given, around, expected] of rows) {
    await t.step(name, () => assert.equal(place(given, around), expected));
  }
});

Deno.test("placePod() spreads pods over a topology", async (t) => {
  const rows: Array<[name: string, pod: Pod, loads: NodeLoad[], expected: string]> = [
    ["to the emptier zone", pod("web", spread()), loads([web], [], [db, db]), "b1"],
    ["within the skew", pod("web", spread({ maxSkew: 2 })), loads([web], [], [db, db]), "a2"],
    [
      "no room in the emptier zone",
      pod("web", spread()),
      [
        { node: node("a", { zone: "a" }), pods: [web] },
        { node: node("b", { zone: "b" }, { unschedulable: true }), pods: [] },
      ],
      "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable.",
    ],
    [
      "a node without the label",
      pod("web", spread()),
      [{ node: node("bare", {}), pods: [] }],
      "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    ],
    [
      "more zones than there are",
      pod("web", spread({ minDomains: 3 })),
      loads([web], [], [web]),
      "0/4 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label), 3 node(s) didn't match pod topology spread constraints.",
    ],
    [
      "ending pods do not count",
      pod("web", spread()),
      loads([{ ...web, metadata: { ...web.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } }], [], [
        web,
      ]),
      "a2",
    ],
    [
      "if it can",
      pod("web", spread({ whenUnsatisfiable: "ScheduleAnyway" })),
      loads([web], [], [db, db], [web, web, web]),
      "b1",
    ],
  ];
  for (const [name, given, around, expected] of rows) {
    await t.step(name, () => assert.equal(place(given, around), expected));
  }
});

Deno.test("placePod() goes by what a pod prefers before it counts pods", async (t) => {
  const like = (affinity: object) => pod("web", { affinity } as Partial<Spec>);
  const zone = { matchExpressions: [{ key: "zone", operator: "In", values: ["b"] }] };
  const busy = loads([], [db], [db, db]);
  const rows: Array<[string, Pod, NodeLoad[], string]> = [
    [
      "a node",
      like({
        nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, preference: zone }] },
      }),
      busy,
      "b1",
    ],
    [
      "pods",
      like({
        podAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{
            weight: 5,
            podAffinityTerm: term("db", "kubernetes.io/hostname"),
          }],
        },
      }),
      busy,
      "b1",
    ],
    [
      "no pods",
      like({
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 5, podAffinityTerm: term("db") }],
        },
      }),
      loads([], [], [db], [web]),
      "a1",
    ],
    ["no taint", web, [
      { node: node("a", {}, { taints: [{ key: "k", effect: "PreferNoSchedule" }] }), pods: [] },
      { node: node("b", {}), pods: [db] },
    ], "b"],
  ];
  for (const [name, given, around, expected] of rows) {
    await t.step(name, () => assert.equal(place(given, around), expected));
  }
});

Deno.test("Waiting knows whether a higher priority waits", () => {
  const waiting = new Waiting();
  waiting.add("low", 0);
  waiting.add("high", 10);
  waiting.add("high", 20);
  assert.deepEqual([0, 10, 20].map((priority) => waiting.hasHigher(priority)), [true, true, false]);
  waiting.take("high");
  waiting.take("high");
  assert.equal(waiting.hasHigher(0), false);
  assert.equal(waiting.hasHigher(-1), true);
});
