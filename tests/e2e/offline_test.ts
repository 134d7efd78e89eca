import assert from "node:assert/strict";
import { isReady } from "../../scripts/trial/kubernetes.ts";
import { runToEnd, until } from "../../scripts/trial/program.ts";
import { onEachControlPlane } from "../support/control_planes.ts";
import { ENGINE, EXECUTABLES, KUBECTL } from "../support/needs.ts";
import { busyboxPod, containers, DEMO, type Trial } from "../support/trial.ts";

async function offline(t: Deno.TestContext, trial: Trial): Promise<void> {
  const { site } = trial;
  await site.start();
  await trial.apply(
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data: { greeting: "hello" } },
    busyboxPod("steady", [], {
      containers: [{
        name: "main",
        ...DEMO,
        command: ["sleep", "3600"],
        envFrom: [{ configMapRef: { name: "settings" } }],
      }],
    }),
    busyboxPod("doomed", ["sleep", "3600"]),
  );
  const pod = await trial.pod("steady", isReady, "became ready");
  const doomed = await trial.pod("doomed", isReady, "became ready");
  const uid = pod.metadata!.uid!;
  const main = () => containers({ uid, name: "main" });

  await t.step("cloudcore killed: a killed container comes back", async () => {
    await site.cloud.kill();
    const [before] = await main();
    await runToEnd("docker", ["kill", before!]);
    await until("another container runs", async () => (await main()).some((id) => id !== before));
    const [after] = await main();
    const { stdout } = await runToEnd("docker", ["exec", after!, "env"]);
    assert.match(stdout, /^greeting=hello$/m);
  });

  await t.step("edgecore killed and started without the cloud adopts the running container", async () => {
    const before = await main();
    await site.edge.kill();
    assert.deepEqual(await main(), before);
    site.startEdge();
    await trial.edgeKnows(uid);
    assert.deepEqual(await main(), before);
  });

  await t.step("a reboot without the cloud: every container is gone, every pod comes back", async () => {
    await site.edge.kill();
    const all = await containers({ node: site.nodeName, all: true });
    assert.ok(all.length >= 4);
    await runToEnd("docker", ["rm", "--force", ...all]);
    site.startEdge();
    await until(
      "the pods run again",
      async () => (await containers({ node: site.nodeName, name: "main" })).length === 2,
    );
  });

  await t.step("the cloud returns: the status catches up", async () => {
    await site.startCloud();
    const [id] = await main();
    await trial.pod(
      "steady",
      (p) => isReady(p) && p.status?.containerStatuses?.[0]?.containerID === `docker://${id}`,
      "was up to date",
    );
    assert.equal(
      await until("the node is Ready", async () => (await trial.nodeReady()) === "True" && "True"),
      "True",
    );
  });

  await t.step("a pod deleted while the edge was away goes when it comes back", async () => {
    await site.edge.kill();
    await trial.kubectl("delete", "pod", "doomed", "--wait=false");
    site.startEdge();
    await trial.noPods("app=doomed");
    await trial.noContainers(doomed.metadata!.uid!);
    assert.equal((await main()).length, 1);
  });
}

onEachControlPlane(
  "the edge keeps its pods without the cloud, through kills and restarts, and the cloud catches up",
  {
    needs: [ENGINE, KUBECTL, EXECUTABLES],
    node: "offline",
    steps: offline,
  },
);
