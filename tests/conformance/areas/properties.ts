import assert from "node:assert/strict";
import fc from "fast-check";
import type { Json } from "../api.ts";
import { area } from "../case.ts";
import { expectAnswer, namesOf } from "../expect.ts";

const secretsOf = (ns: string) => `/api/v1/namespaces/${ns}/secrets`;
const mapsOf = (ns: string) => `/api/v1/namespaces/${ns}/configmaps`;

const NAME = fc.constantFrom("a", "b", "c");
/** One write; some do not fit what is there and are refused. */
const WRITE = fc.oneof(
  fc.record({ op: fc.constant("create" as const), name: NAME, on: fc.boolean() }),
  fc.record({ op: fc.constant("label" as const), name: NAME, on: fc.boolean() }),
  fc.record({ op: fc.constant("delete" as const), name: NAME, on: fc.constant(false) }),
);
const KEY = fc.constantFrom("k", "l", "m/n", "~", "a.b");
const DATA = fc.dictionary(KEY.filter((key) => !/[/~]/.test(key)), fc.string({ maxLength: 5 }), {
  maxKeys: 3,
  noNullPrototype: true,
});

/** What list and watch tell of an object that must agree. */
const seen = ({ metadata }: Json) => ({
  rv: metadata.resourceVersion,
  labels: metadata.labels ?? {},
  uid: metadata.uid,
});

export const PROPERTIES = area("properties", {
  "a list and the watch after it tell the same as the next list": async (c) => {
    const ns = await c.namespace();
    await fc.assert(
      fc.asyncProperty(fc.array(WRITE, { minLength: 1, maxLength: 12 }), async (writes) => {
        const query = { labelSelector: "on=true" };
        const first = expectAnswer(await c.api.get(secretsOf(ns), query), 200);
        const known = new Map<string, object>(
          first.items.map((item: Json) => [item.metadata.name, seen(item)]),
        );
        const { resourceVersion } = first.metadata;
        await using watch = await c.api.watch(secretsOf(ns), { ...query, resourceVersion });
        for (const { op, name, on } of writes) {
          const labels = { on: String(on) };
          if (op === "create") await c.api.post(secretsOf(ns), { metadata: { name, labels } });
          else if (op === "label") {
            await c.api.patch(`${secretsOf(ns)}/${name}`, "merge", { metadata: { labels } });
          } else await c.api.delete(`${secretsOf(ns)}/${name}`);
        }
        const last = expectAnswer(await c.api.get(secretsOf(ns), query), 200);
        // A mark in the stream, by which everything before it has been told.
        const mark = { metadata: { name: "mark", labels: { on: "true" } } };
        expectAnswer(await c.api.post(secretsOf(ns), mark), 201);
        const events = await watch.until(({ object }) => object.metadata.name === "mark");
        await c.api.delete(`${secretsOf(ns)}/mark`);
        for (const { type, object } of events.slice(0, -1)) {
          const { name } = object.metadata;
          assert.equal(known.has(name), type !== "ADDED", `${type} ${name}`);
          if (type === "DELETED") known.delete(name);
          else known.set(name, seen(object));
        }
        const wanted = new Map(last.items.map((item: Json) => [item.metadata.name, seen(item)]));
        assert.deepEqual([...known].sort(), [...wanted].sort());
      }),
      { numRuns: 12 },
    );
  },
  "pages of any size are the whole list": async (c) => {
    const ns = await c.namespace();
    const names = Array.from({ length: 7 }, (_, i) => `s${i}`);
    for (const name of names) await c.api.post(secretsOf(ns), { metadata: { name } });
    for (let limit = 1; limit <= 8; limit++) {
      const found: string[] = [];
      let next: string | undefined = undefined;
      do {
        const page: Json = expectAnswer(
          await c.api.get(secretsOf(ns), { limit, ...(next === undefined ? {} : { continue: next }) }),
          200,
        );
        found.push(...namesOf(page));
        assert.ok(page.items.length <= limit);
        next = page.metadata.continue;
      } while (next !== undefined);
      assert.deepEqual(found, names, `limit ${limit}`);
    }
  },
  "a merge patch leads from any data to any other": async (c) => {
    const ns = await c.namespace();
    await c.api.post(mapsOf(ns), { metadata: { name: "m" } });
    let present: Record<string, string> = {};
    await fc.assert(
      fc.asyncProperty(DATA, async (wanted) => {
        const gone = Object.fromEntries(
          Object.keys(present).filter((key) => !(key in wanted)).map((key) => [key, null]),
        );
        const patched = expectAnswer(
          await c.api.patch(`${mapsOf(ns)}/m`, "merge", { data: { ...gone, ...wanted } }),
          200,
        );
        assert.deepEqual(patched.data ?? {}, { ...wanted });
        present = wanted;
      }),
      { numRuns: 20 },
    );
  },
  "a JSON patch of annotations does what it says, or nothing": async (c) => {
    const ns = await c.namespace();
    const path = `${mapsOf(ns)}/j`;
    await c.api.post(mapsOf(ns), { metadata: { name: "j", annotations: { k: "0" } } });
    let present: Record<string, string> = { k: "0" };
    const pointer = (key: string) =>
      `/metadata/annotations/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const key = KEY.filter((k) => k !== "~");
    const operation = fc.record({
      op: fc.constantFrom("add", "replace", "remove", "test"),
      key,
      value: fc.constantFrom("0", "1"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 4 }), async (operations) => {
        const wanted = { ...present };
        let fits = true;
        for (const { op, key, value } of operations) {
          if (!fits) break;
          const has = Object.hasOwn(wanted, key);
          if (op === "test") fits = has && wanted[key] === value;
          // A replacement of what is not there adds it, unlike RFC 6902 has it.
          else if (op === "remove" && !has) fits = false;
          else if (op === "remove") delete wanted[key];
          else wanted[key] = value;
        }
        // The last one stays, so that there is always a map to add to.
        if (fits && Object.keys(wanted).length === 0) return;
        const patch = operations.map(({ op, key, value }) => ({
          op,
          path: pointer(key),
          ...(op === "remove" ? {} : { value }),
        }));
        const answer = await c.api.patch(path, "json", patch);
        if (fits) present = wanted;
        assert.equal(answer.status, fits ? 200 : 422, `${JSON.stringify(patch)}: ${answer.text}`);
        assert.deepEqual(expectAnswer(await c.api.get(path), 200).metadata.annotations, present);
      }),
      { numRuns: 30 },
    );
  },
});
