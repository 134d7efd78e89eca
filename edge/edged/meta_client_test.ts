import assert from "node:assert/strict";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { hasReason, isNotFound } from "../../common/errors/mod.ts";
import {
  type Message,
  messageFromJson,
  newErrorResponse,
  newMessage,
  newResponse,
} from "../../common/model/mod.ts";
import { Mailbox, silentLogger } from "../../common/module/mod.ts";
import { survivors } from "../../common/module/survivors_testing.ts";
import type { EdgedEvent } from "./kube_api.ts";
import { MAX_PENDING, metaClient, readEvents, REPLY_TIMEOUT_MS } from "./meta_client.ts";
import { testPod } from "./testing.ts";
import { Timers } from "./timers.ts";

/** A client whose requests are kept, to be answered by the test. */
function start() {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const inbox = new Mailbox<Message>("edged", 16);
  const sent: Message[] = [];
  const events: EdgedEvent[] = [];
  const trouble = { next: false };
  const onEvent = (event: EdgedEvent) => {
    if (trouble.next) {
      trouble.next = false;
      throw new TypeError("cannot");
    }
    events.push(event);
  };
  const client = metaClient({
    inbox,
    metaManager: (message) => {
      sent.push(message);
      return Promise.resolve();
    },
    timers,
    log: silentLogger,
  });
  const controller = new AbortController();
  const ended = Promise.all([
    timers.run(controller.signal),
    client.run(onEvent, controller.signal),
  ]);
  return {
    client,
    api: client.api,
    clock,
    inbox,
    sent,
    events,
    trouble,
    reply: (content: unknown) => inbox.send(newResponse(sent.at(-1)!, content)),
    controller,
    async [Symbol.asyncDispose]() {
      controller.abort();
      await clock.advance(0);
      await ended;
    },
  };
}

async function frames(): Promise<Message[]> {
  const url = new URL("../../tests/testdata/upstream/v1.23.1/session.jsonl", import.meta.url);
  const lines = (await Deno.readTextFile(url)).trim().split("\n").map((line) => JSON.parse(line));
  return lines.filter(({ json }) => json?.route).map(({ json }) => messageFromJson(json));
}

Deno.test("metaClient() asks in the very routes and contents that upstream's edged used", async (t) => {
  const edged = (await frames()).filter(({ route }) => route.source === "edged");
  await using bench = start();
  const { api, sent } = bench;
  const find = (operation: string, resource: RegExp) =>
    edged.find(({ route }) => route.operation === operation && resource.test(route.resource))!;
  const cases: Array<{ name: string; like: Message; ask: (like: Message) => Promise<unknown> }> = [
    {
      name: "node insert",
      like: find("insert", /^null\/node\//),
      ask: ({ content }) => api.createNode(content as Parameters<typeof api.createNode>[0]),
    },
    {
      name: "node status",
      like: find("patch", /^null\/nodepatch\//),
      ask: ({ content }) => api.patchNodeStatus("edge-ke", JSON.parse(content as string)),
    },
    { name: "lease query", like: find("query", /lease/), ask: () => api.getLease("edge-ke") },
    {
      name: "lease insert",
      like: find("insert", /lease/),
      ask: ({ content }) => api.createLease(content as Parameters<typeof api.createLease>[0]),
    },
    {
      name: "lease update",
      like: find("update", /lease/),
      ask: ({ content }) => api.updateLease(content as Parameters<typeof api.updateLease>[0]),
    },
    {
      name: "pod status",
      like: find("patch", /podpatch/),
      ask: ({ content }) =>
        api.patchPodStatus("default", "web-7bdbcccf4b-tpnls", JSON.parse(content as string)),
    },
    {
      name: "pod delete",
      like: find("delete", /pod/),
      ask: () => api.deletePod("default", "web-7bdbcccf4b-tpnls", "f3c168e4-14e1-4bb6-ad39-c773c06c7064"),
    },
    {
      name: "ConfigMap",
      like: find("query", /configmap\/web/),
      ask: () => api.getConfigMap("default", "web-config"),
    },
    { name: "Secret", like: find("query", /secret\/web/), ask: () => api.getSecret("default", "web-secret") },
    {
      name: "token",
      like: find("query", /serviceaccounttoken/),
      ask: ({ content }) =>
        api.createToken("default", "default", content as Parameters<typeof api.createToken>[2]),
    },
  ];
  for (const { name, like, ask } of cases) {
    await t.step(name, async () => {
      const asked = ask(like);
      const message = sent.at(-1)!;
      assert.deepEqual(message.route, like.route);
      assert.deepEqual(message.content, like.content);
      assert.equal(message.header.parentMsgId, undefined);
      await bench.reply({ Object: { metadata: { name: "x" } }, Err: null });
      await asked;
    });
  }
});

Deno.test("metaClient() reads objects as the cloud and as the edge's own store send them", async () => {
  await using bench = start();
  const object = { metadata: { name: "site" }, data: { a: "1" } };
  for (
    const content of [
      object,
      [JSON.stringify(object)],
      [object],
      { Object: object, Err: null },
      JSON.stringify(object),
    ]
  ) {
    const asked = bench.api.getConfigMap("default", "site");
    await bench.reply(content);
    assert.deepEqual((await asked).data, { a: "1" });
  }
});

Deno.test("metaClient() tells what went wrong by its reason", async (t) => {
  await using bench = start();
  const status = (reason: string, code: number) => ({
    ErrStatus: { status: "Failure", reason, code, message: "m" },
  });
  await t.step("a wrapped error", async () => {
    const asked = bench.api.getLease("edge-1");
    await bench.reply({ Object: null, Err: status("NotFound", 404) });
    await assert.rejects(asked, isNotFound);
  });
  for (const content of [status("NotFound", 404), [], null, {}]) {
    await t.step(`a ConfigMap that is not there: ${JSON.stringify(content)}`, async () => {
      const asked = bench.api.getConfigMap("default", "site");
      await bench.reply(content);
      await assert.rejects(
        asked,
        (error: Error) => isNotFound(error) && error.message === 'configmap "site" not found',
      );
    });
  }
  for (
    const text of [
      "failed to process remote: not connected",
      "connection lost between EdgeCore and CloudCore",
    ]
  ) {
    await t.step(text, async () => {
      const asked = bench.api.createNode({ metadata: { name: "edge-1" } });
      await bench.inbox.send(newErrorResponse(bench.sent.at(-1)!, text));
      await assert.rejects(asked, (error) => hasReason(error, "ServiceUnavailable"));
    });
  }
  await t.step("a pod that is deleted already, or is another one", async () => {
    for (const reason of ["NotFound", "Conflict"]) {
      const asked = bench.api.deletePod("default", "web", "u1");
      await bench.reply(status(reason, reason === "NotFound" ? 404 : 409));
      await asked;
    }
  });
  await t.step("a name that is none is not asked for", async () => {
    const count = bench.sent.length;
    await assert.rejects(bench.api.getSecret("default", "../../etc/passwd"), isNotFound);
    assert.equal(bench.sent.length, count);
  });
});

Deno.test("metaClient() goes on after a message that could not be acted on", async () => {
  await using bench = start();
  const route = { source: "edgehub", group: "meta", operation: "connect", resource: "node/connection" };
  bench.trouble.next = true;
  await bench.inbox.send(newMessage(route, "cloud_connected"));
  await bench.inbox.send(newMessage(route, "cloud_disconnected"));
  await bench.clock.advance(0);
  assert.deepEqual(bench.events, [{ type: "connection", connected: false }]);
});

Deno.test("metaClient() gives up after a minute and forgets the request", async () => {
  await using bench = start();
  const asked = bench.api.getLease("edge-1");
  const refused = assert.rejects(asked, (error) => hasReason(error, "Timeout"));
  await bench.clock.advance(REPLY_TIMEOUT_MS);
  await refused;
  assert.equal(bench.client.pending, 0);
  await bench.reply({ Object: {}, Err: null });
  await bench.clock.advance(0);
  assert.deepEqual(bench.events, []);
});

Deno.test("metaClient() bounds what waits for a reply and answers all of it at the end", async () => {
  await using bench = start();
  const all = Array.from({ length: MAX_PENDING }, () => bench.api.getLease("edge-1"));
  await assert.rejects(bench.api.getLease("edge-1"), (error) => hasReason(error, "TooManyRequests"));
  bench.controller.abort();
  const results = await Promise.allSettled(all);
  assert.ok(results.every((r) => r.status === "rejected" && hasReason(r.reason, "ServiceUnavailable")));
  assert.equal(bench.client.pending, 0);
});

Deno.test("metaClient() lists pods and skips what is none", async () => {
  await using bench = start();
  const asked = bench.api.listPods();
  assert.deepEqual(bench.sent[0]!.route.resource, "default/pod");
  await bench.reply([JSON.stringify(testPod()), testPod({ metadata: { uid: "u2" } }), null, 7, {
    metadata: {},
  }]);
  const uids = (await asked).map((event) => event.type === "pod" ? event.pod.metadata.uid : event.type);
  assert.deepEqual(uids, ["u1", "u2"]);
});

Deno.test("readEvents() turns every recorded push into what it means", async () => {
  const counts: Record<string, number> = {};
  for (const message of await frames()) {
    if (message.header.parentMsgId !== undefined) continue;
    if (message.route.source !== "edgecontroller") continue;
    for (const { type } of readEvents(message, silentLogger)) counts[type] = (counts[type] ?? 0) + 1;
  }
  assert.deepEqual(counts, { node: 3, pod: 9, "pod-removed": 1, configmap: 2, secret: 1 });
});

Deno.test("readEvents() reads the end of a pod with as little as its name", () => {
  const read = (content: unknown, resource = "default/pod/web") =>
    readEvents(
      newMessage({ source: "x", group: "resource", operation: "delete", resource }, content),
      silentLogger,
    );
  const identity = { type: "pod-removed", namespace: "default", name: "web" };
  assert.deepEqual(read(null), [identity]);
  assert.deepEqual(read({ metadata: { uid: "u1", deletionGracePeriodSeconds: 0 } }), [{
    ...identity,
    uid: "u1",
    graceSeconds: 0,
  }]);
  assert.deepEqual(read(null, "default/pod/../x"), []);
});

Deno.test("readEvents() hears of the link", () => {
  const read = (content: unknown) =>
    readEvents(
      newMessage(
        { source: "edgehub", group: "meta", operation: "connect", resource: "node/connection" },
        content,
      ),
      silentLogger,
    );
  assert.deepEqual(read("cloud_connected"), [{ type: "connection", connected: true }]);
  assert.deepEqual(read("cloud_disconnected"), [{ type: "connection", connected: false }]);
});

Deno.test("metaClient() lets go of messages that were delivered", async () => {
  await using bench = start();
  const given: WeakRef<object>[] = [];
  for (let i = 0; i < 100; i++) {
    const route = {
      source: "metamanager",
      group: "edged",
      operation: "update",
      resource: "default/configmap/a",
    };
    const message = newMessage(route, { metadata: { name: "a" }, data: { i: String(i) } });
    given.push(new WeakRef(message));
    await bench.inbox.send(message);
    await bench.clock.advance(0);
  }
  assert.equal(bench.events.length, 100);
  assert.ok(await survivors(given) < 5);
});
