import assert from "node:assert/strict";
import type { Pod } from "../../common/api/core_v1.ts";
import { type KubeClient, LEASES, NODES } from "../../common/kubeclient/mod.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { ENGINE, EXECUTABLES, KUBECTL, lacking } from "../support/needs.ts";
import { KUBERNETES, RealCluster } from "../support/real_cluster.ts";
import { busyboxPod, containers, Trial } from "../support/trial.ts";

const DEFAULT_SECONDS = 5;
const UNREACHABLE = "node.kubernetes.io/unreachable";

/** A second node, of objects only, that is well until it is disposed: where no node is well, Kubernetes evicts nothing. */
async function wellNode(kube: KubeClient, name: string): Promise<AsyncDisposable> {
  await kube.create(NODES, { metadata: { name }, spec: { unschedulable: true } });
  const now = () => new Date().toISOString();
  const condition = { type: "Ready", status: "True", reason: "Test", message: "", lastHeartbeatTime: now() };
  await kube.patch(NODES, { name }, {
    type: "merge",
    body: { status: { conditions: [{ ...condition, lastTransitionTime: now() }] } },
  }, { subresource: "status" });
  const ref = { namespace: "kube-node-lease", name };
  // A time of the Lease has microseconds.
  const renewed = () => ({ holderIdentity: name, renewTime: now().replace("Z", "000Z") });
  await kube.create(LEASES, { metadata: ref, spec: { ...renewed(), leaseDurationSeconds: 40 } });
  const stop = new AbortController();
  const beating = (async () => {
    while (!stop.signal.aborted) {
      await kube.patch(LEASES, ref, { type: "merge", body: { spec: renewed() } });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 5_000);
        stop.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          resolve();
        }, { once: true });
      });
    }
  })();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await beating;
    },
  };
}

Deno.test({
  name: "a lost edge becomes Unknown and keeps its pods; back again it is Ready, and what was evicted ends",
  ignore: lacking(ENGINE, KUBECTL, EXECUTABLES, KUBERNETES),
  fn: async (t) => {
    await using cluster = await RealCluster.start();
    // What admission gives pods that say nothing, short enough to see that it is not what holds for pods of edges.
    await cluster.stopApiServer();
    await cluster.startApiServer(`--default-unreachable-toleration-seconds=${DEFAULT_SECONDS}`);
    await using trial = await Trial.make("real-lost", cluster);
    const { site } = trial;
    await site.start();
    const kube = await site.kube();
    await using _other = await wellNode(kube, "other");
    const tolerations = [{ key: UNREACHABLE, operator: "Exists", effect: "NoExecute", tolerationSeconds: 0 }];
    await trial.apply(
      busyboxPod("patient", ["sleep", "3600"]),
      busyboxPod("impatient", ["sleep", "3600"], { tolerations }),
      busyboxPod("elsewhere", ["sleep", "3600"], { nodeName: "gone" }),
    );
    const patient = (await trial.pod("patient", isReady, "became ready")).metadata!.uid!;
    const impatient = (await trial.pod("impatient", isReady, "became ready")).metadata!.uid!;
    const before = await containers({ uid: patient, name: "main" });
    await t.step(
      "cloudcore takes the time limit from the pods of edges that have the default, and from no others",
      async () => {
        const limit = (pod: Pod) =>
          pod.spec?.tolerations?.find(({ key, effect }) => key === UNREACHABLE && effect === "NoExecute")
            ?.tolerationSeconds;
        const seen = await trial.pod("patient", (pod) => limit(pod) === undefined, "lost its limit");
        assert.ok(seen.spec?.tolerations?.some(({ key }) => key === UNREACHABLE));
        assert.equal(limit(await trial.pod("impatient", () => true, "is there")), 0);
        assert.equal(limit(await trial.pod("elsewhere", () => true, "is there")), DEFAULT_SECONDS);
      },
    );
    const node = () => kube.get(NODES, { name: site.nodeName });

    await t.step("without a heartbeat it becomes Unknown and is tainted", async () => {
      await site.edge.kill();
      await until("the node is Unknown", async () => (await trial.nodeReady()) === "Unknown", {
        timeoutMs: 120_000,
        everyMs: 500,
      });
      await until("the node is tainted", async () => {
        return (await node()).spec?.taints?.some(({ key, effect }) =>
          key === UNREACHABLE && effect === "NoExecute"
        );
      });
    });

    await t.step(
      "a pod that does not tolerate it is deleted, and stays until its node says it ended",
      async () => {
        await trial.pod("impatient", (p) => p.metadata?.deletionTimestamp !== undefined, "was evicted");
        // Longer than the default, from when the taint was set.
        const { timeAdded } = (await node()).spec!.taints!.find(({ key, effect }) =>
          key === UNREACHABLE && effect === "NoExecute"
        )!;
        await until("the default is over", () => {
          return Promise.resolve(Date.now() > Date.parse(timeAdded!) + 2 * DEFAULT_SECONDS * 1000);
        });
        const pod = await trial.pod("patient", () => true, "is there");
        assert.equal(pod.metadata?.deletionTimestamp, undefined);
        assert.equal((await containers({ uid: impatient, name: "main" })).length, 1);
      },
    );

    await t.step("back again it is Ready without the taint, with the same containers", async () => {
      site.startEdge();
      await site.nodeReady();
      await until("the taint is gone", async () => {
        return !(await node()).spec?.taints?.some(({ key }) => key === UNREACHABLE);
      });
      await trial.noPods("app=impatient");
      await until("the evicted pod's containers are gone", async () => {
        return (await containers({ uid: impatient, all: true })).length === 0;
      });
      const pod = await trial.pod("patient", isReady, "is ready");
      assert.equal(pod.metadata?.uid, patient);
      assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
      assert.deepEqual(await containers({ uid: patient, name: "main" }), before);
    });

    await t.step("cloudcore asked for nothing that it may not have or that is wrong", async () => {
      assert.deepEqual(await cluster.faults(), []);
    });
  },
});
