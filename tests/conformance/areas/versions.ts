import assert from "node:assert/strict";
import { area } from "../case.ts";
import { expectAnswer, expectClientFault, expectRefusal, namesOf } from "../expect.ts";

const secretsOf = (ns: string) => `/api/v1/namespaces/${ns}/secrets`;
/** A version of the far future. */
const FUTURE = "999999999999";

export const VERSIONS = area("resource versions", {
  "get of any version gives the newest": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(secretsOf(ns), { metadata: { name: "a" } }), 201);
    const next = expectAnswer(
      await c.api.patch(`${secretsOf(ns)}/a`, "merge", { metadata: { labels: { a: "b" } } }),
      200,
    );
    for (const resourceVersion of ["", made.metadata.resourceVersion, next.metadata.resourceVersion]) {
      expectAnswer(await c.api.get(`${secretsOf(ns)}/a`, { resourceVersion }), 200, {
        metadata: { resourceVersion: next.metadata.resourceVersion },
      });
    }
  },
  "get and list of a bad version are refused": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "a" } });
    const message = 'resourceVersion: Invalid value: "old": strconv.ParseUint: parsing "old": invalid syntax';
    const query = { resourceVersion: "old" };
    expectClientFault(c.plane.kind, await c.api.get(`${secretsOf(ns)}/a`, query), message);
    expectRefusal(await c.api.get(secretsOf(ns), query), 400, {
      reason: "BadRequest",
      message: `invalid resource version: ${message}`,
    });
  },
  "get and list of a version that is not there yet time out": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "a" } });
    for (const path of [`${secretsOf(ns)}/a`, secretsOf(ns)]) {
      expectRefusal(await c.api.get(path, { resourceVersion: FUTURE }), 504, {
        reason: "Timeout",
        message: /^Timeout: Too large resource version: 999999999999, current: \d+$/,
        details: {
          causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
          retryAfterSeconds: 1,
        },
      });
    }
  },
  "list of an old version gives at least that": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(secretsOf(ns), { metadata: { name: "a" } }), 201);
    await c.api.post(secretsOf(ns), { metadata: { name: "b" } });
    const { resourceVersion } = made.metadata;
    for (const query of [{}, { resourceVersionMatch: "NotOlderThan" }] as Array<Record<string, string>>) {
      const list = expectAnswer(await c.api.get(secretsOf(ns), { resourceVersion, ...query }), 200);
      assert.ok(Number(list.metadata.resourceVersion) >= Number(resourceVersion));
      assert.ok(namesOf(list).includes("a"));
    }
  },
  "list of exactly a version gives what was then": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(secretsOf(ns), { metadata: { name: "a" } }), 201);
    await c.api.post(secretsOf(ns), { metadata: { name: "b" } });
    await c.api.patch(`${secretsOf(ns)}/a`, "merge", { metadata: { labels: { a: "b" } } });
    const { resourceVersion } = made.metadata;
    const list = expectAnswer(
      await c.api.get(secretsOf(ns), { resourceVersion, resourceVersionMatch: "Exact" }),
      200,
      { metadata: { resourceVersion } },
    );
    assert.deepEqual(namesOf(list), ["a"]);
    assert.equal(list.items[0].metadata.labels, undefined);
    await c.api.delete(`${secretsOf(ns)}/a`);
    const then = expectAnswer(
      await c.api.get(secretsOf(ns), { resourceVersion, resourceVersionMatch: "Exact" }),
      200,
    );
    assert.deepEqual(namesOf(then), ["a"]);
  },
  "a limit with a version gives pages of exactly that version": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), { metadata: { name: "a" } });
    const made = expectAnswer(await c.api.post(secretsOf(ns), { metadata: { name: "b" } }), 201);
    await c.api.delete(`${secretsOf(ns)}/a`);
    const { resourceVersion } = made.metadata;
    const list = expectAnswer(
      await c.api.get(secretsOf(ns), { resourceVersion, resourceVersionMatch: "Exact", limit: 1 }),
      200,
    );
    assert.deepEqual(namesOf(list), ["a"]);
    const rest = expectAnswer(await c.api.get(secretsOf(ns), { continue: list.metadata.continue }), 200);
    assert.deepEqual(namesOf(rest), ["b"]);
  },
  "resourceVersionMatch is refused where it means nothing": async (c) => {
    const ns = await c.namespace();
    const rows: Array<[Record<string, string>, string]> = [
      [
        { resourceVersionMatch: "Exact" },
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
      ],
      [
        { resourceVersion: "0", resourceVersionMatch: "Exact" },
        'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
      ],
      [
        { resourceVersion: "1", resourceVersionMatch: "Sometimes" },
        'resourceVersionMatch: Unsupported value: "Sometimes": supported values: "Exact", "NotOlderThan", ""',
      ],
    ];
    for (const [query, message] of rows) {
      expectRefusal(await c.api.get(secretsOf(ns), query), 422, {
        reason: "Invalid",
        message: `ListOptions.meta.k8s.io "" is invalid: ${message}`,
      });
    }
  },
  "versions grow over all resources": async (c) => {
    const ns = await c.namespace();
    const a = expectAnswer(await c.api.post(secretsOf(ns), { metadata: { name: "a" } }), 201);
    const b = expectAnswer(
      await c.api.post(`/api/v1/namespaces/${ns}/configmaps`, { metadata: { name: "b" } }),
      201,
    );
    const list = expectAnswer(await c.api.get(secretsOf(ns)), 200);
    const [first, second, third] = [a, b, list].map((o) => Number(o.metadata.resourceVersion));
    assert.ok(first! < second! && second! <= third!);
  },
});
