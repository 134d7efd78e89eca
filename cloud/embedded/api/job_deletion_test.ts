import assert from "node:assert/strict";
import { startControlPlane } from "../testing.ts";

const JOBS = "/apis/batch/v1/namespaces/default/jobs";

Deno.test("a Job that is deleted without a word about its pods leaves them, and says so", async () => {
  await using plane = await startControlPlane();
  const create = (name: string) =>
    plane.request("POST", JOBS, {
      metadata: { name },
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } },
    });
  await create("a");
  const silent = await plane.request("DELETE", `${JOBS}/a`);
  assert.deepEqual(silent.body.metadata.finalizers, ["orphan"]);
  assert.match(
    silent.headers.get("warning") ?? "",
    /child pods are preserved by default when jobs are deleted/,
  );
  await create("b");
  const said = await plane.request("DELETE", `${JOBS}/b?propagationPolicy=Background`);
  assert.deepEqual([said.body.status, said.headers.get("warning")], ["Success", null]);
  assert.equal((await plane.request("GET", `${JOBS}/b`)).status, 404);
});
