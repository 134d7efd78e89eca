import assert from "node:assert/strict";
import { FakeKubeClient } from "../../common/kubeclient/fake_client.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { createLogger, silentLogger } from "../../common/module/mod.ts";
import { OBJECT_SYNCS, parseObjectSync, readRecordedDeliveries } from "./recorded_deliveries.ts";

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
    ["null for a spec", { ...SYNC, spec: null as unknown as { objectKind: string } }],
    ["a number for a kind", { ...SYNC, spec: { objectKind: 7, objectName: "web" } as never }],
    ["a name as long as a book", { ...SYNC, spec: { objectKind: "Pod", objectName: "x".repeat(300_000) } }],
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

Deno.test("readRecordedDeliveries() takes what is good among junk, tells junk once, and removes what is of unknown nodes", async () => {
  await using kube = new FakeKubeClient();
  const lines: string[] = [];
  const log = createLogger("test", { write: (line) => lines.push(line) });
  const sync = (name: string, more: Record<string, unknown> = {}) => ({
    ...SYNC,
    metadata: { namespace: "default", name },
    ...more,
  });
  const junk = "x".repeat(300_000);
  kube.seed(OBJECT_SYNCS, sync("edge-1.good"));
  kube.seed(OBJECT_SYNCS, sync("edge-1.odd", { status: { objectResourceVersion: { junk } } }));
  kube.seed(OBJECT_SYNCS, sync("edge-1.junk", { spec: junk, status: junk }));
  kube.seed(OBJECT_SYNCS, sync("edge-1.null", { spec: null, status: null }));
  for (let i = 0; i < 50; i++) {
    kube.seed(OBJECT_SYNCS, sync(`misnamed-${i}`));
    kube.seed(OBJECT_SYNCS, sync(`foreign-${i}.uid`));
  }
  const { signal } = new AbortController();
  const { deliveries, removeOrphans } = await readRecordedDeliveries({ kube, log }, {
    isNode: (name) => name === "edge-1",
    signal,
  });
  assert.deepEqual(deliveries.map(({ uid, resourceVersion }) => [uid, resourceVersion]).sort(), [
    ["good", "7"],
    ["odd", ""],
  ]);
  await removeOrphans(signal);
  assert.equal(kube.peekAll(OBJECT_SYNCS).length, 54);
  assert.equal(lines.length, 2);
  assert.match(lines[0]!, /not named NODE\.UID.*count=50/);
  assert.match(lines[1]!, /nodes that are gone.*nodes=50/);
});
