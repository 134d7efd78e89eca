import assert from "node:assert/strict";
import { until } from "../../../scripts/trial/program.ts";
import { area } from "../case.ts";
import { expectAnswer, expectRefusal, namesOf, PRESENT } from "../expect.ts";

const namespaceAt = (name: string) => `/api/v1/namespaces/${name}`;
const mapsOf = (ns: string) => `${namespaceAt(ns)}/configmaps`;

export const NAMESPACES = area("namespaces", {
  "a new one has its label, finalizer and phase": async (c) => {
    const name = c.unique("new");
    expectAnswer(await c.api.post("/api/v1/namespaces", { metadata: { name } }), 201, {
      metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    });
  },
  "a new one gets its service account and the authority's certificate": async (c) => {
    const ns = await c.podNamespace();
    await until("there is the certificate", async () => {
      const { status, body } = await c.api.get(`${mapsOf(ns)}/kube-root-ca.crt`);
      return status === 200 && body.data["ca.crt"].includes("BEGIN CERTIFICATE");
    });
    await c.api.delete(`${namespaceAt(ns)}/serviceaccounts/default`);
    await until("the service account is there again", async () => {
      const { status } = await c.api.get(`${namespaceAt(ns)}/serviceaccounts/default`);
      return status === 200;
    });
  },
  "deletion takes what is in it, then itself": async (c) => {
    const ns = await c.namespace();
    for (let i = 0; i < 5; i++) await c.api.post(mapsOf(ns), { metadata: { name: `m${i}` } });
    await c.api.post(`${namespaceAt(ns)}/secrets`, { metadata: { name: "s" } });
    expectAnswer(await c.api.delete(namespaceAt(ns)), 200, {
      kind: "Namespace",
      metadata: { name: ns, deletionTimestamp: PRESENT },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Terminating" },
    });
    await until("the namespace is gone", async () => (await c.api.get(namespaceAt(ns))).status === 404, {
      timeoutMs: 60_000,
    });
    assert.deepEqual(namesOf(expectAnswer(await c.api.get(mapsOf(ns)), 200)), []);
    // The name can be had again.
    expectAnswer(await c.api.post("/api/v1/namespaces", { metadata: { name: ns } }), 201);
  },
  "a finalizer in it holds it, and nothing new comes in": async (c) => {
    const ns = await c.namespace();
    const held = { metadata: { name: "held", finalizers: ["example.com/hold"] } };
    await c.api.post(mapsOf(ns), held);
    await c.api.delete(namespaceAt(ns));
    await until("its content is being deleted", async () => {
      const { body } = await c.api.get(`${mapsOf(ns)}/held`);
      return body.metadata.deletionTimestamp !== undefined;
    }, { timeoutMs: 60_000 });
    expectRefusal(await c.api.post(mapsOf(ns), { metadata: { name: "late" } }), 403, {
      reason: "Forbidden",
      message:
        `configmaps "late" is forbidden: unable to create new content in namespace ${ns} because it is being terminated`,
      details: {
        name: "late",
        kind: "configmaps",
        causes: [{
          reason: "NamespaceTerminating",
          message: `namespace ${ns} is being terminated`,
          field: "metadata.namespace",
        }],
      },
    });
    expectAnswer(await c.api.patch(`${mapsOf(ns)}/held`, "merge", { data: { still: "changes" } }), 200);
    expectAnswer(await c.api.get(namespaceAt(ns)), 200, { status: { phase: "Terminating" } });
    await until("the namespace says what it waits for", async () => {
      const { body } = await c.api.get(namespaceAt(ns));
      return (body.status.conditions ?? []).some((x: { type: string; status: string }) =>
        x.type === "NamespaceFinalizersRemaining" && x.status === "True"
      );
    }, { timeoutMs: 60_000 });
    await c.api.patch(`${mapsOf(ns)}/held`, "merge", { metadata: { finalizers: null } });
    await until("the namespace is gone", async () => (await c.api.get(namespaceAt(ns))).status === 404, {
      timeoutMs: 60_000,
    });
  },
  "a finalizer of its own holds it after its content is gone": async (c) => {
    const name = c.unique("held");
    await c.api.post("/api/v1/namespaces", { metadata: { name, finalizers: ["example.com/hold"] } });
    await c.api.post(mapsOf(name), { metadata: { name: "a" } });
    await c.api.delete(namespaceAt(name));
    await until("its own finalizer is the last", async () => {
      const { body } = await c.api.get(namespaceAt(name));
      return body.spec.finalizers === undefined;
    }, { timeoutMs: 60_000 });
    assert.equal((await c.api.get(`${mapsOf(name)}/a`)).status, 404);
    await c.api.patch(namespaceAt(name), "merge", { metadata: { finalizers: null } });
    assert.equal((await c.api.get(namespaceAt(name))).status, 404);
  },
  "spec.finalizers change through finalize only": async (c) => {
    const name = c.unique("fin");
    const made = expectAnswer(
      await c.api.post("/api/v1/namespaces", {
        metadata: { name },
        spec: { finalizers: ["kubernetes", "example.com/own"] },
      }),
      201,
    );
    expectAnswer(await c.api.patch(namespaceAt(name), "merge", { spec: { finalizers: [] } }), 200, {
      spec: { finalizers: ["kubernetes", "example.com/own"] },
    });
    made.spec.finalizers = ["kubernetes"];
    delete made.metadata.resourceVersion;
    expectAnswer(await c.api.put(`${namespaceAt(name)}/finalize`, made), 200, {
      spec: { finalizers: ["kubernetes"] },
    });
    await c.api.delete(namespaceAt(name));
  },
  "those of the system stay": async (c) => {
    for (const name of ["default", "kube-system", "kube-public"]) {
      expectRefusal(await c.api.delete(namespaceAt(name)), 403, {
        reason: "Forbidden",
        message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
        details: { name, kind: "namespaces" },
      });
    }
    const all = namesOf(expectAnswer(await c.api.get("/api/v1/namespaces"), 200));
    for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
      assert.ok(all.includes(name), name);
    }
  },
  "there is no deletion of all": async (c) => {
    expectRefusal(await c.api.delete("/api/v1/namespaces"), 405, {
      reason: "MethodNotAllowed",
      message: "the server does not allow this method on the requested resource",
    });
  },
});
