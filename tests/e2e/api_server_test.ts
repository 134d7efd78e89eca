import assert from "node:assert/strict";
import { CONFIG_MAPS } from "../../common/kubeclient/mod.ts";
import { isReady, kubectl } from "../../scripts/trial/kubernetes.ts";
import { runToEnd, until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers, DEMO } from "../support/trial.ts";

const settings = (greeting: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings", namespace: "default" },
  data: { greeting },
});

const work = { volumes: [{ name: "work", emptyDir: {} }] };
const container = (command: string[], volumeMounts: unknown[]) => [
  { name: "main", ...DEMO, command, volumeMounts },
];

onEachControlPlane(
  "an API that goes away and comes back costs nothing that was reported and nothing that was changed",
  {
    needs: [ENGINE, KUBECTL, EXECUTABLES],
    node: "gap",
    steps: async (t, trial, plane) => {
      const { site } = trial;
      await site.start();
      await trial.apply(
        settings("hello"),
        busyboxPod("kept", [], {
          containers: container(["sleep", "3600"], [{ name: "settings", mountPath: "/settings" }]),
          volumes: [{ name: "settings", configMap: { name: "settings" } }],
        }),
        busyboxPod("doomed", ["sleep", "3600"]),
        busyboxPod("ending", [], {
          ...work,
          restartPolicy: "Never",
          containers: container(["sh", "-c", "while [ ! -e /work/end ]; do sleep 0.1; done"], [
            { name: "work", mountPath: "/work" },
          ]),
        }),
      );
      const kept = await trial.pod("kept", isReady, "became ready");
      const doomed = await trial.pod("doomed", isReady, "became ready");
      const ending = await trial.pod("ending", isReady, "became ready");
      const uidOf = (pod: typeof kept) => pod.metadata!.uid!;

      await t.step("a deleted node registers again and keeps its containers", async () => {
        const before = await containers({ uid: uidOf(kept), name: "main" });
        await trial.kubectl("delete", "node", site.nodeName);
        await site.nodeReady();
        assert.deepEqual(await containers({ uid: uidOf(kept), name: "main" }), before);
      });

      await t.step("a pod that ended meanwhile is Succeeded once the API is back", async () => {
        await plane.stopApi();
        const [id] = await containers({ uid: uidOf(ending), name: "main" });
        await runToEnd("docker", ["exec", id!, "touch", "/work/end"]);
        await until(
          "it ended",
          async () => (await containers({ uid: uidOf(ending), name: "main" })).length === 0,
        );
        await plane.startApi();
        await trial.pod("ending", (p) => p.status?.phase === "Succeeded", "succeeded");
      });

      await t.step("a pod applied then runs", async () => {
        await trial.apply(busyboxPod("next", ["sleep", "3600"]));
        await trial.pod("next", isReady, "became ready");
      });

      await t.step("changes that no watch can tell any more reach the edge", async () => {
        await plane.stopApi();
        await plane.unseen(async (kubeconfig) => {
          const late = busyboxPod("late", ["sleep", "3600"], { nodeName: site.nodeName });
          const input = [settings("goodbye"), late].map((object) => `---\n${JSON.stringify(object)}\n`).join(
            "",
          );
          await kubectl(kubeconfig, ["apply", "-f", "-"], input);
          await kubectl(kubeconfig, ["delete", "pod", "doomed", "--force", "--grace-period=0"]);
        });
        await plane.startApi();
        await trial.pod("late", isReady, "became ready");
        await trial.noContainers(uidOf(doomed));
        await until("the changed ConfigMap is in the container", async () => {
          const [id] = await containers({ uid: uidOf(kept), name: "main" });
          const { stdout } = await runToEnd("docker", ["exec", id!, "cat", "/settings/greeting"]);
          return stdout === "goodbye";
        }, { timeoutMs: 90_000 });
        // A cloudcore that went with its API reads all anew.
        if (plane.kind === "Kubernetes") {
          assert.match(
            await site.cloud.log(),
            /Listing again, the watch is too far behind" resource="pods"/,
          );
        }
      });

      await t.step("nothing was restarted for it", async () => {
        const pod = await trial.pod("kept", isReady, "is ready");
        assert.equal(uidOf(pod), uidOf(kept));
        assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 0);
        const stored = await (await site.kube()).get(CONFIG_MAPS, { namespace: "default", name: "settings" });
        assert.equal(stored.data?.greeting, "goodbye");
      });
    },
  },
);
