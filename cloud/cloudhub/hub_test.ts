import assert from "node:assert/strict";
import type { Event } from "../../common/api/core_v1.ts";
import { StatusError } from "../../common/errors/mod.ts";
import { CONFIG_MAPS, EVENTS, NODES } from "../../common/kubeclient/mod.ts";
import { type Message, newMessage } from "../../common/model/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import type { Clock } from "../../common/module/mod.ts";
import { createAuthority, loadAuthority } from "../../common/pki/mod.ts";
import {
  credentialsOf,
  openEdge,
  type RunningHub,
  startHub,
  type TestEdge,
  until,
  UpgradeRefused,
} from "./_testing.ts";

const WAIT = () => ({ signal: AbortSignal.timeout(30_000) });

function podMessage(
  node: string,
  name: string,
  version: string,
  more: Record<string, unknown> = {},
): Message {
  const route = {
    source: "edgecontroller",
    group: "resource",
    operation: "update",
    resource: `node/${node}/default/pod/${name}`,
  };
  const metadata = { name, namespace: "default", uid: `uid-${name}`, resourceVersion: version, ...more };
  return newMessage(route, { apiVersion: "v1", kind: "Pod", metadata }, { resourceVersion: version });
}

const KEEPALIVE = () =>
  newMessage({ source: "websocket", group: "resource", operation: "keepalive", resource: "node" }, "ping");

const leaseQuery = (content: unknown = null) =>
  newMessage({ source: "edged", group: "meta", operation: "query", resource: "default/lease/x" }, content);

/** The next message that a module was sent about a node's own doing. */
async function nextUpstream(hub: RunningHub): Promise<Message> {
  for (;;) {
    const message = await hub.upstream.receive(WAIT());
    assert.ok(message);
    if (message.route.operation !== "connected" && message.route.operation !== "disconnected") return message;
  }
}

/** Resolves once everything an edge sent so far was looked at. */
async function flushed(edge: TestEdge): Promise<void> {
  const ping = newMessage({ source: "edged", group: "meta", operation: "ping", resource: "x" }, null);
  edge.send(ping);
  for (;;) {
    const answer = await edge.received.receive(WAIT());
    assert.ok(answer);
    if (answer.header.parentMsgId === ping.header.msgId) {
      assert.deepEqual([answer.route.operation, answer.content], ["response", "ack"]);
      return;
    }
  }
}

Deno.test("a session carries messages both ways, and tells edgecontroller of its begin and end", async () => {
  await using hub = await startHub();
  {
    await using edge = await hub.connect("edge-1", { path: "/any/path" });
    const connected = await hub.upstream.receive(WAIT());
    assert.deepEqual(connected?.route, {
      source: "cloudhub",
      group: "resource",
      operation: "connected",
      resource: "node/edge-1",
    });
    assert.match(hub.metrics(), /KubeEdge_CloudHub_connected_nodes 1/);

    edge.send(KEEPALIVE());
    edge.send(leaseQuery());
    assert.equal((await nextUpstream(hub)).route.resource, "node/edge-1/default/lease/x");

    await hub.inbox.send(podMessage("edge-1", "web", "7"));
    const pod = await edge.received.receive(WAIT());
    assert.equal(pod?.route.resource, "default/pod/web");
    assert.equal(pod?.header.resourceVersion, "7");
    await until(() => /acks_total\{result="known"\} 1/.test(hub.metrics()), "the acknowledgement is counted");
    assert.match(hub.metrics(), /queue_messages 0/);
  }
  const gone = await hub.upstream.receive(WAIT());
  assert.equal(gone?.route.operation, "disconnected");
  assert.match(hub.metrics(), /KubeEdge_CloudHub_connected_nodes 0/);
});

Deno.test("cloudHub() refuses connections it must not serve, and says why", async (t) => {
  await using hub = await startHub({ nodeLimit: 1 });
  await using _edge = await hub.connect("edge-1");
  const refused = (status: number, pattern: RegExp) => (error: unknown) => {
    assert.ok(error instanceof UpgradeRefused, String(error));
    assert.equal(error.status, status);
    assert.match(error.text, pattern);
    return true;
  };
  const mine = await hub.issue("edge-1");
  await t.step("another node's certificate", () =>
    assert.rejects(
      hub.connect("edge-2", { credentials: mine }),
      refused(403, /certificate of "system:node:edge-1" does not belong to node edge-2.*join it again/),
    ));
  await t.step("a foreign Origin", () =>
    assert.rejects(
      hub.connect("edge-1", { headers: { Origin: "https://example.org" } }),
      refused(403, /Origin/),
    ));
  await t.step(
    "another use",
    () =>
      assert.rejects(
        hub.connect("edge-1", { headers: { ConnectionUse: "str" } }),
        refused(400, /ConnectionUse/),
      ),
  );
  await t.step(
    "no node_id",
    () => assert.rejects(hub.connect("", { credentials: mine }), refused(400, /node_id is missing/)),
  );
  await t.step(
    "a node_id with a slash",
    () => assert.rejects(hub.connect("a/b", { credentials: mine }), refused(400, /not the name of a node/)),
  );
  await t.step(
    "more nodes than the limit",
    () => assert.rejects(hub.connect("edge-2"), refused(503, /nodeLimit/)),
  );
  await t.step("a serving certificate", async () => {
    const credentials = await hub.issue("edge-1", { extKeyUsages: [1] });
    await assert.rejects(hub.connect("edge-1", { credentials }));
  });
  await t.step("an expired certificate", async () => {
    const credentials = await hub.issue("edge-1", { now: Date.now() - 5 * 86_400_000 });
    await assert.rejects(hub.connect("edge-1", { credentials }));
  });
  await t.step("a certificate of another CA", async () => {
    const other = await loadAuthority(await createAuthority(Date.now()));
    const credentials = await credentialsOf("edge-1", other, { now: Date.now(), validityDays: 1 });
    await assert.rejects(hub.connect("edge-1", { credentials }));
  });
  await t.step("no certificate", async () => {
    await assert.rejects(openEdge(hub.ports.websocket, hub.ca, "edge-1", {}));
  });
  await t.step("the joined header of a client that tried again is fine", async () => {
    await using edge = await hub.connect("edge-1", { headers: { ConnectionUse: "msg, msg" } });
    assert.equal(edge.socket.readyState, edge.socket.OPEN);
  });
});

Deno.test("the newest connection of a node wins", async () => {
  await using hub = await startHub();
  await using older = await hub.connect("edge-1");
  await using newer = await hub.connect("edge-1");
  assert.deepEqual(await older.closed, { code: 4409, reason: "a newer connection of this node took over" });
  await hub.inbox.send(podMessage("edge-1", "web", "7"));
  assert.equal((await newer.received.receive(WAIT()))?.route.resource, "default/pod/web");
  // The old one's end is not the node's.
  newer.send(leaseQuery());
  const operations = [];
  for (;;) {
    const message = await hub.upstream.receive(WAIT());
    operations.push(message?.route.operation);
    if (message?.route.operation === "query") break;
  }
  assert.deepEqual(operations, ["connected", "connected", "query"]);
});

Deno.test("a connection that yields is let in only when no other of its node is", async () => {
  await using hub = await startHub();
  const yielding = { headers: { "kubeedge-yield": "1" } };
  {
    await using edge = await hub.connect("edge-1", yielding);
    await assert.rejects(hub.connect("edge-1", yielding), (error: unknown) => {
      assert.ok(error instanceof UpgradeRefused);
      assert.equal(error.status, 409);
      assert.match(error.text, /another edgecore is connected as node edge-1; stop one of them/);
      return true;
    });
    assert.equal(edge.socket.readyState, edge.socket.OPEN);
    await assert.rejects(hub.connect("edge-1", yielding), UpgradeRefused);
    const told = hub.logged.filter((line) => line.includes('"Refused a connection"')).map((line) => line[0]);
    assert.deepEqual(told, ["W", "D"], "one that waits is told of once");
    await using _other = await hub.connect("edge-2", yielding);
  }
  await until(() => /connected_nodes 0/.test(hub.metrics()), "the first is gone");
  await using again = await hub.connect("edge-1", yielding);
  assert.equal(again.socket.readyState, again.socket.OPEN);
});

Deno.test("frames that are no messages are counted, and neither session nor other nodes suffer", async (t) => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  await using other = await hub.connect("edge-2");
  const rows: Array<[string, string | Uint8Array]> = [
    ["text", "hello"],
    ["nothing", ""],
    ["null", "null"],
    ["an array", "[]"],
    ["a number", "0"],
    ["a deep one", "[".repeat(100_000)],
    ["bytes that are no text", Uint8Array.of(0xff, 0xfe)],
    ["a header of another type", '{"header":3}'],
  ];
  for (const [index, [name, frame]] of rows.entries()) {
    await t.step(name, async () => {
      edge.socket.send(frame);
      await flushed(edge);
      assert.match(
        hub.metrics(),
        new RegExp(`rejected_frames_total\\{reason="malformed"\\} ${index + 1}\\n`),
      );
    });
  }
  await flushed(other);
  assert.equal(
    hub.logged.filter((line) => line.includes("not a message")).length,
    1,
    "the log is not flooded",
  );
});

Deno.test("frames are taken as text, as binary, and in fragments", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  const text = JSON.stringify({
    header: { msg_id: "a", timestamp: 1 },
    route: leaseQuery().route,
    content: "x",
  });
  edge.socket.send(new TextEncoder().encode(text), { binary: true });
  assert.equal((await nextUpstream(hub)).content, "x");
  edge.socket.send(text.slice(0, 20), { fin: false });
  edge.socket.send(text.slice(20, 50), { fin: false });
  edge.socket.send(text.slice(50), { fin: true });
  assert.equal((await nextUpstream(hub)).content, "x");
});

Deno.test("a frame over the limit ends the session with 1009", async () => {
  await using hub = await startHub({ maxFrameBytes: 10_000 });
  await using edge = await hub.connect("edge-1");
  await using other = await hub.connect("edge-2");
  edge.socket.send("x".repeat(10_001));
  assert.equal((await edge.closed).code, 1009);
  await flushed(other);
  assert.match(hub.metrics(), /rejected_frames_total\{reason="too_large"\} 1/);
});

Deno.test("a node cannot speak as a module of the cloud, nor for another node", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  const forged = leaseQuery();
  for (const source of ["edgecontroller", "cloudhub", "devicecontroller", "synccontroller", "cloudStream"]) {
    edge.send({ ...forged, route: { ...forged.route, source } });
  }
  edge.send({ ...forged, route: { ...forged.route, resource: "node/edge-2/default/lease/x" } });
  const message = await nextUpstream(hub);
  assert.equal(message.route.resource, "node/edge-1/node/edge-2/default/lease/x");
});

Deno.test("what is for a module that is not enabled is told of once, an empty message never", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  await using other = await hub.connect("edge-2");
  const detail = (node: string) =>
    newMessage(
      { source: "twin", group: "resource", operation: "get", resource: "membership/detail" },
      JSON.stringify({ event_type: "group_membership_event", operation: "detail", group_id: node }),
    );
  for (const [socket, node] of [[edge, "edge-1"], [other, "edge-2"], [edge, "edge-1"]] as const) {
    socket.send(detail(node));
    socket.socket.send('{"header":{"msg_id":"","timestamp":0},"route":{},"content":null}');
    await flushed(socket);
  }
  const warnings = hub.logged.filter((line) => line.startsWith("W"));
  assert.equal(warnings.length, 1, warnings.join("\n"));
  assert.match(warnings[0]!, /module that is not enabled.*deviceController/);
  assert.match(hub.metrics(), /reason="no_module"\} 3/);
});

Deno.test("k8s/ca.crt is answered from the cluster, or with what went wrong", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  const ask = () =>
    newMessage(
      { source: "metamanager", group: "resource", operation: "query", resource: "k8s/ca.crt" },
      null,
    );
  edge.send(ask());
  assert.equal((await edge.received.receive(WAIT()))?.route.operation, "error");
  hub.kube.seed(CONFIG_MAPS, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "kubeedge", name: "kube-root-ca.crt" },
    data: { "ca.crt": "PEM" },
  });
  const request = ask();
  edge.send(request);
  const answer = await edge.received.receive(WAIT());
  assert.deepEqual(
    [answer?.route.source, answer?.route.operation, answer?.route.resource, answer?.content],
    ["cloudhub", "response", "k8s/ca.crt", "PEM"],
  );
  assert.equal(answer?.header.parentMsgId, request.header.msgId);
});

Deno.test("what a node missed is delivered when it connects, the newest of each object only", async () => {
  await using hub = await startHub();
  await hub.inbox.send(podMessage("edge-1", "web", "7"));
  await hub.inbox.send(podMessage("edge-1", "web", "9"));
  await hub.inbox.send(podMessage("edge-1", "web", "8"));
  await hub.inbox.send(podMessage("edge-1", "db", "10"));
  await until(() => /queue_messages 2/.test(hub.metrics()), "two messages wait");
  await using edge = await hub.connect("edge-1");
  const first = await edge.received.receive(WAIT());
  const second = await edge.received.receive(WAIT());
  assert.deepEqual([first?.header.resourceVersion, second?.header.resourceVersion], ["9", "10"]);
});

Deno.test("one message is on its way at a time, and what was not acknowledged comes again on reconnect", async () => {
  await using hub = await startHub();
  {
    await using edge = await hub.connect("edge-1", { acknowledge: false });
    await hub.inbox.send(podMessage("edge-1", "web", "7"));
    await hub.inbox.send(podMessage("edge-1", "db", "8"));
    assert.equal((await edge.received.receive(WAIT()))?.header.resourceVersion, "7");
    await until(() => /queue_messages 2/.test(hub.metrics()), "two messages wait");
    await flushed(edge);
    assert.equal(edge.received.length, 0);
  }
  await until(() => !/connected_nodes 1/.test(hub.metrics()), "the node is gone");
  await using edge = await hub.connect("edge-1");
  const versions = [
    (await edge.received.receive(WAIT()))?.header.resourceVersion,
    (await edge.received.receive(WAIT()))?.header.resourceVersion,
  ];
  assert.deepEqual(versions.sort(), ["7", "8"]);
});

Deno.test("a deleted node loses its session and what waited for it", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1", { acknowledge: false });
  await hub.inbox.send(podMessage("edge-1", "web", "7"));
  await hub.inbox.send(podMessage("edge-1", "db", "8"));
  const route = {
    source: "edgecontroller",
    group: "resource",
    operation: "delete",
    resource: "node/edge-1/null/node/edge-1",
  };
  await hub.inbox.send(newMessage(route, null));
  assert.deepEqual(await edge.closed, { code: 1008, reason: "the node was deleted" });
  await until(() => /queue_messages 0/.test(hub.metrics()), "nothing waits");
});

Deno.test("a full queue drops messages, other nodes go on, and everything is offered again once there is room", async () => {
  const clock = new FakeClock(Date.now());
  await using hub = await startHub({ queueLimitCount: 3 }, { clock });
  await using edge = await hub.connect("edge-1", { acknowledge: false });
  await using other = await hub.connect("edge-2");
  const connects = { "node/edge-1": 0, "node/edge-2": 0 };
  const told = async () => {
    for await (const { route: { operation, resource } } of hub.upstream) {
      if (operation === "connected") connects[resource as keyof typeof connects]++;
    }
  };
  const listening = told();
  for (let i = 0; i < 5; i++) await hub.inbox.send(podMessage("edge-1", `web-${i}`, String(i + 1)));
  await hub.inbox.send(podMessage("edge-2", "web", "1"));
  assert.equal((await other.received.receive(WAIT()))?.route.resource, "default/pod/web");
  assert.match(hub.metrics(), /dropped_total\{reason="overflow"\} 2/);
  await clock.advance(1_000);
  assert.deepEqual(connects, { "node/edge-1": 1, "node/edge-2": 1 });
  for (let i = 0; i < 2; i++) {
    const { header, route } = (await edge.received.receive(WAIT()))!;
    edge.send(newMessage({ ...route, operation: "response" }, "OK", { parentMsgId: header.msgId }));
  }
  await flushed(edge);
  await clock.advance(1_000);
  await until(() => connects["node/edge-1"] === 2, "everything is offered again");
  await clock.advance(5_000);
  assert.deepEqual(connects, { "node/edge-1": 2, "node/edge-2": 1 });
  hub.upstream.close();
  await listening;
});

Deno.test("a message that no session can carry is dropped and told once, by an Event of its object, and others go on", async () => {
  await using hub = await startHub({ queueLimitChars: 5_000 });
  await using edge = await hub.connect("edge-1");
  const large = podMessage("edge-1", "large", "1");
  const content = { ...large.content as Record<string, unknown>, junk: "x".repeat(5_000) };
  for (let i = 0; i < 3; i++) await hub.inbox.send({ ...large, content });
  await hub.inbox.send(podMessage("edge-1", "web", "2"));
  assert.equal((await edge.received.receive(WAIT()))?.route.resource, "default/pod/web");
  await until(() => hub.kube.peekAll(EVENTS).length === 1, "it is told by an Event");
  const [{ reason, involvedObject, message = "" }] = hub.kube.peekAll(EVENTS) as [Event];
  assert.deepEqual([reason, involvedObject.kind, involvedObject.name], ["TooLargeForEdge", "Pod", "large"]);
  assert.match(message, /edge-1.*characters of 5000/);
  assert.equal(hub.logged.filter((line) => line.includes("too large for a node")).length, 1);
  assert.match(hub.metrics(), /dropped_total\{reason="too_large"\} 3/);
});

Deno.test("a metaserver that asks for dynamiccontroller where there is none is refused at once", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  const application = {
    ID: "5f0c",
    Key: "/core/v1/configmaps/default/web",
    Verb: "update",
    Nodename: "edge-1",
    Option: "e30=",
    ReqBody: "eyJraW5kIjoiQ29uZmlnTWFwIn0=",
    Subresource: "",
    RespBody: null,
    Status: "InApplying",
    Reason: "",
    Error: { ErrStatus: { metadata: {} } },
    Timestamp: "0001-01-01T00:00:00Z",
  };
  const text =
    "Cannot update /core/v1/configmaps/default/web in the cloud: this cloudcore has no dynamiccontroller";
  const { status, reason, code, message } = new StatusError("MethodNotAllowed", text).toStatus();
  const rejected = {
    ...application,
    Option: null,
    ReqBody: null,
    Status: "Rejected",
    Reason: text,
    Error: { ErrStatus: { metadata: {}, status, message, reason, code } },
  };
  const rows: Array<[resource: string, content: unknown, answered: string, answer: unknown]> = [
    ["null", application, "ignore/Application/ignore", rejected],
    ["watchapp/sync", { "5f0c": application }, "watchapp/sync", { "5f0c": rejected }],
    ["watchapp/sync", {}, "watchapp/sync", {}],
  ];
  for (const [resource, content, answered, answer] of rows) {
    const route = { source: "metaserver", group: "dynamiccontroller", operation: "null", resource };
    const request = newMessage(route, content);
    edge.send(request);
    const received = await edge.received.receive(WAIT());
    assert.equal(received?.header.parentMsgId, request.header.msgId);
    assert.deepEqual(received?.route, {
      source: "dynamiccontroller",
      group: "resource",
      operation: "applicationResponse",
      resource: answered,
    });
    assert.deepEqual(received?.content, answer);
  }
  assert.equal(hub.logged.filter((line) => line.includes("not enabled")).length, 1);
});

Deno.test("a node without keepalives is disconnected, one with them is not", async () => {
  const clock = new FakeClock(Date.now());
  await using hub = await startHub({}, { clock });
  await using silent = await hub.connect("edge-1");
  await using alive = await hub.connect("edge-2");
  for (let seconds = 0; seconds < 60; seconds += 15) {
    alive.send(KEEPALIVE());
    await flushed(alive);
    await clock.advance(15_000);
  }
  assert.deepEqual(await silent.closed, { code: 1008, reason: "no keepalive for 30 s" });
  await flushed(alive);
});

async function isEndedAsSilent(hub: RunningHub, edge: TestEdge): Promise<void> {
  await until(() => hub.logged.some((line) => line.includes("no keepalive")), "the session is ended");
  assert.deepEqual(await edge.closed, { code: 1008, reason: "no keepalive for 30 s" });
}

Deno.test("a cloudcore that stood still gives nodes their time anew", async () => {
  const clock = new FakeClock(Date.now());
  let stoodStillMs = 0;
  const overslept: Clock = {
    now: () => clock.now(),
    elapsed: () => clock.elapsed() + stoodStillMs,
    sleep: (ms, options) => clock.sleep(ms, options),
  };
  await using hub = await startHub({}, { clock: overslept });
  await using edge = await hub.connect("edge-1");
  edge.send(KEEPALIVE());
  await flushed(edge);
  stoodStillMs = 90_000;
  await clock.advance(29_000);
  edge.send(KEEPALIVE());
  await flushed(edge);
  await clock.advance(31_000);
  await isEndedAsSilent(hub, edge);
});

Deno.test("a cloudcore whose clock was set back still notices nodes that are silent", async () => {
  const clock = new FakeClock(Date.now());
  await using hub = await startHub({}, { clock });
  await using edge = await hub.connect("edge-1");
  clock.set(clock.now() - 3_600_000);
  await clock.advance(32_000);
  await isEndedAsSilent(hub, edge);
});

Deno.test("what is not acknowledged is sent again with the same id, every 5 s", async () => {
  const clock = new FakeClock(Date.now());
  await using hub = await startHub({ keepaliveIntervalMs: 1e9 }, { clock });
  await using edge = await hub.connect("edge-1", { acknowledge: false });
  await hub.inbox.send(podMessage("edge-1", "web", "7"));
  const first = await edge.received.receive(WAIT());
  for (let i = 1; i <= 4; i++) {
    await clock.advance(5_000);
    assert.equal((await edge.received.receive(WAIT()))?.header.msgId, first?.header.msgId);
    assert.match(hub.metrics(), new RegExp(`resends_total ${i}\\n`));
  }
  edge.send(
    newMessage({ ...first!.route, operation: "response" }, "OK", { parentMsgId: first!.header.msgId }),
  );
  await flushed(edge);
  await clock.advance(60_000);
  await flushed(edge);
  assert.match(hub.metrics(), /queue_messages 0/);
});

Deno.test("large messages arrive whole and in order, beyond what a socket takes at once", async () => {
  await using hub = await startHub({ inflightWindow: 8 });
  await using edge = await hub.connect("edge-1");
  const count = 24;
  for (let i = 0; i < count; i++) {
    const message = podMessage("edge-1", `web-${i}`, String(i + 1));
    await hub.inbox.send({
      ...message,
      content: { ...message.content as object, data: "é".repeat(300_000) },
    });
  }
  for (let i = 0; i < count; i++) {
    const message = await edge.received.receive(WAIT());
    assert.equal(message?.header.resourceVersion, String(i + 1));
    assert.equal((message?.content as { data: string }).data.length, 300_000);
  }
});

Deno.test("a node that floods is slowed down, and nothing of it is lost", async () => {
  await using hub = await startHub();
  await using edge = await hub.connect("edge-1");
  // More than the mailbox and the session take together, so the socket has to wait.
  const count = 20_000;
  for (let i = 0; i < count; i++) edge.send(leaseQuery(i));
  await until(() => hub.upstream.length === hub.upstream.capacity, "edgecontroller's mailbox is full");
  const framesIn = () => Number(/frames_total\{direction="in"\} (\d+)/.exec(hub.metrics())?.[1]);
  let before = -1;
  await until(async () => {
    const now = framesIn();
    const steady = now === before;
    before = now;
    if (!steady) await new Promise((resolve) => setTimeout(resolve, 100));
    return steady;
  }, "cloudhub stops reading");
  // What the runtime had read ahead, some megabytes, still comes.
  assert.ok(before < 16_000, `${before} frames were read`);
  for (let i = 0; i < count; i++) assert.equal((await nextUpstream(hub)).content, i);
});

Deno.test("the node is annotated with the cloudcore that serves it", async () => {
  await using hub = await startHub({ localIp: "192.0.2.9" });
  hub.kube.seed(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: "edge-1" } });
  await using _edge = await hub.connect("edge-1");
  await until(
    () => hub.kube.peek(NODES, "edge-1")?.metadata?.annotations?.cloudcore === "192.0.2.9",
    "the annotation is there",
  );
});

Deno.test("a node that registers after it connected is annotated when its object comes by", async () => {
  await using hub = await startHub({ localIp: "192.0.2.9" });
  await using _edge = await hub.connect("edge-1");
  await until(() => hub.logged.some((line) => line.includes("not annotated")), "the annotation was given up");
  const node = hub.kube.seed(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: "edge-1" } });
  const route = {
    source: "edgecontroller",
    group: "resource",
    operation: "update",
    resource: "node/edge-1/null/node/edge-1",
  };
  await hub.inbox.send(newMessage(route, node, { resourceVersion: node.metadata!.resourceVersion! }));
  await until(
    () => hub.kube.peek(NODES, "edge-1")?.metadata?.annotations?.cloudcore === "192.0.2.9",
    "the annotation is there",
  );
});

Deno.test("stopping cloudHub() closes sessions with 1001 and leaves nothing behind", async () => {
  const hub = await startHub();
  await using edge = await hub.connect("edge-1");
  await hub.stop();
  assert.deepEqual(await edge.closed, { code: 1001, reason: "cloudcore is stopping" });
  await using again = await startHub({ websocket: { address: "127.0.0.1", port: hub.ports.websocket } });
  assert.equal(again.ports.websocket, hub.ports.websocket);
});
