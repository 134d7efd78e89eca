import assert from "node:assert/strict";
import { StatusError } from "../../../common/errors/mod.ts";
import type { JsonObject } from "../object.ts";
import { applyStrategicPatch } from "./strategic_patch.ts";

const POD = "@core.v1.Pod";

Deno.test("applyStrategicPatch() merges as the types say", async (t) => {
  const rows: Array<[string, string, JsonObject, JsonObject, JsonObject]> = [
    ["containers by name", POD, { spec: { containers: [{ name: "a", image: "1" }, { name: "b" }] } }, {
      spec: { containers: [{ name: "b", image: "2" }, { name: "c" }] },
    }, { spec: { containers: [{ name: "a", image: "1" }, { name: "b", image: "2" }, { name: "c" }] } }],
    ["an item deleted", POD, { spec: { containers: [{ name: "a" }, { name: "b" }] } }, {
      spec: { containers: [{ name: "a", $patch: "delete" }] },
    }, { spec: { containers: [{ name: "b" }] } }],
    ["an item deleted and made again", POD, {
      spec: { containers: [{ name: "a", image: "1" }, { name: "b" }] },
    }, {
      spec: { containers: [{ name: "a", $patch: "delete" }, { name: "a" }, { name: "a", image: "2" }] },
    }, { spec: { containers: [{ name: "b" }, { name: "a", image: "2" }] } }],
    ["items that share a key", POD, { spec: { containers: [{ name: "a", image: "1" }, { name: "a" }] } }, {
      spec: { containers: [{ name: "a", image: "2" }] },
    }, { spec: { containers: [{ name: "a", image: "2" }, { name: "a" }] } }],
    ["a list replaced", POD, { spec: { containers: [{ name: "a" }] } }, {
      spec: { containers: [{ $patch: "replace" }, { name: "z" }] },
    }, { spec: { containers: [{ name: "z" }] } }],
    ["an order set", POD, { spec: { containers: [{ name: "a" }, { name: "b" }] } }, {
      spec: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
    }, { spec: { containers: [{ name: "b" }, { name: "a" }] } }],
    ["an order for new items", POD, { spec: { containers: [{ name: "a" }] } }, {
      spec: { "$setElementOrder/containers": [{ name: "n" }, { name: "a" }], containers: [{ name: "n" }] },
    }, { spec: { containers: [{ name: "n" }, { name: "a" }] } }],
    ["an atomic list", POD, { spec: { tolerations: [{ key: "a" }] } }, {
      spec: { tolerations: [{ key: "b" }] },
    }, {
      spec: { tolerations: [{ key: "b" }] },
    }],
    ["finalizers added", POD, { metadata: { finalizers: ["a"] } }, { metadata: { finalizers: ["b", "a"] } }, {
      metadata: { finalizers: ["a", "b"] },
    }],
    ["finalizers deleted", POD, { metadata: { finalizers: ["a", "b"] } }, {
      metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] },
    }, { metadata: { finalizers: ["b"] } }],
    ["a volume whose source changes", POD, { spec: { volumes: [{ name: "v", emptyDir: {} }] } }, {
      spec: { volumes: [{ name: "v", $retainKeys: ["name", "configMap"], configMap: { name: "c" } }] },
    }, { spec: { volumes: [{ name: "v", configMap: { name: "c" } }] } }],
    [
      "a strategy whose type changes",
      "@apps.v1.Deployment",
      {
        spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } },
      },
      { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      { spec: { strategy: { type: "Recreate" } } },
    ],
    ["a null", POD, { metadata: { labels: { a: "1", b: "2" } } }, { metadata: { labels: { a: null } } }, {
      metadata: { labels: { b: "2" } },
    }],
    ["a map replaced", POD, { metadata: { labels: { a: "1" } } }, {
      metadata: { labels: { $patch: "replace", b: "2" } },
    }, {
      metadata: { labels: { b: "2" } },
    }],
    ["a map deleted", POD, { spec: { securityContext: { runAsUser: 1 } } }, {
      spec: { securityContext: { $patch: "delete" } },
    }, {
      spec: {},
    }],
    ["ports by containerPort", POD, {
      spec: { containers: [{ name: "a", ports: [{ containerPort: 80, name: "x" }] }] },
    }, {
      spec: { containers: [{ name: "a", ports: [{ containerPort: 80, protocol: "UDP" }] }] },
    }, { spec: { containers: [{ name: "a", ports: [{ containerPort: 80, name: "x", protocol: "UDP" }] }] } }],
    ["conditions by type", POD, { status: { conditions: [{ type: "Ready", status: "False" }] } }, {
      status: { conditions: [{ type: "Ready", status: "True" }] },
    }, { status: { conditions: [{ type: "Ready", status: "True" }] } }],
  ];
  for (const [name, type, target, patch, expected] of rows) {
    await t.step(name, () => {
      const before = structuredClone(target);
      assert.deepEqual(applyStrategicPatch(target, patch, type as `@${string}`), expected);
      assert.deepEqual(target, before);
    });
  }
});

Deno.test("applyStrategicPatch() refuses directives it does not know and items without their key", () => {
  const bad = (patch: JsonObject) =>
    assert.throws(
      () => applyStrategicPatch({ spec: { containers: [] } }, patch, POD),
      (e) => e instanceof StatusError && e.reason === "BadRequest",
    );
  bad({ spec: { $patch: "explode" } });
  bad({ spec: { containers: [{ image: "x" }] } });
  bad({ spec: { containers: ["x"] } });
  bad({ spec: { "$setElementOrder/containers": "x", containers: [{ name: "a" }] } });
  bad({ spec: { $retainKeys: 1 } });
});

Deno.test("applyStrategicPatch() merges lists of very many items in one go", () => {
  // Looking through all items for each of the patch would take minutes.
  const env = (value: string) => Array.from({ length: 50_000 }, (_, i) => ({ name: `e${i}`, value }));
  const container = (value: string) => ({ containers: [{ name: "c", env: env(value) }] });
  assert.deepEqual(applyStrategicPatch(container("a"), container("b"), "@core.v1.PodSpec"), container("b"));
});
