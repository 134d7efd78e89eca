import assert from "node:assert/strict";
import fc from "fast-check";
import { type Message, newMessage } from "../../common/model/mod.ts";
import { dispatch } from "./dispatch.ts";
import { LinkHealth } from "./link_health.ts";
import { hubUrl, resolveOptions } from "./options.ts";
import { edgeHubPermissions } from "./permissions.ts";
import { RateLimiter } from "./rate_limiter.ts";
import { rotationTime } from "./rotation.ts";
import { expectsReply, SendQueue, urgencyOf } from "./send_queue.ts";

const message = (operation: string, resource: string, group = "meta", source = "edged"): Message =>
  newMessage({ source, group, operation, resource }, null);

Deno.test("dispatch() sends each group where it belongs and lets none pose as a module of the edge", async (t) => {
  const rows: Array<[string, string, string]> = [
    ["resource", "update", "metamanager"],
    ["resource", "response", "metamanager"],
    ["func", "update", "metamanager"],
    ["twin", "update", "nobody"],
    ["user", "publish", "nobody"],
    ["taskmanager", "upgrade", "nobody"],
    ["meta", "connect", "nobody"],
    ["meta", "query", "nobody"],
    ["hub", "update", "nobody"],
    ["", "update", "nobody"],
    ["__proto__", "update", "nobody"],
  ];
  for (const [group, operation, to] of rows) {
    await t.step(`${operation} of ${group}`, () => {
      const target = dispatch(message(operation, "default/pod/web", group, "edgecontroller"));
      assert.equal("to" in target && target.to, to);
    });
  }
  for (const operation of ["config", "ping", "pong"]) {
    await t.step(`control operation ${operation}`, () => {
      const asked = message(operation, "x", "resource", "cloudhub");
      const target = dispatch(asked);
      assert.ok("answer" in target);
      assert.deepEqual(target.answer.route, { ...asked.route, operation: "response" });
      assert.equal(target.answer.content, "ack");
      assert.equal(target.answer.header.parentMsgId, asked.header.msgId);
    });
  }
});

Deno.test("urgencyOf() puts what keeps the node alive first", async (t) => {
  const rows: Array<[string, string, string]> = [
    ["keepalive", "node", "heartbeat"],
    ["update", "kube-node-lease/lease/edge-1", "heartbeat"],
    ["patch", "null/nodepatch/edge-1", "heartbeat"],
    ["response", "default/pod/web", "confirmation"],
    ["error", "default/pod/web", "confirmation"],
    ["patch", "default/podpatch/web", "bulk"],
    ["insert", "default/event/e", "bulk"],
    ["upload", "no resource at all", "bulk"],
  ];
  for (const [operation, resource, urgency] of rows) {
    await t.step(
      `${operation} ${resource}`,
      () => assert.equal(urgencyOf(message(operation, resource)), urgency),
    );
  }
});

Deno.test("expectsReply() knows what the cloud answers", () => {
  assert.equal(expectsReply(message("query", "default/secret/s")), true);
  assert.equal(expectsReply(message("patch", "default/podpatch/web")), true);
  assert.equal(expectsReply(message("insert", "default/event/e")), false);
  assert.equal(expectsReply(message("response", "default/pod/web", "resource")), false);
  assert.equal(expectsReply(message("keepalive", "node", "resource", "websocket")), false);
});

Deno.test("SendQueue gives heartbeats apart, confirmations before bulk, each in order, and refuses beyond its bound", () => {
  const queue = new SendQueue(2);
  const bulk = [1, 2].map((i) => message("query", `a/secret/${i}`));
  const acks = [1, 2].map((i) => message("response", `a/secret/${i}`));
  const lease = message("update", "kube-node-lease/lease/n");
  for (const item of [...bulk, ...acks, lease]) assert.equal(queue.push(item), true);
  assert.equal(queue.push(message("query", "a/secret/3")), false);
  assert.equal(queue.takeHeartbeat(), lease);
  assert.equal(queue.takeHeartbeat(), undefined);
  assert.deepEqual([1, 2, 3, 4].map(() => queue.takeOther()), [...acks, ...bulk]);
  assert.equal(queue.length, 0);
});

Deno.test("RateLimiter lets a burst through and then its rate, whatever the clock does", () => {
  const limiter = new RateLimiter({ perSecond: 10, burst: 3 }, 1000);
  assert.deepEqual([1, 2, 3, 4].map(() => limiter.take(1000)), [true, true, true, false]);
  assert.equal(limiter.waitMs(1000), 100);
  assert.equal(limiter.take(1050), false);
  assert.equal(limiter.take(1100), true);
  assert.equal(limiter.take(500), false, "a clock set back gives nothing");
  assert.equal(limiter.take(600), true, "and time goes on from there");
  assert.deepEqual([1, 2, 3, 4].map(() => limiter.take(1_000_000)), [true, true, true, false]);
});

Deno.test("RateLimiter never gives more than burst and rate allow", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }), (waits) => {
    const limiter = new RateLimiter({ perSecond: 10, burst: 5 }, 0);
    let now = 0;
    let taken = 0;
    for (const wait of waits) {
      now += wait;
      if (limiter.take(now)) taken++;
    }
    assert.ok(taken <= 5 + now / 100 + 1e-6);
  }));
});

Deno.test("LinkHealth gives up a link on which no bytes move, not one that is slow", () => {
  const limits = { writeDeadlineMs: 1000, silenceLimitMs: 60_000 };
  const health = new LinkHealth(limits, 0);
  health.sent(5000, false, 0);
  assert.equal(health.check(5000, 900), undefined);
  assert.equal(health.check(4000, 1800), undefined, "1000 bytes went out");
  assert.equal(health.check(4000, 2700), undefined);
  assert.match(health.check(4000, 2800) ?? "", /nothing could be written for 1 s/);
  assert.equal(health.check(0, 2900), undefined);
});

Deno.test("LinkHealth gives up a link on which a due reply does not come, and nothing else either", () => {
  const health = new LinkHealth({ writeDeadlineMs: 1000, silenceLimitMs: 60_000 }, 0);
  assert.equal(health.check(0, 3_600_000), undefined, "quiet is not dead");
  health.sent(10, true, 3_600_000);
  health.sent(10, true, 3_650_000);
  assert.equal(health.check(0, 3_659_999), undefined);
  assert.match(health.check(0, 3_660_000) ?? "", /silent for 60 s/);
  health.received();
  assert.equal(health.check(0, 3_660_001), undefined);
});

Deno.test("rotationTime() lies between 70 % and 90 % of the life", () => {
  const life = { notBefore: 1000, notAfter: 2000 };
  assert.equal(rotationTime(life, 0), 1700);
  assert.ok(rotationTime(life, 0.999999) < 1900);
});

const options = {
  nodeName: "edge-1",
  httpServer: "https://10.0.0.1:10002",
  websocketServer: "10.0.0.1:10000",
};

Deno.test("resolveOptions() fills in upstream's defaults", () => {
  const resolved = resolveOptions({ ...options, messageQps: undefined });
  assert.equal(hubUrl(resolved), "wss://10.0.0.1:10000/e632aba927ea4ac2b575ec1603d56f10/edge-1/events");
  assert.deepEqual([resolved.messageQps, resolved.messageBurst, resolved.heartbeatMs], [30, 60, 15_000]);
  assert.equal(resolved.tlsCaFile, "/etc/kubeedge/ca/rootCA.crt");
});

Deno.test("resolveOptions() refuses what cannot work, naming it", async (t) => {
  const rows: Array<[string, Record<string, unknown>]> = [
    ["nodeName", { nodeName: "" }],
    ["nodeName", { nodeName: "../etc" }],
    ["nodeName", { nodeName: "Edge 1" }],
    ["httpServer", { httpServer: "10.0.0.1:10002" }],
    ["httpServer", { httpServer: "http://10.0.0.1:10002" }],
    ["websocketServer", { websocketServer: "" }],
    ["websocketServer", { websocketServer: "10.0.0.1:10000/path" }],
    ["websocketServer", { websocketServer: "wss://10.0.0.1:10000" }],
    ["websocketServer", { websocketServer: "user@host:1" }],
    ["heartbeatMs", { heartbeatMs: 0 }],
    ["messageQps", { messageQps: NaN }],
    ["messageBurst", { messageBurst: 0 }],
  ];
  for (const [name, change] of rows) {
    await t.step(
      JSON.stringify(change),
      () => assert.throws(() => resolveOptions({ ...options, ...change }), new RegExp(name)),
    );
  }
});

Deno.test("edgeHubPermissions() names two addresses and three directories", () => {
  assert.deepEqual(edgeHubPermissions({ ...options, websocketServer: "[fd00::1]:10000" }), {
    net: ["10.0.0.1:10002", "[fd00::1]:10000"],
    read: ["/etc/kubeedge/ca", "/etc/kubeedge/certs", "/etc/kubeedge/bootstrap-edgecore.conf"],
    write: ["/etc/kubeedge/ca", "/etc/kubeedge/certs"],
  });
});
