import assert from "node:assert/strict";
import { StatusError } from "../errors/mod.ts";
import { FakeKubeClient } from "./fake_client.ts";
import { CONFIG_MAPS, NODES, PODS } from "./resources.ts";

const pod = (name: string, nodeName?: string) => ({
  metadata: { name, namespace: "default", labels: { app: name } },
  spec: { containers: [], ...(nodeName && { nodeName }) },
});

function reason(expected: string) {
  return (error: unknown) => error instanceof StatusError && error.reason === expected;
}

Deno.test("FakeKubeClient refuses stale writes with Conflict and duplicates with AlreadyExists", async () => {
  await using client = new FakeKubeClient();
  const first = await client.create(PODS, pod("a"));
  const second = await client.update(PODS, {
    ...first,
    metadata: { ...first.metadata, labels: { app: "b" } },
  });
  assert.notEqual(first.metadata?.resourceVersion, second.metadata?.resourceVersion);
  await assert.rejects(client.update(PODS, first), reason("Conflict"));
  await assert.rejects(client.create(PODS, pod("a")), reason("AlreadyExists"));
  await assert.rejects(client.get(PODS, { name: "z", namespace: "default" }), reason("NotFound"));
});

Deno.test("FakeKubeClient keeps status apart and counts generations by spec", async () => {
  await using client = new FakeKubeClient();
  const created = await client.create(PODS, { ...pod("a"), status: { phase: "Running" } });
  assert.equal(created.status?.phase, "Pending");
  const ref = { name: "a", namespace: "default" };
  const updated = await client.patch(
    PODS,
    ref,
    { type: "merge", body: { status: { phase: "Running" }, spec: { nodeName: "x" } } },
    { subresource: "status" },
  );
  assert.equal(updated.status?.phase, "Running");
  assert.equal(updated.spec?.nodeName, undefined);
  assert.equal(updated.metadata?.generation, 1);
  const respecified = await client.patch(PODS, ref, {
    type: "merge",
    body: { status: { phase: "Failed" }, spec: { nodeName: "x" } },
  });
  assert.equal(respecified.status?.phase, "Running");
  assert.equal(respecified.metadata?.generation, 2);
});

Deno.test("FakeKubeClient merges conditions by type in strategic patches", async () => {
  await using client = new FakeKubeClient();
  client.seed(NODES, {
    metadata: { name: "n" },
    status: { conditions: [{ type: "Ready", status: "True" }, { type: "DiskPressure", status: "False" }] },
  });
  const node = await client.patch(NODES, { name: "n" }, {
    type: "strategic",
    body: { status: { conditions: [{ type: "Ready", status: "False", reason: "x" }] } },
  }, { subresource: "status" });
  assert.deepEqual(node.status?.conditions, [
    { type: "Ready", status: "False", reason: "x" },
    { type: "DiskPressure", status: "False" },
  ]);
});

Deno.test("FakeKubeClient deletes bound pods gracefully and objects with finalizers late", async () => {
  await using client = new FakeKubeClient();
  const ref = { name: "a", namespace: "default" };
  client.seed(PODS, pod("a", "edge-1"));
  await client.delete(PODS, ref);
  const dying = await client.get(PODS, ref);
  assert.equal(dying.metadata?.deletionGracePeriodSeconds, 30);
  assert.ok(dying.metadata?.deletionTimestamp);
  await client.delete(PODS, ref, { gracePeriodSeconds: 0 });
  assert.equal(client.peek(PODS, "default/a"), undefined);

  client.seed(CONFIG_MAPS, { metadata: { name: "c", namespace: "default", finalizers: ["x/y"] } });
  await client.delete(CONFIG_MAPS, { name: "c", namespace: "default" });
  assert.ok(client.peek(CONFIG_MAPS, "default/c")?.metadata?.deletionTimestamp);
  await client.patch(CONFIG_MAPS, { name: "c", namespace: "default" }, {
    type: "merge",
    body: { metadata: { finalizers: null } },
  });
  assert.equal(client.peek(CONFIG_MAPS, "default/c"), undefined);
});

Deno.test("FakeKubeClient checks the preconditions of deletes", async () => {
  await using client = new FakeKubeClient();
  client.seed(CONFIG_MAPS, { metadata: { name: "c", namespace: "default" } });
  await assert.rejects(
    client.delete(CONFIG_MAPS, { name: "c", namespace: "default" }, { preconditions: { uid: "other" } }),
    reason("Conflict"),
  );
});

Deno.test("FakeKubeClient watch() tells objects that leave a selector as DELETED", async () => {
  await using client = new FakeKubeClient();
  const stop = new AbortController();
  const { metadata } = await client.list(PODS);
  const seen: string[] = [];
  const watching = (async () => {
    const events = client.watch(PODS, {
      resourceVersion: metadata.resourceVersion!,
      labelSelector: "app=a",
      allowWatchBookmarks: false,
      signal: stop.signal,
    });
    for await (const { type, object } of events) {
      seen.push(`${type} ${object.metadata?.name}`);
      if (seen.length === 2) stop.abort();
    }
  })();
  await client.create(PODS, pod("a"));
  await client.create(PODS, pod("b"));
  await client.patch(PODS, { name: "a", namespace: "default" }, {
    type: "merge",
    body: { metadata: { labels: { app: "c" } } },
  });
  await assert.rejects(watching, { name: "AbortError" });
  assert.deepEqual(seen, ["ADDED a", "DELETED a"]);
});

Deno.test("FakeKubeClient watch() is refused with Expired once history is gone", async () => {
  await using client = new FakeKubeClient();
  await client.create(PODS, pod("a"));
  await client.create(PODS, pod("b"));
  client.compact();
  const events = client.watch(PODS, { resourceVersion: "1", signal: new AbortController().signal });
  await assert.rejects(async () => {
    for await (const _ of events) assert.fail("an event of forgotten history");
  }, reason("Expired"));
});

Deno.test("FakeKubeClient binds pods once", async () => {
  await using client = new FakeKubeClient();
  await client.create(PODS, pod("a"));
  const binding = { metadata: { name: "a" }, target: { kind: "Node", name: "edge-1" } };
  const ref = { name: "a", namespace: "default" };
  await client.createSubresource(PODS, ref, "binding", binding);
  assert.equal(client.peek(PODS, "default/a")?.spec?.nodeName, "edge-1");
  await assert.rejects(client.createSubresource(PODS, ref, "binding", binding), reason("Conflict"));
});
