import assert from "node:assert/strict";
import { startControlPlane } from "../testing.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

Deno.test("who may patch and not create applies to what there is, and makes nothing", async () => {
  await using plane = await startControlPlane();
  await plane.request("POST", `${RBAC}/roles`, {
    metadata: { name: "patcher" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["patch"] }],
  });
  await plane.request("POST", `${RBAC}/rolebindings`, {
    metadata: { name: "patcher" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "patcher" },
    subjects: [{ kind: "User", name: "bob", apiGroup: "rbac.authorization.k8s.io" }],
  });
  const apply = (name: string, query = "") =>
    plane.request("PATCH", `${CONFIG_MAPS}/${name}?fieldManager=m${query}`, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name },
      data: { by: "bob" },
    }, { "content-type": "application/apply-patch+yaml", "impersonate-user": "bob" });
  for (const query of ["", "&dryRun=All"]) {
    const { status, body } = await apply("new", query);
    assert.deepEqual([status, body.message], [
      403,
      'configmaps "new" is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "default"',
    ]);
  }
  assert.equal((await plane.request("GET", `${CONFIG_MAPS}/new`)).status, 404);
  await plane.request("POST", CONFIG_MAPS, { metadata: { name: "old" } });
  assert.equal((await apply("old")).status, 200);
});
