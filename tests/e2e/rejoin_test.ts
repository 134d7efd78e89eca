import assert from "node:assert/strict";
import { NODES } from "../../common/kubeclient/mod.ts";
import { CLUSTER_OBJECT_SYNCS, OBJECT_SYNCS } from "../../cloud/cloudhub/object_sync_log.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers } from "../support/trial.ts";
import { removeContainers, removeTree } from "../../scripts/trial/site.ts";

onEachControlPlane("a deleted node leaves nothing in the cloud, and another machine joins under its name", {
  needs: [ENGINE, KUBECTL, EXECUTABLES],
  node: "rejoin",
  steps: async (t, trial) => {
    const { site } = trial;
    await site.start();
    const kube = await site.kube();
    const uidOfNode = async () => (await kube.get(NODES, { name: site.nodeName })).metadata!.uid!;
    const records = async () => {
      const lists = await Promise.all([kube.list(OBJECT_SYNCS), kube.list(CLUSTER_OBJECT_SYNCS)]);
      return lists.flatMap(({ items }) => items).map(({ metadata }) => metadata!.name!);
    };
    await trial.apply(busyboxPod("first", ["sleep", "3600"], { nodeName: site.nodeName }));
    const first = await trial.pod("first", isReady, "became ready");
    const firstNode = await uidOfNode();
    await until("deliveries are recorded", async () => (await records()).length >= 2);

    await t.step("its session ends, and its queue and records go", async () => {
      await site.edge.stop();
      await trial.kubectl("delete", "node", site.nodeName);
      await until("the records are gone", async () => (await records()).length === 0);
      // Kubernetes would do so, too, after a minute.
      await trial.kubectl("delete", "pod", "first", "--force", "--grace-period=0");
    });

    await t.step("a new machine of the same name has a new node and none of the old one's pods", async () => {
      await removeContainers(site.nodeName);
      await removeTree(`${site.directory}/edge`);
      await site.configureEdge(await site.token());
      site.startEdge();
      await site.nodeReady();
      assert.notEqual(await uidOfNode(), firstNode);
      await trial.apply(busyboxPod("second", ["sleep", "3600"], { nodeName: site.nodeName }));
      const second = await trial.pod("second", isReady, "became ready");
      assert.deepEqual(await containers({ uid: first.metadata!.uid!, all: true }), []);
      const wanted = `${site.nodeName}.${second.metadata!.uid}`;
      await until("its pod is recorded", async () => (await records()).includes(wanted));
      assert.ok(!(await records()).includes(`${site.nodeName}.${first.metadata!.uid}`));
      await trial.kubectl("delete", "pod", "second", "--timeout=60s");
    });
  },
});
