import assert from "node:assert/strict";
import { isDeepStrictEqual as equal } from "node:util";
import { until } from "../../../scripts/trial/program.ts";
import type { Api } from "../api.ts";
import { area } from "../case.ts";
import { ABSENT, expectAnswer, expectRefusal, PRESENT } from "../expect.ts";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;
const FINALIZER = "example.com/hold";

interface Owned {
  name: string;
  uid: string;
}

async function make(api: Api, ns: string, name: string, metadata: object = {}): Promise<Owned> {
  const { metadata: { uid } } = expectAnswer(
    await api.post(mapsOf(ns), { metadata: { name, ...metadata } }),
    201,
  );
  return { name, uid };
}

const ownedBy = (owner: Owned, rest: object = {}) => ({
  ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", ...owner, ...rest }],
});

async function gone(api: Api, path: string): Promise<void> {
  await until(`${path} is gone`, async () => (await api.get(path)).status === 404, { timeoutMs: 60_000 });
}

export const DELETION = area("deletion", {
  "a finalizer holds a deleted object until it is taken away": async (c) => {
    const ns = await c.namespace();
    await make(c.api, ns, "held", { finalizers: [FINALIZER] });
    const path = `${mapsOf(ns)}/held`;
    const held = expectAnswer(await c.api.delete(path), 200, {
      kind: "ConfigMap",
      metadata: { deletionTimestamp: PRESENT, deletionGracePeriodSeconds: 0, finalizers: [FINALIZER] },
    });
    const again = expectAnswer(await c.api.delete(path), 200, { kind: "ConfigMap" });
    assert.equal(again.metadata.deletionTimestamp, held.metadata.deletionTimestamp);
    assert.equal(again.metadata.resourceVersion, held.metadata.resourceVersion);
    expectAnswer(await c.api.patch(path, "merge", { data: { still: "changes" } }), 200);
    const last = await c.api.patch(path, "merge", { metadata: { finalizers: null } });
    expectAnswer(last, 200, { metadata: { name: "held", finalizers: ABSENT, deletionTimestamp: PRESENT } });
    assert.equal((await c.api.get(path)).status, 404);
  },
  "an object that is being deleted takes no new finalizers": async (c) => {
    const ns = await c.namespace();
    await make(c.api, ns, "held", { finalizers: [FINALIZER] });
    const path = `${mapsOf(ns)}/held`;
    await c.api.delete(path);
    const message =
      'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/more"}';
    expectRefusal(
      await c.api.patch(path, "merge", { metadata: { finalizers: [FINALIZER, "example.com/more"] } }),
      422,
      {
        reason: "Invalid",
        message: `ConfigMap "held" is invalid: metadata.finalizers: ${message}`,
        details: {
          name: "held",
          kind: "ConfigMap",
          // Kubernetes gives the same cause twice.
          causes: (causes: object[]) =>
            causes.every((cause) =>
              equal(cause, { reason: "FieldValueForbidden", field: "metadata.finalizers", message })
            ),
        },
      },
    );
    await c.api.patch(path, "merge", { metadata: { finalizers: null } });
  },
  "what an update takes the last finalizer from is gone, whatever else it says": async (c) => {
    const ns = await c.namespace();
    await make(c.api, ns, "held", { finalizers: [FINALIZER] });
    const path = `${mapsOf(ns)}/held`;
    const held = expectAnswer(await c.api.delete(path), 200);
    held.metadata.finalizers = [];
    held.data = { last: "words" };
    expectAnswer(await c.api.put(path, held), 200, { data: { last: "words" } });
    assert.equal((await c.api.get(path)).status, 404);
  },
  "deletionTimestamp cannot be set or taken away by an update": async (c) => {
    const ns = await c.namespace();
    await make(c.api, ns, "held", { finalizers: [FINALIZER] });
    const path = `${mapsOf(ns)}/held`;
    await c.api.patch(path, "merge", { metadata: { deletionTimestamp: "2001-01-01T00:00:00Z" } });
    expectAnswer(await c.api.get(path), 200, { metadata: { deletionTimestamp: ABSENT } });
    await c.api.delete(path);
    await c.api.patch(path, "merge", { metadata: { deletionTimestamp: null } });
    expectAnswer(await c.api.get(path), 200, { metadata: { deletionTimestamp: PRESENT } });
    await c.api.patch(path, "merge", { metadata: { finalizers: null } });
  },
  "a pod that runs on no node is gone at once": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    // Its scheduler is one that is not there, so that nothing touches it.
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201, {
      status: { phase: "Pending", qosClass: "BestEffort" },
    });
    expectAnswer(await c.api.delete(`${pods}/p`), 200, {
      kind: "Pod",
      metadata: { deletionTimestamp: PRESENT },
    });
    assert.equal((await c.api.get(`${pods}/p`)).status, 404);
  },
  "a pod on a node is given its grace, which can be shortened": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const nodeName = c.unique("node");
    // Pods of nodes that are not there are collected; this one is.
    expectAnswer(await c.api.post("/api/v1/nodes", { metadata: { name: nodeName } }), 201);
    const spec = { nodeName, containers: [{ name: "c", image: "i:1" }] };
    expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201);
    const marked = expectAnswer(await c.api.delete(`${pods}/p`), 200, {
      metadata: { deletionTimestamp: PRESENT, deletionGracePeriodSeconds: 30, generation: 2 },
    });
    const shorter = expectAnswer(await c.api.delete(`${pods}/p`, { gracePeriodSeconds: 5 }), 200, {
      metadata: { deletionGracePeriodSeconds: 5 },
    });
    assert.ok(shorter.metadata.deletionTimestamp < marked.metadata.deletionTimestamp);
    expectAnswer(await c.api.delete(`${pods}/p`, { gracePeriodSeconds: 20 }), 200, {
      metadata: { deletionGracePeriodSeconds: 5 },
    });
    expectAnswer(await c.api.delete(`${pods}/p`, { gracePeriodSeconds: 0 }), 200);
    assert.equal((await c.api.get(`${pods}/p`)).status, 404);
    await c.api.delete(`/api/v1/nodes/${nodeName}`);
  },
});

export const OWNERS = area("owners", {
  "background deletion takes the dependents after the owner, and theirs": async (c) => {
    const ns = await c.namespace();
    const owner = await make(c.api, ns, "owner");
    const child = await make(c.api, ns, "child", ownedBy(owner));
    await make(c.api, ns, "grandchild", ownedBy(child));
    expectAnswer(await c.api.delete(`${mapsOf(ns)}/owner`, { propagationPolicy: "Background" }), 200, {
      status: "Success",
    });
    await gone(c.api, `${mapsOf(ns)}/child`);
    await gone(c.api, `${mapsOf(ns)}/grandchild`);
  },
  "foreground deletion waits for the dependents that block it": async (c) => {
    const ns = await c.namespace();
    const owner = await make(c.api, ns, "owner");
    await make(c.api, ns, "child", {
      ...ownedBy(owner, { blockOwnerDeletion: true }),
      finalizers: [FINALIZER],
    });
    expectAnswer(await c.api.delete(`${mapsOf(ns)}/owner`, { propagationPolicy: "Foreground" }), 200, {
      kind: "ConfigMap",
      metadata: { finalizers: ["foregroundDeletion"], deletionTimestamp: PRESENT },
    });
    await until("the child is being deleted", async () => {
      const { body } = await c.api.get(`${mapsOf(ns)}/child`);
      return body.metadata.deletionTimestamp !== undefined;
    }, { timeoutMs: 60_000 });
    expectAnswer(await c.api.get(`${mapsOf(ns)}/owner`), 200, {
      metadata: { finalizers: ["foregroundDeletion"] },
    });
    await c.api.patch(`${mapsOf(ns)}/child`, "merge", { metadata: { finalizers: null } });
    await gone(c.api, `${mapsOf(ns)}/owner`);
  },
  "foreground deletion does not wait for those that do not block it": async (c) => {
    const ns = await c.namespace();
    const owner = await make(c.api, ns, "owner");
    await make(c.api, ns, "child", { ...ownedBy(owner), finalizers: [FINALIZER] });
    await c.api.delete(`${mapsOf(ns)}/owner`, { propagationPolicy: "Foreground" });
    await gone(c.api, `${mapsOf(ns)}/owner`);
    await until("the child is being deleted", async () => {
      const { body } = await c.api.get(`${mapsOf(ns)}/child`);
      return body.metadata.deletionTimestamp !== undefined;
    }, { timeoutMs: 60_000 });
    await c.api.patch(`${mapsOf(ns)}/child`, "merge", { metadata: { finalizers: null } });
  },
  "orphaning leaves the dependents without the owner": async (c) => {
    const ns = await c.namespace();
    const owner = await make(c.api, ns, "owner");
    const other = await make(c.api, ns, "other");
    await make(c.api, ns, "child", ownedBy(owner));
    await make(c.api, ns, "shared", {
      ownerReferences: [...ownedBy(owner).ownerReferences, ...ownedBy(other).ownerReferences],
    });
    expectAnswer(await c.api.delete(`${mapsOf(ns)}/owner`, { propagationPolicy: "Orphan" }), 200, {
      metadata: { finalizers: ["orphan"] },
    });
    await gone(c.api, `${mapsOf(ns)}/owner`);
    expectAnswer(await c.api.get(`${mapsOf(ns)}/child`), 200, { metadata: { ownerReferences: ABSENT } });
    const shared = expectAnswer(await c.api.get(`${mapsOf(ns)}/shared`), 200);
    assert.deepEqual(shared.metadata.ownerReferences.map((o: Owned) => o.uid), [other.uid]);
  },
  "an object with another owner left stays, without the one that is gone": async (c) => {
    const ns = await c.namespace();
    const owner = await make(c.api, ns, "owner");
    const other = await make(c.api, ns, "other");
    await make(c.api, ns, "shared", {
      ownerReferences: [...ownedBy(owner).ownerReferences, ...ownedBy(other).ownerReferences],
    });
    await c.api.delete(`${mapsOf(ns)}/owner`, { propagationPolicy: "Background" });
    await until("only the other owner is named", async () => {
      const { body } = await c.api.get(`${mapsOf(ns)}/shared`);
      return body.metadata.ownerReferences?.length === 1;
    }, { timeoutMs: 60_000 });
    expectAnswer(await c.api.get(`${mapsOf(ns)}/shared`), 200, { metadata: ownedBy(other) });
  },
  "an object whose owner never was is collected": async (c) => {
    const ns = await c.namespace();
    await make(c.api, ns, "stray", ownedBy({ name: "nobody", uid: "44444444-4444-4444-8444-444444444444" }));
    await gone(c.api, `${mapsOf(ns)}/stray`);
  },
  "an owner in another namespace is no owner": async (c) => {
    const [ns, elsewhere] = [await c.namespace(), await c.namespace()];
    const owner = await make(c.api, elsewhere, "owner");
    await make(c.api, ns, "child", ownedBy(owner));
    await gone(c.api, `${mapsOf(ns)}/child`);
    expectAnswer(await c.api.get(`${mapsOf(elsewhere)}/owner`), 200);
  },
  "an owner of the same name and another uid is not the owner": async (c) => {
    const ns = await c.namespace();
    const first = await make(c.api, ns, "owner");
    await c.api.delete(`${mapsOf(ns)}/owner`, { propagationPolicy: "Orphan" });
    await gone(c.api, `${mapsOf(ns)}/owner`);
    await make(c.api, ns, "owner");
    await make(c.api, ns, "child", ownedBy(first));
    await gone(c.api, `${mapsOf(ns)}/child`);
    expectAnswer(await c.api.get(`${mapsOf(ns)}/owner`), 200);
  },
});
