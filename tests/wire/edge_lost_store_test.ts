import assert from "node:assert/strict";
import { EdgeCloud, podOf } from "./edge_cloud.ts";
import { startEdgeCore } from "./edge_core.ts";

const DATABASE = ["", "-wal", "-shm"];

Deno.test("edgecore whose database was wiped goes on with its pods, and has them stored again from the cloud", async (t) => {
  const directory = await Deno.makeTempDir();
  await using cloud = await EdgeCloud.start();
  const hub = await cloud.options(directory);
  const first = startEdgeCore({ directory, hub });
  const { runtime, clock } = first;
  const running = async () =>
    (await runtime.listContainers({})).filter(({ state }) => state === "running").map(({ pod, id }) =>
      `${pod.name} ${id}`
    )
      .sort();
  for (const name of ["kept", "deleted", "replaced"]) cloud.objects.set(`default/pod/${name}`, podOf(name));
  await first.until("the link", () => cloud.connected);
  for (const [key, pod] of cloud.objects) if (key.includes("/pod/")) cloud.push("update", key, pod);
  await first.until(
    "three pods run",
    () =>
      cloud.requests("patch", /podpatch/).filter((m) => /"phase":"Running"/.test(String(m.content))).length >=
        3,
  );
  await first.stop();
  const before = await running();
  for (const suffix of DATABASE) {
    await Deno.remove(`${directory}/edgecore.db${suffix}`).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
  cloud.objects.delete("default/pod/deleted");
  cloud.objects.set("default/pod/replaced", podOf("replaced", { uid: "uid-other", version: "2000" }));

  await t.step("while the cloud is away they all go on", async () => {
    const edge = startEdgeCore({
      directory,
      hub: { ...hub, websocketServer: "127.0.0.1:9" },
      runtime,
      clock,
    });
    await edge.pass(600_000, 1000);
    assert.deepEqual(await running(), before);
    await edge.stop();
  });

  const second = startEdgeCore({ directory, hub, runtime, clock });
  await t.step("what the cloud has goes on in the same container, the rest goes", async () => {
    await second.until(
      "the cloud was asked",
      () => second.logged.some((line) => line.includes("The cloud has the pod")),
    );
    await second.pass(90_000, 500);
    assert.deepEqual(await running(), before.filter((line) => line.startsWith("kept ")));
  });
  await second.stop();

  await t.step("it is stored: the next start needs no cloud", async () => {
    const edge = startEdgeCore({
      directory,
      hub: { ...hub, websocketServer: "127.0.0.1:9" },
      runtime,
      clock,
    });
    await edge.until(
      "the pods are read",
      () => edge.logged.some((line) => line.includes("Pods read from the store")),
    );
    assert.ok(edge.logged.some((line) => /Pods read from the store.*count=1/.test(line)));
    await edge.pass(90_000, 500);
    assert.deepEqual(await running(), before.filter((line) => line.startsWith("kept ")));
    await edge.stop();
  });
  runtime[Symbol.dispose]();
  await Deno.remove(directory, { recursive: true });
});
