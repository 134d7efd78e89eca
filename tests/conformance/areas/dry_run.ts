import assert from "node:assert/strict";
import { area } from "../case.ts";
import { ABSENT, expectAnswer, expectRefusal, PRESENT } from "../expect.ts";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;
const DRY = { dryRun: "All" };

export const DRY_RUN = area("dry run", {
  "create gives the object and stores none": async (c) => {
    const ns = await c.namespace();
    expectAnswer(await c.api.post(mapsOf(ns), { metadata: { name: "a" }, data: { k: "v" } }, DRY), 201, {
      metadata: { name: "a", uid: PRESENT, creationTimestamp: PRESENT, resourceVersion: ABSENT },
      data: { k: "v" },
    });
    assert.equal((await c.api.get(`${mapsOf(ns)}/a`)).status, 404);
  },
  "create refuses what it would refuse": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), { metadata: { name: "a" } });
    expectRefusal(await c.api.post(mapsOf(ns), { metadata: { name: "a" } }, DRY), 409, {
      reason: "AlreadyExists",
      message: 'configmaps "a" already exists',
    });
    expectRefusal(await c.api.post(mapsOf(ns), { metadata: { name: "B" } }, DRY), 422, {
      reason: "Invalid",
      message: /^ConfigMap "B" is invalid: metadata\.name/,
    });
    expectRefusal(await c.api.post(mapsOf(c.unique("missing")), { metadata: { name: "a" } }, DRY), 404, {
      reason: "NotFound",
      message: /^namespaces ".*" not found$/,
    });
  },
  "update, patch and delete change nothing": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/a`;
    const made = expectAnswer(
      await c.api.post(mapsOf(ns), { metadata: { name: "a" }, data: { k: "v" } }),
      201,
    );
    expectAnswer(await c.api.put(path, { metadata: { name: "a" }, data: { k: "w" } }, DRY), 200, {
      data: { k: "w" },
    });
    expectAnswer(await c.api.patch(path, "merge", { data: { k: "x" } }, DRY), 200, { data: { k: "x" } });
    expectAnswer(await c.api.patch(path, "json", [{ op: "remove", path: "/data" }], DRY), 200, {
      data: ABSENT,
    });
    expectAnswer(await c.api.patch(path, "strategic", { data: { k: "y" } }, DRY), 200, { data: { k: "y" } });
    expectAnswer(await c.api.delete(path, undefined, DRY), 200, { status: "Success" });
    expectAnswer(await c.api.delete(path, { dryRun: ["All"] }), 200, { status: "Success" });
    assert.deepEqual((await c.api.get(path)).body, made);
    expectAnswer(await c.api.delete(mapsOf(ns), undefined, DRY), 200);
    assert.deepEqual((await c.api.get(path)).body, made);
  },
  "status and scale change nothing": async (c) => {
    const ns = await c.namespace();
    const sets = `/apis/apps/v1/namespaces/${ns}/replicasets`;
    const spec = {
      replicas: 0,
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i:1" }] } },
    };
    expectAnswer(await c.api.post(sets, { metadata: { name: "r" }, spec }), 201);
    expectAnswer(await c.api.patch(`${sets}/r/scale`, "merge", { spec: { replicas: 5 } }, DRY), 200, {
      spec: { replicas: 5 },
    });
    expectAnswer(await c.api.patch(`${sets}/r/status`, "merge", { status: { replicas: 7 } }, DRY), 200, {
      status: { replicas: 7 },
    });
    expectAnswer(await c.api.get(`${sets}/r`), 200, {
      spec: { replicas: 0 },
      status: { replicas: 0 },
    });
  },
  "a namespace, an eviction and a binding change nothing": async (c) => {
    const ns = await c.podNamespace();
    expectAnswer(await c.api.delete(`/api/v1/namespaces/${ns}`, undefined, DRY), 200);
    expectAnswer(await c.api.get(`/api/v1/namespaces/${ns}`), 200, { status: { phase: "Active" } });
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    await c.api.post(pods, { metadata: { name: "p" }, spec });
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } };
    expectAnswer(await c.api.post(`${pods}/p/eviction`, eviction, DRY), 201);
    const binding = { metadata: { name: "p" }, target: { kind: "Node", name: "nowhere" } };
    expectAnswer(await c.api.post(`${pods}/p/binding`, binding, DRY), 201);
    expectAnswer(await c.api.get(`${pods}/p`), 200, {
      spec: { nodeName: ABSENT },
      metadata: { deletionTimestamp: ABSENT },
    });
  },
  "only All is known": async (c) => {
    const ns = await c.namespace();
    expectRefusal(await c.api.post(mapsOf(ns), { metadata: { name: "a" } }, { dryRun: "Some" }), 422, {
      reason: "Invalid",
      message:
        'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: []string{"Some"}: supported values: "All"',
    });
    await c.api.post(mapsOf(ns), { metadata: { name: "a" } });
    const path = `${mapsOf(ns)}/a`;
    expectRefusal(await c.api.put(path, { metadata: { name: "a" } }, { dryRun: "Some" }), 422, {
      reason: "Invalid",
      message: /^UpdateOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value/,
    });
    expectRefusal(await c.api.patch(path, "merge", {}, { dryRun: "Some" }), 422, {
      reason: "Invalid",
      message: /^PatchOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value/,
    });
    expectRefusal(await c.api.delete(path, undefined, { dryRun: "Some" }), 422, {
      reason: "Invalid",
      message: /^DeleteOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value/,
    });
  },
});
