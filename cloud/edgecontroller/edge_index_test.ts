import assert from "node:assert/strict";
import type { Pod } from "../../common/api/core_v1.ts";
import { EdgeIndex, type ReferenceChange } from "./edge_index.ts";
import { referenceKey } from "./pod_references.ts";

const pod = (name: string, node: string, ...configMaps: string[]): Pod => ({
  metadata: { namespace: "default", name, uid: `uid-${name}` },
  spec: {
    nodeName: node,
    containers: [],
    volumes: configMaps.map((configMap) => ({ name: configMap, configMap: { name: configMap } })),
  },
});

const configMap = (name: string) => ({ type: "configmap", namespace: "default", name }) as const;

const keys = ({ added, removed }: ReferenceChange) => [
  added.map(referenceKey).sort(),
  removed.map(referenceKey).sort(),
];

Deno.test("EdgeIndex counts references by pod", () => {
  const index = new EdgeIndex();
  index.setEdge("edge-1", true);
  assert.deepEqual(keys(index.setPod(pod("a", "edge-1", "x", "y"))), [[
    "configmap/default/x",
    "configmap/default/y",
  ], []]);
  assert.deepEqual(keys(index.setPod(pod("b", "edge-1", "x"))), [[], []]);
  assert.deepEqual(index.nodesOf(configMap("x")), ["edge-1"]);
  assert.deepEqual(keys(index.deletePod("default/a")), [[], ["configmap/default/y"]]);
  assert.ok(index.references("edge-1", configMap("x")));
  assert.ok(!index.references("edge-1", configMap("y")));
  assert.deepEqual(keys(index.deletePod("default/b")), [[], ["configmap/default/x"]]);
  assert.deepEqual(index.nodesOf(configMap("x")), []);
  assert.deepEqual(index.podsOf("edge-1"), []);
});

Deno.test("EdgeIndex keeps what an update of a pod still refers to", () => {
  const index = new EdgeIndex();
  index.setEdge("edge-1", true);
  index.setPod(pod("a", "edge-1", "x", "y"));
  assert.deepEqual(keys(index.setPod(pod("a", "edge-1", "y", "z"))), [
    ["configmap/default/z"],
    ["configmap/default/x"],
  ]);
  assert.deepEqual(index.referencesOf("edge-1").map(referenceKey).sort(), [
    "configmap/default/y",
    "configmap/default/z",
  ]);
});

Deno.test("EdgeIndex tells of a reference once for all nodes", () => {
  const index = new EdgeIndex();
  index.setEdge("edge-1", true);
  index.setEdge("edge-2", true);
  assert.equal(index.setPod(pod("a", "edge-1", "x")).added.length, 1);
  assert.equal(index.setPod(pod("b", "edge-2", "x")).added.length, 0);
  assert.deepEqual(index.nodesOf(configMap("x")).sort(), ["edge-1", "edge-2"]);
  assert.equal(index.deletePod("default/a").removed.length, 0);
  assert.deepEqual(index.nodesOf(configMap("x")), ["edge-2"]);
});

Deno.test("EdgeIndex ignores the references of nodes that are no edges, until they are", () => {
  const index = new EdgeIndex();
  assert.deepEqual(keys(index.setPod(pod("a", "node-1", "x"))), [[], []]);
  assert.ok(!index.references("node-1", configMap("x")));
  assert.equal(index.pod("default", "a")?.spec?.nodeName, "node-1");
  assert.deepEqual(keys(index.setEdge("node-1", true)), [["configmap/default/x"], []]);
  assert.ok(index.references("node-1", configMap("x")));
  assert.deepEqual(keys(index.setEdge("node-1", false)), [[], ["configmap/default/x"]]);
  assert.ok(!index.references("node-1", configMap("x")));
});

Deno.test("EdgeIndex does not give one node what another's pods refer to", () => {
  const index = new EdgeIndex();
  index.setEdge("edge-1", true);
  index.setEdge("edge-2", true);
  index.setPod(pod("a", "edge-1", "x"));
  assert.ok(!index.references("edge-2", configMap("x")));
});

Deno.test("EdgeIndex remembers where pods that are gone were, the latest ones", () => {
  const index = new EdgeIndex();
  const nodeOf = (uid: string, name = "first") => index.nodeOfGone({ namespace: "default", name, uid });
  index.setPod(pod("first", "edge-1"));
  assert.equal(nodeOf("uid-first"), undefined);
  index.setPod({
    ...pod("first", "edge-2"),
    metadata: { namespace: "default", name: "first", uid: "second" },
  });
  assert.equal(nodeOf("uid-first"), "edge-1");
  assert.equal(nodeOf("uid-first", "second"), undefined);
  index.deletePod("default/first");
  assert.equal(nodeOf("second"), "edge-2");
  for (let n = 0; n < 10_000; n++) {
    index.setPod(pod(`${n}`, "edge-1"));
    index.deletePod(`default/${n}`);
  }
  assert.equal(nodeOf("uid-first"), undefined);
  assert.equal(nodeOf("second"), undefined);
  assert.equal(nodeOf("uid-9999", "9999"), "edge-1");
});

Deno.test("EdgeIndex follows a pod of the same name to another node", () => {
  const index = new EdgeIndex();
  index.setEdge("edge-1", true);
  index.setEdge("edge-2", true);
  index.setPod(pod("a", "edge-1", "x"));
  index.setPod(pod("a", "edge-2", "x"));
  assert.deepEqual(index.podsOf("edge-1"), []);
  assert.deepEqual(index.nodesOf(configMap("x")), ["edge-2"]);
});
