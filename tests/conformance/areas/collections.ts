import assert from "node:assert/strict";
import { area } from "../case.ts";
import { expectAnswer, expectRefusal, namesOf, PRESENT } from "../expect.ts";

const secretsOf = (ns: string) => `/api/v1/namespaces/${ns}/secrets`;

export const COLLECTIONS = area("delete collection", {
  "takes all of a namespace": async (c) => {
    const [ns, other] = [await c.namespace(), await c.namespace()];
    for (const name of ["a", "b", "c"]) await c.api.post(secretsOf(ns), { metadata: { name } });
    await c.api.post(secretsOf(other), { metadata: { name: "a" } });
    const gone = expectAnswer(await c.api.delete(secretsOf(ns)), 200, {
      kind: "SecretList",
      apiVersion: "v1",
      metadata: { resourceVersion: PRESENT },
    });
    assert.deepEqual(namesOf(gone).sort(), ["a", "b", "c"]);
    assert.deepEqual(namesOf(expectAnswer(await c.api.get(secretsOf(ns)), 200)), []);
    assert.deepEqual(namesOf(expectAnswer(await c.api.get(secretsOf(other)), 200)), ["a"]);
  },
  "takes what selectors select": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b", "c"]) {
      await c.api.post(secretsOf(ns), { metadata: { name, labels: { is: name } } });
    }
    await c.api.delete(secretsOf(ns), undefined, {
      labelSelector: "is in (a,b)",
      fieldSelector: "metadata.name!=b",
    });
    assert.deepEqual(namesOf(expectAnswer(await c.api.get(secretsOf(ns)), 200)), ["b", "c"]);
  },
  "marks what finalizers hold": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "held", finalizers: ["example.com/hold"] } });
    await c.api.post(secretsOf(ns), { metadata: { name: "free" } });
    expectAnswer(await c.api.delete(secretsOf(ns)), 200);
    const left = expectAnswer(await c.api.get(secretsOf(ns)), 200);
    assert.deepEqual(namesOf(left), ["held"]);
    assert.ok(left.items[0].metadata.deletionTimestamp);
    await c.api.patch(`${secretsOf(ns)}/held`, "merge", { metadata: { finalizers: null } });
  },
  "of nothing is no error; bad selectors and options are": async (c) => {
    const ns = await c.namespace();
    expectAnswer(await c.api.delete(secretsOf(ns)), 200, { items: [] });
    expectRefusal(await c.api.delete(secretsOf(ns), undefined, { labelSelector: "a in b" }), 400, {
      reason: "BadRequest",
      message: "unable to parse requirement: found 'b' expected: '('",
    });
    expectRefusal(await c.api.delete(secretsOf(ns), { propagationPolicy: "Sometimes" }), 422, {
      reason: "Invalid",
      message:
        /^DeleteOptions\.meta\.k8s\.io "" is invalid: propagationPolicy: Unsupported value: "Sometimes"/,
    });
  },
});

export const CONCURRENCY = area("concurrency", {
  "of fifty updates at once each is told whether it counted, and none is lost": async (c) => {
    const ns = await c.namespace();
    const path = `/api/v1/namespaces/${ns}/configmaps/counter`;
    await c.api.post(`/api/v1/namespaces/${ns}/configmaps`, {
      metadata: { name: "counter" },
      data: { n: "0" },
    });
    let conflicts = 0;
    const add = async () => {
      for (;;) {
        const object = expectAnswer(await c.api.get(path), 200);
        object.data.n = String(Number(object.data.n) + 1);
        const answer = await c.api.put(path, object);
        if (answer.status === 200) return;
        expectRefusal(answer, 409, { reason: "Conflict", message: /the object has been modified/ });
        conflicts++;
      }
    };
    await Promise.all(Array.from({ length: 50 }, add));
    assert.equal(expectAnswer(await c.api.get(path), 200).data.n, "50");
    assert.ok(conflicts > 0, "they did not meet");
  },
  "of fifty patches at once none is lost": async (c) => {
    const ns = await c.namespace();
    const path = `/api/v1/namespaces/${ns}/configmaps/many`;
    await c.api.post(`/api/v1/namespaces/${ns}/configmaps`, { metadata: { name: "many" } });
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    const answers = await Promise.all(
      keys.map((key) => c.api.patch(path, "merge", { data: { [key]: "1" } })),
    );
    for (const answer of answers) expectAnswer(answer, 200);
    assert.deepEqual(Object.keys(expectAnswer(await c.api.get(path), 200).data).sort(), keys.sort());
  },
  "of many creates of one name one succeeds": async (c) => {
    const ns = await c.namespace();
    const post = () => c.api.post(`/api/v1/namespaces/${ns}/configmaps`, { metadata: { name: "one" } });
    const answers = await Promise.all(Array.from({ length: 20 }, post));
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    assert.equal(answers.filter(({ status }) => status === 409).length, 19);
  },
  "a watch tells every one of many changes once, in order": async (c) => {
    const ns = await c.namespace();
    const path = `/api/v1/namespaces/${ns}/secrets`;
    const { metadata } = expectAnswer(await c.api.get(path), 200);
    const { resourceVersion } = metadata;
    await using watch = await c.api.watch(path, { resourceVersion });
    const names = Array.from({ length: 40 }, (_, i) => `s${i}`);
    await Promise.all(names.map(async (name) => {
      await c.api.post(path, { metadata: { name } });
      await c.api.delete(`${path}/${name}`);
    }));
    const events = await watch.take(80);
    const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(versions, [...versions].sort((a, b) => a - b));
    for (const name of names) {
      const own = events.filter(({ object }) => object.metadata.name === name).map(({ type }) => type);
      assert.deepEqual(own, ["ADDED", "DELETED"], name);
    }
  },
});
