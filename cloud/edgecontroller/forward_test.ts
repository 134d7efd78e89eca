import assert from "node:assert/strict";
import type { Node, Pod, Secret } from "../../common/api/core_v1.ts";
import type { KubeObject } from "../../common/api/meta_v1.ts";
import { decideForwarding, deliveredOf, fingerprints, isLater, type ObjectName } from "./forward.ts";

const POD: Pod = {
  metadata: { namespace: "default", name: "web", uid: "u", resourceVersion: "10", labels: { app: "web" } },
  spec: { nodeName: "edge-1", containers: [{ name: "c", image: "i" }] },
  status: { phase: "Pending", conditions: [{ type: "Ready", status: "False", lastProbeTime: "t1" }] },
};
const NODE: Node = {
  metadata: { name: "edge-1", uid: "n", resourceVersion: "10", labels: { a: "1" } },
  spec: {},
  status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "t1" }] },
};
const SECRET: Secret = {
  metadata: { namespace: "default", name: "s", uid: "s", resourceVersion: "10" },
  data: { a: "MQ==" },
};

const POD_NAME: ObjectName = { type: "pod", namespace: "default", name: "web" };
const NODE_NAME: ObjectName = { type: "node", namespace: "null", name: "edge-1" };
const SECRET_NAME: ObjectName = { type: "secret", namespace: "default", name: "s" };

Deno.test("decideForwarding() tells of what changed and of nothing else", async (t) => {
  const version = { resourceVersion: "11" };
  const rows: Array<[string, ObjectName, KubeObject, KubeObject, boolean, string]> = [
    ["the same version", POD_NAME, POD, POD, false, "none"],
    [
      "only a new version",
      POD_NAME,
      POD,
      { ...POD, metadata: { ...POD.metadata, ...version } },
      false,
      "none",
    ],
    [
      "generation and managedFields",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version, generation: 2, managedFields: [{ manager: "m" }] },
      } as Pod,
      false,
      "none",
    ],
    [
      "a label",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version, labels: { app: "db" } },
      } as Pod,
      false,
      "update",
    ],
    [
      "a deletion",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version, deletionTimestamp: "2026-01-01T00:00:00Z" },
      } as Pod,
      false,
      "update",
    ],
    [
      "a deletion while the edge writes",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version, deletionTimestamp: "2026-01-01T00:00:00Z" },
      } as Pod,
      true,
      "update",
    ],
    [
      "the spec",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version },
        spec: { ...POD.spec!, containers: [{ name: "c", image: "j" }] },
      } as Pod,
      false,
      "update",
    ],
    [
      "a change in an older version",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, resourceVersion: "9", labels: {} },
      } as Pod,
      false,
      "none",
    ],
    [
      "a foreign change of the status",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version },
        status: { phase: "Failed" },
      } as Pod,
      false,
      "update",
    ],
    [
      "the status while the edge writes it",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version },
        status: { phase: "Running" },
      } as Pod,
      true,
      "none",
    ],
    [
      "a probe",
      POD_NAME,
      POD,
      {
        ...POD,
        metadata: { ...POD.metadata, ...version },
        status: {
          ...POD.status,
          conditions: [{ type: "Ready", status: "False", lastProbeTime: "t2" }],
        },
      } as Pod,
      false,
      "none",
    ],
    [
      "a heartbeat",
      NODE_NAME,
      NODE,
      {
        ...NODE,
        metadata: { ...NODE.metadata, ...version },
        status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime: "t2" }] },
      } as Node,
      false,
      "none",
    ],
    [
      "readiness that another wrote",
      NODE_NAME,
      NODE,
      {
        ...NODE,
        metadata: { ...NODE.metadata, ...version },
        status: { conditions: [{ type: "Ready", status: "Unknown", lastHeartbeatTime: "t1" }] },
      } as Node,
      false,
      "update",
    ],
    [
      "a taint",
      NODE_NAME,
      NODE,
      {
        ...NODE,
        metadata: { ...NODE.metadata, ...version },
        spec: { taints: [{ key: "k", effect: "NoExecute" }] },
      } as Node,
      false,
      "update",
    ],
    [
      "data",
      SECRET_NAME,
      SECRET,
      {
        ...SECRET,
        metadata: { ...SECRET.metadata, ...version },
        data: { a: "Mg==" },
      } as Secret,
      false,
      "update",
    ],
  ];
  for (const [name, id, before, object, writing, expected] of rows) {
    await t.step(name, () => {
      assert.equal(decideForwarding(id, object, deliveredOf(id, before), writing), expected);
    });
  }
});

Deno.test("decideForwarding() names the first delivery as upstream does", () => {
  assert.equal(decideForwarding(POD_NAME, POD, undefined, false), "insert");
  assert.equal(decideForwarding(NODE_NAME, NODE, undefined, false), "update");
  assert.equal(decideForwarding(SECRET_NAME, SECRET, undefined, false), "update");
  const leaving: Pod = { ...POD, metadata: { ...POD.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
  assert.equal(decideForwarding(POD_NAME, leaving, undefined, false), "update");
});

Deno.test("decideForwarding() sends again what the edge may have lost", () => {
  assert.equal(
    decideForwarding(POD_NAME, POD, { ...deliveredOf(POD_NAME, POD), stale: true }, true),
    "update",
  );
});

Deno.test("fingerprints() do not depend on the order of keys nor on empty ones", () => {
  const reordered = {
    status: { conditions: POD.status!.conditions!, phase: "Pending", reason: null },
    spec: POD.spec!,
    kind: "Pod",
    metadata: { labels: { app: "web" }, resourceVersion: "99", uid: "u", name: "web", namespace: "default" },
  } as unknown as Pod;
  assert.deepEqual(fingerprints(reordered), fingerprints(POD));
});

Deno.test("isLater() compares versions as numbers of any size", async (t) => {
  const rows: Array<[string, string, boolean]> = [
    ["10", "9", true],
    ["9", "10", false],
    ["10", "10", false],
    ["18446744073709551616", "18446744073709551615", true],
    ["abc", "10", true],
    ["abc", "abc", false],
  ];
  for (const [a, b, expected] of rows) {
    await t.step(`${a} after ${b}`, () => assert.equal(isLater(a, b), expected));
  }
});
