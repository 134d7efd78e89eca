import assert from "node:assert/strict";
import type { ConfigMap, Node, Pod, Secret } from "../../common/api/core_v1.ts";
import { type Delivered, deliveredOf, objectKey, type ObjectName } from "./forward.ts";
import { type Lookup, type NodeState, type NodeWorld, planNode } from "./plan.ts";

const NODE: Node = { metadata: { name: "edge-1", uid: "n", resourceVersion: "1" } };
const CONFIG: ConfigMap = {
  metadata: { namespace: "default", name: "config", uid: "c", resourceVersion: "2" },
};
const SECRET: Secret = { metadata: { namespace: "default", name: "secret", uid: "s", resourceVersion: "3" } };
const POD: Pod = {
  metadata: { namespace: "default", name: "web", uid: "p", resourceVersion: "4" },
  spec: {
    nodeName: "edge-1",
    containers: [],
    volumes: [{ name: "c", configMap: { name: "config" } }, { name: "s", secret: { secretName: "secret" } }],
  },
};

const NODE_NAME: ObjectName = { type: "node", namespace: "null", name: "edge-1" };
const POD_NAME: ObjectName = { type: "pod", namespace: "default", name: "web" };
const CONFIG_NAME: ObjectName = { type: "configmap", namespace: "default", name: "config" };

const present = <T>(object: T): Lookup<T> => ({ state: "present", object });

const world = (change: Partial<NodeWorld> = {}): NodeWorld => ({
  node: NODE,
  pods: [POD],
  configMap: () => present(CONFIG),
  secret: () => present(SECRET),
  ...change,
});

const delivered = (...list: Delivered[]): NodeState["delivered"] =>
  new Map(list.map((one) => [objectKey(one), one]));

const state = (change: Partial<NodeState> = {}): NodeState => ({
  delivered: new Map(),
  writing: new Set(),
  waiting: new Map(),
  ...change,
});

const plan = (world: NodeWorld, state: NodeState, now = 0) => {
  const { steps, waiting } = planNode("edge-1", world, state, { now, maxWaitMs: 2000 });
  return {
    steps: steps.map(({ operation, object, ...name }) =>
      `${operation} ${objectKey(name)} ${object.metadata?.uid}`
    ),
    waiting,
  };
};

const COMPLETE = [
  "update null/node/edge-1 n",
  "insert default/configmap/config c",
  "update default/secret/secret s",
];

Deno.test("planNode() sends a pod after what it refers to", () => {
  assert.deepEqual(plan(world(), state()), { steps: [...COMPLETE, "insert default/pod/web p"], waiting: [] });
});

Deno.test("planNode() sends nothing to a node that has everything", () => {
  const has = delivered(
    deliveredOf(NODE_NAME, NODE),
    deliveredOf(POD_NAME, POD),
    deliveredOf(CONFIG_NAME, CONFIG),
    deliveredOf({ type: "secret", namespace: "default", name: "secret" }, SECRET),
  );
  assert.deepEqual(plan(world(), state({ delivered: has })), { steps: [], waiting: [] });
});

Deno.test("planNode() holds a new pod while something it refers to is not known, but not for ever", () => {
  const unknown = world({ secret: () => ({ state: "unknown" }) });
  assert.deepEqual(plan(unknown, state()), { steps: COMPLETE.slice(0, 2), waiting: ["default/pod/web"] });
  const waiting = new Map([["default/pod/web", 100]]);
  assert.deepEqual(plan(unknown, state({ waiting }), 2099).waiting, ["default/pod/web"]);
  assert.deepEqual(plan(unknown, state({ waiting }), 2100), {
    steps: [...COMPLETE.slice(0, 2), "insert default/pod/web p"],
    waiting: [],
  });
});

Deno.test("planNode() does not hold changes of a pod that the node has", () => {
  const unknown = world({ secret: () => ({ state: "unknown" }) });
  const before = { ...deliveredOf(POD_NAME, POD), resourceVersion: "1", base: "other" };
  assert.ok(
    plan(unknown, state({ delivered: delivered(before) })).steps.includes("update default/pod/web p"),
  );
});

Deno.test("planNode() sends a pod without what does not exist", () => {
  const absent = world({ configMap: () => ({ state: "absent" }) });
  assert.deepEqual(plan(absent, state()).steps, [
    COMPLETE[0],
    COMPLETE[2],
    "insert default/pod/web p",
  ]);
});

Deno.test("planNode() deletes what the node has and the API has not", () => {
  const gone = deliveredOf({ ...POD_NAME, name: "old" }, {
    metadata: { namespace: "default", name: "old", uid: "o", resourceVersion: "3" },
  });
  const absent = world({ configMap: () => ({ state: "absent" }) });
  const has = delivered(gone, deliveredOf(CONFIG_NAME, CONFIG));
  assert.deepEqual(
    plan(absent, state({ delivered: has })).steps.filter((step) => step.startsWith("delete")),
    [
      "delete default/configmap/config c",
      "delete default/pod/old o",
    ],
  );
});

Deno.test("planNode() deletes the old incarnation before it sends the new one", () => {
  const old = { ...deliveredOf(POD_NAME, POD), uid: "old" };
  assert.deepEqual(plan(world(), state({ delivered: delivered(old) })).steps, [
    "delete default/pod/web old",
    ...COMPLETE,
    "insert default/pod/web p",
  ]);
  const unknown = world({ secret: () => ({ state: "unknown" }) });
  assert.deepEqual(plan(unknown, state({ delivered: delivered(old) })), {
    steps: ["delete default/pod/web old", ...COMPLETE.slice(0, 2)],
    waiting: ["default/pod/web"],
  });
});

Deno.test("planNode() leaves ConfigMaps that no pod refers to any more, unless they are gone", () => {
  const has = delivered(deliveredOf(NODE_NAME, NODE), deliveredOf(CONFIG_NAME, CONFIG));
  const changed: ConfigMap = { metadata: { ...CONFIG.metadata, resourceVersion: "9" }, data: { a: "1" } };
  for (const found of [{ state: "unknown" }, present(CONFIG), present(changed)] as const) {
    assert.deepEqual(plan(world({ pods: [], configMap: () => found }), state({ delivered: has })).steps, []);
  }
  const anew: ConfigMap = { metadata: { ...CONFIG.metadata, uid: "new" } };
  for (const found of [{ state: "absent" }, present(anew)] as const) {
    const gone = world({ pods: [], configMap: () => found });
    assert.deepEqual(plan(gone, state({ delivered: has })).steps, ["delete default/configmap/config c"]);
  }
});

Deno.test("planNode() gives a node without a Node nothing and leaves it the pods that exist", () => {
  const gone = deliveredOf({ ...POD_NAME, name: "old" }, { metadata: { uid: "o" } });
  const has = delivered(deliveredOf(NODE_NAME, NODE), deliveredOf(POD_NAME, POD), gone);
  assert.deepEqual(plan(world({ node: undefined }), state({ delivered: has })).steps, [
    "delete null/node/edge-1 n",
    "delete default/pod/old o",
  ]);
});

Deno.test("planNode() puts only what is certain into a delete", () => {
  const has = delivered(deliveredOf(POD_NAME, POD));
  const { steps } = planNode("edge-1", world({ pods: [] }), state({ delivered: has }), {
    now: 0,
    maxWaitMs: 1,
  });
  assert.deepEqual(steps.find(({ operation }) => operation === "delete")?.object, {
    metadata: { namespace: "default", name: "web", uid: "p", resourceVersion: "4" },
  });
});
