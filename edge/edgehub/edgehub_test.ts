import assert from "node:assert/strict";
import { type Message, newMessage } from "../../common/model/mod.ts";
import { type Clock, systemClock } from "../../common/module/mod.ts";
import { FakeClock } from "../../common/module/fake_clock.ts";
import { type Harness, startEdgeHub } from "./_harness.ts";
import { StallingProxy } from "./_stalling_test_proxy.ts";
import { type Session, TestCloud } from "./_test_cloud.ts";
import type { EdgeHubOptions } from "./mod.ts";

async function inTempDir(act: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await act(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const request = (operation: string, resource: string, content: unknown = null): Message =>
  newMessage({ source: "edged", group: "meta", operation, resource }, content);

const push = (content: unknown): Message =>
  newMessage(
    { source: "edgecontroller", group: "resource", operation: "update", resource: "default/pod/web" },
    content,
  );

/** A hub with an open link: keepalive and `connect` have been taken. */
interface Linked {
  cloud: TestCloud;
  hub: Harness;
  session: Session;
  directory: string;
}

const whenLinked = (
  act: (linked: Linked) => Promise<void>,
  options: Partial<EdgeHubOptions> = {},
  clock?: Clock,
) =>
() =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    await using hub = await startEdgeHub(
      cloud.options(directory, { token: await cloud.token(), ...options }),
      clock,
    );
    const session = await cloud.session();
    assert.equal((await session.next()).route.operation, "keepalive");
    assert.equal((await hub.metaManager()).content, "cloud_connected");
    await act({ cloud, hub, session, directory });
  });

Deno.test("edgeHub() joins by token, dials as upstream does and carries messages both ways", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    await using hub = await startEdgeHub(cloud.options(directory, { token: await cloud.token() }));
    const session = await cloud.session();
    assert.equal(session.path, "/e632aba927ea4ac2b575ec1603d56f10/edge-1/events");
    assert.equal(session.headers.node_id, "edge-1");
    assert.equal(session.headers.project_id, "e632aba927ea4ac2b575ec1603d56f10");
    assert.equal(session.headers.connectionuse, "msg");
    assert.equal(session.headers["sec-websocket-extensions"], undefined);
    assert.equal(session.headers.origin, undefined);
    assert.equal(session.peer, "system:node:edge-1");
    assert.deepEqual(cloud.requests.map((r) => [r.path, r.nodeName]), [["/ca.crt", ""], [
      "/edge.crt",
      "edge-1",
    ]]);
    assert.match(cloud.requests[1]!.authorization, /^Bearer ey/);

    const keepalive = await session.next();
    assert.deepEqual(keepalive.route, {
      source: "websocket",
      group: "resource",
      operation: "keepalive",
      resource: "node",
    });
    assert.equal(keepalive.content, "ping");
    const connected = await hub.metaManager();
    assert.deepEqual(connected.route, {
      source: "edgehub",
      group: "meta",
      operation: "connect",
      resource: "node/connection",
    });
    assert.equal(connected.content, "cloud_connected");

    const sent = push({ text: "x".repeat(20_000) });
    session.send(sent);
    assert.deepEqual(await hub.metaManager(), sent);
    const query = request("query", "default/configmap/web");
    await hub.give(query);
    assert.deepEqual(await session.next(), query);
    assert.equal((await Deno.stat(`${directory}/certs/server.key`)).mode! & 0o777, 0o600);
  }));

Deno.test("edgeHub() prefers the token file to the configured token, and joins only once", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    const options = cloud.options(directory, { token: "wrong" });
    await Deno.writeTextFile(options.tokenFile!, `\n  ${await cloud.token()}\n`);
    {
      await using _hub = await startEdgeHub(options);
      await (await cloud.session()).next();
    }
    await Deno.remove(options.tokenFile!);
    await using _again = await startEdgeHub({ ...options, token: undefined });
    await (await cloud.session()).next();
    assert.equal(cloud.requests.length, 2, "the second start uses the stored certificate");
  }));

Deno.test("edgeHub() joins anew when the stored certificate is another node's and there is a token", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    const options = cloud.options(directory, { token: await cloud.token() });
    {
      await using _hub = await startEdgeHub({ ...options, nodeName: "old-name" });
      await cloud.session();
    }
    await using hub = await startEdgeHub(options);
    assert.equal((await cloud.session()).peer, "system:node:edge-1");
    await hub.log(/joining anew.*old-name/);
  }));

Deno.test("edgeHub() keeps trying without a token and takes the one that is provided later", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    const options = cloud.options(directory);
    await using hub = await startEdgeHub(options);
    await hub.log(/E.*no certificate and no join token.*keadm gettoken.*bootstrap-edgecore\.conf/);
    await Deno.writeTextFile(options.tokenFile!, await cloud.token());
    assert.equal((await cloud.session()).peer, "system:node:edge-1");
  }));

Deno.test("edgeHub() waits for a cloud that is away when it starts, and refuses requests meanwhile", () =>
  inTempDir(async (directory) => {
    const gone = await TestCloud.start();
    const { ports, ca } = gone;
    const options = gone.options(directory, { token: await gone.token() });
    await gone[Symbol.asyncDispose]();
    await using hub = await startEdgeHub(options);
    await hub.log(/E.*Cannot reach https:.*is cloudcore running/);
    const query = request("query", "kube-node-lease/lease/edge-1");
    await hub.give(query);
    const refusal = await hub.metaManager();
    assert.deepEqual(refusal.route, {
      ...query.route,
      source: "websocket",
      group: "resource",
      operation: "error",
    });
    assert.equal(refusal.header.parentMsgId, query.header.msgId);
    assert.equal(refusal.content, "not connected");
    await using cloud = await TestCloud.start(ports, undefined, ca);
    assert.equal((await cloud.session()).peer, "system:node:edge-1");
  }));

Deno.test(
  "edgeHub() tells metamanager when the link is lost, and connects again soon",
  whenLinked(async ({ cloud, hub, session }) => {
    session.socket.terminate();
    assert.equal((await hub.metaManager()).content, "cloud_disconnected");
    const began = Date.now();
    const again = await cloud.session();
    assert.ok(Date.now() - began < 5000, "the first wait is short");
    assert.equal((await again.next()).route.operation, "keepalive");
    assert.equal((await hub.metaManager()).content, "cloud_connected");
  }),
);

Deno.test(
  "edgeHub() survives the cloud being killed and coming back on the same ports",
  () =>
    inTempDir(async (directory) => {
      const first = await TestCloud.start();
      const { ports, ca } = first;
      await using hub = await startEdgeHub(first.options(directory, { token: await first.token() }));
      await (await first.session()).next();
      assert.equal((await hub.metaManager()).content, "cloud_connected");
      await first[Symbol.asyncDispose]();
      assert.equal((await hub.metaManager()).content, "cloud_disconnected");
      await using second = await TestCloud.start(ports, undefined, ca);
      await (await second.session()).next();
      assert.equal((await hub.metaManager()).content, "cloud_connected");
      assert.equal(second.requests.length, 0, "it need not join again");
    }),
);

Deno.test("edgeHub() says what to do when the cloud has another CA than the stored one", () =>
  inTempDir(async (directory) => {
    const first = await TestCloud.start();
    const { ports } = first;
    const options = first.options(directory, { token: await first.token() });
    {
      await using _hub = await startEdgeHub(options);
      await first.session();
    }
    await first[Symbol.asyncDispose]();
    await using _second = await TestCloud.start(ports);
    await using hub = await startEdgeHub(options);
    await hub.log(/E.*Cannot connect to wss:.*not from the CA.*set up anew.*keadm gettoken/);
  }));

Deno.test(
  "edgeHub() survives every kind of nonsense from the cloud and says so once of each kind",
  whenLinked(async ({ hub, session }) => {
    const good = push({ metadata: { name: "web" } });
    const nonsense = [
      "",
      "not json",
      "null",
      "[]",
      "0",
      '"text"',
      "{",
      `{"header":${"[".repeat(300)}${"]".repeat(300)}}`,
      '{"header":{"msg_id":7}}',
      '{"header":{"timestamp":"now"}}',
      JSON.stringify({ header: {}, route: { group: "unknown", operation: "update", resource: "a/b/c" } }),
      JSON.stringify({
        header: {},
        route: { group: "meta", operation: "connect", resource: "node/connection" },
      }),
      JSON.stringify({ header: {}, route: { group: "resource" }, content: "x".repeat(70_000) }),
    ];
    for (const text of nonsense) session.socket.send(text);
    session.socket.send(new Uint8Array([0xff, 0xfe, 0x00]), { binary: true });
    session.send(good);
    assert.deepEqual(await hub.metaManager(), good, "the good one arrives, and nothing before it");
    const complaints = hub.logged.filter((line) => line.includes("Dropped a message"));
    assert.equal(complaints.length, 2);
    assert.match(complaints[0]!, /malformed/);
    assert.match(complaints[1]!, /the group is unknown/);
  }, { maxMessageChars: 60_000 }),
);

Deno.test(
  "edgeHub() takes fragmented messages and JSON in a binary frame, and answers control operations and pings",
  whenLinked(async ({ hub, session }) => {
    const good = push({ a: "ü" });
    const text = JSON.stringify({
      header: { msg_id: good.header.msgId, timestamp: good.header.timestamp },
      route: good.route,
      content: good.content,
    });
    session.socket.send(new TextEncoder().encode(text), { binary: true });
    assert.deepEqual(await hub.metaManager(), good);
    session.socket.send(text.slice(0, 20), { fin: false });
    session.socket.send(text.slice(20, 60), { fin: false });
    session.socket.send(text.slice(60), { fin: true });
    assert.deepEqual(await hub.metaManager(), good);
    const pong = new Promise((resolve) => session.socket.once("pong", resolve));
    session.socket.ping();
    await pong;
    const ping = newMessage(
      { source: "cloudhub", group: "resource", operation: "ping", resource: "x" },
      null,
    );
    session.send(ping);
    const answer = await session.next();
    assert.deepEqual([answer.header.parentMsgId, answer.content], [ping.header.msgId, "ack"]);
  }),
);

Deno.test(
  "edgeHub() lets heartbeats and confirmations overtake bulk that the rate limit holds back",
  whenLinked(async ({ hub, session }) => {
    const bulk = Array.from({ length: 10 }, (_, i) => request("patch", `default/podpatch/p${i}`, "{}"));
    for (const item of bulk) await hub.give(item);
    const lease = request("update", "kube-node-lease/lease/edge-1", {});
    await hub.give(lease);
    const order: string[] = [];
    while (!order.includes(lease.route.resource)) order.push((await session.next()).route.resource);
    assert.ok(order.length <= 3, `the lease came behind ${order.length - 1} others`);
  }, { messageQps: 0.1, messageBurst: 1 }),
);

Deno.test("edgeHub() sends a keepalive every heartbeat", async () => {
  await whenLinked(async ({ session }) => {
    for (let i = 0; i < 3; i++) assert.equal((await session.next()).route.operation, "keepalive");
  }, { heartbeatMs: 20 })();
});

Deno.test("edgeHub() gives up a link over which nothing can be written", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    await using proxy = new StallingProxy(cloud.ports.hub);
    const options = cloud.options(directory, {
      token: await cloud.token(),
      websocketServer: `127.0.0.1:${proxy.port}`,
      writeDeadlineMs: 300,
    });
    await using hub = await startEdgeHub(options);
    const session = await cloud.session();
    await session.next();
    proxy.stall();
    const block = "x".repeat(1_000_000);
    for (let i = 0; i < 40; i++) await hub.give(request("insert", `default/event/e${i}`, block));
    await hub.log(/link to the cloud has ended.*nothing could be written/);
  }));

Deno.test(
  "edgeHub() gives up a link over which a due reply does not come",
  whenLinked(async ({ cloud, hub }) => {
    await hub.give(request("query", "kube-node-lease/lease/edge-1"));
    await hub.log(/link to the cloud has ended.*silent/);
    await cloud.session();
  }, { silenceLimitMs: 200 }),
);

Deno.test("edgeHub() gives up a handshake that never ends", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    const options = cloud.options(directory, { token: await cloud.token(), handshakeTimeoutMs: 200 });
    using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const connections: Deno.Conn[] = [];
    const accepting = (async () => {
      for await (const connection of mute) connections.push(connection);
    })();
    {
      await using hub = await startEdgeHub({ ...options, websocketServer: `127.0.0.1:${mute.addr.port}` });
      await hub.log(/Cannot connect to wss:.*no answer to the handshake in 0\.2 s/);
    }
    mute.close();
    await accepting;
    for (const connection of connections) connection.close();
  }));

Deno.test("edgeHub() says once that the cloud is away, however often it tries", () =>
  inTempDir(async (directory) => {
    const cloud = await TestCloud.start();
    const options = cloud.options(directory, { token: await cloud.token() });
    {
      await using _hub = await startEdgeHub(options);
      await cloud.session();
    }
    await cloud[Symbol.asyncDispose]();
    await using hub = await startEdgeHub(options);
    await hub.log(/^E.*Cannot connect to the cloud/);
    await hub.log(/^D.*Still not connected.*attempt=2/);
    assert.equal(hub.logged.filter((line) => line.startsWith("E")).length, 1);
  }));

Deno.test("edgeHub() says once why it cannot join, however often it tries", () =>
  inTempDir(async (directory) => {
    const cloud = await TestCloud.start();
    const options = cloud.options(directory, { token: await cloud.token() });
    await cloud[Symbol.asyncDispose]();
    await using hub = await startEdgeHub(options);
    await hub.log(/^E.*Cannot get this node's certificate/);
    await hub.log(/^D.*Still no certificate.*attempt=2/);
    assert.equal(hub.logged.filter((line) => line.startsWith("E")).length, 1);
  }));

Deno.test("edgeHub() sends what waits before it stops", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    const hub = await startEdgeHub(
      cloud.options(directory, { token: await cloud.token(), messageQps: 0.1, messageBurst: 1 }),
    );
    const session = await cloud.session();
    await session.next();
    await hub.metaManager();
    const items = Array.from({ length: 5 }, (_, i) => request("patch", `default/podpatch/p${i}`, "{}"));
    for (const item of items) await hub.give(item);
    assert.deepEqual(await session.next(), items[0]);
    await hub[Symbol.asyncDispose]();
    for (const item of items.slice(1)) assert.deepEqual(await session.next(), item);
    await session.closed;
  }));

Deno.test("edgeHub() with a clock that is years off says so once, and joins once it is set", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    let offMs = 10 * 365 * 86_400_000;
    const clock: Clock = {
      ...systemClock,
      now: () => Date.now() + offMs,
      // Its waits are none while it is wrong.
      sleep: (ms, options) => systemClock.sleep(offMs === 0 ? ms : 5, options),
    };
    await using hub = await startEdgeHub(cloud.options(directory, { token: await cloud.token() }), clock);
    while (cloud.requests.length < 8) await systemClock.sleep(5);
    offMs = 0;
    await (await cloud.session()).next();
    const told = hub.logged.filter((line) => /^[WE]/.test(line));
    assert.equal(told.length, 2, told.join(""));
    assert.match(
      told[0]!,
      /^W.*"The clocks of this machine and of the cloud differ; set the one that is wrong"/,
    );
    assert.match(told[1]!, /^E.*"Cannot get this node's certificate; trying again".*3650 days ahead/);
  }));

Deno.test("edgeHub() renews its certificate in time and connects with the new one", () =>
  inTempDir(async (directory) => {
    const clock = new FakeClock(Date.now());
    await using cloud = await TestCloud.start();
    const day = 86_400_000;
    // Heartbeats and checks out of the way: hours pass at once here.
    const quiet = { heartbeatMs: 10 * day, writeDeadlineMs: 10 * day, silenceLimitMs: 10 * day };
    const options = cloud.options(directory, { token: await cloud.token(), ...quiet });
    await using hub = await startEdgeHub(options, clock);
    const session = await cloud.session();
    await session.next();
    const before = await Deno.readTextFile(options.tlsCertFile!);
    cloud.validityDays = 100;
    while (clock.sleeping < 3) await clock.advance(0);
    await clock.advance(0.69 * day);
    assert.equal(cloud.requests.length, 2, "not before 70 % of its life");
    await clock.advance(0.21 * day);
    await hub.log("Renewed the certificate");
    await hub.log(/link to the cloud has ended.*renewed/);
    while (clock.sleeping < 1) await clock.advance(0);
    await clock.advance(1000);
    assert.equal((await cloud.session()).peer, "system:node:edge-1");
    assert.equal(cloud.requests.at(-1)!.peer, "system:node:edge-1");
    assert.notEqual(await Deno.readTextFile(options.tlsCertFile!), before);
  }));
