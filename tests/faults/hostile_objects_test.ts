/** Objects that are too large or junk, and clocks that are wrong, before a whole cloudcore: others go on. */
import assert from "node:assert/strict";
import type { Event } from "../../common/api/core_v1.ts";
import type { Lease } from "../../common/api/coordination_v1.ts";
import { CLUSTER_OBJECT_SYNCS, OBJECT_SYNCS } from "../../cloud/cloudhub/object_sync_log.ts";
import {
  createKubeClient,
  EVENTS,
  type KubeClient,
  loadKubeConfig,
  NODES,
} from "../../common/kubeclient/mod.ts";
import { PODS } from "../../common/kubeclient/mod.ts";
import { until } from "../../scripts/trial/program.ts";
import { onEachPlane } from "../support/plane_clusters.ts";
import { WireCloud } from "../wire/cloud_core.ts";
import { WireEdge } from "../wire/cloud_edge.ts";
import { nodeOf, podOf } from "../wire/cloud_objects.ts";

const MB = 1_000_000;
const HOSTILE = "edge-hostile";
/** Hours by which the clocks of nodes are off. */
const CLOCKS: Readonly<Record<string, number>> = { "edge-slow": -1, "edge-fast": 1 };
const DEAD = "edge-dead";
const JUNK = 300;

const junk = (bytes: number) => "x".repeat(bytes);
const iso = (ms: number) => new Date(ms).toISOString().replace("Z", "000Z");

/** What somebody else may have left where cloudcore reads. */
async function leaveJunk(kube: KubeClient): Promise<void> {
  const spec = { objectAPIVersion: "v1", objectKind: "Pod", objectName: "nobody" };
  for (let i = 0; i < JUNK; i++) {
    const metadata = { namespace: "default", name: i % 2 === 0 ? `nodot-${i}` : `foreign-${i}.uid` };
    await kube.create(OBJECT_SYNCS, { metadata, spec });
  }
  const annotations = { junk: junk(250_000) };
  for (const name of ["large-1.uid", "large-2"]) {
    await kube.create(OBJECT_SYNCS, { metadata: { namespace: "default", name, annotations }, spec });
    await kube.create(CLUSTER_OBJECT_SYNCS, { metadata: { name, annotations }, spec });
  }
}

const eventsOf = async (kube: KubeClient, name: string): Promise<Event[]> =>
  (await kube.list(EVENTS)).items.filter(({ reason, involvedObject }) =>
    reason === "ReportRefused" && involvedObject.name === name
  );

const readyOf = async (kube: KubeClient, name: string) =>
  (await kube.get(NODES, { name })).status?.conditions?.find(({ type }) => type === "Ready")?.status;

onEachPlane("hostile objects and wrong clocks of some edges do no harm to others", async (t, { direct }) => {
  {
    // Its custom resources are there from now on.
    await using _first = await WireCloud.start(direct);
  }
  await using kube = createKubeClient(await loadKubeConfig({ path: direct.admin }));
  await leaveJunk(kube);
  await using cloud = await WireCloud.start(direct);
  await using sessions = new AsyncDisposableStack();
  const open = async (node: string) => {
    const credentials = await cloud.issue(node);
    const acknowledge = ({ header }: { header: { resourceversion?: string } }) =>
      header.resourceversion !== undefined;
    return sessions.use(await WireEdge.open(cloud, node, { credentials, acknowledge }));
  };
  for (const node of [HOSTILE, ...Object.keys(CLOCKS), DEAD]) await kube.create(NODES, nodeOf(node));
  await until("a pod can be made", async () => {
    await kube.create(PODS, podOf("web", HOSTILE));
    return true;
  });
  const hostile = await open(HOSTILE);
  const others = new Map<string, WireEdge>();
  for (const node of Object.keys(CLOCKS)) others.set(node, await open(node));
  const versions = new Map<string, string>();
  const renew = async (operation: "insert" | "update") => {
    hostile.keepalive();
    for (const [node, edge] of others) {
      edge.keepalive();
      const time = iso(Date.now() + CLOCKS[node]! * 3_600_000);
      const lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: node, namespace: "kube-node-lease", resourceVersion: versions.get(node) },
        spec: { holderIdentity: node, leaseDurationSeconds: 40, renewTime: time },
      };
      const resource = `kube-node-lease/lease/${node}`;
      const { content } = await edge.ask({ operation, resource }, lease);
      const stored = (content as { Object?: Lease } | null)?.Object;
      versions.set(node, stored?.metadata?.resourceVersion ?? "");
      assert.equal(stored?.spec?.renewTime, time, JSON.stringify(content));
    }
  };
  await renew("insert");
  const started = Date.now();

  await t.step("junk among ObjectSyncs is told once", async () => {
    await until("foreign records are removed", async () => {
      const { items } = await kube.list(OBJECT_SYNCS);
      return items.every(({ metadata }) => !metadata!.name!.startsWith("foreign-"));
    }, { timeoutMs: 60_000 });
    await until("that is told", async () => /nodes that are gone/.test(await cloud.log()));
    const log = await cloud.log();
    assert.equal(log.match(/not named NODE\.UID/g)?.length, 1, log);
    assert.equal(log.match(/nodes that are gone/g)?.length, 1, log);
    assert.ok(!log.includes(junk(1000)));
  });

  const ready = [{ type: "Ready", status: "True" }];
  const rows: Array<[name: string, report: () => unknown, reason: RegExp]> = [
    [
      "2 MB of conditions, more than etcd takes",
      () => ({ conditions: [{ ...ready[0], message: junk(2 * MB) }] }),
      /RequestEntityTooLarge|Invalid/,
    ],
    [
      "2.5 MB of images, more than goes to etcd",
      () => ({
        images: Array.from({ length: 2500 }, (_, i) => ({ names: [`${i}${junk(990)}`], sizeBytes: 1 })),
      }),
      /RequestEntityTooLarge|Invalid/,
    ],
    [
      "4 MB, more than the API server reads",
      () => ({ conditions: [{ ...ready[0], message: junk(4 * MB) }] }),
      /RequestEntityTooLarge/,
    ],
  ];
  for (const [name, report, reason] of rows) {
    for (
      const [what, resource] of [["node", `default/nodepatch/${HOSTILE}`], ["pod", "default/podpatch/web"]]
    ) {
      await t.step(`${what}: ${name}`, async () => {
        const status = report() as Record<string, unknown>;
        const patch = what === "node" || !("images" in status) ? { status } : {
          status: { message: junk(2.5 * MB) },
        };
        const { content } = await hostile.ask(
          { operation: "patch", resource: resource! },
          JSON.stringify(patch),
        );
        const { Err: error } = content as { Err?: { ErrStatus?: { reason?: string } } };
        assert.match(error?.ErrStatus?.reason ?? "", reason, JSON.stringify(content).slice(0, 500));
        await renew("update");
      });
    }
  }
  await t.step("each object is told of by one Event, and one line", async () => {
    for (const name of [HOSTILE, "web"]) {
      await until(`${name} is told of`, async () => (await eventsOf(kube, name)).length > 0);
      assert.equal((await eventsOf(kube, name)).length, 1);
    }
    const lines = (await cloud.log()).match(/The API refused what an edge reports/g);
    assert.equal(lines?.length, 2);
  });
  await t.step("the edge's next report is taken", async () => {
    const patch = JSON.stringify({ status: { conditions: [{ ...ready[0], reason: "Well" }] } });
    const resource = `default/nodepatch/${HOSTILE}`;
    const { content } = await hostile.ask({ operation: "patch", resource }, patch);
    assert.ok((content as { Object?: unknown }).Object, JSON.stringify(content).slice(0, 300));
  });
  await t.step("nodes whose clocks are an hour off stay ready, one that is silent does not", async () => {
    await until(`${DEAD} is taken for dead`, async () => {
      await renew("update");
      return await readyOf(kube, DEAD) === "Unknown";
    }, { timeoutMs: 120_000, everyMs: 3_000 });
    assert.ok(Date.now() - started > 30_000);
    for (const node of Object.keys(CLOCKS)) assert.equal(await readyOf(kube, node), "True", node);
  });
  assert.doesNotMatch(await cloud.log(), /Cannot go on/);
});
