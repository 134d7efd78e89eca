import assert from "node:assert/strict";
import type { Message } from "../../common/model/mod.ts";
import { newMessage } from "../../common/model/mod.ts";
import { configMap, fromCloud, fromEdged, type Harness, pod, replyTo, startMetaManager } from "./_harness.ts";

type Connected = { databasePath: string; edge: Harness };

async function inTempDir(act: (databasePath: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await act(`${directory}/edgecore.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const whenConnected = (act: (parts: Connected) => Promise<void>) => () =>
  inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    await connect(edge, true);
    await act({ databasePath, edge });
  });

async function connect(edge: Harness, connected: boolean): Promise<void> {
  await edge.setConnected(connected);
  assert.equal((await edge.edged()).route.resource, "node/connection", "edged is told of the link");
}

/** The answer to a request that needs no cloud. */
async function ask(
  edge: Harness,
  operation: string,
  resource: string,
  content: unknown = null,
): Promise<Message> {
  const request = fromEdged(operation, resource, content);
  await edge.give(request);
  const answer = await edge.edged();
  assert.equal(answer.header.parentMsgId, request.header.msgId);
  assert.equal(answer.route.resource, resource);
  return answer;
}

/** Why the answer is none. */
function reasonOf({ content }: Message): string | undefined {
  return (content as { ErrStatus?: { reason?: string } } | null)?.ErrStatus?.reason;
}

/** Asks, lets the cloud reply, takes its acknowledgement; the answer edged gets. */
async function askCloud(edge: Harness, request: Message, content: unknown): Promise<Message> {
  await edge.give(request);
  const sent = await edge.cloud();
  assert.deepEqual(sent.route, request.route);
  assert.notEqual(sent.header.msgId, request.header.msgId, "it goes out under a new id");
  const reply = replyTo(sent, content);
  await edge.give(reply);
  const ack = await edge.cloud();
  assert.deepEqual([ack.header.parentMsgId, ack.content], [reply.header.msgId, "OK"]);
  const answer = await edge.edged();
  assert.equal(answer.header.parentMsgId, request.header.msgId);
  return answer;
}

Deno.test(
  "a query is answered by the cloud while there is a link, and from the store afterwards",
  whenConnected(async ({ edge }) => {
    const object = configMap("web", "5", { a: "b" });
    const query = () => fromEdged("query", "default/configmap/web");
    assert.deepEqual((await askCloud(edge, query(), object)).content, object);
    await connect(edge, false);
    const answer = await ask(edge, "query", "default/configmap/web");
    assert.deepEqual([answer.route.source, answer.route.operation], ["metamanager", "response"]);
    assert.deepEqual(answer.content, object);
    const missing = await ask(edge, "query", "default/configmap/other");
    assert.equal(missing.route.operation, "error");
    assert.match(
      String(missing.content),
      /failed to process remote: not connected.*default\/configmap\/other/,
    );
  }),
);

Deno.test("that the cloud has no such object is known without the cloud too, and after a restart", () =>
  inTempDir(async (databasePath) => {
    const query = () => fromEdged("query", "default/secret/extra");
    const absent = { ErrStatus: { status: "Failure", reason: "NotFound", code: 404, message: "gone" } };
    {
      await using edge = await startMetaManager({ databasePath });
      await connect(edge, true);
      assert.equal(reasonOf(await askCloud(edge, query(), absent)), "NotFound");
    }
    await using edge = await startMetaManager({ databasePath });
    const answer = await ask(edge, "query", "default/secret/extra");
    assert.equal(reasonOf(answer), "NotFound");
    await connect(edge, true);
    const object = configMap("extra", "7", { a: "b" });
    assert.deepEqual((await askCloud(edge, query(), object)).content, object);
    await connect(edge, false);
    assert.deepEqual((await ask(edge, "query", "default/secret/extra")).content, object);
  }));

Deno.test(
  "a query is not sent again shortly after the cloud spoke of the object, and is after a while",
  whenConnected(async ({ edge }) => {
    await edge.give(fromCloud("update", "default/secret/s", configMap("s", "1", { a: "1" })));
    await edge.cloud();
    await edge.edged();
    assert.deepEqual((await ask(edge, "query", "default/secret/s")).content, configMap("s", "1", { a: "1" }));
    await edge.clock.advance(61_000);
    const newer = configMap("s", "2", { a: "2" });
    assert.deepEqual((await askCloud(edge, fromEdged("query", "default/secret/s"), newer)).content, newer);
  }),
);

Deno.test(
  "askers of one object at once share a query, since the cloud sends only the last of its replies",
  whenConnected(async ({ edge }) => {
    const object = configMap("web", "5", { a: "b" });
    const requests = [1, 2, 3].map(() => fromEdged("query", "default/configmap/web"));
    for (const request of requests) await edge.give(request);
    const sent = await edge.cloud();
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
    const reply = replyTo(sent, object);
    await edge.give(reply);
    assert.equal((await edge.cloud()).header.parentMsgId, reply.header.msgId);
    const answers = [await edge.edged(), await edge.edged(), await edge.edged()];
    assert.deepEqual(
      answers.map(({ header, content }) => [header.parentMsgId, content]).sort(),
      requests.map(({ header }) => [header.msgId, object]).sort(),
    );
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 }, "the reply is confirmed once");
  }),
);

Deno.test(
  "askers whose shared query fails are all told, and the next one asks again",
  whenConnected(async ({ edge }) => {
    const requests = [1, 2].map(() => fromEdged("query", "default/configmap/web"));
    for (const request of requests) await edge.give(request);
    await edge.cloud();
    await edge.clock.advance(61_000);
    const answers = [await edge.edged(), await edge.edged()];
    assert.deepEqual(answers.map(({ route }) => route.operation), ["error", "error"]);
    await askCloud(edge, fromEdged("query", "default/configmap/web"), configMap("web", "5", {}));
  }),
);

Deno.test(
  "a query is answered by the push that took its reply's place at the cloud",
  whenConnected(async ({ edge }) => {
    const request = fromEdged("query", "default/configmap/web");
    await edge.give(request);
    const sent = await edge.cloud();
    const object = configMap("web", "6", { a: "c" });
    const push = fromCloud("update", "default/configmap/web", object);
    await edge.give(push);
    assert.equal((await edge.cloud()).header.parentMsgId, push.header.msgId);
    const told = [await edge.edged(), await edge.edged()];
    const answer = told.find(({ header }) => header.parentMsgId === request.header.msgId);
    assert.deepEqual([answer?.route.operation, answer?.content], ["response", object]);
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 }, "the push is confirmed once");
    const late = replyTo(sent, object);
    await edge.give(late);
    assert.equal(
      (await edge.cloud()).header.parentMsgId,
      late.header.msgId,
      "a reply that comes all the same",
    );
  }),
);

Deno.test("an error is never stored as an object", async (t) => {
  const refused = { ErrStatus: { status: "Failure", reason: "Forbidden", message: "no", code: 403 } };
  await t.step(
    "ErrStatus",
    whenConnected(async ({ edge }) => {
      const answer = await askCloud(edge, fromEdged("query", "default/secret/s"), refused);
      assert.deepEqual(answer.content, refused);
      await connect(edge, false);
      assert.equal((await ask(edge, "query", "default/secret/s")).route.operation, "error");
    }),
  );
  await t.step(
    "operation error",
    whenConnected(async ({ edge }) => {
      await edge.give(fromEdged("query", "default/secret/s"));
      await edge.give(replyTo(await edge.cloud(), "it broke", { operation: "error" }));
      await edge.cloud();
      const answer = await edge.edged();
      assert.deepEqual([answer.route.operation, answer.content], ["error", "it broke"]);
      await connect(edge, false);
      assert.equal((await ask(edge, "query", "default/secret/s")).route.operation, "error");
    }),
  );
  await t.step(
    "another object than the asked one",
    whenConnected(async ({ edge }) => {
      await askCloud(edge, fromEdged("query", "default/secret/s"), configMap("other", "1", {}));
      await connect(edge, false);
      assert.equal((await ask(edge, "query", "default/secret/s")).route.operation, "error");
      assert.equal((await ask(edge, "query", "default/secret/other")).route.operation, "error");
    }),
  );
});

Deno.test("an object that the cloud says is gone is forgotten", async (t) => {
  const rows: Array<[string, unknown, string, string | undefined]> = [
    [
      "as an object",
      { ErrStatus: { status: "Failure", reason: "NotFound", code: 404 } },
      "response",
      "NotFound",
    ],
    ["as a text", 'configmaps "web" not found', "error", "NotFound"],
    ["but not for another failure", "The server is starting", "error", undefined],
  ];
  for (const [name, content, operation, after] of rows) {
    await t.step(
      name,
      whenConnected(async ({ edge }) => {
        await askCloud(edge, fromEdged("query", "default/configmap/web"), configMap("web", "5", {}));
        await edge.clock.advance(61_000);
        await edge.give(fromEdged("query", "default/configmap/web"));
        await edge.give(replyTo(await edge.cloud(), content, { operation }));
        await edge.cloud();
        await edge.edged();
        await connect(edge, false);
        const answer = await ask(edge, "query", "default/configmap/web");
        assert.equal(answer.route.operation, "response");
        assert.equal(reasonOf(answer), after);
      }),
    );
  }
});

Deno.test(
  "a query that gets no reply in time is answered from the store, and a late reply is kept and confirmed",
  whenConnected(async ({ edge }) => {
    await askCloud(edge, fromEdged("query", "default/configmap/web"), configMap("web", "5", {}));
    await edge.clock.advance(61_000);
    await edge.give(fromEdged("query", "default/configmap/web"));
    await edge.give(fromEdged("query", "default/configmap/new"));
    const sent = [await edge.cloud(), await edge.cloud()];
    await edge.clock.advance(60_000);
    assert.deepEqual((await edge.edged()).content, configMap("web", "5", {}));
    const failure = await edge.edged();
    assert.equal(failure.route.operation, "error");
    assert.match(String(failure.content), /timeout to get response.*60 s/);

    const late = replyTo(sent[1]!, configMap("new", "9", {}));
    await edge.give(late);
    assert.equal((await edge.cloud()).header.parentMsgId, late.header.msgId);
    await connect(edge, false);
    assert.deepEqual((await ask(edge, "query", "default/configmap/new")).content, configMap("new", "9", {}));
  }),
);

Deno.test(
  "losing the link ends what waits for a reply",
  whenConnected(async ({ edge }) => {
    await edge.give(fromEdged("update", "kube-node-lease/lease/edge-1", { metadata: { name: "edge-1" } }));
    await edge.cloud();
    await edge.setConnected(false);
    const answers = [await edge.edged(), await edge.edged()].map((m) => [m.route.operation, m.content]);
    assert.deepEqual(answers.sort(), [
      ["connect", "cloud_disconnected"],
      ["error", "connection lost between EdgeCore and CloudCore"],
    ]);
  }),
);

Deno.test(
  "a request that edgehub could not send is answered like one without a link",
  whenConnected(async ({ edge }) => {
    await edge.give(fromEdged("query", "kube-node-lease/lease/edge-1"));
    const sent = await edge.cloud();
    await edge.give(replyTo(sent, "not connected", { source: "websocket", operation: "error" }));
    const answer = await edge.edged();
    assert.deepEqual([answer.route.operation, answer.content], [
      "error",
      "failed to process remote: not connected",
    ]);
    assert.equal((await edge.idle()).cloud, 0, "edgehub's refusal is not acknowledged to the cloud");
  }),
);

Deno.test("leases and registration need the link", async () => {
  await inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    for (
      const [operation, resource] of [
        ["query", "kube-node-lease/lease/edge-1"],
        ["insert", "kube-node-lease/lease/edge-1"],
        ["update", "kube-node-lease/lease/edge-1"],
        ["insert", "null/node/edge-1"],
        ["insert", "default/pod/static"],
      ] as const
    ) {
      const answer = await ask(edge, operation, resource, {});
      assert.deepEqual([answer.route.operation, answer.content], [
        "error",
        "failed to process remote: not connected",
      ]);
    }
    assert.equal((await edge.idle()).cloud, 0);
  });
});

Deno.test(
  "the node that registration returns is stored and answers later queries under any namespace",
  whenConnected(async ({ edge }) => {
    const node = { metadata: { name: "edge-1", uid: "n1", resourceVersion: "7" } };
    await askCloud(edge, fromEdged("insert", "null/node/edge-1", node), { Object: node, Err: null });
    const answer = await ask(edge, "query", "default/node/edge-1");
    assert.deepEqual(answer.content, { kind: "Node", apiVersion: "v1", ...node });
    const patched = { metadata: { name: "edge-1", uid: "n1", resourceVersion: "8" } };
    await edge.give(fromEdged("patch", "null/nodepatch/edge-1", "{}"));
    await edge.give(replyTo(await edge.cloud(), { Object: patched, Err: null }));
    assert.deepEqual((await edge.edged()).content, { Object: patched, Err: null });
    assert.deepEqual((await ask(edge, "query", "null/node/edge-1")).content, {
      kind: "Node",
      apiVersion: "v1",
      ...patched,
    });
  }),
);

Deno.test(
  "a node that is not stored is asked for while there is a link",
  whenConnected(async ({ edge }) => {
    const node = { kind: "Node", metadata: { name: "edge-1", uid: "n1", resourceVersion: "7" } };
    assert.deepEqual((await askCloud(edge, fromEdged("query", "null/node/edge-1"), node)).content, node);
    await connect(edge, false);
    assert.deepEqual((await ask(edge, "query", "null/node/edge-1")).content, { apiVersion: "v1", ...node });
  }),
);

Deno.test(
  "a token is handed out for 80 % of its life, renewed after, and handed out still while the cloud is away",
  whenConnected(async ({ edge }) => {
    const spec = {
      audiences: ["a"],
      expirationSeconds: 1000,
      boundObjectRef: { kind: "Pod", name: "web", uid: "u1" },
    };
    const make = (token: string) => ({
      metadata: { name: "sa", namespace: "default" },
      spec,
      status: { token, expirationTimestamp: new Date(edge.clock.now() + 1_000_000).toISOString() },
    });
    const query = () => fromEdged("query", "default/serviceaccounttoken/sa", { spec });
    const first = make("t1");
    await askCloud(edge, query(), first);
    await edge.clock.advance(700_000);
    assert.deepEqual((await ask(edge, "query", "default/serviceaccounttoken/sa", { spec })).content, first);
    await edge.clock.advance(110_000);
    const second = make("t2");
    assert.deepEqual((await askCloud(edge, query(), second)).content, second);
    await connect(edge, false);
    await edge.clock.advance(2_000_000);
    assert.deepEqual((await ask(edge, "query", "default/serviceaccounttoken/sa", { spec })).content, second);
    assert.doesNotMatch(edge.logged.join(""), /"t[12]"/);

    await edge.give(fromCloud("delete", "default/pod/web", pod("web", "u1", "9")));
    await edge.edged();
    const gone = await ask(edge, "query", "default/serviceaccounttoken/sa", { spec });
    assert.equal(gone.route.operation, "error", "tokens go with the pod they are bound to");
  }),
);

Deno.test(
  "events are passed on and never answered",
  whenConnected(async ({ edge }) => {
    const event = fromEdged("insert", "default/event/e", { reason: "Started" });
    await edge.give(event);
    assert.deepEqual(await edge.cloud(), event);
    await connect(edge, false);
    await edge.give(fromEdged("insert", "default/event/e", {}));
    assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
  }),
);

/** Edged's question after a pod that it runs and that is not stored. */
const lookUp = (name: string, uid: string) =>
  fromEdged("patch", `default/podpatch/${name}`, JSON.stringify({ metadata: { uid } }));

Deno.test("a pod that was lost is asked for, and stored unless it was taken away meanwhile", async (t) => {
  const returned = () => {
    const { kind: _kind, apiVersion: _version, ...object } = pod("web", "u1", "5");
    return { Object: object, Err: null };
  };
  await t.step(
    "stored",
    whenConnected(async ({ edge }) => {
      const request = lookUp("web", "u1");
      await edge.give(request);
      const sent = await edge.cloud();
      assert.deepEqual([sent.route, sent.content], [request.route, request.content]);
      await edge.give(replyTo(sent, returned()));
      const answer = await edge.edged();
      assert.equal(answer.header.parentMsgId, request.header.msgId);
      assert.deepEqual((await ask(edge, "query", "default/pod")).content, [pod("web", "u1", "5")]);
    }),
  );
  await t.step(
    "taken away before the answer came",
    whenConnected(async ({ edge }) => {
      await edge.give(lookUp("web", "u1"));
      const sent = await edge.cloud();
      await edge.give(fromCloud("delete", "default/pod/web", pod("web", "u1", "6")));
      await edge.cloud();
      await edge.edged();
      await edge.give(replyTo(sent, returned()));
      assert.match(JSON.stringify((await edge.edged()).content), /NotFound/);
      assert.deepEqual((await ask(edge, "query", "default/pod")).content, []);
    }),
  );
  await t.step(
    "without a link it is refused and not kept for later",
    () =>
      inTempDir(async (databasePath) => {
        await using edge = await startMetaManager({ databasePath });
        await edge.give(lookUp("web", "u1"));
        assert.match(String((await edge.edged()).content), /not connected/);
        await connect(edge, true);
        assert.deepEqual(await edge.idle(), { cloud: 0, edged: 0 });
      }),
  );
});

Deno.test(
  "what pods the cloud took away is remembered, over a restart too",
  () =>
    inTempDir(async (databasePath) => {
      {
        await using edge = await startMetaManager({ databasePath });
        await connect(edge, true);
        for (
          const push of [
            fromCloud("update", "default/pod/web", pod("web", "u1", "5")),
            fromCloud("update", "default/pod/web", {
              ...pod("web", "u2", "7"),
              metadata: { ...pod("web", "u2", "7").metadata, creationTimestamp: "2026-01-02T00:00:00Z" },
            }),
            fromCloud("delete", "default/pod/web", { metadata: { name: "web", namespace: "default" } }),
            fromCloud("delete", "default/pod/never", pod("never", "u3", "9")),
          ]
        ) {
          await edge.give(push);
          await edge.cloud();
          await edge.edged();
          await edge.clock.advance(1);
        }
      }
      await using again = await startMetaManager({ databasePath });
      assert.deepEqual((await ask(again, "query", "default/gonepod")).content, ["u3", "u2", "u1"]);
    }),
);

Deno.test("a request that is not supported is refused", async () => {
  await inTempDir(async (databasePath) => {
    await using edge = await startMetaManager({ databasePath });
    for (
      const [operation, resource] of [["insert", "a/gadget/b"], ["delete", "a/secret/b"], [
        "query",
        "nonsense",
      ]]
    ) {
      const request = newMessage({
        source: "edged",
        group: "meta",
        operation: operation!,
        resource: resource!,
      }, null);
      await edge.give(request);
      const answer = await edge.edged();
      assert.equal(answer.route.operation, "error");
      assert.equal(answer.header.parentMsgId, request.header.msgId);
    }
  });
});
