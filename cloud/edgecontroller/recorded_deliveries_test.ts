import assert from "node:assert/strict";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { silentLogger } from "../../common/module/mod.ts";
import { parseObjectSync, readRecordedDeliveries } from "./recorded_deliveries.ts";

const SYNC = {
  metadata: { namespace: "default", name: "edge.example.com.uid-1" },
  spec: { objectAPIVersion: "v1", objectKind: "Pod", objectName: "web" },
  status: { objectResourceVersion: "7" },
};

Deno.test("parseObjectSync() takes the node up to the last dot", () => {
  assert.deepEqual(parseObjectSync(SYNC), {
    node: "edge.example.com",
    uid: "uid-1",
    type: "pod",
    namespace: "default",
    name: "web",
    resourceVersion: "7",
  });
});

Deno.test("parseObjectSync() leaves what is no delivery of this controller", async (t) => {
  const rows: Array<[string, Parameters<typeof parseObjectSync>[0]]> = [
    ["another kind", { ...SYNC, spec: { ...SYNC.spec, objectKind: "Device" } }],
    ["no kind", { ...SYNC, spec: {} }],
    ["no dot", { ...SYNC, metadata: { namespace: "default", name: "edge" } }],
    ["no node", { ...SYNC, metadata: { namespace: "default", name: ".uid" } }],
    ["no UID", { ...SYNC, metadata: { namespace: "default", name: "edge." } }],
    ["no namespace", { ...SYNC, metadata: { name: "edge.uid" } }],
    ["nothing", {}],
  ];
  for (const [name, sync] of rows) {
    await t.step(name, () => assert.equal(parseObjectSync(sync), undefined));
  }
});

Deno.test("readRecordedDeliveries() knows nothing where the API is not served or not permitted", async (t) => {
  for (const reason of ["NotFound", "Forbidden"] as const) {
    await t.step(reason, async () => {
      await using kube = new FakeKubeClient({
        intercept: () => {
          throw new StatusError(reason, "no");
        },
      });
      const { signal } = new AbortController();
      const { deliveries } = await readRecordedDeliveries({ kube, log: silentLogger }, {
        isNode: () => true,
        signal,
      });
      assert.deepEqual(deliveries, []);
    });
  }
});
