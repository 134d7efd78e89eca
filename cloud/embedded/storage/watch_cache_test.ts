import assert from "node:assert/strict";
import { isExpired } from "../../../common/errors/mod.ts";
import type { Change, StoredObject } from "./object_store.ts";
import { WatchCache } from "./watch_cache.ts";

function object(name: string, version: number, namespace = "ns"): StoredObject {
  return { resource: "pods", namespace, name, uid: name, resourceVersion: version, body: `{"n":"${name}"}` };
}

function cache(limits = {}): WatchCache {
  return new WatchCache(
    (o) => ({
      namespace: o.namespace,
      name: o.name,
      uid: o.uid,
      version: o.resourceVersion,
      labels: undefined,
      fields: undefined,
      text: o.body,
    }),
    10,
    limits,
  );
}

const insert = (name: string, version: number, ns?: string): Change => ({
  kind: "insert",
  object: object(name, version, ns),
});

Deno.test("WatchCache lists by namespace and name, whatever the order of writes", () => {
  const c = cache();
  c.load(object("z", 1, "b"));
  c.apply(insert("b", 11, "b"));
  c.apply(insert("x", 12, "a"));
  assert.deepEqual(c.list().map((e) => `${e.namespace}/${e.name}`), ["a/x", "b/b", "b/z"]);
  assert.deepEqual(c.list("b").map((e) => e.name), ["b", "z"]);
  assert.deepEqual(c.list("none"), []);
  c.apply({ kind: "delete", object: object("b", 13, "b"), expectedVersion: 11 });
  assert.equal(c.size, 2);
  assert.equal(c.get("b", "b"), undefined);
});

Deno.test("WatchCache tells the events after a version, with what was before", () => {
  const c = cache();
  c.apply(insert("a", 11));
  c.apply({ kind: "update", object: object("a", 12), expectedVersion: 11 });
  c.apply({ kind: "delete", object: object("a", 13), expectedVersion: 12 });
  assert.deepEqual(c.since(10).map((e) => [e.type, e.version, e.previous?.version]), [
    ["ADDED", 11, undefined],
    ["MODIFIED", 12, 11],
    ["DELETED", 13, 12],
  ]);
  assert.deepEqual(c.since(12).map((e) => e.version), [13]);
  assert.deepEqual(c.since(13), []);
});

Deno.test("WatchCache lists what there was at a version", () => {
  const c = cache({ events: 4 });
  const names = (version: number, namespace?: string) =>
    c.listAt(version, namespace).map((e) => `${e.name}@${e.version}`);
  c.apply(insert("a", 11));
  c.apply(insert("b", 12, "other"));
  c.apply({ kind: "update", object: object("a", 13), expectedVersion: 11 });
  c.apply({ kind: "delete", object: object("a", 14), expectedVersion: 13 });
  assert.deepEqual(names(10), []);
  assert.deepEqual(names(11), ["a@11"]);
  assert.deepEqual(names(12), ["a@11", "b@12"]);
  assert.deepEqual(names(13), ["a@13", "b@12"]);
  assert.deepEqual(names(13, "other"), ["b@12"]);
  assert.deepEqual(names(14), ["b@12"]);
  c.apply(insert("a", 15));
  assert.deepEqual(names(14), ["b@12"]);
  assert.deepEqual(names(13), ["a@13", "b@12"]);
  assert.throws(() => c.listAt(10), isExpired);
});

Deno.test("WatchCache says Expired for what it no longer knows", () => {
  const c = cache({ events: 3 });
  assert.throws(() => c.since(9), isExpired);
  for (let v = 11; v <= 300; v++) c.apply(insert(`p${v}`, v));
  assert.throws(() => c.since(296), isExpired);
  assert.deepEqual(c.since(297).map((e) => e.version), [298, 299, 300]);
});

Deno.test("WatchCache bounds the characters of its history", () => {
  const c = cache({ chars: 30 });
  for (let v = 11; v <= 20; v++) c.apply(insert(`p${v}`, v));
  assert.throws(() => c.since(15), isExpired);
  assert.equal(c.since(18).length, 2);
});

Deno.test("WatchCache tells its listeners until they are removed", () => {
  const c = cache();
  const seen: number[] = [];
  const remove = c.subscribe((e) => seen.push(e.version));
  c.apply(insert("a", 11));
  remove();
  c.apply(insert("b", 12));
  assert.deepEqual(seen, [11]);
});
