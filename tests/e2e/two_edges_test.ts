import assert from "node:assert/strict";
import { NODES } from "../../common/kubeclient/mod.ts";
import { PAUSE_IMAGE } from "../../scripts/demo_image.ts";
import { HOST_ARCH } from "../../scripts/runtime.ts";
import { until } from "../../scripts/trial/program.ts";
import { Site } from "../../scripts/trial/site.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES } from "../support/needs.ts";
import { ROOT, type Trial } from "../support/trial.ts";

const times = async (site: Site, text: string) => (await site.edge.log()).split(text).length - 1;

/** Another machine that was given the same name, joined to the first one's cloud with a token and so with another certificate. */
async function double({ site }: Trial): Promise<Site> {
  const twin = new Site({
    directory: `${site.directory}/twin`,
    dist: `${ROOT}dist`,
    arch: HOST_ARCH,
    nodeName: site.nodeName,
    sandboxImage: PAUSE_IMAGE,
  });
  await twin.configureEdge(await site.token(), {
    "modules.edgeHub.httpServer": `https://127.0.0.1:${site.ports.https}`,
    "modules.edgeHub.websocket.server": `127.0.0.1:${site.ports.hub}`,
  });
  return twin;
}

onEachControlPlane("of two edges that claim one name the newest is served, and the older yields and waits", {
  needs: [ENGINE, EXECUTABLES],
  node: "double",
  // An edge that yields asks again after two of these.
  edge: { "modules.edgeHub.heartbeat": 3 },
  steps: async (t, trial) => {
    const { site } = trial;
    await site.start();
    await using twin = await double(trial);
    const { uid } = (await (await site.kube()).get(NODES, { name: site.nodeName })).metadata!;

    await t.step("the older is told, and says what to do", async () => {
      twin.startEdge();
      await until(
        "the older was told",
        async () => (await site.edge.log()).includes("Another edgecore connected"),
      );
      assert.match(await site.edge.log(), /hostnameOverride.*join it with a new token/);
      assert.equal(await times(twin, "Another edgecore connected"), 0);
    });

    await t.step("it does not take its place back while the other lives", async () => {
      await until("the older asked again and was refused", async () => {
        return (await site.cloud.log()).includes(
          "another edgecore is connected",
        );
      }, { timeoutMs: 60_000 });
      assert.equal(await times(site, "Connected to the cloud"), 1);
      assert.equal(await times(twin, "Connected to the cloud"), 1);
      assert.equal(await trial.nodeReady(), "True");
    });

    await t.step("it is served again when the other is gone", async () => {
      await twin.edge.stop();
      await until("the older is connected", async () => await times(site, "Connected to the cloud") === 2, {
        timeoutMs: 60_000,
      });
      await site.nodeReady();
      assert.equal((await (await site.kube()).get(NODES, { name: site.nodeName })).metadata?.uid, uid);
    });
  },
});
