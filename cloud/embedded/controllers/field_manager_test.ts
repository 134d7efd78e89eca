import assert from "node:assert/strict";
import { createKubeClient, PODS } from "../../../common/kubeclient/mod.ts";
import { asManager } from "./field_manager.ts";

Deno.test("asManager() names the manager in every write, and leaves what names another", async () => {
  const asked: string[] = [];
  const fetch = (url: string, { method = "GET" }: RequestInit) => {
    asked.push(`${method} ${new URL(url).search}`);
    return Promise.resolve(Response.json({ metadata: { name: "p", namespace: "ns" }, items: [] }));
  };
  await using plain = createKubeClient({ server: "http://127.0.0.1:1" }, { fetch });
  const kube = asManager(plain, "kube-scheduler");
  const ref = { namespace: "ns", name: "p" };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: ref } as const;
  await kube.create(PODS, pod);
  await kube.update(PODS, pod, { subresource: "status" });
  await kube.patch(PODS, ref, { type: "merge", body: {} });
  await kube.patch(PODS, ref, { type: "merge", body: {} }, { fieldManager: "other" });
  await kube.get(PODS, ref);
  assert.deepEqual(asked, [
    "POST ?fieldManager=kube-scheduler",
    "PUT ?fieldManager=kube-scheduler",
    "PATCH ?fieldManager=kube-scheduler",
    "PATCH ?fieldManager=other",
    "GET ",
  ]);
});
