import assert from "node:assert/strict";
import type { Pod } from "../../common/api/core_v1.ts";
import { type KubeClient, LEASES, NODES } from "../../common/kubeclient/mod.ts";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers } from "../support/trial.ts";

/** What admission gives pods that say nothing. */
const DEFAULT_SECONDS = 300;
const BRIEF_SECONDS = 5;
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
        const timer = setTimeout(resolve, 2_000);
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

onEachControlPlane(
  "a lost edge becomes Unknown and keeps its pods; back again it is Ready, and what was evicted ends",
  {
    needs: [ENGINE, KUBECTL, EXECUTABLES],
    node: "lost",
    nodeMonitorGracePeriod: 12,
    // It renews its Lease every quarter of this.
    edge: { "modules.edged.tailoredKubeletConfig.nodeLeaseDurationSeconds": 8 },
    steps: async (t, trial) => {
      const { site } = trial;
      await site.start();
      const kube = await site.kube();
      await using _other = await wellNode(kube, "other");
      const tolerating = (tolerationSeconds: number) => ({
        tolerations: [{ key: UNREACHABLE, operator: "Exists", effect: "NoExecute", tolerationSeconds }],
      });
      await trial.apply(
        busyboxPod("patient", ["sleep", "3600"]),
        busyboxPod("impatient", ["sleep", "3600"], tolerating(0)),
        busyboxPod("brief", ["sleep", "3600"], tolerating(BRIEF_SECONDS)),
        busyboxPod("elsewhere", ["sleep", "3600"], { nodeName: "gone" }),
      );
      const patient = (await trial.pod("patient", isReady, "became ready")).metadata!.uid!;
      const impatient = (await trial.pod("impatient", isReady, "became ready")).metadata!.uid!;
      await trial.pod("brief", isReady, "became ready");
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
          assert.equal(limit(await trial.pod("brief", () => true, "is there")), BRIEF_SECONDS);
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
        "pods that do not tolerate it, or no longer, are deleted, and stay until their node says they ended",
        async () => {
          const evicted = (p: Pod) => p.metadata?.deletionTimestamp !== undefined;
          await trial.pod("impatient", evicted, "was evicted");
          await trial.pod("brief", evicted, "was evicted");
          const { timeAdded } = (await node()).spec!.taints!.find(({ key, effect }) =>
            key === UNREACHABLE && effect === "NoExecute"
          )!;
          assert.ok(Date.now() >= Date.parse(timeAdded!) + BRIEF_SECONDS * 1000, "not before its time");
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
        await trial.noPods("app in (impatient,brief)");
        await trial.noContainers(impatient);
        const pod = await trial.pod("patient", isReady, "is ready");
        assert.equal(pod.metadata?.uid, patient);
        assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
        assert.deepEqual(await containers({ uid: patient, name: "main" }), before);
      });
    },
  },
);
