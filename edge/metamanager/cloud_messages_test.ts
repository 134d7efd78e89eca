import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { newMessage } from "../../common/model/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { createLogger, Mailbox, silentLogger } from "../../common/module/mod.ts";
import type { Message } from "../../common/model/mod.ts";
import { MetricsRegistry } from "../../common/metrics/mod.ts";
import { configMap, fromCloud, fromEdged, type Harness, pod, startMetaManager } from "./_harness.ts";
import { metaManager } from "./mod.ts";

async function inTempDir(act: (databasePath: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await act(`${directory}/edgecore.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Gives a push and checks that it is acknowledged. */
async function push(edge: Harness, message: Message): Promise<void> {
  await edge.give(message);
  const ack = await edge.cloud();
  assert.equal(ack.header.parentMsgId, message.header.msgId);
  assert.deepEqual(ack.route, { ...message.route, operation: "response" });
  assert.equal(ack.content, "OK");
}

async function listPods(edge: Harness): Promise<unknown> {
  await edge.give(fromEdged("query", "default/pod"));
  return (await edge.edged()).content;
}

Deno.test("metaManager() stores a push, then acknowledges it, then tells edged, and has it after a restart", () =>
  inTempDir(async (databasePath) => {
    {
      await using edge = await startMetaManager({ databasePath });
      const message = fromCloud("insert", "default/pod/web", pod("web", "u1", "100"));
      await push(edge, message);
      assert.deepEqual(await edge.edged(), message);
    }
    await using edge = await startMetaManager({ databasePath });
    assert.deepEqual(await listPods(edge), [pod("web", "u1", "100")]);
  }));

Deno.test("metaManager() tells edged of the Node as the cloud has it, and of no older one", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    const node = (resourceVersion: string) => ({
      kind: "Node",
      apiVersion: "v1",
      metadata: { name: "edge-1", uid: "n1", resourceVersion },
    });
    const message = fromCloud("update", "null/node/edge-1", node("100"));
    await push(edge, message);
    assert.deepEqual(await edge.edged(), message);
    await push(edge, fromCloud("update", "null/node/edge-1", node("99")));
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
  }));

Deno.test("metaManager() keeps the newer resourceVersion on replay, and acknowledges the older one", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await push(edge, fromCloud("update", "default/pod/web", pod("web", "u1", "100")));
    await edge.edged();
    for (const version of ["99", "100", "9"]) {
      await push(edge, fromCloud("update", "default/pod/web", pod("web", "u1", version, { spec: {} })));
    }
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 }, "edged is not told what it knows");
    assert.deepEqual(await listPods(edge), [pod("web", "u1", "100")]);
  }));

Deno.test("metaManager() deletes by key and UID, any number of times, with or without an object", async (t) => {
  const steps: Array<[string, unknown, boolean]> = [
    ["the object", pod("web", "u1", "101"), true],
    ["metadata only", { metadata: { namespace: "default", name: "web", uid: "u1" } }, true],
    ["name and namespace only", { metadata: { namespace: "default", name: "web" } }, true],
    ["null", null, true],
    ["an earlier pod of the name", { metadata: { namespace: "default", name: "web", uid: "u0" } }, false],
  ];
  for (const [name, content, removed] of steps) {
    await t.step(name, () =>
      inTempDir(async (databasePath) => {
        await using edge = await startMetaManager({ databasePath });
        await push(edge, fromCloud("insert", "default/pod/web", pod("web", "u1", "100")));
        await edge.edged();
        for (let i = 0; i < 2; i++) {
          await push(edge, fromCloud("delete", "default/pod/web", content));
          const told = await edge.edged();
          assert.equal(told.route.operation, "delete");
          const { metadata } = told.content as { metadata: Record<string, string> };
          assert.deepEqual([metadata.namespace, metadata.name], ["default", "web"]);
        }
        assert.equal((await listPods(edge) as unknown[]).length, removed ? 0 : 1);
      }));
  }
});

Deno.test("metaManager() stores and acknowledges objects of types it does not know", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    const content = { kind: "Gadget", apiVersion: "x/v1", metadata: { name: "g", resourceVersion: "1" } };
    await push(edge, fromCloud("insert", "default/gadget/g", content));
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
    await edge.give(fromEdged("query", "default/gadget/g"));
    assert.deepEqual((await edge.edged()).content, content);
  }));

Deno.test("metaManager() refuses what it cannot store, and goes on", async (t) => {
  const good = pod("web", "u1", "1");
  const rows: Array<[string, Message]> = [
    ["null", fromCloud("update", "default/pod/web", null)],
    ["an array", fromCloud("update", "default/pod/web", [good])],
    ["a string", fromCloud("update", "default/pod/web", JSON.stringify(good))],
    ["a number", fromCloud("insert", "default/pod/web", 0)],
    ["no metadata", fromCloud("insert", "default/pod/web", { kind: "Pod" })],
    ["another name than the path's", fromCloud("update", "default/pod/other", good)],
    ["another namespace than the path's", fromCloud("update", "kube-system/pod/web", good)],
    ["no resource", fromCloud("update", "", good)],
    ["half a resource", fromCloud("delete", "default", good)],
  ];
  await inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    for (const [name, message] of rows) {
      await t.step(name, async () => {
        await edge.give(message);
        const refusal = await edge.cloud();
        assert.equal(refusal.route.operation, "error");
        assert.equal(refusal.route.source, "metamanager");
        assert.equal(refusal.header.parentMsgId, message.header.msgId);
        assert.match(String(refusal.content), /^Cannot /);
      });
    }
    assert.deepEqual(await listPods(edge), []);
    await push(edge, fromCloud("update", "default/pod/web", good));
  });
});

Deno.test("metaManager() does not store pods of other nodes", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    const foreign = pod("web", "u1", "1", { spec: { nodeName: "edge-2" } });
    await push(edge, fromCloud("update", "default/pod/web", foreign));
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
    assert.deepEqual(await listPods(edge), []);
  }));

Deno.test("metaManager() does not acknowledge what it could not store, and recovers when there is room", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath, databaseLimitBytes: 150_000 });
    let version = 1;
    const names: string[] = [];
    for (;;) {
      const name = `c${version}`;
      const message = fromCloud(
        "update",
        `default/configmap/${name}`,
        configMap(name, `${version++}`, { k: "x".repeat(8000) }),
      );
      await edge.give(message);
      const answer = await edge.cloud();
      assert.equal(answer.header.parentMsgId, message.header.msgId);
      if (answer.route.operation === "error") {
        assert.match(String(answer.content), /disk is full.*free space/);
        break;
      }
      await edge.edged();
      names.push(name);
      assert.ok(names.length < 100, "the limit was never reached");
    }
    assert.match(edge.logged.join(""), /E.*not acknowledged.*disk is full.*free space/);
    assert.equal((await edge.idle()).edged, 0, "edged is not told of what is not stored");
    for (const name of names.slice(0, 4)) {
      await push(edge, fromCloud("delete", `default/configmap/${name}`, configMap(name, "1", {})));
      await edge.edged();
    }
    await push(edge, fromCloud("update", "default/configmap/late", configMap("late", "999", { k: "v" })));
  }));

Deno.test("metaManager() does not take a message of the cloud for one of the edge", () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await push(edge, fromCloud("update", "default/secret/s", configMap("s", "1", { password: "x" })));
    await edge.edged();
    const posing = { source: "edged", group: "resource", operation: "query", resource: "default/secret/s" };
    await edge.give(newMessage(posing, null));
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
    assert.match(edge.logged.join(""), /operation that is not supported/);
  }));

Deno.test("metaManager() waits for a locked database and says who holds it up", () =>
  inTempDir(async (databasePath) => {
    const other = new DatabaseSync(databasePath);
    other.exec("CREATE TABLE t (a)");
    other.exec("BEGIN EXCLUSIVE");
    const clock = new FakeClock();
    const logged: string[] = [];
    const module = metaManager({
      inbox: new Mailbox<Message>("metamanager", 1),
      edgeHub: new Mailbox<Message>("edgehub", 1).send,
      edged: new Mailbox<Message>("edged", 1).send,
      clock,
      log: createLogger("metamanager", { write: (line) => logged.push(line) }),
      metrics: new MetricsRegistry(),
    }, { databasePath, nodeName: "edge-1" });
    const controller = new AbortController();
    const running = module.run(controller.signal);
    await clock.advance(0);
    assert.match(logged.join(""), /E.*Cannot work without.*edgecore\.db.*stop the other edgecore/);
    await clock.advance(4_000);
    assert.equal(logged.length, 1, "what goes on is told once");
    other.exec("ROLLBACK");
    other.close();
    await clock.advance(60_000);
    await module.ready;
    controller.abort();
    await running;
  }));

Deno.test("metaManager() rejects missing options at once", () => {
  const parts = {
    inbox: new Mailbox<Message>("metamanager", 1),
    edgeHub: new Mailbox<Message>("edgehub", 1).send,
    edged: new Mailbox<Message>("edged", 1).send,
    clock: new FakeClock(),
    log: silentLogger,
    metrics: new MetricsRegistry(),
  };
  assert.throws(() => metaManager(parts, { databasePath: "", nodeName: "a" }), /databasePath/);
  assert.throws(() => metaManager(parts, { databasePath: "/tmp/x", nodeName: "" }), /nodeName/);
});
