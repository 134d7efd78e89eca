import assert from "node:assert/strict";
import {
  type Message,
  messageFromJson,
  messageToJson,
  printMessage,
  withNode,
} from "../../common/model/mod.ts";
import { Mailbox } from "../../common/module/mod.ts";
import { deliveryClassOf } from "./delivery_class.ts";
import { decideUpstream } from "./upstream.ts";
import { startHub } from "./_testing.ts";

interface Frame {
  dir: "edge->cloud" | "cloud->edge";
  json?: unknown;
}

const SESSION = new URL("../../tests/testdata/upstream/v1.23.1/session.jsonl", import.meta.url);
const NODE = "edge-ke";

function frames(dir: Frame["dir"]): Message[] {
  return Deno.readTextFileSync(SESSION).trim().split("\n")
    .map((line) => JSON.parse(line) as Frame)
    .filter((frame) => frame.dir === dir && frame.json !== undefined)
    .map((frame) => messageFromJson(frame.json));
}

Deno.test("deliveryClassOf() agrees with what upstream's edgecore acknowledged", () => {
  const acknowledged = new Set(
    frames("edge->cloud").filter((m) => m.route.operation === "response").map((m) => m.header.parentMsgId),
  );
  const seen = { acknowledged: 0, once: 0, undeliverable: 0 };
  for (const message of frames("cloud->edge")) {
    const { kind } = deliveryClassOf(message, message.route.resource);
    seen[kind]++;
    // An edge acknowledges some messages that nobody waits for, never the other way round.
    if (kind === "acknowledged") assert.ok(acknowledged.has(message.header.msgId), message.route.resource);
  }
  assert.deepEqual(seen, { acknowledged: 26, once: 38, undeliverable: 0 });
});

Deno.test("decideUpstream() places every recorded message of an edge", () => {
  const seen: Record<string, number> = {};
  for (const message of frames("edge->cloud")) {
    const action = decideUpstream(message, NODE);
    const name = action.kind === "forward" ? action.to : action.kind;
    seen[name] = (seen[name] ?? 0) + 1;
  }
  assert.equal(seen.drop, undefined);
  assert.ok(
    seen.keepalive! > 0 && seen.acknowledgement! > 0 && seen.edgeController! > 0 &&
      seen.deviceController! > 0,
  );
});

Deno.test("a recorded session passes through cloudHub() unchanged, to the byte", async () => {
  const twin = new Mailbox<Message>("devicecontroller", 1000);
  await using hub = await startHub({}, { deviceController: twin.send });
  await using edge = await hub.connect(NODE);
  const wait = () => ({ signal: AbortSignal.timeout(30_000) });

  const texts: string[] = [];
  edge.socket.on("message", (data) => texts.push(String(data)));
  for (const message of frames("cloud->edge")) {
    const { resource } = message.route;
    await hub.inbox.send({ ...message, route: { ...message.route, resource: withNode(NODE, resource) } });
    await edge.received.receive(wait());
    assert.equal(texts.pop(), printMessage(message));
  }

  for (const message of frames("edge->cloud")) {
    edge.send(message);
    const action = decideUpstream(message, NODE);
    if (action.kind !== "forward") continue;
    const module = action.to === "deviceController" ? twin : hub.upstream;
    let got = await module.receive(wait());
    if (got?.route.operation === "connected") got = await module.receive(wait());
    const resource = withNode(NODE, message.route.resource);
    assert.ok(got);
    assert.deepEqual(
      messageToJson(got),
      messageToJson({ ...message, route: { ...message.route, resource } }),
    );
  }
});
