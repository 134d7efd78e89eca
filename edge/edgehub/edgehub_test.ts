import assert from "node:assert/strict";
import { type Message, newMessage } from "../../common/model/mod.ts";
import { startEdgeHub } from "./_harness.ts";
import { TestCloud } from "./_test_cloud.ts";

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

Deno.test("edgeHub() joins by token, dials as upstream does and carries messages both ways", () =>
  inTempDir(async (directory) => {
    await using cloud = await TestCloud.start();
    await using hub = await startEdgeHub(cloud.options(directory, { token: await cloud.token() }));
    const session = await cloud.session();
    assert.equal(session.path, "/e632aba927ea4ac2b575ec1603d56f10/edge-1/events");
    assert.equal(session.headers.node_id, "edge-1");
    assert.equal(session.headers.project_id, "e632aba927ea4ac2b575ec1603d56f10");
    assert.equal(session.headers.connectionuse, "msg");
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

    const push = newMessage(
      { source: "edgecontroller", group: "resource", operation: "update", resource: "default/pod/web" },
      { text: "x".repeat(20_000) },
    );
    session.send(push);
    assert.deepEqual(await hub.metaManager(), push);
    const query = request("query", "default/configmap/web");
    await hub.give(query);
    assert.deepEqual(await session.next(), query);
    assert.equal((await Deno.stat(`${directory}/certs/server.key`)).mode! & 0o777, 0o600);
  }));
