import assert from "node:assert/strict";
import type { Pod } from "../../common/api/core_v1.ts";
import { PODS } from "../../common/kubeclient/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import { authorityOf, identityOf, SimulatedEdge } from "../../scripts/bench/simulated_edge.ts";
import { until } from "../../scripts/trial/program.ts";
import { OBJECT_SYNCS } from "../../cloud/cloudhub/object_sync_log.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { EXECUTABLES } from "../support/needs.ts";
import { busyboxPod } from "../support/trial.ts";

const EDGE = "killed-1";

onEachControlPlane(
  "what was deleted while an edge was away is deleted there, whenever after the sending cloudcore was killed",
  {
    needs: [EXECUTABLES],
    node: "killed",
    steps: async (t, trial, plane) => {
      const { site } = trial;
      await site.configureCloud();
      await site.startCloud();
      const kube = await site.kube();
      const isRecorded = async (name: string) => {
        const { items } = await kube.list(OBJECT_SYNCS, { namespace: "default" });
        return items.some(({ metadata }) => metadata?.name === name);
      };
      let recorded = 0;
      const identity = await identityOf(await authorityOf(kube), EDGE);
      {
        using edge = await SimulatedEdge.connect(EDGE, site.ports.hub, identity);
        await edge.register();
      }

      for (const [name, delayMs] of [["at-once", 0], ["soon", 3], ["later", 30]] as const) {
        await t.step(`killed ${delayMs} ms after the pod has arrived`, async () => {
          const pushed = Promise.withResolvers<void>();
          const resource = `default/pod/${name}`;
          const closed = Promise.withResolvers<void>();
          using _edge = await SimulatedEdge.connect(EDGE, site.ports.hub, identity, {
            pushed: ({ route }) => {
              if (route.resource === resource && route.operation === "insert") pushed.resolve();
            },
            closed: () => closed.resolve(),
          });
          const pod = busyboxPod(name, ["sleep", "3600"], { nodeName: EDGE }) as Pod;
          const { metadata } = await kube.create(PODS, pod);
          await pushed.promise;
          if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
          await site.cloud.kill();
          await closed.promise;
          const uid = metadata!.uid!;
          const sync = { name: `${EDGE}.${uid}` };
          // Without an API of its own cloudcore must be there to have anything deleted.
          if (plane.kind === "embedded") await site.startCloud();
          const onRecord = await isRecorded(sync.name);
          if (onRecord) recorded++;
          await kube.delete(PODS, { namespace: "default", name }, { gracePeriodSeconds: 0 });
          if (plane.kind !== "embedded") await site.startCloud();
          const deleted = Promise.withResolvers<Message>();
          using again = await SimulatedEdge.connect(EDGE, site.ports.hub, identity, {
            pushed: (message) => {
              if (message.route.resource === resource) deleted.resolve(message);
            },
          });
          // Where the API server was too slow for a record, the edge's report about the pod it has must do.
          if (!onRecord) await again.reportRunning({ metadata: metadata! });
          const message = await deleted.promise;
          assert.equal(message.route.operation, "delete");
          assert.equal((message.content as Pod).metadata?.uid, uid);
          await until("the record is gone", async () => !await isRecorded(sync.name));
        });
      }

      assert.ok(recorded > 0, "an API server that is well is not too slow");
    },
  },
);
