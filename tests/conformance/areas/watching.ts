import assert from "node:assert/strict";
import type { Watch, WatchEvent } from "../api.ts";
import { until } from "../../../scripts/trial/program.ts";
import { area, type CaseContext } from "../case.ts";
import { ABSENT, expectAnswer, expectClientFault, expectPart, expectRefusal, PRESENT } from "../expect.ts";

const secretsOf = (ns: string) => `/api/v1/namespaces/${ns}/secrets`;
const brief = (events: WatchEvent[]) => events.map(({ type, object }) => `${type} ${object.metadata.name}`);
const labelled = (name: string, labels: Record<string, string> = {}) => ({ metadata: { name, labels } });

const TABLE = { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" };
const PARTIAL = { accept: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1" };

export const WATCHING = area("watch", {
  "from a version tells every change after it, in order": async (c) => {
    const ns = await c.namespace();
    const first = expectAnswer(await c.api.post(secretsOf(ns), labelled("a")), 201);
    const changed = expectAnswer(
      await c.api.patch(`${secretsOf(ns)}/a`, "merge", { stringData: { k: "v" } }),
      200,
    );
    await c.api.post(secretsOf(ns), labelled("b"));
    const { resourceVersion } = first.metadata;
    await using watch = await c.api.watch(secretsOf(ns), { resourceVersion });
    const events = await watch.take(2);
    assert.deepEqual(brief(events), ["MODIFIED a", "ADDED b"]);
    expectPart(events[0]!.object, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { resourceVersion: changed.metadata.resourceVersion },
      data: { k: "dg==" },
    });
    await c.api.delete(`${secretsOf(ns)}/a`);
    await c.api.post(secretsOf(ns), labelled("a"));
    const [deleted, added] = await watch.take(2);
    assert.deepEqual(brief([deleted!, added!]), ["DELETED a", "ADDED a"]);
    assert.ok(
      Number(deleted!.object.metadata.resourceVersion) > Number(changed.metadata.resourceVersion),
      "a deletion has a version of its own",
    );
    assert.deepEqual(deleted!.object.data, { k: "dg==" });
  },
  "answers with a content type and no length": async (c) => {
    const ns = await c.namespace();
    const stop = new AbortController();
    const response = await c.api.fetch(
      "GET",
      secretsOf(ns),
      { query: { watch: "1", timeoutSeconds: 1 } },
      stop.signal,
    );
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal(response.headers.get("content-length"), null);
    await response.text();
  },
  "without a version begins with what there is": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b"]) await c.api.post(secretsOf(ns), labelled(name));
    for (const query of [{}, { resourceVersion: "0" }] as Array<Record<string, string>>) {
      await using watch = await c.api.watch(secretsOf(ns), query);
      const events = await watch.take(2);
      assert.deepEqual(brief(events).sort(), ["ADDED a", "ADDED b"]);
    }
  },
  "of the whole cluster tells of every namespace": async (c) => {
    const label = c.unique("w");
    const [one, two] = [await c.namespace(), await c.namespace()];
    await using watch = await c.api.watch("/api/v1/secrets", { labelSelector: label });
    for (const ns of [one, two]) await c.api.post(secretsOf(ns), labelled("x", { [label]: "" }));
    const events = await watch.take(2);
    assert.deepEqual(events.map(({ object }) => object.metadata.namespace), [one, two]);
  },
  "of one object by its name": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b"]) await c.api.post(secretsOf(ns), labelled(name));
    await using watch = await c.api.watch(secretsOf(ns), { fieldSelector: "metadata.name=b" });
    assert.deepEqual(brief(await watch.take(1)), ["ADDED b"]);
    // With a name in the path it is a get.
    expectAnswer(await c.api.get(`${secretsOf(ns)}/b`, { watch: true }), 200, { kind: "Secret" });
    for (const name of ["a", "b"]) await c.api.delete(`${secretsOf(ns)}/${name}`);
    assert.deepEqual(brief(await watch.take(1)), ["DELETED b"]);
  },
  "by the old path with watch in it": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), labelled("a"));
    for (
      const path of [`/api/v1/watch/namespaces/${ns}/secrets`, `/api/v1/watch/namespaces/${ns}/secrets/a`]
    ) {
      await using watch = await c.api.watch(path);
      assert.deepEqual(brief(await watch.take(1)), ["ADDED a"]);
    }
  },
  "with a selector turns changes into ADDED and DELETED": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(secretsOf(ns), labelled("a", { on: "no" })), 201);
    const { resourceVersion } = made.metadata;
    await using watch = await c.api.watch(secretsOf(ns), { resourceVersion, labelSelector: "on=yes" });
    const set = (on: string, more: object = {}) =>
      c.api.patch(`${secretsOf(ns)}/a`, "merge", { metadata: { labels: { on } }, ...more });
    await set("still-no");
    await set("yes");
    await set("yes", { stringData: { k: "v" } });
    const left = expectAnswer(await set("no"), 200);
    await set("yes");
    await c.api.delete(`${secretsOf(ns)}/a`);
    const events = await watch.take(5);
    assert.deepEqual(brief(events), ["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"]);
    // What leaves the selection is told as it was, under the version of the change.
    expectPart(events[2]!.object.metadata, {
      labels: { on: "yes" },
      resourceVersion: left.metadata.resourceVersion,
    });
  },
  "with a field selector turns changes into ADDED and DELETED": async (c) => {
    const ns = await c.podNamespace();
    const pods = `/api/v1/namespaces/${ns}/pods`;
    const node = c.unique("node");
    expectAnswer(await c.api.post("/api/v1/nodes", { metadata: { name: node } }), 201);
    await using watch = await c.api.watch(pods, { fieldSelector: `spec.nodeName=${node}` });
    await using pending = await c.api.watch(pods, { fieldSelector: "spec.nodeName=" });
    const spec = { schedulerName: "none", containers: [{ name: "c", image: "i:1" }] };
    expectAnswer(await c.api.post(pods, { metadata: { name: "p" }, spec }), 201);
    const binding = { metadata: { name: "p" }, target: { kind: "Node", name: node } };
    expectAnswer(await c.api.post(`${pods}/p/binding`, binding), 201, { status: "Success" });
    assert.deepEqual(brief(await watch.take(1)), ["ADDED p"]);
    assert.deepEqual(brief(await pending.take(2)), ["ADDED p", "DELETED p"]);
    await c.api.delete(`${pods}/p`, { gracePeriodSeconds: 0 });
    await c.api.delete(`/api/v1/nodes/${node}`);
  },
  "ends after timeoutSeconds": async (c) => {
    const ns = await c.namespace();
    const began = performance.now();
    await using watch = await c.api.watch(secretsOf(ns), { timeoutSeconds: 1 });
    assert.deepEqual(await watch.rest(), []);
    assert.ok(performance.now() - began > 900);
  },
  "with bookmarks is told before its end how far it has seen": async (c) => {
    const ns = await c.namespace();
    const made = expectAnswer(await c.api.post(secretsOf(ns), labelled("a")), 201);
    // On a busy machine the moment for a bookmark can pass; the next watch has another.
    const events = await until("a watch has a bookmark", async () => {
      await using watch = await c.api.watch(secretsOf(ns), { allowWatchBookmarks: true, timeoutSeconds: 5 });
      const seen = await watch.rest();
      return seen.at(-1)?.type === "BOOKMARK" && seen;
    }, { timeoutMs: 60_000 });
    assert.equal(brief(events)[0], "ADDED a");
    const last = events.at(-1)!;
    expectPart(last.object, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { resourceVersion: PRESENT, name: ABSENT, creationTimestamp: null },
    });
    assert.ok(Number(last.object.metadata.resourceVersion) >= Number(made.metadata.resourceVersion));
  },
  "of a version that is not there yet waits for it": async (c) => {
    const ns = await c.namespace();
    await using watch = await c.api.watch(secretsOf(ns), {
      resourceVersion: "999999999999",
      timeoutSeconds: 1,
    });
    await c.api.post(secretsOf(ns), labelled("a"));
    assert.deepEqual(await watch.rest(), []);
  },
  "of a bad version is refused": async (c) => {
    const ns = await c.namespace();
    expectClientFault(
      c.plane.kind,
      await c.api.get(secretsOf(ns), { watch: true, resourceVersion: "old" }),
      'resourceVersion: Invalid value: "old": strconv.ParseUint: parsing "old": invalid syntax',
    );
  },
  "with resourceVersionMatch or a bad selector is refused": async (c) => {
    const ns = await c.namespace();
    expectRefusal(
      await c.api.get(secretsOf(ns), {
        watch: true,
        resourceVersion: "1",
        resourceVersionMatch: "NotOlderThan",
      }),
      422,
      {
        reason: "Invalid",
        message:
          'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      },
    );
    expectRefusal(await c.api.get(secretsOf(ns), { watch: true, labelSelector: "a in b" }), 400, {
      reason: "BadRequest",
      message: "unable to parse requirement: found 'b' expected: '('",
    });
  },
});

const STREAM = { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan", allowWatchBookmarks: true };

/** Streams a list, where the server does; Kubernetes 1.33 has it switched off unless told otherwise, and says so. */
async function streams(
  c: CaseContext,
  path: string,
  query: Record<string, string> = {},
): Promise<Watch | undefined> {
  if (c.plane.kind === "embedded") return await c.api.watch(path, { ...STREAM, ...query });
  expectRefusal(await c.api.get(path, { watch: true, ...STREAM, ...query }), 422, {
    reason: "Invalid",
    message:
      'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled',
  });
  return undefined;
}

export const STREAMING = area("streaming lists", {
  "give what there is, then a bookmark that says so, then changes": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b"]) await c.api.post(secretsOf(ns), labelled(name));
    for (const more of [{}, { resourceVersion: "0" }] as Array<Record<string, string>>) {
      await using watch = await streams(c, secretsOf(ns), more);
      if (watch === undefined) return;
      const events = await watch.until(({ type }) => type === "BOOKMARK");
      assert.deepEqual(brief(events.slice(0, -1)).sort(), ["ADDED a", "ADDED b"]);
      expectPart(events.at(-1)!.object, {
        kind: "Secret",
        metadata: { annotations: { "k8s.io/initial-events-end": "true" }, resourceVersion: PRESENT },
      });
      const name = `later${Object.keys(more).length}`;
      await c.api.post(secretsOf(ns), labelled(name));
      assert.deepEqual(brief(await watch.take(1)), [`ADDED ${name}`]);
      await c.api.delete(`${secretsOf(ns)}/${name}`);
    }
  },
  "select": async (c) => {
    const ns = await c.namespace();
    for (const name of ["a", "b"]) await c.api.post(secretsOf(ns), labelled(name, { is: name }));
    await using watch = await streams(c, secretsOf(ns), { labelSelector: "is=b" });
    const events = await watch?.until(({ type }) => type === "BOOKMARK");
    if (events !== undefined) assert.deepEqual(brief(events.slice(0, -1)), ["ADDED b"]);
  },
  "need resourceVersionMatch, and a watch": async (c) => {
    const ns = await c.namespace();
    expectRefusal(await c.api.get(secretsOf(ns), { watch: true, sendInitialEvents: true }), 422, {
      reason: "Invalid",
      message:
        /^ListOptions\.meta\.k8s\.io "" is invalid: .*resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan/,
    });
    expectRefusal(
      await c.api.get(secretsOf(ns), { sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" }),
      422,
      {
        reason: "Invalid",
        message:
          'ListOptions.meta.k8s.io "" is invalid: [resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided, sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list]',
      },
    );
  },
  "of metadata end with a bookmark of metadata": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), labelled("a"));
    if (c.plane.kind !== "embedded") return void await streams(c, secretsOf(ns));
    await using watch = await c.api.watch(secretsOf(ns), STREAM, PARTIAL);
    const events = await watch.until(({ type }) => type === "BOOKMARK");
    expectPart(events.at(-1)!.object, {
      kind: "PartialObjectMetadata",
      metadata: { annotations: { "k8s.io/initial-events-end": "true" } },
    });
  },
});

export const WATCH_FORMS = area("watch forms", {
  "tables have their columns in the first event only": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), labelled("a"));
    await using watch = await c.api.watch(secretsOf(ns), {}, TABLE);
    const [first] = await watch.take(1);
    assert.equal(first!.type, "ADDED");
    expectPart(first!.object, {
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: { resourceVersion: PRESENT },
      columnDefinitions: [{ name: "Name" }, { name: "Type" }, { name: "Data" }, { name: "Age" }],
      rows: [{
        cells: ["a", "Opaque", 0, PRESENT],
        object: { kind: "PartialObjectMetadata", metadata: { name: "a" } },
      }],
    });
    await c.api.delete(`${secretsOf(ns)}/a`);
    const [second] = await watch.take(1);
    assert.equal(second!.type, "DELETED");
    assert.equal(second!.object.columnDefinitions, null);
  },
  "metadata alone": async (c) => {
    const ns = await c.namespace();
    await c.api.post(secretsOf(ns), labelled("a", { x: "y" }));
    await using watch = await c.api.watch(secretsOf(ns), {}, PARTIAL);
    const [first] = await watch.take(1);
    expectPart(first, {
      type: "ADDED",
      object: {
        kind: "PartialObjectMetadata",
        apiVersion: "meta.k8s.io/v1",
        metadata: { name: "a", labels: { x: "y" } },
        data: ABSENT,
        type: ABSENT,
      },
    });
  },
});
