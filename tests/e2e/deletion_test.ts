import assert from "node:assert/strict";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers } from "../support/trial.ts";

onEachControlPlane(
  "pods that were removed from the API while nobody could tell the edge are removed from the edge",
  {
    needs: [ENGINE, KUBECTL, EXECUTABLES],
    node: "deletion",
    steps: async (t, trial) => {
      const { site } = trial;
      await site.start();
      await trial.apply(...["first", "second", "kept"].map((name) => busyboxPod(name, ["sleep", "3600"])));
      const uids = new Map<string, string>();
      for (const name of ["first", "second", "kept"]) {
        uids.set(name, (await trial.pod(name, isReady, "became ready")).metadata!.uid!);
      }
      const of = (name: string) => containers({ uid: uids.get(name)!, all: true });
      const remove = (name: string) => trial.kubectl("delete", "pod", name, "--grace-period=0", "--force");
      const isRecorded = async (name: string) =>
        (await trial.kubectl("get", "objectsyncs", "--output=name")).includes(
          `${site.nodeName}.${uids.get(name)}`,
        );
      const goes = async (name: string) => {
        await until(`no container of ${name} is left`, async () => (await of(name)).length === 0);
        await until(`the record of ${name} is gone`, async () => !await isRecorded(name));
      };

      await t.step("what the node confirmed is recorded", async () => {
        for (const name of uids.keys()) await until(`${name} is recorded`, () => isRecorded(name));
      });

      await t.step("removed by force while the edge is away", async () => {
        await site.edge.kill();
        await remove("first");
        assert.notEqual((await of("first")).length, 0);
        site.startEdge();
        await goes("first");
      });

      await t.step(
        "removed by force while the edge is away, and cloudcore killed before it is back",
        async () => {
          await site.edge.kill();
          await remove("second");
          await site.cloud.kill();
          await site.startCloud();
          assert.ok(await isRecorded("second"));
          site.startEdge();
          await goes("second");
        },
      );

      await t.step("an edge that lost its database is sent everything again", async () => {
        await site.edge.kill();
        for await (const { name } of Deno.readDir(`${site.directory}/edge`)) {
          if (name.startsWith("edgecore.db")) await Deno.remove(`${site.directory}/edge/${name}`);
        }
        const before = await containers({ uid: uids.get("kept")!, name: "main" });
        assert.equal(before.length, 1);
        site.startEdge();
        await trial.edgeKnows(uids.get("kept")!);
        assert.deepEqual(await containers({ uid: uids.get("kept")!, name: "main" }), before);
      });
    },
  },
);
