import assert from "node:assert/strict";
import type { Api, Json } from "../api.ts";
import { area, type CaseContext } from "../case.ts";
import { FORGETTING_CHARS } from "../control_plane.ts";
import { ABSENT, expectAnswer, expectPart, expectRefusal, namesOf, PRESENT } from "../expect.ts";

const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;
const mine = { labelSelector: "mine" };

async function fill(c: CaseContext, count: number): Promise<string> {
  const ns = await c.namespace();
  // The namespace's own ConfigMap comes when it comes.
  for (let i = 0; i < count; i++) {
    expectAnswer(
      await c.api.post(`/api/v1/namespaces/${ns}/secrets`, {
        metadata: { name: `s${i}`, labels: { mine: "" } },
      }),
      201,
    );
  }
  return ns;
}

const secretsOf = (ns: string) => `/api/v1/namespaces/${ns}/secrets`;

async function pages(api: Api, path: string, query: Record<string, string | number>): Promise<Json[]> {
  const found: Json[] = [];
  let next: string | undefined;
  do {
    const list = expectAnswer(
      await api.get(path, { ...query, ...(next === undefined ? {} : { continue: next }) }),
      200,
    );
    found.push(list);
    next = list.metadata.continue;
  } while (next !== undefined && next !== "");
  return found;
}

export const PAGING = area("paging", {
  "pages of a limit, with what remains": async (c) => {
    const ns = await fill(c, 5);
    const found = await pages(c.api, secretsOf(ns), { limit: 2 });
    assert.deepEqual(found.map(namesOf), [["s0", "s1"], ["s2", "s3"], ["s4"]]);
    assert.deepEqual(found.map((list) => list.metadata.remainingItemCount), [3, 1, undefined]);
    assert.equal(new Set(found.map((list) => list.metadata.resourceVersion)).size, 1);
  },
  "a page with a selector does not say what remains": async (c) => {
    const ns = await fill(c, 3);
    const list = expectAnswer(await c.api.get(secretsOf(ns), { limit: 2, ...mine }), 200, {
      metadata: { continue: PRESENT, remainingItemCount: ABSENT },
    });
    assert.deepEqual(namesOf(list), ["s0", "s1"]);
  },
  "a limit that nothing exceeds has no next page": async (c) => {
    const ns = await fill(c, 2);
    for (const limit of [0, 2, 500]) {
      const list = expectAnswer(await c.api.get(secretsOf(ns), { limit }), 200, {
        metadata: { continue: ABSENT, remainingItemCount: ABSENT },
      });
      assert.equal(list.items.length, 2);
    }
  },
  "later pages show what the first was taken from": async (c) => {
    const ns = await fill(c, 4);
    const first = expectAnswer(await c.api.get(secretsOf(ns), { limit: 1 }), 200);
    await c.api.delete(`${secretsOf(ns)}/s1`);
    await c.api.post(secretsOf(ns), { metadata: { name: "s10" } });
    await c.api.patch(`${secretsOf(ns)}/s2`, "merge", { metadata: { labels: { changed: "yes" } } });
    await c.api.delete(`${secretsOf(ns)}/s3`);
    await c.api.post(secretsOf(ns), { metadata: { name: "s3", labels: { again: "yes" } } });
    const rest = expectAnswer(
      await c.api.get(secretsOf(ns), { limit: 10, continue: first.metadata.continue }),
      200,
      { metadata: { resourceVersion: first.metadata.resourceVersion, continue: ABSENT } },
    );
    assert.deepEqual(namesOf(rest), ["s1", "s2", "s3"]);
    assert.deepEqual(rest.items[1].metadata.labels, { mine: "" });
    assert.deepEqual(rest.items[2].metadata.labels, { mine: "" });
    const now = expectAnswer(await c.api.get(secretsOf(ns)), 200);
    assert.deepEqual(namesOf(now), ["s0", "s10", "s2", "s3"]);
  },
  "pages over all namespaces": async (c) => {
    const label = c.unique("all");
    const [one, two] = [await c.namespace(), await c.namespace()];
    for (const ns of [one, two]) {
      for (const name of ["a", "b"]) {
        await c.api.post(secretsOf(ns), { metadata: { name, labels: { [label]: "" } } });
      }
    }
    const found = await pages(c.api, "/api/v1/secrets", { limit: 1, labelSelector: label });
    assert.deepEqual(
      found.flatMap((list) =>
        list.items.map((item: Json) => `${item.metadata.namespace}/${item.metadata.name}`)
      ),
      [`${one}/a`, `${one}/b`, `${two}/a`, `${two}/b`],
    );
  },
  "pages of tables and of metadata": async (c) => {
    const ns = await fill(c, 3);
    const table = "application/json;as=Table;g=meta.k8s.io;v=v1";
    expectAnswer(await c.api.get(secretsOf(ns), { limit: 2 }, { accept: table }), 200, {
      kind: "Table",
      metadata: { continue: PRESENT, remainingItemCount: 1 },
      rows: [{}, {}],
    });
    const partial = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    expectAnswer(await c.api.get(secretsOf(ns), { limit: 2 }, { accept: partial }), 200, {
      kind: "PartialObjectMetadataList",
      metadata: { continue: PRESENT, remainingItemCount: 1 },
      items: [{ kind: "PartialObjectMetadata" }, { kind: "PartialObjectMetadata" }],
    });
  },
  "bad limits and tokens are refused": async (c) => {
    const ns = await fill(c, 2);
    expectRefusal(await c.api.get(secretsOf(ns), { limit: "many" }), 400, {
      reason: "BadRequest",
      message: 'strconv.ParseInt: parsing "many": invalid syntax',
    });
    expectRefusal(await c.api.get(secretsOf(ns), { continue: "nonsense" }), 400, {
      reason: "BadRequest",
      message: /^invalid continue token: continue key is not valid: /,
    });
    const { metadata } = expectAnswer(await c.api.get(secretsOf(ns), { limit: 1 }), 200);
    expectRefusal(
      await c.api.get(secretsOf(ns), { limit: 1, continue: metadata.continue, resourceVersion: "5" }),
      400,
      { reason: "BadRequest", message: "specifying resource version is not allowed when using continue" },
    );
  },
  "a token of one place is good for no other": async (c) => {
    const ns = await fill(c, 2);
    const { metadata } = expectAnswer(await c.api.get(secretsOf(ns), { limit: 1 }), 200);
    const elsewhere = await c.namespace();
    const answer = await c.api.get(secretsOf(elsewhere), { continue: metadata.continue });
    if (answer.status === 200) assert.deepEqual(namesOf(answer.body), []);
    else expectRefusal(answer, 400, { reason: "BadRequest", message: /^continue key is not valid/ });
  },
});

const FILLING = { filling: "x".repeat(FORGETTING_CHARS) };
const FORGOTTEN =
  "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

export const FORGETTING = area("a forgotten past", {
  "a continue token is answered 410 with another that goes on with the present": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b", "d"]) {
      await c.api.post(mapsOf(ns), { metadata: { name, labels: { mine: "" } } });
    }
    const first = expectAnswer(await c.api.get(mapsOf(ns), { limit: 1, ...mine }), 200);
    let count = 0;
    await c.plane.forgetConfigMaps(async () => {
      await c.api.patch(`${mapsOf(ns)}/a`, "merge", { data: { count: String(count++), ...FILLING } });
    });
    await c.api.post(mapsOf(ns), { metadata: { name: "c", labels: { mine: "" } } });
    const answer = await c.api.get(mapsOf(ns), { limit: 1, continue: first.metadata.continue, ...mine });
    assert.equal(answer.status, 410);
    const { metadata, ...status } = answer.body;
    assert.deepEqual(status, {
      kind: "Status",
      apiVersion: "v1",
      status: "Failure",
      message: FORGOTTEN,
      reason: "Expired",
      code: 410,
    });
    const found = await pages(c.api, mapsOf(ns), { limit: 2, continue: metadata.continue, ...mine });
    assert.deepEqual(found.flatMap(namesOf), ["b", "c", "d"]);
  },
  "an exact list of a version that is forgotten is answered 410": async (c) => {
    const ns = await c.namespace();
    expectAnswer(await c.api.post(mapsOf(ns), { metadata: { name: "a" } }), 201);
    const { metadata } = expectAnswer(await c.api.get(mapsOf(ns)), 200);
    let count = 0;
    await c.plane.forgetConfigMaps(async () => {
      await c.api.patch(`${mapsOf(ns)}/a`, "merge", { data: { count: String(count++), ...FILLING } });
    });
    await c.api.patch(`${mapsOf(ns)}/a`, "merge", { data: { count: "last" } });
    const query = { resourceVersion: metadata.resourceVersion, resourceVersionMatch: "Exact" };
    expectRefusal(await c.api.get(mapsOf(ns), query), 410, {
      reason: "Expired",
      message:
        /^The provided resource version is too old\.|^The resourceVersion for the provided list is too old\.$/,
    });
  },
  "a watch from there is told 410 in its first event": async (c) => {
    await using watch = await c.api.watch("/api/v1/configmaps", { resourceVersion: "1" });
    const events = await watch.rest();
    assert.equal(events.length, 1);
    expectPart(events[0], {
      type: "ERROR",
      object: {
        kind: "Status",
        apiVersion: "v1",
        status: "Failure",
        message: /^too old resource version: 1 \(\d+\)$/,
        reason: "Expired",
        code: 410,
      },
    });
  },
}, { alone: true });
